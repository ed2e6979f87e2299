"""Which ML Metadata store a run writes to: a file in its workdir, or a shared MySQL database.

What is in the store is read in `lineage.py`.
"""

from __future__ import annotations

import os
import pathlib
import urllib.parse
from typing import Any

from pipeline.settings_loader import SettingsError

PASSWORD_VARIABLE = "FLOWERSIM_METADATA_PASSWORD"

_FILE = "metadata.sqlite"
_PORT = 3306


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


def open_store(config: Any) -> Any:
    """Opens a store.

    Args:
        config: Of `connection_config`.

    Returns:
        The `ml_metadata.MetadataStore`.

    Raises:
        SettingsError: The database cannot be reached, or refuses the user.
    """
    import ml_metadata as mlmd

    try:
        return mlmd.MetadataStore(config)
    except Exception as error:  # ML Metadata's errors have no class in common.
        if config.WhichOneof("config") != "mysql":
            raise
        server = config.mysql
        raise SettingsError(
            f"run.metadata: no ML Metadata store at {server.host}:{server.port}/{server.database} "
            f"for the user {server.user} (password from {PASSWORD_VARIABLE}): {error}"
        ) from error


def is_empty(workdir: str | os.PathLike[str], url: str | None) -> bool:
    """Whether it is known, without a connection, that nothing was run in a workdir."""
    return url is None and not (pathlib.Path(workdir) / _FILE).exists()
