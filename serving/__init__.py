"""The model server, its client, and nothing that knows how a model was made."""
