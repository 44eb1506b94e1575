"""What is told of the results: the summary page."""
