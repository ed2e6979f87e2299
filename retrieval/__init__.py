"""Exact similarity search and retrieval metrics in NumPy and TensorFlow; no tfx, no beam."""
