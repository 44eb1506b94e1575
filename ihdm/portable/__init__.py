"""Models that live outside the workflow: a folder that diffusers loads, complete without data, config or results."""
