"""Attacks on the reader of weight files: none runs code, and none takes more than it brings along.

Pickles are written opcode by opcode, as only an attacker would. What a pickler can write, and sizes
that do not agree, are in `test_torch_state_dict.py`.
"""

from __future__ import annotations

import copyreg
import io
import pathlib
import pickle
import struct
import subprocess
import sys
import zipfile

import pytest

from trainer_module.torch_state_dict import MAGIC, PROTOCOL, StateDictError, read_state_dict

ROOT = pathlib.Path(__file__).parents[2]
SYSTEM = {"protocol_version": PROTOCOL, "little_endian": True}
HEAD = b"".join(pickle.dumps(header, 2) for header in (MAGIC, PROTOCOL, SYSTEM))
NO_STORAGES = pickle.dumps([], 2)
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
ORDERED = b"ccollections\nOrderedDict\n"


def text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def attack(opcodes: bytes) -> bytes:
    """A file whose tensors are these opcodes."""
    return HEAD + b"\x80\x02" + opcodes + b"." + NO_STORAGES


def nested_tuples(depth: int) -> bytes:
    """Two references to the one before, again and again: 2 ** depth tuples in a few bytes."""
    return b")q\x00" + b"".join(
        b"h%ch%c\x86q%c" % (number, number, number + 1) for number in range(depth)
    )


@pytest.mark.parametrize(
    "module_and_name",
    [
        "os system",
        "posix system",
        "subprocess Popen",
        "builtins eval",
        "builtins exec",
        "builtins getattr",
        "builtins __import__",
        "__builtin__ eval",
        "operator attrgetter",
        "operator methodcaller",
        "functools partial",
        "importlib import_module",
        "runpy run_path",
        "pickle loads",
        "_pickle loads",
        "marshal loads",
        "copyreg _reconstructor",
        "copyreg add_extension",
        "numpy.core.multiarray _reconstruct",
        "numpy load",
        "torch load",
        "torch._utils _rebuild_parameter",
        "torch._utils _rebuild_tensor",
        "torch.storage _load_from_bytes",
        "torch.hub load",
        "collections OrderedDict.__init__.__globals__",
        "collections _sys.modules",
        "torch FloatStorage.__class__",
        "torch._utils _rebuild_tensor_v2.__globals__",
        " ",
    ],
)
def test_no_other_global_is_found(module_and_name: str):
    module, name = module_and_name.split(" ")
    for protocol in (b"\x80\x02", b"\x80\x04"):  # in the latter, dots in a name would be followed
        hostile = protocol + f"c{module}\n{name}\n".encode() + text("1") + b"\x85R."
        with pytest.raises(StateDictError, match="needs the global"):
            read_state_dict(HEAD + hostile + NO_STORAGES)


def test_a_global_in_the_arguments_of_an_allowed_one_is_refused_as_well():
    chain = REBUILD + b"(" + b"cbuiltins\neval\n" + text("1") + b"\x85R" + b"K\x00))\x89}tR"
    with pytest.raises(StateDictError, match="needs the global builtins.eval"):
        read_state_dict(attack(b"}" + text("x") + chain + b"s"))


def test_a_tensor_made_of_what_another_one_is_made_of():
    inner = REBUILD + b"(" + b"NK\x00))\x89}tR"
    outer = REBUILD + b"(" + inner + b"K\x00))\x89}tR"
    with pytest.raises(StateDictError, match="not made of a storage and whole numbers"):
        read_state_dict(attack(b"}" + text("x") + outer + b"s"))


@pytest.mark.parametrize(
    "name", ["__class__", "__setstate__", "__code__", "__dict__", "__reduce_ex__", "items"]
)
@pytest.mark.parametrize("as_slots", [False, True])
def test_attributes_in_a_file_are_never_set(name: str, as_slots: bool):
    state = b"}" + text(name) + ORDERED + b"s"
    if as_slots:
        state = b"N" + state + b"\x86"
    assert read_state_dict(attack(ORDERED + b")R" + state + b"b")) == {}
    for other in (ORDERED, REBUILD, b"ctorch\nFloatStorage\n"):
        with pytest.raises(StateDictError, match="holds a (function|str), not a state dict"):
            read_state_dict(attack(other + state + b"b"))


