"""Preparation of data: from a source of images to one memory-mapped uint8 array per split, with a description."""
