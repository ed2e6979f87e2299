"""The DAG and the ways to run it: settings, pipeline definition, runners and command line."""
