"""Exact search and ranking in Beam, of galleries larger than any worker's memory."""
