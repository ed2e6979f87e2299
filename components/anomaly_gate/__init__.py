"""AnomalyGate: stops the run when the data does not match the schema."""
