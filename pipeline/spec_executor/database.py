"""The SQLite file of a store: its tables, its transactions, and the lock that keeps others out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import sqlite3
import threading
from collections.abc import Iterator

from pipeline.spec_executor.errors import StoreError

FILE = "metadata.sqlite"
_LOCK = ".lock"
_VERSION = 1
_SCHEMA = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, spec TEXT NOT NULL, root TEXT NOT NULL,
    parameters TEXT NOT NULL, state TEXT NOT NULL, started REAL NOT NULL, ended REAL);
CREATE TABLE executions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES runs, task TEXT NOT NULL,
    component TEXT NOT NULL, state TEXT NOT NULL, key TEXT, inputs TEXT NOT NULL,
    outputs TEXT NOT NULL DEFAULT '{}', cached_from INTEGER REFERENCES executions, error TEXT,
    started REAL NOT NULL, ended REAL);
CREATE INDEX executions_by_key ON executions (key, state);
CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, title TEXT NOT NULL,
    type TEXT NOT NULL, uri TEXT NOT NULL, metadata TEXT NOT NULL, pipeline TEXT NOT NULL,
    producer INTEGER REFERENCES executions, there INTEGER NOT NULL, created REAL NOT NULL);
CREATE TABLE events (
    execution INTEGER NOT NULL REFERENCES executions,
    artifact INTEGER NOT NULL REFERENCES artifacts,
    output INTEGER NOT NULL, key TEXT NOT NULL, position INTEGER NOT NULL);
CREATE INDEX events_by_execution ON events (execution);
"""


class Database:
    """An open file; one process at a time has it, any of its threads may use it."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Opens the file, or makes it.

        Args:
            folder: Its folder.

        Raises:
            StoreError: Another process has it, or the folder holds something else.
        """
        self.folder = pathlib.Path(os.path.abspath(folder))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.mutex = threading.RLock()
        self._lock = open(self.folder / _LOCK, "a+", encoding="utf-8")  # noqa: SIM115 - until close
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise StoreError(
                f"{self.folder} is in use by another run; wait for it, or give another --store"
            ) from None
        try:
            self._open()
        except BaseException:
            self._lock.close()
            raise

    def _open(self) -> None:
        file = self.folder / FILE
        self.connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        try:
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA foreign_keys = ON")
            version = self.connection.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise StoreError(f"{file} is of version {version}, this program's is {_VERSION}")
            with self.transaction():
                if version == 0:
                    for statement in _SCHEMA.strip().split(";\n"):
                        self.connection.execute(statement)
                    self.connection.execute(f"PRAGMA user_version = {_VERSION}")
                # The lock is ours: whoever left these open is no more.
                for table in ("runs", "executions"):
                    self.connection.execute(
                        f"UPDATE {table} SET state = 'ABANDONED' WHERE state = 'RUNNING'"
                    )
        except sqlite3.DatabaseError as error:
            self.connection.close()
            raise StoreError(f"{file} is no store: {error}") from None

    def close(self) -> None:
        """Gives the store back."""
        self.connection.close()
        self._lock.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all that is done in the context, or nothing."""
        with self.mutex:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")