@pytest.mark.parametrize(
    ("opcode", "argument"),
    [
        (b"\x82", b"\xf0"),  # EXT1
        (b"\x83", b"\xf0\x00"),  # EXT2
        (b"\x84", b"\xf0\x00\x00\x00"),  # EXT4
        (b"\x93", b""),  # STACK_GLOBAL
        (b"i", b"os\nsystem\n"),  # INST
        (b"o", b""),  # OBJ
        (b"\x81", b""),  # NEWOBJ
        (b"\x92", b""),  # NEWOBJ_EX
        (b"P", b"0\n"),  # PERSID
        (b"\x96", struct.pack("<Q", 2**31)),  # BYTEARRAY8
        (b"\x8e", struct.pack("<Q", 2**31)),  # BINBYTES8
        (b"\x8d", struct.pack("<Q", 2**31)),  # BINUNICODE8
        (b"\x95", struct.pack("<Q", 2**31)),  # FRAME
        (b"I", b"9" * 5000 + b"\n"),  # INT
        (b"S", b"'x'\n"),  # STRING
        (b"\x97", b""),  # NEXT_BUFFER
        (b"\x00", b""),  # none at all
    ],
)
def test_other_opcodes_are_refused(opcode: bytes, argument: bytes):
    stack = b"(" + text("os") + text("system")
    with pytest.raises(StateDictError, match="has the opcode .*, which no state dict needs"):
        read_state_dict(attack(stack + opcode + argument))


def test_an_extension_that_this_process_has_used_is_not_reached():
    copyreg.add_extension("posixpath", "join", 240)
    try:
        used = b"\x80\x02\x82\xf0."
        assert pickle.loads(used) is not None  # now it is in the cache, past any `find_class`
        with pytest.raises(StateDictError, match="opcode"):
            read_state_dict(HEAD + used + NO_STORAGES)
    finally:
        copyreg.remove_extension("posixpath", "join", 240)
        copyreg.clear_extension_cache()


@pytest.mark.parametrize("place", ["magic", "key", "storage", "tensor", "ordered"])
def test_tuples_in_tuples_are_neither_written_out_nor_hashed(place: str):
    bomb = nested_tuples(100)
    data = {
        "magic": b"\x80\x02" + bomb + b".",
        "key": attack(b"}" + bomb + b"K\x01s"),
        "storage": attack(bomb + b"Q"),
        "tensor": attack(b"}" + text("x") + bomb + b"s"),
        "ordered": attack(ORDERED + b"]" + bomb + b"K\x01\x86a\x85R"),
    }[place]
    assert len(data) < 1000
    with pytest.raises(StateDictError) as caught:
        read_state_dict(data)
    assert len(str(caught.value)) < 300


def test_integers_and_lists_beyond_what_python_writes_out():
    number = 10**5000
    for file in (attack(pickle.dumps({number: 3}, 2)[2:-1]), attack(b"]" * 10**5 + b"a" * 99_999)):
        with pytest.raises(StateDictError) as caught:
            read_state_dict(file)
        assert len(str(caught.value)) < 300


def test_a_list_of_axes_that_many_tensors_share():
    axes = b"](" + b"K\x01" * 100_000 + b"eq\x00"
    tensor = REBUILD + b"(NK\x00h\x00h\x00\x89}tR"
    with pytest.raises(StateDictError, match="more than 100 axes"):
        read_state_dict(attack(axes + tensor))


def test_declared_sizes_claim_no_memory(tmp_path):
    """In a process of its own, whose memory only grows where it is really used."""
    bombs = [
        b"\x96" + struct.pack("<Q", 2**30),  # a byte array of a gigabyte
        b"X" + struct.pack("<I", 2**32 - 1),  # text of four
        b"\x8b" + struct.pack("<i", 2**31 - 1),  # an integer of two
    ]
    for number, bomb in enumerate(bombs):
        (tmp_path / f"{number}.pth").write_bytes(attack(bomb))
    code = (
        "import pathlib, resource, sys\n"
        "from trainer_module.torch_state_dict import StateDictError, read_state_dict\n"
        "def peak():\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    try:\n"
        "        read_state_dict(path.read_bytes())\n"
        "    except StateDictError:\n"
        "        print(peak() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    grown = [int(line) for line in done.stdout.split()]
    # Of kilobytes, and on Linux: elsewhere they are bytes, which are less still.
    assert len(grown) == len(bombs) and max(grown) < 50_000


@pytest.mark.parametrize("name", ["../../evil", "/evil", "archive/data.pkl"])
def test_an_archive_is_not_even_opened(name: str, tmp_path: pathlib.Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(10**8))  # 100 MB of zeros
    assert len(file.getvalue()) < 10**6
    with pytest.raises(StateDictError, match="newer zip format"):
        read_state_dict(file.getvalue())
    assert not list(tmp_path.iterdir())
