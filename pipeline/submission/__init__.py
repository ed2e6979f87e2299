"""Submitting compiled pipelines to Vertex AI and Kubeflow Pipelines, and following their jobs."""
