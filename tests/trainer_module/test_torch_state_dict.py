"""The reader of PyTorch's old format against files made here, sound and hostile ones.

The files are written by a pickler that names PyTorch's classes without having them.
"""

from __future__ import annotations

import collections
import io
import os
import pathlib
import pickle
import sys
import types
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_module.torch_state_dict import MAGIC, PROTOCOL, StateDictError, read_state_dict

SYSTEM = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"int": 4}}


class FloatStorage:
    """Stands for `torch.FloatStorage` in a pickle."""


class LongStorage:
    """Stands for `torch.LongStorage` in a pickle."""


def _rebuild_tensor_v2(*arguments: Any) -> None:
    """Stands for `torch._utils._rebuild_tensor_v2` in a pickle."""


FloatStorage.__module__ = LongStorage.__module__ = "torch"
_rebuild_tensor_v2.__module__ = "torch._utils"


class Storage:
    """Numbers that tensors are views of."""

    def __init__(self, key: str, values: np.ndarray) -> None:
        self.key, self.values = key, values
        self.kind = {"f": FloatStorage, "i": LongStorage}[values.dtype.kind]


class Tensor:
    """A view of a storage, pickled as PyTorch would."""

    def __init__(self, storage: Storage, offset: Any, shape: Any, strides: Any) -> None:
        self.arguments: tuple = (storage, offset, shape, strides, False, collections.OrderedDict())

    def __reduce__(self) -> tuple:
        return _rebuild_tensor_v2, self.arguments


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, Storage):
            return None
        return ("storage", value.kind, value.key, "cpu", len(value.values), None)


@pytest.fixture(scope="module", autouse=True)
def _torch_can_be_named():
    """Lets the pickler find the stand-ins where their module says they are."""
    with pytest.MonkeyPatch.context() as patch:
        torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
        torch.FloatStorage, torch.LongStorage = FloatStorage, LongStorage  # type: ignore
        utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "torch._utils", utils)
        yield


def _save(
    state: Any,
    storages: list[Storage],
    *,
    magic: Any = MAGIC,
    protocol: Any = PROTOCOL,
    system: Any = SYSTEM,
    keys: Any = None,
) -> bytes:
    file = io.BytesIO()
    for header in (magic, protocol, system):
        pickle.dump(header, file, protocol=2)
    _Pickler(file, protocol=2).dump(state)
    pickle.dump([s.key for s in storages] if keys is None else keys, file, protocol=2)
    for storage in storages:
        file.write(len(storage.values).to_bytes(8, "little"))
        file.write(storage.values.tobytes())
    return file.getvalue()


def _sound() -> bytes:
    weights = Storage("a", np.arange(24, dtype="<f4"))
    counter = Storage("b", np.array([7], "<i8"))
    state = collections.OrderedDict(
        [
            ("conv.weight", Tensor(weights, 0, (2, 3, 4), (12, 4, 1))),
            ("bn.bias", Tensor(weights, 20, (4,), (1,))),
            ("bn.num_batches_tracked", Tensor(counter, 0, (), ())),
        ]
    )
    state._metadata = collections.OrderedDict([("", {"version": 1})])  # type: ignore[attr-defined]
    return _save(state, [weights, counter])


def test_a_sound_file():
    found = read_state_dict(_sound())
    assert list(found) == ["conv.weight", "bn.bias", "bn.num_batches_tracked"]
    expected = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    np.testing.assert_array_equal(found["conv.weight"], expected)
    np.testing.assert_array_equal(found["bn.bias"], [20, 21, 22, 23])
    assert found["bn.num_batches_tracked"] == 7
    assert [str(value.dtype) for value in found.values()] == ["float32", "float32", "int64"]
    with pytest.raises(ValueError, match="read-only"):
        found["conv.weight"][0, 0, 0] = 1


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (24,), (1,)),
        (3, (), ()),
        (0, (0, 5), (5, 1)),
        (24, (0,), (1,)),
        (0, (4, 6), (1, 4)),  # transposed
        (0, (2, 3, 2, 2), (12, 1, 6, 3)),  # channels last
        (1, (3, 2), (8, 4)),  # every fourth
        (5, (1, 3), (999, 1)),  # the stride of an axis of one does not matter
    ],
)
def test_any_view_of_the_storage(offset: int, shape: tuple, strides: tuple):
    storage = Storage("0", np.arange(24, dtype="<f4"))
    found = read_state_dict(_save({"x": Tensor(storage, offset, shape, strides)}, [storage]))["x"]
    assert found.shape == shape
    for index in np.ndindex(*shape):
        assert found[index] == offset + sum(
            i * stride for i, stride in zip(index, strides, strict=True)
        )


