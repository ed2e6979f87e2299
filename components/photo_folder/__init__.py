"""Brings a folder of photos, or a dataset that lacks splits, into the TFDS layout."""
