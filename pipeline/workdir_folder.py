"""Makes sure, before anything heavy is loaded, that a run can write in its workdir.

What lies where in a workdir: `workdir_layout.py`. Two runs in one: `workdir_lock.py`.
"""

from __future__ import annotations

import os
import pathlib
import tempfile

# What runs, and changes of the gallery, write below a workdir.
_FOLDERS = (
    *("checkpoints", "data", "gallery", "logs", "pipeline_root", "runs", "schema", "serving"),
)
_FILES = ("metadata.sqlite", "summary.json")


class WorkdirError(OSError):
    """A workdir that cannot be written in; the message names the place and what is in the way."""


def writable_workdir(workdir: str | os.PathLike[str]) -> pathlib.Path:
    """Returns the absolute path of a workdir, which is made if it does not exist.

    Raises:
        WorkdirError: It, or something below it that runs write to, cannot be written to.
    """
    root = pathlib.Path(workdir).expanduser().resolve()
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Only trying tells: permissions say nothing of a disk, nor of the superuser.
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        raise _error(root, error.strerror) from error
    for name in (*_FOLDERS, *_FILES):
        path = root / name
        if not path.exists():
            continue
        if path.is_dir() != (name in _FOLDERS):
            raise _error(path, f"it is {'a folder' if path.is_dir() else 'no folder'}")
        if not os.access(path, os.W_OK | os.X_OK if path.is_dir() else os.W_OK):
            raise _error(path, "it is read-only")
    return root


def _error(path: pathlib.Path, reason: str | None) -> WorkdirError:
    return WorkdirError(
        f"cannot write to {path}: {reason}; mend that, or name another folder with --workdir"
    )
