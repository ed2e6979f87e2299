"""What differs between the two lines of libraries, with whichever of them is installed."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

from google.protobuf import descriptor_pb2, descriptor_pool

from serving.library_lines import message_class

ROOT = pathlib.Path(__file__).resolve().parents[2]

# A TensorFlow that writes to the descriptor, as TensorFlow 2.21 does and 2.16 does not.
NOISY = """
import os
os.write(2, b"a notice of a kernel\\n")
value = 7
"""
PROGRAM = """
import os, sys
import importlib.metadata, importlib.util
importlib.metadata.version = lambda name: "2.21.0"
from serving.library_lines import import_tensorflow_quietly
from serving.standard_error import own_stderr
import_tensorflow_quietly()
# Some libraries look whether it is there, long before they import it.
assert importlib.util.find_spec("tensorflow").name == "tensorflow"
log = own_stderr()
import tensorflow
assert tensorflow.value == 7 and "tensorflow" in sys.modules
assert not any(type(finder).__name__ == "_QuietFinder" for finder in sys.meta_path)
print("the log", file=log)
os.write(2, b"after\\n")
"""


def _run(folder: pathlib.Path, tensorflow: str, program: str = PROGRAM):
    (folder / "tensorflow.py").write_text(tensorflow)
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_is_printed_while_tensorflow_is_imported(tmp_path: pathlib.Path) -> None:
    ended = _run(tmp_path, NOISY)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == "the log\nafter\n"


def test_one_that_prints_nothing_is_left_alone(tmp_path: pathlib.Path) -> None:
    ended = _run(tmp_path, NOISY, PROGRAM.replace("2.21.0", "2.16.2"))
    assert ended.returncode == 0, ended.stderr
    assert "notice" in ended.stderr


def test_it_is_imported_where_the_descriptor_is_closed(tmp_path: pathlib.Path) -> None:
    program = PROGRAM.replace("import os, sys", "import os, sys\nos.close(2)")
    ended = _run(tmp_path, "value = 7\n", program[: program.index("print(")] + "print('there')")
    assert (ended.returncode, ended.stdout) == (0, "there\n")


def test_what_is_wrong_with_tensorflow_is_still_said(tmp_path: pathlib.Path) -> None:
    ended = _run(tmp_path, NOISY + "raise ImportError('libcuda is missing')\n")
    assert ended.returncode == 1
    assert "ImportError: libcuda is missing" in ended.stderr and "notice" not in ended.stderr


def test_a_class_of_a_message() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="test_lines.proto", package="lines")
    field = file.message_type.add(name="Word").field.add(name="text", number=1)
    field.type, field.label = field.TYPE_STRING, field.LABEL_OPTIONAL
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    word = message_class(pool.FindMessageTypeByName("lines.Word"), pool)
    assert word(text="petal").SerializeToString() == b"\n\x05petal"
