"""Exported pipelines: folders that diffusers loads, complete without data, configuration or results."""
