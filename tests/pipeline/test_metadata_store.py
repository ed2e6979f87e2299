"""Which store a run writes to, and a real MySQL server as one, where the machine has it."""

# No postponed annotations here: TFX reads the annotations of component functions as objects.

import contextlib
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from tfx import v1 as tfx

from pipeline.lineage import latest_run
from pipeline.metadata_store import (
    PASSWORD_VARIABLE,
    MetadataStoreError,
    connection_config,
    is_empty,
    open_store,
)
from pipeline.settings_loader import SettingsError, load_settings

USER, PASSWORD, DATABASE = "keeper", "s3cret & more", "lineage"


def test_without_a_url_the_store_is_in_the_workdir(tmp_path: pathlib.Path):
    assert is_empty(tmp_path, None)
    open_store(connection_config(tmp_path, None))
    assert (tmp_path / "metadata.sqlite").is_file()
    assert not is_empty(tmp_path, None)


def test_a_url_says_where_the_password_is_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    mysql = connection_config("anywhere", "mysql://a%40b@db.example:3307/lineage").mysql
    assert (mysql.host, mysql.port, mysql.database) == ("db.example", 3307, "lineage")
    assert (mysql.user, mysql.password) == ("a@b", PASSWORD)
    assert connection_config("anywhere", "mysql://a@db.example/lineage").mysql.port == 3306


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://host/db", "must be mysql://USER@HOST:PORT/DATABASE"),
        ("mysql://user@host", "must be mysql://USER@HOST:PORT/DATABASE"),
        ("mysql://user@host:port/db", "Port could not be cast"),
        ("mysql://user:secret@host/db", "holds a password; leave it out and set FLOWERSIM"),
    ],
)
def test_urls_that_cannot_be_used_are_named(url: str, message: str):
    with pytest.raises(SettingsError, match=message) as raised:
        connection_config("anywhere", url)
    assert "secret" not in str(raised.value)


def _store_file(workdir: pathlib.Path) -> pathlib.Path:
    """A store that remembers five artifacts."""
    from ml_metadata.proto import metadata_store_pb2 as proto

    store = open_store(connection_config(workdir, None))
    kind = store.put_artifact_type(proto.ArtifactType(name="Thing"))
    store.put_artifacts([proto.Artifact(type_id=kind, uri=f"/{i}") for i in range(5)])
    return workdir / "metadata.sqlite"


def _cut(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _cut_to_a_header(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def _overwrite(path: pathlib.Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(100_000))


def _overwrite_a_page(path: pathlib.Path) -> None:
    """Damage that ML Metadata opens without a word."""
    content = bytearray(path.read_bytes())
    content[8192:12288] = np.random.default_rng(0).bytes(4096)
    path.write_bytes(content)


def _set_schema_version(version: int) -> Callable[[pathlib.Path], None]:
    def change(path: pathlib.Path) -> None:
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute("UPDATE MLMDEnv SET schema_version = ?", [version])

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, r"is damaged \(.*\)\. Put a copy of it back, or move it and the folder"),
        (_cut_to_a_header, "is damaged"),
        (_overwrite, "is damaged"),
        (_overwrite_a_page, "is damaged"),
        (_set_schema_version(4), r"cannot be used: .*Use the version that has written it, or move"),
        (_set_schema_version(999), "cannot be used: .*Use the version that has written it"),
    ],
    ids=["cut", "cut_to_a_header", "overwritten", "a_page", "old_schema", "new_schema"],
)
def test_a_damaged_store_is_named_with_what_to_do_and_left_as_it_is(
    damage: Callable[[pathlib.Path], None], message: str, tmp_path: pathlib.Path
):
    path = _store_file(tmp_path)
    damage(path)
    content = path.read_bytes()
    with pytest.raises(MetadataStoreError, match=message) as raised:
        open_store(connection_config(tmp_path, None))
    assert str(raised.value).startswith(f"{path}, which remembers what was run, ")
    assert "\n" not in str(raised.value) and "pipeline_root beside it" in str(raised.value)
    assert path.read_bytes() == content
    # Moved away, as the message says, there is a new one.
    path.rename(tmp_path / "damaged.sqlite")
    assert open_store(connection_config(tmp_path, None)).get_artifacts() == []


