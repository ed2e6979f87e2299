"""Classes kept for the test split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.tfds_example_gen.held_out import held_out_labels, hold_out
from components.tfds_example_gen.images import Image


@given(
    names=st.lists(st.text(max_size=3), unique=True, max_size=12),
    share=st.sampled_from((0.0, 0.01, 0.25, 0.5, 0.99)),
    data=st.data(),
)
def test_a_share_of_the_classes_whatever_their_order(names, share, data) -> None:
    labels = held_out_labels(names, share, 0)
    assert len(labels) == min(round(share * len(names)), max(0, len(names) - 2))
    others = data.draw(st.permutations(names))
    chosen = {others[label] for label in held_out_labels(others, share, 0)}
    assert chosen == {names[label] for label in labels}


def test_another_seed_holds_out_others() -> None:
    names = [str(number) for number in range(40)]
    assert held_out_labels(names, 0.5, 0) != held_out_labels(names, 0.5, 1)


@pytest.mark.parametrize(
    ("label", "split", "alone", "expected"),
    [
        (1, "train", False, ["test"]),
        (1, "validation", True, ["test"]),
        (1, "test", True, ["test"]),
        (2, "train", True, ["train"]),
        (2, "test", False, ["test"]),
        (2, "test", True, []),
    ],
)
def test_where_an_image_goes(label: int, split: str, alone: bool, expected: list[str]) -> None:
    image = Image("a.jpg", split, label, "name", b"")
    assert [moved.split for moved in hold_out(image, {1}, alone)] == expected