@pytest.mark.parametrize(
    ("offset", "shape", "strides", "message"),
    [
        (20, (5,), (1,), "reaches beyond its storage"),
        (0, (4, 6), (7, 1), "reaches beyond"),
        (0, (5, 5), (5, 1), "has more elements than its storage"),
        (0, (2,), (24,), "reaches beyond"),
        (25, (0,), (1,), "reaches beyond"),
        (-1, (2,), (1,), "x has shape"),
        (0, (2, -3), (3, 1), "x has shape"),
        (5, (2,), (-1,), "x has shape"),
        (0, (2, 3), (3,), "x has shape"),
        (0, (10**9, 10**9), (0, 0), "x has more elements"),
        (0, (25,), (0,), "x has more elements"),
        (0, (10**30,), (10**30,), "x has more elements"),
        (0, (1,), (2**80,), "x has shape"),
        (0, (0, 5), (1, 2**80), "x has shape"),
        (0, (0, 10**30), (1, 1), "x has shape"),
        (0, (1,) * 70, (1,) * 70, "x has shape"),
        # More digits than Python writes.
        pytest.param(0, (1,), (10**5000,), "x has shape", id="long"),
        pytest.param(0, (1, 1), (10**5000,), "x has shape", id="long_and_too_few"),
        (0, (2.0,), (1,), "whole numbers"),
        ("0", (2,), (1,), "whole numbers"),
        (0, (True,), (1,), "whole numbers"),
        (0, 3, (1,), "cannot read tensors"),
    ],
)
def test_a_view_that_cannot_be_is_refused(offset, shape, strides, message: str):
    storage = Storage("0", np.arange(24, dtype="<f4"))
    with pytest.raises(StateDictError, match=message):
        read_state_dict(_save({"x": Tensor(storage, offset, shape, strides)}, [storage]))


class _OrderedDict:
    """An `OrderedDict` that gets attributes of its own when it is read."""

    def __init__(self, items: dict[str, Any], attributes: dict[str, Any]) -> None:
        self.reduced = (collections.OrderedDict, (), attributes, None, iter(items.items()))

    def __reduce__(self) -> tuple:
        return self.reduced