def test_a_store_that_another_program_has_locked_is_not_given_up(tmp_path: pathlib.Path):
    path = _store_file(tmp_path)
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(MetadataStoreError, match="in use by another program: close") as raised:
            open_store(connection_config(tmp_path, None))
    assert str(raised.value).startswith(f"{path}, ") and "away" not in str(raised.value)
    assert open_store(connection_config(tmp_path, None)) is not None


def test_a_store_that_is_whole_is_opened_again(tmp_path: pathlib.Path):
    _store_file(tmp_path)
    assert len(open_store(connection_config(tmp_path, None)).get_artifacts()) == 5


def test_other_kinds_of_databases_are_refused():
    with pytest.raises(SettingsError, match=r"run\.metadata=.*mysql://USER@HOST"):
        load_settings("demo", ["run.metadata=postgres://user@host/db"])


def test_a_server_that_is_not_there_is_named():
    with pytest.raises(SettingsError, match=r"no ML Metadata store at 127\.0\.0\.1:1/lineage"):
        open_store(connection_config("anywhere", "mysql://someone@127.0.0.1:1/lineage"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A private MySQL server with one user; yields its port."""
    if not shutil.which("mariadbd") or not shutil.which("mariadb-install-db"):
        pytest.skip("no MySQL server is installed; Debian's package is mariadb-server")
    root = tmp_path_factory.mktemp("mysql")
    data, script = root / "data", root / "users.sql"
    subprocess.run(
        ["mariadb-install-db", "--user=root", f"--datadir={data}", "--skip-test-db"],
        check=True,
        capture_output=True,
    )
    script.write_text(
        f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n"
        f"GRANT ALL ON `{DATABASE}`.* TO '{USER}'@'%';\nFLUSH PRIVILEGES;\n",
        "utf-8",
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *("mariadbd", "--no-defaults", "--user=root", f"--datadir={data}"),
            *(f"--socket={root / 'socket'}", "--bind-address=127.0.0.1", f"--port={port}"),
            *(f"--pid-file={root / 'pid'}", f"--init-file={script}"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=60)


@tfx.dsl.components.component
def Greeter(  # noqa: N802
    greeting: tfx.dsl.components.OutputArtifact[tfx.types.standard_artifacts.String],
):
    """Writes something, so that there is something to remember."""
    greeting.value = "hello"


@pytest.mark.skipif(sys.platform != "linux", reason="the server is started as on Linux")
def test_workdirs_share_runs_and_cache(
    server: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    url = f"mysql://{USER}@127.0.0.1:{server}/{DATABASE}"
    uris = []
    for name in ("one", "two"):
        workdir = tmp_path / name
        config = connection_config(workdir, url)
        pipeline = tfx.dsl.Pipeline(
            pipeline_name="greetings",
            pipeline_root=str(workdir / "pipeline_root"),
            components=[Greeter()],
            enable_cache=True,
            metadata_connection_config=config,
        )
        tfx.orchestration.LocalDagRunner().run(pipeline)
        run = latest_run(open_store(config), "greetings")
        assert run is not None
        uris.append(run.outputs["Greeter", "greeting"].uri)
        assert not (workdir / "metadata.sqlite").exists()
    assert uris[0] == uris[1]
    assert uris[0].startswith(str(tmp_path / "one"))


def test_a_wrong_password_is_said_without_it(server: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, "wrong-one")
    url = f"mysql://{USER}@127.0.0.1:{server}/{DATABASE}"
    with pytest.raises(SettingsError, match="for the user keeper") as raised:
        open_store(connection_config("anywhere", url))
    assert "wrong-one" not in str(raised.value)
