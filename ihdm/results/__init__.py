"""The results of a pipeline as objects, each with its record, and as an RO-Crate for archives."""
