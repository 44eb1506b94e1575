"""The report page: one self-contained HTML file with all results of a scale. Missing results are left out."""
