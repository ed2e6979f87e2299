"""Embeds any number of photos with a pushed model, as a Beam job (`flowersim embed`)."""
