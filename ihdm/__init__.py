"""Generative modelling with inverse heat dissipation: the method, its training and its evaluation."""

__version__ = "0.1.0"
