"""Compares runs on the queries that they have in common; `flowersim compare` prints it.

`compare.py` puts everything together; it and `answers.py` read artifacts, the others only compute
or show. The first run is the reference, with which each other is compared.
"""
