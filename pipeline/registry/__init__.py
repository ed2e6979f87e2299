"""Pushed models in Vertex AI's Model Registry, and behind its endpoints."""
