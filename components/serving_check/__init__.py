"""ServingCheck: a model is pushed only if a server has loaded it and answered real requests."""
