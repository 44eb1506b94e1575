"""Files: written atomically, read with clear errors, identified by their content, each with a record of its origin."""
