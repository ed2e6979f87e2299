"""SimilarityIndexer: embeds a gallery and composes the model that searches it."""
