"""Retrieval evaluation inside TFMA: neighbours by exact search, metrics, thresholds, baseline."""
