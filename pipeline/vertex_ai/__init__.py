"""Reaching Vertex AI: service clients, and its errors in plain words."""
