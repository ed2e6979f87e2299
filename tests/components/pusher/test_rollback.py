"""Rolling back: an earlier model as a new version, and what is pushed or held back afterwards."""

from __future__ import annotations

import json
import pathlib

import pytest

from components.pusher import hold, rollback, versions
from components.pusher.errors import HeldError, RollbackError


@pytest.fixture
def base(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Versions 1000, 1001 and 1002 with models a, b and c; the clock stands still."""
    monkeypatch.setattr(versions.time, "time", lambda: 1000.0)
    folder = str(tmp_path / "serving")
    for name in "abc":
        versions.publish(_model(tmp_path, name), folder)
    return folder


def _model(tmp_path: pathlib.Path, name: str) -> str:
    folder = tmp_path / "models" / name
    (folder / "variables").mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").write_text(name)
    (folder / "variables" / "variables.index").write_text(f"index of {name}")
    return str(folder)


def _content(base: str, version: int) -> tuple[str, str]:
    folder = pathlib.Path(base, str(version))
    return (folder / "saved_model.pb").read_text(), (
        folder / "variables/variables.index"
    ).read_text()


def _back(base: str, version: int | None = None) -> int:
    return rollback.roll_back(base, rollback.choose(base, version)).version


def test_the_version_before_the_newest_comes_back_as_the_highest(base: str) -> None:
    assert _back(base) == 1003
    assert _content(base, 1003) == ("b", "index of b")
    assert versions.complete_versions(base) == [1000, 1001, 1002, 1003]
    note = hold.read(base, 1003)
    assert note is not None and (note.copy_of, note.replaced, note.held) == (1001, 1002, True)
    assert not [path.name for path in pathlib.Path(base).iterdir() if not path.name.isdigit()]


def test_each_rollback_leads_one_further_back(base: str) -> None:
    assert [_content(base, _back(base))[0] for _ in range(2)] == ["b", "a"]
    assert rollback.original(base, 1004) == 1000
    with pytest.raises(RollbackError, match="no other model was pushed before version 1000"):
        _back(base)


def test_any_version_can_be_named_also_forward_again(base: str) -> None:
    assert _content(base, _back(base, 1000))[0] == "a"
    assert _content(base, _back(base, 1002))[0] == "c"
    # A copy of a copy is one of the original.
    assert _content(base, _back(base, 1003))[0] == "a"
    assert rollback.original(base, 1005) == 1000


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (7, "there is no version 7; there are: 1000, 1001, 1002"),
        (1002, "the model of version 1002 is what is served now"),
    ],
)
def test_what_cannot_be_rolled_back_to_is_told(base: str, version: int, message: str) -> None:
    with pytest.raises(RollbackError, match=message):
        rollback.choose(base, version)
    _back(base, 1001)
    with pytest.raises(RollbackError, match="the model of version 1001 is what is served now"):
        rollback.choose(base, 1001)


def test_where_nothing_was_pushed_there_is_nothing_to_roll_back_to(tmp_path: pathlib.Path) -> None:
    with pytest.raises(RollbackError, match="nowhere has no version"):
        rollback.choose(str(tmp_path / "nowhere"))


def test_a_push_is_held_back_until_released(base: str, tmp_path: pathlib.Path) -> None:
    """The next identical run has the model that was rolled back from."""
    _back(base)
    before = versions.newest_digest(base)
    assert before.endswith(":held")
    for name in ("c", "new"):
        with pytest.raises(HeldError, match=r"version 1003 is held .* from version 1002; .*--rel"):
            versions.publish(_model(tmp_path, name), base)
    # The model that is served is no push.
    assert not versions.publish(_model(tmp_path, "b"), base).is_new
    assert versions.newest_digest(base) == before
    assert rollback.release(base) == 1003
    assert versions.newest_digest(base) == before.removesuffix(":held")
    assert versions.publish(_model(tmp_path, "c"), base).version == 1004
    assert hold.read(base, 1004) is None
    with pytest.raises(RollbackError, match="nothing is held"):
        rollback.release(base)


def test_an_edit_is_pushed_despite_the_hold_and_holds_in_turn(
    base: str, tmp_path: pathlib.Path
) -> None:
    _back(base)
    pushed = versions.publish(_model(tmp_path, "edit of b"), base, despite_hold=True)
    assert pushed.is_new and rollback.original(base, pushed.version) == pushed.version
    with pytest.raises(HeldError):
        versions.publish(_model(tmp_path, "c"), base)
    assert rollback.release(base) == pushed.version
    edited = versions.publish(_model(tmp_path, "edit of c"), base, despite_hold=True)
    assert hold.read(base, edited.version) is None


def test_a_rollback_that_dies_leaves_what_was_served(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(versions.io_utils, "copy_file", die)
        with pytest.raises(KeyboardInterrupt):
            _back(base)
    assert versions.complete_versions(base) == [1000, 1001, 1002]
    assert _back(base) == 1003


def test_a_version_of_another_tool_can_be_rolled_back_to(base: str, tmp_path: pathlib.Path) -> None:
    other = pathlib.Path(base, "7")
    other.mkdir()
    (other / "saved_model.pb").write_text("other")
    (other / "variables").mkdir()
    (other / "variables" / "variables.index").write_text("x")
    assert _content(base, _back(base, 7))[0] == "other"
    with pytest.raises(HeldError):
        versions.publish(_model(tmp_path, "c"), base)


def test_the_list_tells_copies_from_models_of_their_own(base: str) -> None:
    _back(base)
    infos = rollback.list_versions(base)
    assert [info.version for info in infos] == [1000, 1001, 1002, 1003]
    assert infos[1].digest == infos[3].digest != infos[0].digest
    assert [info.rollback is not None for info in infos] == [False, False, False, True]


def test_a_deleted_version_is_gone_at_once(
    base: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(versions.fileio, "rmtree", die)
        with pytest.raises(KeyboardInterrupt):
            versions.delete(base, 1001)
    # Whoever dies in between leaves nothing that a server would take for a version.
    assert versions.complete_versions(base) == [1000, 1002]
    assert all(path.name.isdigit() or path.name[0] == "." for path in pathlib.Path(base).iterdir())
    versions.delete(base, 1000)
    assert versions.complete_versions(base) == [1002]
    # The next push clears up.
    versions.publish(_model(tmp_path, "d"), base)
    assert sorted(path.name for path in pathlib.Path(base).iterdir()) == ["1002", "1003"]


def test_the_note_is_readable(base: str) -> None:
    version = _back(base)
    note = json.loads(pathlib.Path(base, str(version), hold.FILE).read_text("utf-8"))
    assert set(note) == {"copy_of", "replaced", "when", "held"}
