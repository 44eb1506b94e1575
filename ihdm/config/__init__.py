"""Configuration: settings, experiments and whole scales, and their reading from files."""
