"""Reads weights that PyTorch saved, without PyTorch and without running the file's code.

Only the format that `torch.save` wrote before version 1.6 (a sequence of pickles, then raw
storages), only flat state dicts of dense tensors, only reading. It knows nothing of networks:
which tensor belongs to which layer is said in `efficientnet_lite.py`.
"""

from __future__ import annotations

import collections
import io
import math
import pickle
import reprlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
ZIP_MAGIC = b"PK\x03\x04"

# The storages a state dict of a float network has: weights, and step counters of batch norm.
STORAGE_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}

# All that a state dict is written with. Left out is what looks elsewhere for objects than in
# `find_class` (extensions), claims memory by a declared size, or makes objects in other ways.
_OPCODES = (
    *(pickle.PROTO, pickle.STOP, pickle.MARK, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE),
    *(pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1, pickle.LONG4, pickle.BINFLOAT),
    *(pickle.BINUNICODE, pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS, pickle.EMPTY_TUPLE),
    *(pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.EMPTY_DICT),
    *(pickle.SETITEM, pickle.SETITEMS, pickle.BINPUT, pickle.LONG_BINPUT, pickle.BINGET),
    *(pickle.LONG_BINGET, pickle.GLOBAL, pickle.REDUCE, pickle.BUILD, pickle.BINPERSID),
)
# More than an array can have. One long list of axes, used by many tensors, would fill any memory.
_MOST_AXES = 100
_SHOWN = 100  # characters of what a file holds, in a message


class StateDictError(ValueError):
    """The bytes are not a state dict that this reader understands."""


class _Storage(NamedTuple):
    key: str
    dtype: str
    length: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Dispatch(dict[int, Any]):
    """What is done for each opcode; any other is refused."""

    def __missing__(self, code: int) -> Any:
        raise StateDictError(f"has the opcode {bytes([code])!r}, which no state dict needs")


class _RestrictedUnpickler(pickle._Unpickler):
    """An unpickler for which only the given globals and few opcodes exist.

    It records the storages that it meets. It is Python's own, since the one in C lets four bytes of
    a damaged file claim gigabytes, and knows all opcodes.
    """

    # Of the base class, which is not typed.
    stack: list[Any]
    pop_mark: Callable[[], list[Any]]

    def __init__(self, file: io.BytesIO, allowed: Mapping[str, Any]) -> None:
        super().__init__(file)
        self._allowed = allowed
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._allowed[f"{module}.{name}"]
        except KeyError:
            wanted = f"{module}.{name}"[:_SHOWN]
            raise StateDictError(
                f"needs the global {wanted}, which is not allowed; "
                f"allowed are: {', '.join(self._allowed) or 'none'}"
            ) from None

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            case ("storage", str(dtype), str(key), str(), int(length), None) if (
                dtype in STORAGE_DTYPES.values() and _is_count(length)
            ):
                storage = _Storage(key, dtype, length)
            case _:
                raise StateDictError(f"unknown storage reference {_shown(pid)}")
        if self.storages.setdefault(key, storage) != storage:
            raise StateDictError(f"storage {key} is declared twice with different contents")
        return storage

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _put(self.stack[-1], [(key, value)])

    def load_setitems(self) -> None:
        items = self.pop_mark()
        _put(self.stack[-1], zip(items[::2], items[1::2], strict=True))

    def load_build(self) -> None:
        # Attributes, of which a state dict has `_metadata`: not used, so never set.
        self.stack.pop()

    dispatch = _Dispatch({code[0]: pickle._Unpickler.dispatch[code[0]] for code in _OPCODES})
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.BUILD[0]] = load_build


def _put(target: Any, items: Iterable[tuple[Any, Any]]) -> None:
    """Fills a dictionary, with keys whose hash takes no time: nested tuples could take years."""
    if not isinstance(target, dict):
        raise StateDictError(f"puts items into a {type(target).__name__}")
    for key, value in items:
        if not isinstance(key, str | int):
            raise StateDictError(f"has a {type(key).__name__} as a key")
        target[key] = value


def _shown(value: Any) -> str:
    """A few characters, whatever it is: tuples in tuples could be written out without an end."""
    try:
        return reprlib.repr(value)[:_SHOWN]
    except ValueError:  # an integer of thousands of digits
        return f"of {type(value).__name__}"


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0  # not a bool, which is an int as well


