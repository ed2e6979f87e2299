"""The curated schema of the examples."""
