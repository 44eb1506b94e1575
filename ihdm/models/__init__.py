"""Networks and their training: from batches of images to averaged weights, whatever interrupts it."""
