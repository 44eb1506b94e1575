"""What is told of the results: the page that a reader opens."""
