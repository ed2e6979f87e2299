"""LeakCheck: near-duplicates across splits, found by the embedding."""
