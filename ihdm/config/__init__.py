"""What is configured: settings, experiments, a whole scale, and how they are read from files."""
