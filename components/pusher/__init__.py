"""Pusher: a blessed model's version folder appears whole, once."""
