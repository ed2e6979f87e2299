"""Everything that shapes or trains the network."""
