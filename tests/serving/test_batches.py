"""Rows put together and taken apart again, compared with what NumPy gives for each alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serving import batches
from serving.signatures import Signature, TensorSpec

SIGNATURE = Signature(
    {"a": TensorSpec("float", (None, None)), "b": TensorSpec("string", (None,))}, {}
)


def strings(*values: bytes) -> np.ndarray:
    array = np.empty(len(values), np.object_)
    array[:] = values
    return array


class TestRows:
    def test_the_first_dimension_of_all(self):
        inputs = {"a": np.zeros((3, 2), np.float32), "b": strings(b"x", b"y", b"z")}
        assert batches.rows_of(inputs, SIGNATURE) == 3

    @pytest.mark.parametrize(
        "inputs",
        [
            {"a": np.zeros((3, 2), np.float32), "b": strings(b"x", b"y")},
            {"a": np.float32(1), "b": strings(b"x")},
            {"a": np.zeros((0, 2), np.float32), "b": strings()},
        ],
        ids=["different", "scalar", "empty"],
    )
    def test_none_that_can_be_batched(self, inputs):
        assert batches.rows_of(inputs, SIGNATURE) == 0

    @pytest.mark.parametrize("shape", [(2, None), (), None])
    def test_signatures_that_fix_the_number(self, shape):
        signature = Signature({"a": TensorSpec("float", shape)}, {})
        assert batches.rows_of({"a": np.zeros((2, 2), np.float32)}, signature) == 0


class TestKinds:
    def test_rows_of_equal_shapes_go_together(self):
        kinds = [batches.kind_of({"a": np.zeros((n, 2))}, pad=False) for n in (1, 5)]
        assert kinds[0] == kinds[1]

    def test_rows_of_other_shapes_do_so_only_padded(self):
        arrays = [np.zeros((1, 2)), np.zeros((1, 3)), np.zeros((1, 2, 1))]
        plain = {batches.kind_of({"a": array}, pad=False) for array in arrays}
        padded = [batches.kind_of({"a": array}, pad=True) for array in arrays]
        assert len(plain) == 3
        assert padded[0] == padded[1] != padded[2]


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=6),
    st.sampled_from([(), (1,), (2, 3)]),
    st.sampled_from([np.float32, np.int64, np.bool_, np.object_]),
    st.lists(st.integers(1, 40), max_size=4, unique=True).map(sorted),
)
def test_split_undoes_joined(sizes, shape, dtype, allowed):
    random = np.random.default_rng(0)
    requests = []
    for size in sizes:
        numbers = random.integers(0, 100, (size, *shape))
        array = numbers.astype(np.bytes_).astype(dtype) if dtype is np.object_ else numbers
        requests.append({"x": array.astype(dtype)})
    batch = batches.joined(requests, allowed)
    total = sum(sizes)
    rows = len(batch["x"])
    assert rows == min((size for size in allowed if size >= total), default=total)
    outputs = {"same": batch["x"], "rows": np.arange(rows)}
    parts = batches.split(outputs, sizes, rows)
    assert parts is not None
    begin = 0
    for part, request in zip(parts, requests, strict=True):
        np.testing.assert_array_equal(part["same"], request["x"], strict=True)
        size = len(request["x"])
        assert part["rows"].tolist() == list(range(begin, begin + size))
        begin += size


def test_what_fills_up_a_batch_is_the_last_row():
    batch = batches.joined([{"x": np.array([[1], [2]])}, {"x": np.array([[3]])}], [2, 8])
    assert batch["x"].tolist() == [[1], [2], [3], [3], [3], [3], [3], [3]]


@given(
    st.lists(
        hnp.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=4).filter(lambda s: s[0]),
        min_size=1,
        max_size=4,
    )
)
def test_padding_is_zeros_behind(shapes):
    requests = [{"x": np.full(shape, number + 1)} for number, shape in enumerate(shapes)]
    batch = batches.joined(requests, [])["x"]
    wide = tuple(max(shape[axis] for shape in shapes) for axis in (1, 2))
    assert batch.shape == (sum(shape[0] for shape in shapes), *wide)
    begin = 0
    for request in requests:
        array = request["x"]
        rows, height, width = array.shape
        expected = np.zeros((rows, *wide), array.dtype)
        expected[:, :height, :width] = array
        np.testing.assert_array_equal(batch[begin : begin + rows], expected)
        begin += rows


def test_padding_of_strings_is_empty_strings():
    requests = [{"x": strings(b"a", b"b").reshape(1, 2)}, {"x": strings(b"c").reshape(1, 1)}]
    assert batches.joined(requests, [])["x"].tolist() == [[b"a", b"b"], [b"c", b""]]


@pytest.mark.parametrize("output", [np.float32(3), np.zeros(2), np.zeros(4)])
def test_outputs_without_a_row_each_cannot_be_split(output):
    outputs = {"fine": np.zeros(3), "other": np.asarray(output)}
    assert batches.split(outputs, [1, 2], 3) is None
