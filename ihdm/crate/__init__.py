"""Results as an RO-Crate: files described for archives, each with what made it. Goes by RO-Crate 1.1.

Conforms to the profiles Workflow RO-Crate 1.0 and Process Run Crate 0.5.
"""
