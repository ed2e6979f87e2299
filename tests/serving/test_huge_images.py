"""Decompression bombs against a served model that decodes photos as the pushed ones do."""

from __future__ import annotations

import base64
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from tests import huge_images
from tests.serving.test_request_limits import free_port

pytestmark = pytest.mark.skipif(
    not pathlib.Path("/proc/self/clear_refs").exists(), reason="needs Linux' /proc"
)

MEGABYTE = 2**20
PREDICT = "/v1/models/photos:predict"


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A model that answers with the shape of the canonical image."""
    import tensorflow as tf

    from trainer_module import images

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def decode(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
            return {
                "shape": tf.map_fn(
                    lambda content: tf.shape(images.canonical(content, 256)),
                    image_bytes,
                    fn_output_signature=tf.TensorSpec([3], tf.int32),
                    parallel_iterations=1,
                )
            }

    model, folder = Model(), tmp_path_factory.mktemp("photos")
    tf.saved_model.save(model, str(folder / "1"), signatures=model.decode)
    return folder


class Server:
    """A server in a process of its own, whose memory is looked at from outside."""

    def __init__(self, folder: pathlib.Path, log: pathlib.Path) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "serving.model_server", "--model_name=photos"]
        command += [f"--model_base_path={folder}", f"--rest_api_port={self.port}", "--port=0"]
        # However busy the machine is.
        command += ["--rest_api_timeout_in_ms=120000"]
        with log.open("w") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=120)

    def ask(self, *photos: bytes) -> httpx.Response:
        instances = [{"b64": base64.b64encode(photo).decode()} for photo in photos]
        return self.client.post(PREDICT, json={"instances": instances})

    def growth(self, *photos: bytes) -> tuple[httpx.Response, float]:
        """The answer, and by how many megabytes the memory had grown meanwhile at most."""
        before = self._kilobytes("VmRSS")
        # 5: forget the peak so far.
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        answer = self.ask(*photos)
        return answer, (self._kilobytes("VmHWM") - before) / 1024

    def _kilobytes(self, name: str) -> int:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name))


@pytest.fixture(scope="module")
def server(decoder: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(decoder, tmp_path_factory.mktemp("log") / "log")
    try:
        end = time.monotonic() + 120
        while True:
            try:
                if started.ask(huge_images.jpeg(64, 48)).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            assert started.process.poll() is None and time.monotonic() < end
            time.sleep(0.2)
        # What the decoders themselves take, once.
        started.ask(huge_images.png(64, 48))
        yield started
    finally:
        started.client.close()
        started.process.terminate()
        started.process.wait(30)


@pytest.mark.parametrize(
    "photo",
    [
        pytest.param(huge_images.png(60_000, 60_000, honest=False), id="png_of_3600_megapixels"),
        pytest.param(huge_images.png(10_000, 10_000, honest=False), id="png_of_100_megapixels"),
        pytest.param(huge_images.jpeg_that_claims(60_000, 60_000), id="jpeg_of_3600_megapixels"),
        pytest.param(
            huge_images.jpeg_that_claims(20_000, 20_000, progressive=True),
            id="progressive_jpeg_of_400_megapixels",
        ),
    ],
)
def test_too_many_pixels_are_refused_before_they_take_memory(server: Server, photo: bytes) -> None:
    assert len(photo) < 50_000
    answer, growth = server.growth(photo)
    assert answer.status_code == 400
    assert "image has too many pixels" in answer.json()["error"]
    assert growth < 100
    # With others in one request the request fails, and the server goes on.
    assert server.ask(huge_images.jpeg(64, 48), photo).status_code == 400
    assert server.ask(huge_images.jpeg(64, 48)).json() == {"predictions": [[48, 64, 3]]}


@pytest.mark.parametrize(
    ("photo", "shape", "megabytes"),
    [
        # The first two are allowed as they are, since a camera may have made them.
        pytest.param(huge_images.jpeg(10_000, 10_000), [256, 256, 3], 400, id="jpeg"),
        pytest.param(
            huge_images.jpeg_that_claims(16_384, 16_384), [256, 256, 3], 400, id="claiming_jpeg"
        ),
        pytest.param(
            huge_images.jpeg_that_claims(16_384, 16_384, progressive=True),
            [256, 256, 3],
            1300,
            id="claiming_progressive_jpeg",
        ),
        pytest.param(huge_images.png(8192, 8192), [256, 256, 3], 1500, id="largest_png"),
    ],
)
def test_the_most_pixels_that_are_taken_need_bounded_memory(
    server: Server, photo: bytes, shape: list[int], megabytes: int
) -> None:
    answer, growth = server.growth(photo)
    assert answer.json() == {"predictions": [shape]}
    assert growth < megabytes
