"""Networks and their training: from batches of images to averaged weights, even if interrupted."""
