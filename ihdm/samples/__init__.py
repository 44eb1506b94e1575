"""Generated images: sampling, unfinished and partial sets on disk, diagnostics."""
