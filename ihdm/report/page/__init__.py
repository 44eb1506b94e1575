"""The page that a reader opens: one HTML file of everything that a scale found out, and of nothing that it did not."""
