"""Files: written atomically, read with clear errors, known by their content, each with a record of its origin."""
