"""Findings of a run as one HTML page that needs nothing else, and as a model card."""