def _tensor_globals() -> dict[str, Any]:
    def rebuild(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
        if max(len(shape), len(strides)) > _MOST_AXES:
            raise StateDictError(f"a tensor has more than {_MOST_AXES} axes")
        numbers = [offset, *shape, *strides]
        if not isinstance(storage, _Storage) or not all(type(n) is int for n in numbers):
            raise StateDictError("a tensor is not made of a storage and whole numbers")
        return _Tensor(storage, offset, tuple(shape), tuple(strides))

    def ordered() -> collections.OrderedDict[Any, Any]:
        return collections.OrderedDict()  # its items come afterwards, through `_put`

    return {
        "collections.OrderedDict": ordered,
        "torch._utils._rebuild_tensor_v2": rebuild,
        **{f"torch.{name}": dtype for name, dtype in STORAGE_DTYPES.items()},
    }


def _load(
    file: io.BytesIO, what: str, allowed: Mapping[str, Any]
) -> tuple[Any, dict[str, _Storage]]:
    unpickler = _RestrictedUnpickler(file, allowed)
    try:
        return unpickler.load(), unpickler.storages
    except StateDictError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise StateDictError(f"cannot read {what}: {error!r}") from error


def _expect(file: io.BytesIO, what: str, accept: Callable[[Any], bool]) -> Any:
    value, _ = _load(file, what, {})
    if not accept(value):
        shown = hex(value)[:_SHOWN] if isinstance(value, int) else _shown(value)
        raise StateDictError(f"unexpected {what}: {shown}")
    return value


def _read_storage(file: io.BytesIO, storage: _Storage) -> np.ndarray:
    length = int.from_bytes(file.read(8), "little")
    if length != storage.length:
        raise StateDictError(
            f"storage {storage.key} has {length} elements, its declaration says {storage.length}"
        )
    dtype = np.dtype(storage.dtype)
    if length * dtype.itemsize > len(file.getbuffer()) - file.tell():
        raise StateDictError(f"the file ends within storage {storage.key}")
    return np.frombuffer(file.read(length * dtype.itemsize), dtype)


def _view(name: str, tensor: _Tensor, values: np.ndarray) -> np.ndarray:
    """Lays a tensor's shape and strides (in elements) over its storage.

    Files hold convolutions in either memory format, so strides need not descend.
    """
    sizes, strides, name = tensor.shape, tensor.strides, name[:_SHOWN]
    shapes = f"shape {_shown(sizes)} and strides {_shown(strides)}"
    if len(sizes) != len(strides) or min((*sizes, *strides, tensor.offset), default=0) < 0:
        raise StateDictError(f"{name} has {shapes}")
    elements = math.prod(sizes)
    if elements > len(values):  # with a stride of 0, a few numbers could fill any memory
        raise StateDictError(f"{name} has more elements than its storage")
    reach = sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    if tensor.offset + (reach + 1 if elements else 0) > len(values):
        raise StateDictError(f"{name} reaches beyond its storage")
    steps = [stride * values.itemsize for stride in strides]
    try:
        return np.lib.stride_tricks.as_strided(
            values[tensor.offset :], sizes, steps, writeable=False
        )
    except (ValueError, OverflowError) as error:  # beyond what an array can have
        raise StateDictError(
            f"{name} has shape {_shown(sizes)} and strides {_shown(strides)}"
        ) from error


def read_state_dict(data: bytes) -> dict[str, np.ndarray]:
    """Reads a state dict from the bytes of a file that `torch.save` wrote before version 1.6.

    Args:
        data: The whole file.

    Returns:
        float32 or int64 arrays (read-only) by name, in the order of the file.

    Raises:
        StateDictError: Another format, a global that is not allowed, or sizes that do not agree.
    """
    if data.startswith(ZIP_MAGIC):
        raise StateDictError("this is PyTorch's newer zip format; only the older one is read")
    file = io.BytesIO(data)
    _expect(file, "magic number", lambda value: value == MAGIC)
    _expect(file, "protocol version", lambda value: value == PROTOCOL)
    _expect(
        file,
        "system description",
        lambda value: isinstance(value, dict) and value.get("little_endian") is True,
    )
    tensors, storages = _load(file, "tensors", _tensor_globals())
    if not isinstance(tensors, dict):
        raise StateDictError(f"holds a {type(tensors).__name__}, not a state dict")
    named = list(tensors.items())
    for name, tensor in named:
        if not isinstance(name, str) or not isinstance(tensor, _Tensor):
            raise StateDictError(f"{_shown(name)} is not a named tensor")
    keys = _expect(
        file,
        "list of storages",
        lambda value: (
            isinstance(value, list)
            and all(isinstance(key, str) for key in value)
            and sorted(value) == sorted(storages)
        ),
    )
    values = {key: _read_storage(file, storages[key]) for key in keys}
    if file.read(1):
        raise StateDictError("the file goes on after its last storage")
    return {name: _view(name, tensor, values[tensor.storage.key]) for name, tensor in named}
