"""Keeps libraries off the terminal for commands that have no log file."""

from __future__ import annotations

import logging
import os
import warnings


def be_quiet() -> None:
    """Silences what libraries have to say of themselves; before TensorFlow is loaded."""
    from serving.library_lines import import_tensorflow_quietly

    import_tensorflow_quietly()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=FutureWarning)
    # With a handler there, a library's first warning does not set up another that prints.
    logging.getLogger().addHandler(logging.NullHandler())
