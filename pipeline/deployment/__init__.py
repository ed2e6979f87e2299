"""The pipeline on Vertex AI and Kubeflow: staged data, a compiled spec, and what is in it."""
