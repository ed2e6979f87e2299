"""Findings: what a run's artifacts tell, as numbers and pictures, without saying how it looks."""
