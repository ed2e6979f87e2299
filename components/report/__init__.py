"""Report: what a run found, as one page to read offline."""
