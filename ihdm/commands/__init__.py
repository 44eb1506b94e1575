"""The command line, one module a stage: read what earlier stages wrote, call the method, write the result."""
