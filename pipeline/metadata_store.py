"""Which ML Metadata store a run writes to: a file in its workdir, or a shared MySQL database.

What is in the store is read in `lineage.py`.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sqlite3
import urllib.parse
from typing import Any

from pipeline.disk_space import is_full
from pipeline.settings_loader import SettingsError

PASSWORD_VARIABLE = "FLOWERSIM_METADATA_PASSWORD"

_FILE = "metadata.sqlite"
_PORT = 3306

# What a person has to know before such a file is given up.
WITHOUT = (
    "move it and the folder pipeline_root beside it away: the next run then makes both anew. It "
    "repeats every component, compares its model with none before, and index, monitor and report "
    "know nothing of the runs before it. Pushed models, summaries and reports are kept"
)


class MetadataStoreError(RuntimeError):
    """A store that cannot be used; the message names it and says what to do, and what is lost."""


def connection_config(workdir: str | os.PathLike[str], url: str | None) -> Any:
    """Returns how TFX and ML Metadata connect to the store.

    Args:
        workdir: Of the run.
        url: `mysql://USER@HOST:PORT/DATABASE`, whose password is in the environment; None for the
            file in the workdir.

    Raises:
        SettingsError: Something is missing in the URL, or it has a password, which would end up in
            logs and saved settings.
    """
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.ConnectionConfig()
    if url is None:
        config.sqlite.filename_uri = str(pathlib.Path(workdir) / _FILE)
        config.sqlite.connection_mode = (
            metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        )
        return config
    parts = urllib.parse.urlsplit(url)
    database = parts.path.strip("/")
    try:
        port = parts.port or _PORT
    except ValueError as error:
        raise SettingsError(f"run.metadata={url}: {error}") from error
    if parts.scheme != "mysql" or not parts.hostname or not parts.username or not database:
        raise SettingsError(
            f"run.metadata={url} is not allowed; it must be mysql://USER@HOST:PORT/DATABASE"
        )
    if parts.password is not None:
        raise SettingsError(
            f"run.metadata holds a password; leave it out and set {PASSWORD_VARIABLE}, which is "
            "not logged and not saved"
        )
    config.mysql.host = parts.hostname
    config.mysql.port = port
    config.mysql.database = database
    config.mysql.user = urllib.parse.unquote(parts.username)
    config.mysql.password = os.environ.get(PASSWORD_VARIABLE, "")
    return config


def store_name(config: Any) -> str:
    """Returns how a person knows a store: its file, or `HOST:PORT/DATABASE`."""
    if config.WhichOneof("config") == "sqlite":
        return config.sqlite.filename_uri
    return f"{config.mysql.host}:{config.mysql.port}/{config.mysql.database}"


def open_store(config: Any) -> Any:
    """Opens a store.

    Args:
        config: Of `connection_config`.

    Returns:
        The `ml_metadata.MetadataStore`.

    Raises:
        SettingsError: The database cannot be reached, or refuses the user.
        MetadataStoreError: The file is damaged, of another version of ML Metadata, or locked.
    """
    import ml_metadata as mlmd

    is_file = config.WhichOneof("config") == "sqlite"
    if is_file:
        _check_file(config.sqlite.filename_uri)
    try:
        return mlmd.MetadataStore(config)
    except Exception as error:  # ML Metadata's errors have no class in common.
        if is_full(error):
            raise
        if is_file:
            raise MetadataStoreError(
                f"{config.sqlite.filename_uri}, which remembers what was run, cannot be used: "
                f"{_line(error)}. Use the version that has written it, or {WITHOUT}"
            ) from error
        raise SettingsError(
            f"run.metadata: no ML Metadata store at {store_name(config)} for the user "
            f"{config.mysql.user} (password from {PASSWORD_VARIABLE}): {error}"
        ) from error


def _check_file(path: str) -> None:
    """Looks for damage, of which ML Metadata would take no notice before it needs that place.

    A file that is not there, or empty, is a new store. To be called between transactions only: this
    process has two copies of SQLite, and closing the file here gives up the locks of the other.
    """
    if not os.path.isfile(path):
        return
    uri = f"file:{urllib.parse.quote(os.path.abspath(path))}?mode=rw"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
            ((found,),) = database.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            return  # It cannot be opened: ML Metadata says so.
        raise MetadataStoreError(
            f"{path}, which remembers what was run, is in use by another program: close that, and "
            "run the same command again"
        ) from error
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise MetadataStoreError(
            f"{path}, which remembers what was run, is damaged ({_line(found)}). Put a copy of it "
            f"back, or {WITHOUT}"
        )


def _line(error: object) -> str:
    return " ".join(str(error).split()).rstrip(".")


def is_empty(workdir: str | os.PathLike[str], url: str | None) -> bool:
    """Whether it is known, without a connection, that nothing was run in a workdir."""
    return url is None and not (pathlib.Path(workdir) / _FILE).exists()
