"""Measures of generated images, one file each, on arrays alone: no network, no training."""
