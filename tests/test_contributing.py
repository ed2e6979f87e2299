"""CONTRIBUTING.md is true: what it names is there, and its samples do what it says they do."""

from __future__ import annotations

import ast
import importlib
import pathlib
import re
import subprocess
import sys
import types
from typing import Any

import numpy as np
import pytest

from pipeline.cli import _parser
from pipeline.settings_loader import iter_fields, load_settings

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
PROSE = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
CODE = sorted(set(re.findall(r"`([^`]+)`", PROSE)))
SAMPLES = [block for kind, block in BLOCKS if kind == "python"]
ROOMS = ("pipeline", "components", "trainer_module", "retrieval", "serving")
# Files that the recipes add; all others are there.
ADDED = {
    "components/digits/",
    "knative/",
    "pipeline/beam_runner.py",
    "tests/components/digits/test_builder.py",
    "tests/trainer_module/test_pair_loss.py",
}
NAMES_ADDED = {"pair", "pair_loss", "found_share"}


def _sample(part: str) -> str:
    (found,) = (sample for sample in SAMPLES if part in sample)
    return found


def _paths() -> list[str]:
    """What looks like a path of this checkout: with a slash, or the name of a file."""
    found = [re.sub(r"\[.*\]|\*.*", "", code) for code in CODE]
    found = [code for code in found if code != "CLASS/"]  # of a folder of photos
    return [code for code in found if re.fullmatch(r"[\w./-]+(/|\.(py|md|yaml))", code)]


@pytest.mark.parametrize("path", _paths())
def test_each_file_is_there(path: str) -> None:
    if path in ADDED:
        assert not (ROOT / path).exists(), "the sample must not be taken for a file of the project"
        return
    if path == "utils.py":
        assert not [found for room in ROOMS for found in (ROOT / room).rglob(path)]
        return
    # A bare name stands for a file of that name in any folder of code.
    places = {file.parent for room in (*ROOMS, "tests") for file in (ROOT / room).rglob("*.py")}
    places.add(ROOT)
    assert any((place / path).exists() for place in places)


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((\S+?)\)", PROSE)
    assert links and all((ROOT / link).is_file() for link in links)


