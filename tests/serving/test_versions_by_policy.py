"""Several versions at once, and changes of policy and place while they are served."""

from __future__ import annotations

import shutil
import time

import pytest

from serving.errors import ServingError
from serving.version_policy import VersionPolicy
from tests.serving.version_files import delete, eventually, served, states, write

ALL = VersionPolicy("all")


def specific(*versions: int) -> VersionPolicy:
    return VersionPolicy("specific", versions=frozenset(versions))


def serving(versions) -> list[int]:
    return [version for version, state in states(versions) if state == "AVAILABLE"]


def test_all_versions(watch, tmp_path):
    for version in (1, 2, 10):
        write(tmp_path, version, f"content {version}")
    versions = watch(policy=ALL)
    eventually(lambda: serving(versions) == [10, 2, 1])
    assert [versions.get(v).content for v in (1, 2, 10)] == ["content 1", "content 2", "content 10"]
    assert served(versions) == 10
    write(tmp_path, 5)
    eventually(lambda: serving(versions) == [10, 5, 2, 1])
    delete(tmp_path, 2)
    eventually(lambda: serving(versions) == [10, 5, 1])
    with pytest.raises(ServingError, match=r"Specific\(m, 2\)"):
        versions.get(2)


def test_a_broken_one_of_all_leaves_the_others(watch, tmp_path):
    write(tmp_path, 1)
    write(tmp_path, 2, "broken")
    write(tmp_path, 3)
    versions = watch(policy=ALL)
    eventually(lambda: states(versions) == [(3, "AVAILABLE"), (2, "END"), (1, "AVAILABLE")])


def test_specific_versions(watch, loader, tmp_path):
    for version in (1, 2, 3, 4):
        write(tmp_path, version)
    versions = watch(policy=specific(1, 3, 9))
    eventually(lambda: serving(versions) == [3, 1])
    assert served(versions) == 3 and sorted(loader.loads) == [1, 3]
    write(tmp_path, 9)
    eventually(lambda: serving(versions) == [9, 3, 1])
    with pytest.raises(ServingError, match=r"Specific\(m, 4\)"):
        versions.get(4)


def test_the_latest_two(watch, loader, tmp_path):
    for version in (1, 2, 3):
        write(tmp_path, version)
    versions = watch(policy=VersionPolicy(count=2))
    eventually(lambda: serving(versions) == [3, 2])
    write(tmp_path, 4, "slow")
    eventually(lambda: states(versions)[0] == (4, "LOADING"))
    assert serving(versions) == [3, 2]  # both, until the new one is loaded
    loader.go_on.set()
    eventually(lambda: serving(versions) == [4, 3])
    assert 1 not in loader.loads


def test_an_older_one_stands_in_for_a_broken_one_of_the_latest_two(watch, tmp_path):
    write(tmp_path, 1)
    write(tmp_path, 2)
    write(tmp_path, 3, "broken")
    versions = watch(policy=VersionPolicy(count=2))
    eventually(lambda: serving(versions) == [2, 1])
    assert (3, "END") in states(versions)


def test_following_other_policies(watch, loader, tmp_path):
    for version in (1, 2, 3):
        write(tmp_path, version)
    versions = watch()
    eventually(lambda: serving(versions) == [3])
    base = str(tmp_path)
    versions.follow(base, ALL)
    eventually(lambda: serving(versions) == [3, 2, 1])
    versions.follow(base, specific(1))
    eventually(lambda: serving(versions) == [1])
    versions.follow(base, VersionPolicy(count=2))
    eventually(lambda: serving(versions) == [3, 2])
    # What stayed was not loaded anew: 3, then 2 and 1, then 3 and 2.
    assert loader.loads == [3, 2, 1, 3, 2]


def test_what_is_served_stays_until_what_replaces_it_is_loaded(watch, loader, tmp_path):
    write(tmp_path, 1, "slow")
    write(tmp_path, 2)
    versions = watch(policy=specific(2))
    eventually(lambda: serving(versions) == [2])
    versions.follow(str(tmp_path), specific(1))
    eventually(lambda: (1, "LOADING") in states(versions))
    assert served(versions) == 2
    loader.go_on.set()
    eventually(lambda: serving(versions) == [1])


def test_a_version_that_cannot_be_loaded_replaces_nothing(watch, tmp_path):
    write(tmp_path, 1, "broken")
    write(tmp_path, 2)
    versions = watch(policy=specific(2))
    eventually(lambda: serving(versions) == [2])
    versions.follow(str(tmp_path), specific(1))
    eventually(lambda: (1, "END") in states(versions))
    time.sleep(0.05)
    assert serving(versions) == [2]


@pytest.mark.parametrize("poll_seconds", [0, 3600])
def test_policies_are_followed_whenever_the_folder_is_looked_at(watch, tmp_path, poll_seconds):
    for version in (1, 2):
        write(tmp_path, version)
    versions = watch(poll_seconds=poll_seconds)
    eventually(lambda: serving(versions) == [2])
    versions.follow(str(tmp_path), specific(1))
    eventually(lambda: serving(versions) == [1])


def test_following_to_another_place(watch, tmp_path):
    write(tmp_path / "a", 1, "from a")
    write(tmp_path / "b", 2, "from b")
    versions = watch()
    versions.follow(str(tmp_path / "a"), VersionPolicy())
    eventually(lambda: serving(versions) == [1])
    versions.follow(str(tmp_path / "b"), VersionPolicy())
    eventually(lambda: serving(versions) == [2])
    assert versions.get().content == "from b"


def test_a_number_that_failed_elsewhere_is_tried_at_the_new_place(watch, tmp_path):
    write(tmp_path / "a", 1, "broken")
    write(tmp_path / "b", 1)
    versions = watch(retry_seconds=60.0)
    versions.follow(str(tmp_path / "a"), VersionPolicy())
    eventually(lambda: states(versions) == [(1, "END")])
    versions.follow(str(tmp_path / "b"), VersionPolicy())
    eventually(lambda: serving(versions) == [1])


def test_a_place_that_is_not_there_changes_nothing(watch, tmp_path):
    write(tmp_path, 1)
    versions = watch()
    eventually(lambda: serving(versions) == [1])
    with pytest.raises(FileNotFoundError, match="the base path .*nowhere does not exist"):
        versions.follow(str(tmp_path / "nowhere"), ALL)
    write(tmp_path, 2)
    eventually(lambda: serving(versions) == [2])  # neither the place nor the policy has changed


def test_every_wanted_version_gone_is_none_served(watch, tmp_path):
    write(tmp_path, 1)
    versions = watch(policy=ALL)
    eventually(lambda: serving(versions) == [1])
    shutil.rmtree(tmp_path / "1")
    eventually(lambda: serving(versions) == [])
    assert not versions.is_available()


def test_settled_is_loaded_or_tried_in_vain(watch, loader, tmp_path):
    versions = watch()
    assert not versions.is_settled()
    write(tmp_path, 1, "slow")
    eventually(lambda: states(versions) == [(1, "LOADING")])
    assert not versions.is_settled()
    loader.go_on.set()
    eventually(versions.is_settled)
    assert versions.is_available()


def test_settled_where_everything_is_broken(watch, tmp_path):
    write(tmp_path, 1, "broken")
    versions = watch(policy=ALL)
    eventually(versions.is_settled)
    assert not versions.is_available()
