"""The command line, one module per stage: read outputs of earlier stages, call the method, write the result."""
