"""The model last blessed, for platforms that cannot ask their metadata for it."""
