"""Results as an RO-Crate 1.1 for archives, with the profiles Workflow RO-Crate 1.0 and Process Run Crate 0.5."""