@pytest.mark.parametrize(
    "line", [line for kind, block in BLOCKS if not kind for line in block.split("\n")]
)
def test_make_has_the_targets_and_tests_are_where_they_are_said_to_be(line: str) -> None:
    command = line.partition("#")[0].split()
    if not command:
        return
    if command[0].startswith("UPDATE_GOLDEN"):
        command = command[1:]
        named = ROOT / command[2].removeprefix("ARGS=")
        files = [named] if named.is_file() else list(named.glob("*.py"))
        assert any("UPDATE_GOLDEN" in file.read_text("utf-8") for file in files)
    assert command[0] == "make"
    assert re.search(rf"^{command[1]}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def test_settings_and_commands_are_ones_there_are() -> None:
    keys = {key for key, _ in iter_fields()}
    sections = {key.split(".")[0] for key in keys}
    named = {code for code in CODE if re.fullmatch(r"[a-z]+\.[a-z_]+(\.[a-z_]+)*", code)}
    named = {code for code in named if code.split(".")[0] in sections} - {"training.pair.weight"}
    assert len(named) >= 4
    assert named <= keys


@pytest.mark.parametrize("command", [code for code in CODE if code.startswith("flowersim ")])
def test_the_command_line_has(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = command.split()[1:]
    if any(word.startswith("--set") for word in words):
        keys = {key for key, _ in iter_fields()}
        overrides = _parser().parse_args(words).overrides
        assert {override.partition("=")[0] for override in overrides} <= keys
    else:
        with pytest.raises(SystemExit) as ended:
            _parser().parse_args([*words[:1], "--help"])
        assert ended.value.code == 0 and "usage: flowersim" in capsys.readouterr().out


def test_names_are_ones_that_the_code_has() -> None:
    """Functions, classes, constants and keys: what has a capital or an underscore."""
    source = "\n".join(
        file.read_text("utf-8")
        for room in (*ROOMS, "tests")
        for file in (ROOT / room).rglob("*.py")
        if file != pathlib.Path(__file__)
    )
    known = {
        name
        for found in re.findall(
            r"\b(?:def|class) (\w+)|^\s*(\w+)(?::[^=\n]+)? = |\"(\w+)\"", source, re.MULTILINE
        )
        for name in found
    }
    wanted = {
        code
        for code in CODE
        if re.fullmatch(r"_?[A-Za-z]+(_[A-Za-z0-9]+)+|[A-Z][A-Za-z_]+", code)
        and not code.startswith("NAME")
    }
    assert len(wanted) > 15
    assert wanted - known - NAMES_ADDED == set()


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_samples_are_python_and_import_what_there_is(number: int) -> None:
    sample = SAMPLES[number]
    try:
        tree = ast.parse(sample)
    except IndentationError:
        tree = ast.parse("if True:\n" + sample)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ROOMS:
            module = importlib.import_module(node.module or "")
            assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.mark.parametrize("part", ["convnet_small.py", "pair_loss.py", "builder.py", "def run"])
def test_samples_are_in_the_house_style(part: str) -> None:
    sample = _sample(part)
    for command in (["check", "--ignore", "D100,F821", "-"], ["format", "--check", "-"]):
        result = subprocess.run(
            [sys.executable, "-m", "ruff", *command],
            input=re.sub(r"^# \S+\n", "", sample), cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout + result.stderr


def _run(source: str, name: str) -> dict[str, Any]:
    module = types.ModuleType(name)
    exec(compile(source, f"CONTRIBUTING.md: {name}", "exec"), module.__dict__)
    return module.__dict__


def test_the_backbone_scales_pixels_has_blocks_and_can_be_trained() -> None:
    import keras

    from trainer_module.backbones import freeze_first_blocks

    build = _run(_sample("convnet_small.py"), "convnet_small")["build_convnet_small"]
    model = build(None)
    features = model(np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 3)).astype(np.float32))
    assert tuple(features.shape) == (2, 256) and np.isfinite(np.asarray(features)).all()
    kinds = [type(layer) for layer in model.layers]
    assert kinds.index(keras.layers.Rescaling) < kinds.index(keras.layers.Conv2D)
    freeze_first_blocks(model, 3)
    trained = {variable.path.split("/")[0] for variable in model.trainable_variables}
    assert trained == {"block4_conv", "block4_bn"}


def test_a_name_in_backbones_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    from trainer_module import backbones

    monkeypatch.setattr(backbones, "BACKBONES", (*backbones.BACKBONES, "convnet_small"))
    load_settings("demo", ["model.backbone=convnet_small", "model.weights=none"])
    with pytest.raises(
        KeyError, match="convnet_small"
    ):  # past the check of names, without a branch
        backbones.build_backbone("convnet_small", input_size=32, weights=None)


def test_the_loss_follows_its_definition() -> None:
    loss = _run(_sample("pair_loss.py"), "pair_loss")["pair_loss"]
    rng = np.random.default_rng(0)
    f, y = rng.normal(size=(9, 4)), rng.integers(0, 3, 9)
    u = f / np.linalg.norm(f, axis=1, keepdims=True)
    terms = []
    for i in range(9):
        for j in range(9):
            squared = ((u[i] - u[j]) ** 2).sum()
            if i != j:
                terms.append(squared if y[i] == y[j] else max(0.0, 1.0 - squared))
    expected = pytest.approx(np.mean(terms), abs=1e-5)
    assert float(loss(f, y, margin=1.0)) == expected
    bad = np.concatenate([f, np.full((2, 4), np.nan)])
    weights = np.array([1.0] * 9 + [0.0] * 2)
    assert float(loss(bad, np.append(y, [0, 1]), margin=1.0, sample_weight=weights)) == expected


def test_the_metric_is_one_line_and_one_name() -> None:
    """The recipe followed: the line put into `metrics_of_ranks`, the name into the list."""
    source = (ROOT / "retrieval" / "metrics.py").read_text("utf-8")
    (line,) = [line for line in _sample("found_share").splitlines() if not line.startswith("#")]
    place = '        results[f"precision_at_{k}"]'
    names = "CUT_OFF_METRICS = ("
    assert source.count(place) == source.count(names) == 1
    changed = source.replace(place, f"{line}\n{place}").replace(names, f'{names}"found_share", ')
    metrics = _run(changed, "metrics")
    gallery = [[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [1.0, 0.3], [1.0, 0.4]]
    found = metrics["retrieval_metrics"]([[1.0, 0.0]], [1], gallery, [0, 1, 1, 0, 1], ks=(1, 2, 10))
    shares = {key: value for key, value in found.items() if key.startswith("found_share")}
    assert shares == pytest.approx(
        {"found_share_at_1": 0.0, "found_share_at_2": 1 / 3, "found_share_at_10": 1.0}
    )


def test_the_dataset_can_be_prepared_and_named(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sklearn.datasets
    import tensorflow_datasets as tfds
    from sklearn.utils import Bunch

    from pipeline.prepare import prepare
    from pipeline.settings import DataSettings

    whole = sklearn.datasets.load_digits()
    few = Bunch(images=whole.images[:30], target=whole.target[:30])
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda: few)
    package = tmp_path / "packages" / "digits_sample"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "builder.py").write_text(_sample("builder.py"), "utf-8")
    monkeypatch.syspath_prepend(str(package.parent))
    builder = importlib.import_module("digits_sample.builder").Digits
    builder(data_dir=str(tmp_path / "tfds")).download_and_prepare()
    data = prepare(DataSettings(dataset="digits", data_dir=str(tmp_path / "tfds")), tmp_path)
    assert data.split_sizes == {"train": 10, "validation": 10, "test": 10}
    assert data.class_names == tuple("0123456789")
    assert pathlib.Path(data.folder) == tmp_path / "tfds" / "digits" / "1.0.0"
    stored = tfds.builder_from_directory(data.folder).as_dataset(split="test")
    for example in stored.as_numpy_iterator():
        index = int(example["file_name"][6:10])
        assert example["label"] == few.target[index] and example["image"].shape == (48, 48, 3)
        np.testing.assert_array_equal(example["image"][::6, ::6, 0], few.images[index] * 15)


def test_the_orchestrator_gets_the_whole_pipeline(
    tmp_path: pathlib.Path, make_photo: Any, write_dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

    from pipeline.component_ids import COMPONENT_IDS
    from pipeline.local_runner import local_beam_args
    from pipeline.metadata_store import connection_config
    from pipeline.pipeline import create_pipeline
    from pipeline.places import places_in
    from pipeline.prepare import prepare

    splits = {
        split: [[(make_photo(3 * number + i), i % 2, None) for i in range(2)]]
        for number, split in enumerate(("train", "validation", "test"))
    }
    write_dataset(tmp_path, "roses", ["red", "white"], splits)
    given: list[Any] = []
    monkeypatch.setattr(BeamDagRunner, "run", lambda self, dag: given.append(dag))
    names = (BeamDagRunner, create_pipeline, places_in, prepare, local_beam_args, connection_config)
    module: dict[str, Any] = {"Settings": Any, **{name.__name__: name for name in names}}
    exec(_sample("def run"), module)
    settings = load_settings("demo", ["data.dataset=roses", f"data.data_dir={tmp_path}"])
    module["run"](settings, str(tmp_path / "work"))
    (dag,) = given
    assert {component.id for component in dag.components} == set(COMPONENT_IDS)
    assert dag.pipeline_info.pipeline_root == str(tmp_path / "work" / "pipeline_root")
    database = dag.metadata_connection_config.sqlite.filename_uri
    assert database == str(tmp_path / "work" / "metadata.sqlite")
