"""Transform with a bounded number of images in memory."""
