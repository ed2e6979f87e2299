"""GalleryEdit: photos added to the gallery by hand, and ids that may not be found in it."""
