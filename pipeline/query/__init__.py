"""How answers of a model server are shown: as text, and as sheets of pictures."""