class _Command:
    """What a hostile file would hold: a call that happens while it is read."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize("place", ["magic", "protocol", "system", "state", "keys"])
def test_a_file_cannot_run_a_command(place: str, tmp_path: pathlib.Path):
    trace = tmp_path / "was here"
    hostile = _Command(os.system, f"touch '{trace}'")
    storage = Storage("0", np.zeros(1, "<f4"))
    parts: dict[str, Any] = {"state": {}, place: hostile}
    data = _save(parts.pop("state"), [storage], **parts)
    with pytest.raises(StateDictError, match=r"needs the global (posix|nt)\.system"):
        read_state_dict(data)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (eval, ("1",)),
        (getattr, ({}, "clear")),
        (__import__, ("os",)),
        (np.frombuffer, (b"1234",)),
        (bytearray, (10,)),
    ],
)
def test_only_what_tensors_need_can_be_called(function: Any, arguments: tuple):
    with pytest.raises(StateDictError, match="which is not allowed; allowed are: collections"):
        read_state_dict(_save({"x": _Command(function, *arguments)}, []))


def test_what_is_allowed_cannot_be_changed_for_the_next_file():
    storage = Storage("0", np.arange(2, dtype="<f4"))
    # GLOBAL rebuild; MARK, 'x', 5, DICT; BUILD: sets an attribute of what it was given.
    attack = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(X\x01\x00\x00\x00xK\x05db."
    sound = _save({"x": Tensor(storage, 0, (2,), (1,))}, [storage])
    head = sum(len(pickle.dumps(header, 2)) for header in (MAGIC, PROTOCOL, SYSTEM))
    with pytest.raises(StateDictError):
        read_state_dict(sound[:head] + attack + sound[head:])
    np.testing.assert_array_equal(read_state_dict(sound)["x"], [0, 1])


def test_a_dictionary_whose_methods_were_replaced_is_read_as_what_it_holds():
    storage = Storage("0", np.arange(2, dtype="<f4"))
    state = _OrderedDict({"x": Tensor(storage, 0, (2,), (1,))}, {"items": 5, "keys": 5})
    np.testing.assert_array_equal(read_state_dict(_save(state, [storage]))["x"], [0, 1])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"magic": 12345}, "unexpected magic number: 0x3039"),
        ({"magic": 10**5000}, "unexpected magic number"),
        ({"protocol": 1002}, "unexpected protocol version: 0x3ea"),
        ({"system": {"little_endian": False}}, "unexpected system description"),
        ({"system": 3}, "unexpected system description"),
        ({"keys": []}, "unexpected list of storages"),
        ({"keys": ["0", "1"]}, "unexpected list of storages"),
        ({"keys": "0"}, "unexpected list of storages"),
        ({"keys": [0]}, "unexpected list of storages"),
        ({"state": [1, 2]}, "holds a list, not a state dict"),
        ({"state": {"x": 3}}, "'x' is not a named tensor"),
        ({"state": {3: 3}}, "3 is not a named tensor"),
    ],
)
def test_a_part_that_is_not_as_it_should_be_is_named(changed: dict[str, Any], message: str):
    storage = Storage("0", np.arange(2, dtype="<f4"))
    state = changed.pop("state", {"x": Tensor(storage, 0, (2,), (1,))})
    with pytest.raises(StateDictError, match=message):
        read_state_dict(_save(state, [storage], **changed))


class _RawPickler(pickle.Pickler):
    """Refers to storages in whatever words a test has."""

    def persistent_id(self, value: Any) -> Any:
        return value.pid if isinstance(value, _Reference) else None


class _Reference:
    def __init__(self, *pid: Any) -> None:
        self.pid = pid


@pytest.mark.parametrize(
    "pid",
    [
        ("storage", FloatStorage, "0", "cpu", -1, None),
        ("storage", FloatStorage, "0", "cpu", True, None),
        ("storage", FloatStorage, 0, "cpu", 2, None),
        ("storage", FloatStorage, "0", "cpu", 2, ("view", 0, 1)),
        ("storage", "O", "0", "cpu", 2, None),
        ("storage", "V0", "0", "cpu", 2, None),
        ("storage", "no dtype", "0", "cpu", 2, None),
        ("module", FloatStorage, "0"),
        (),
    ],
)
def test_a_reference_to_no_storage_is_refused(pid: tuple):
    file = io.BytesIO()
    for header in (MAGIC, PROTOCOL, SYSTEM):
        pickle.dump(header, file, protocol=2)
    _RawPickler(file, protocol=2).dump({"x": _Reference(*pid)})
    with pytest.raises(StateDictError, match="unknown storage reference"):
        read_state_dict(file.getvalue())


def test_a_storage_of_two_declarations_is_refused():
    first, second = Storage("0", np.zeros(2, "<f4")), Storage("0", np.zeros(3, "<f4"))
    state = {"x": Tensor(first, 0, (2,), (1,)), "y": Tensor(second, 0, (3,), (1,))}
    with pytest.raises(StateDictError, match="declared twice with different contents"):
        read_state_dict(_save(state, [first]))


def test_a_length_that_differs_from_the_declaration_is_refused():
    data = bytearray(_save_one())
    data[-16:-8] = (2**63).to_bytes(8, "little")
    with pytest.raises(StateDictError, match="has 9223372036854775808 elements, its declaration"):
        read_state_dict(bytes(data))


def test_a_declared_length_beyond_any_file_is_refused():
    storage = Storage("0", np.zeros(2, "<f4"))
    file = io.BytesIO()
    for header in (MAGIC, PROTOCOL, SYSTEM):
        pickle.dump(header, file, protocol=2)
    reference = _Reference("storage", FloatStorage, "0", "cpu", 2**63, None)
    state = {"x": _Command(_rebuild_tensor_v2, reference, 0, (2,), (1,))}
    _RawPickler(file, protocol=2).dump(state)
    pickle.dump(["0"], file, protocol=2)
    file.write((2**63).to_bytes(8, "little") + storage.values.tobytes())
    with pytest.raises(StateDictError, match="the file ends within storage 0"):
        read_state_dict(file.getvalue())


def _save_one() -> bytes:
    storage = Storage("0", np.arange(2, dtype="<f4"))
    return _save({"x": Tensor(storage, 0, (2,), (1,))}, [storage])


def test_every_truncation_is_noticed():
    data = _save_one()
    for length in range(len(data)):
        with pytest.raises(StateDictError):
            read_state_dict(data[:length])


def test_bytes_after_the_end_are_noticed():
    with pytest.raises(StateDictError, match="goes on after its last storage"):
        read_state_dict(_save_one() + b"\0")


def test_the_newer_zip_format_is_named():
    with pytest.raises(StateDictError, match="newer zip format"):
        read_state_dict(b"PK\x03\x04" + bytes(100))


@settings(max_examples=400)
@given(
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4
    )
)
def test_a_damaged_file_gives_arrays_or_the_one_error(changes: list[tuple[float, int]]):
    data = bytearray(_sound())
    for place, value in changes:
        data[int(place * len(data))] = value
    try:
        found = read_state_dict(bytes(data))
    except StateDictError:
        return
    assert all(isinstance(value, np.ndarray) for value in found.values())
    assert sum(value.size for value in found.values()) < 100
