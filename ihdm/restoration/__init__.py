"""Restoration of images from linear measurements y = A u₀ + n: posterior sampling and baselines."""
