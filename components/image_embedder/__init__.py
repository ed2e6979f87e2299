"""ImageEmbedder: the embedding of every image, with its thumbnail."""
