"""Where in a workdir the served model is, and what was changed in its gallery by hand.

For commands that begin with a workdir and nothing else. Where a run writes is in `places.py`.
"""

from __future__ import annotations

import os
import pathlib


def served_folder(workdir: pathlib.Path) -> pathlib.Path:
    """Returns the folder of the served model's versions, `WORKDIR/serving/NAME`.

    Raises:
        FileNotFoundError: No model was pushed in this workdir, or several; the message says which.
    """
    folder = workdir / "serving"
    names = sorted(path.name for path in folder.glob("*") if path.is_dir())
    if len(names) != 1:
        raise FileNotFoundError(
            f"{folder} holds {len(names)} models ({', '.join(names) or 'none'}), and exactly one "
            "is needed; flowersim run pushes one there"
        )
    return folder / names[0]


def ledger_folder(workdir: str | os.PathLike[str]) -> pathlib.Path:
    """Returns the folder of the gallery's ledger, which need not exist."""
    return pathlib.Path(workdir) / "gallery"
