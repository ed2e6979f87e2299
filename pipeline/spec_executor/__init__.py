"""Executes compiled KFP v2 and Vertex AI pipeline specs on this machine, without either.

A package of its own: it knows the specification, processes and files, and nothing of flowersim or
of TFX. `runner.execute` is the way in; docs/execute.md says what of the specification it covers.
"""
