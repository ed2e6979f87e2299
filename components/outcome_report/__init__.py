"""What a run on a cluster came to, for people who do not watch it."""
