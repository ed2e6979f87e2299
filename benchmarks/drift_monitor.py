"""What `flowersim monitor` finds: drawn photos like the model's own, and photos that have shifted.

Serves the model of a workdir that was made of drawn flowers, with the request log on, asks about
photos of each kind, and runs the monitor on each log. Prints a line of JSON: for each kind whether
it was called drifted, and the numbers.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from benchmarks.near_duplicates import jpeg

# Of photos, other than those of datasets: so none is a photo that a model was trained on.
SEED = 7000


def drawn(
    species: Sequence[int], count: int, size: int, *, seed: int = SEED, species_seed: int = 0
) -> list[bytes]:
    """Photos of some species by turns, drawn as the dataset's are.

    Args:
        species: Their labels.
        count: How many.
        size: Shorter side in pixels.
        seed: Of the photos.
        species_seed: Of the species, `data.synthetic.seed`.
    """
    from components.synthetic_flowers.genera import draw_species
    from components.synthetic_flowers.scene import photograph
    from components.synthetic_flowers.streams import Purpose, stream

    labels = [species[number % len(species)] for number in range(count)]
    return [
        photograph(
            stream(seed, Purpose.TEST, label, number), draw_species(species_seed, label), size
        )
        for number, label in enumerate(labels)
    ]


def changed(photos: Sequence[bytes], change: Callable[[Image.Image], Image.Image]) -> list[bytes]:
    """Photos that something was done to."""
    return [jpeg(change(Image.open(io.BytesIO(photo)).convert("RGB"))) for photo in photos]


def _cast(image: Image.Image, factors: tuple[float, float, float]) -> Image.Image:
    pixels = np.asarray(image, np.float64) * np.array(factors)
    return Image.fromarray(np.clip(pixels, 0, 255).round().astype(np.uint8))


def _noisy(image: Image.Image, deviation: float) -> Image.Image:
    pixels = np.asarray(image, np.float64)
    # A stream of its own for each photo, that depends on the photo alone.
    rng = np.random.default_rng(int(pixels.sum()))
    noise = rng.normal(0, deviation, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).round().astype(np.uint8))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "slightly darker (90 %)": lambda image: ImageEnhance.Brightness(image).enhance(0.9),
    "dark (35 %)": lambda image: ImageEnhance.Brightness(image).enhance(0.35),
    "blurred (radius 2.5)": lambda image: image.filter(ImageFilter.GaussianBlur(2.5)),
    "under a red lamp": lambda image: _cast(image, (1.3, 0.75, 0.5)),
    "noisy (σ 40)": lambda image: _noisy(image, 40),
    "grey": lambda image: image.convert("L").convert("RGB"),
}


def kinds(classes: int, count: int, size: int, *, species_seed: int = 0) -> dict[str, list[bytes]]:
    """Photos of each kind.

    Args:
        classes: Species that the model knows.
        count: Photos of each kind.
        size: Shorter side in pixels.
        species_seed: Of the species.
    """
    known, unknown = range(classes), range(classes, 2 * classes)

    def draw(species: Sequence[int], number: int, seed: int) -> list[bytes]:
        return drawn(species, number, size, seed=SEED + seed, species_seed=species_seed)

    found = {f"the same kind ({turn + 1})": draw(known, count, turn) for turn in range(3)}
    same = draw(known, count, 10)
    found |= {name: changed(same, change) for name, change in CHANGES.items()}
    found["half of the known species"] = draw(known[: classes // 2], count, 11)
    found["a few known species"] = draw(known[: max(1, classes // 8)], count, 12)
    some = count // 4
    found["unknown species, a quarter of the photos"] = draw(known, count - some, 13) + draw(
        unknown, some, 14
    )
    found["unknown species"] = draw(unknown, count, 15)
    return found


@contextlib.contextmanager
def logged(serving: pathlib.Path, prefix: pathlib.Path) -> Iterator[Any]:
    """A client of a server that logs all requests.

    Args:
        serving: Folder of a model's versions; its name is the model's.
        prefix: See the server's flag `--request_log_prefix`. When the context is left, all is
            written.
    """
    from serving.client import SimilarityClient
    from serving.model_server import ServerOptions, running_server

    options = ServerOptions(
        model_name=serving.name,
        model_base_path=str(serving),
        rest_api_port=0,
        request_log_prefix=str(prefix),
        request_log_sampling_rate=1.0,
    )
    with (
        running_server(options) as url,
        SimilarityClient(url, model_name=serving.name) as client,
    ):
        yield client


def monitored(workdir: pathlib.Path, logs: pathlib.Path, *arguments: str) -> dict[str, Any]:
    """Runs `flowersim monitor`, and returns its report with `status`, the exit status."""
    from pipeline.cli import main

    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch, "report.json")
        words = ["monitor", str(logs), "--workdir", str(workdir), "--json", str(file), *arguments]
        with contextlib.redirect_stdout(io.StringIO()):
            status = main(words)
        return {"status": status, **json.loads(file.read_text("utf-8"))}


def numbers(report: dict[str, Any]) -> dict[str, Any]:
    """What a table of reports shows."""
    found = report["comparison"]
    return {
        "drifted": report["drifted"],
        "effect": round(found["embeddings"]["effect"], 4),
        "effect_p": found["embeddings"]["p_value"],
        "score_drop": round(found["scores"]["drop"], 3),
        "score_p": found["scores"]["p_value"],
        "best_score": round(found["best_score"], 3),
        "out_of_gallery": round(found["out_of_gallery"], 3),
        "reference_out_of_gallery": round(found["reference_out_of_gallery"], 3),
        "rise_low": round(found["rise"]["low"], 3),
    }


def main() -> None:
    """Parses the command line, asks, monitors and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workdir", type=pathlib.Path, default=pathlib.Path("runs/demo"))
    parser.add_argument("--count", type=int, default=200, help="photos of a kind (%(default)s)")
    options = parser.parse_args()
    from pipeline.saved_settings import saved_settings
    from pipeline.workdir_layout import served_folder

    drawing = saved_settings(options.workdir, None, ()).data.synthetic
    serving = served_folder(options.workdir)
    photos = kinds(drawing.classes, options.count, drawing.image_size, species_seed=drawing.seed)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for number, (kind, images) in enumerate(photos.items()):
            prefix = pathlib.Path(scratch, f"kind{number}")
            with logged(serving, prefix) as client:
                for image in images:
                    client.similar(image)
            found[kind] = numbers(monitored(options.workdir, prefix))
    print(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    main()
