"""SimilarityIndexer: composes the model that searches an embedded gallery."""
