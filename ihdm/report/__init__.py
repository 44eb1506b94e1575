"""The report: tables for papers, the page of results, and the comparison of runs."""
