"""Division into splits: properties that hold for every folder."""

from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from components.photo_folder.division import SPLITS, Division, divide

_SHARES = st.sampled_from((0.0, 0.01, 0.15, 0.3, 0.49, 0.6, 0.98))
_CLASSES = st.dictionaries(
    st.text(min_size=1, max_size=3), st.integers(1, 20), min_size=1, max_size=8
)


def _items(sizes: dict[str, int]) -> list[tuple[str, str]]:
    return [(f"{name}/{i}.jpg", name) for name, size in sizes.items() for i in range(size)]


def _by_class(items: list[tuple[str, str]], splits: dict[str, str]) -> dict[str, Counter]:
    counts: dict[str, Counter] = defaultdict(Counter)
    for item, name in items:
        counts[name][splits[item]] += 1
    return counts


@given(
    sizes=_CLASSES,
    validation=_SHARES,
    test=_SHARES,
    seed=st.integers(0, 3),
    data=st.data(),
)
def test_properties(sizes, validation, test, seed, data):
    division = Division(validation, test, seed)
    items = _items(sizes)
    splits = divide(items, division)
    assert divide(iter(data.draw(st.permutations(items))), division) == splits
    assert set(splits) == {item for item, _ in items} and set(splits.values()) <= set(SPLITS)
    counts = _by_class(items, splits)
    for name in sizes:
        count, size = counts[name], sizes[name]
        assert count["train"] >= 1
        for split, share in (("validation", validation), ("test", test)):
            if share == 0.0:
                assert count[split] == 0
            if validation + test <= 0.6 and size >= 3:
                # One image at least, and otherwise within one image of the share.
                assert share == 0.0 or count[split] >= 1
                assert abs(count[split] - share * size) <= 1


@given(sizes=_CLASSES, new=st.text(min_size=1, max_size=3).filter(lambda name: "/" not in name))
def test_a_new_class_leaves_the_others_as_they_were(sizes: dict[str, int], new: str):
    division = Division(0.2, 0.2, 0)
    before = divide(_items(sizes), division)
    after = divide(_items(sizes | {new: 5}), division)
    kept = {item: split for item, split in after.items() if item.rpartition("/")[0] != new}
    assert kept == {i: s for i, s in before.items() if i.rpartition("/")[0] != new}


def test_another_seed_divides_otherwise():
    items = _items({"a": 40, "b": 40, "c": 40, "d": 40})
    first, second = (divide(items, Division(0.25, 0.25, seed)) for seed in (0, 1))
    assert first != second
    assert Counter(first.values()) == Counter(second.values())


def test_shares_of_a_large_class_are_kept():
    counts = Counter(divide(_items({"a": 1000, "b": 1000}), Division(0.1, 0.3, 0)).values())
    assert counts == {"train": 1200, "validation": 200, "test": 600}


def test_nothing_divides_into_nothing():
    assert divide([], Division(0.15, 0.15, 0)) == {}
