"""TfdsExampleGen: from a prepared TFDS folder to TFX Examples, image bytes untouched."""
