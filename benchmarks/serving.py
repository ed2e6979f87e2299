"""What serving costs beside calling the model directly, on the same two cores.

The model is a pushed one but for its weights: EfficientNet-Lite0 at 224 pixels, photos of 256
pixels as JPEG, a gallery of some thousand images. The embedded server runs in a process of its own,
with batching; so does the direct caller, which loads the same SavedModel and calls its signature.
The two take turns, and while one works the other waits. Reported are

- images per second of CPU time of the process that runs the model: of the direct caller with each
  batch size, of the server with 32 clients that ask for one image at a time, and their ratio;
- the median time of one image at a time, both ways, and the difference.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from typing import IO, Any

from benchmarks import load_client, served_model

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
MODEL = "flowers"
PARAMETERS = """max_batch_size { value: 8 }
batch_timeout_micros { value: 0 }
max_enqueued_batches { value: 1000 }
num_batch_threads { value: 2 }
"""


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Direct:
    """A process that calls the model when told to."""

    def __init__(self, model: pathlib.Path, photos: pathlib.Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--direct", str(model), str(photos)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, batch_size: int, seconds: float) -> dict[str, Any]:
        """Calls the model for so long."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps([batch_size, seconds]), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def stop(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()


def call_directly(model: str, photos: str) -> None:
    """What the direct caller does: a line of numbers in, a line of measurements out."""
    import numpy as np
    import tensorflow as tf

    similar = tf.saved_model.load(model).signatures["serving_default"]
    images = [path.read_bytes() for path in sorted(pathlib.Path(photos).iterdir())]
    for line in sys.stdin:
        batch_size, seconds = json.loads(line)
        times, turn, began = [], 0, cpu_seconds(os.getpid())
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            batch = [images[(turn + place) % len(images)] for place in range(batch_size)]
            turn += batch_size
            started = time.perf_counter()
            outputs = similar(image_bytes=tf.constant(np.array(batch, object)))
            {name: value.numpy() for name, value in outputs.items()}
            times.append(time.perf_counter() - started)
        used = cpu_seconds(os.getpid()) - began
        print(json.dumps({"images": turn, "cpu": used, "times": times}), flush=True)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def start_server(
    base_path: pathlib.Path, parameters: pathlib.Path, *flags: str, log: IO[str] | None = None
) -> tuple[int, subprocess.Popen]:
    """Starts the embedded server; its REST port and process, once it is ready.

    Args:
        base_path: Of the versions.
        parameters: File of the batching parameters.
        *flags: Others.
        log: Where its log goes; None for this process's own.
    """
    port = free_port()
    known = [
        f"--model_base_path={base_path}",
        f"--model_name={MODEL}",
        f"--rest_api_port={port}",
        "--enable_batching",
        f"--batching_parameters_file={parameters}",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "serving.model_server", *known, *flags], stderr=log
    )
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz").close()
            return port, process
        except urllib.error.URLError:
            time.sleep(0.2)
    raise SystemExit("the server did not start")


def ask(port: int, requests: list[bytes], clients: int, seconds: float) -> list[load_client.Answer]:
    """Has clients ask for so long; every answer must be a good one."""
    end = time.perf_counter() + seconds
    answers = asyncio.run(
        load_client.keep_asking(
            "127.0.0.1", port, requests, clients, lambda: time.perf_counter() >= end
        )
    )
    bad = [answer for answer in answers if answer.status != 200]
    if bad:
        raise SystemExit(f"{len(bad)} requests failed: {bad[0].body[:200]!r}")
    return answers


def measure(options: argparse.Namespace, folder: pathlib.Path) -> dict[str, Any]:
    """Runs both sides in turns."""
    served_model.write(folder / "base" / "1", gallery=options.gallery)
    images = served_model.photos(options.photos)
    (folder / "photos").mkdir()
    for number, image in enumerate(images):
        (folder / "photos" / f"{number:04}.jpg").write_bytes(image)
    (folder / "parameters").write_text(PARAMETERS)
    requests = [load_client.predict_request([image], MODEL) for image in images]
    direct = Direct(folder / "base" / "1", folder / "photos")
    port, server = start_server(folder / "base", folder / "parameters", "--port=0")
    rates: dict[Any, list[float]] = {size: [] for size in [*BATCH_SIZES, "served"]}
    overheads: list[float] = []
    medians: dict[str, list[float]] = {"direct": [], "served": []}
    try:
        for size in BATCH_SIZES:
            direct.call(size, 1.0)
        ask(port, requests, options.clients, 3.0)
        for _ in range(options.rounds):
            for size in BATCH_SIZES:
                found = direct.call(size, options.seconds)
                rates[size].append(found["images"] / found["cpu"])
                if size == 1:
                    medians["direct"].append(statistics.median(found["times"]))
            began = cpu_seconds(server.pid)
            answers = ask(port, requests, options.clients, options.seconds * 2)
            rates["served"].append(len(answers) / (cpu_seconds(server.pid) - began))
            alone = ask(port, requests, 1, options.seconds)
            medians["served"].append(statistics.median(answer.seconds for answer in alone))
            overheads.append(medians["served"][-1] - medians["direct"][-1])
    finally:
        direct.stop()
        server.send_signal(signal.SIGTERM)
        server.wait()
    by_size = {size: statistics.median(rates[size]) for size in BATCH_SIZES}
    best = max(by_size, key=lambda size: by_size[size])
    served = statistics.median(rates["served"])
    return {
        "gallery": options.gallery,
        "clients": options.clients,
        "direct_images_per_cpu_second": {size: round(rate, 1) for size, rate in by_size.items()},
        "served_images_per_cpu_second": round(served, 1),
        "served_to_best_direct": round(served / by_size[best], 3),
        "direct_median_ms": round(1e3 * statistics.median(medians["direct"]), 2),
        "served_median_ms": round(1e3 * statistics.median(medians["served"]), 2),
        "overhead_ms": round(1e3 * statistics.median(overheads), 2),
    }


def main() -> None:
    """Parses the command line and prints a line of JSON."""
    if sys.argv[1:2] == ["--direct"]:
        call_directly(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gallery", type=int, default=6149, help="images in it (%(default)s)")
    parser.add_argument("--photos", type=int, default=64, help="that are asked for (%(default)s)")
    parser.add_argument("--clients", type=int, default=32, help="(%(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(options, pathlib.Path(folder))))


if __name__ == "__main__":
    main()
