"""The results of a pipeline as objects: tables, samples, figures, networks and data, each with its record."""
