"""Ten minutes of everything that befalls a server, and whether all went well.

A pushed model but for its weights, and smaller, is served by the embedded server in a process of
its own, with batching. All the time clients ask for neighbours of photos, over REST and gRPC, while

- five more versions are pushed, one after the other, and one that is corrupt;
- others send malformed requests, corrupt images, bodies that are too large, bodies that never end,
  and hang up in the middle of a request or before its answer.

Checked is every answer: a valid request must succeed with exactly what the version that answered
says when it is called directly, a version that was served at some time of the request; an invalid
one must be refused with the right status. And memory: the server's resident size while the last
version serves beside that after the first swap. The exit status is 1 if anything went wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import pathlib
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from typing import Any

import numpy as np

from benchmarks import load_client, served_model
from benchmarks.serving import MODEL, PARAMETERS, free_port, start_server

VERSIONS = 6
LIMIT = 1_000_000
TIMEOUT_MS = 20_000
# float32 sums of a batch may be added up in another order than those of one image.
TOLERANCE = 1e-4

Answers = dict[int, dict[int, dict[str, list]]]


def resident_mb(pid: int) -> float:
    """Memory of a process that is in RAM."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1e3
    raise LookupError(f"/proc/{pid}/status has no VmRSS")


class Soak:
    """The clients, and what they saw."""

    def __init__(self, port: int, grpc_port: int, images: list[bytes], expected: Answers) -> None:
        self._port, self._grpc_port = port, grpc_port
        self._images, self._expected = images, expected
        self._requests = [load_client.predict_request([image], MODEL) for image in images]
        self.end = 0.0
        self.pushed = 1
        self.counts: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []

    def over(self) -> bool:
        """Whether time is up."""
        return time.monotonic() >= self.end

    def fault(self, text: str) -> None:
        """Remembers what should not have been."""
        self.wrong.append(text)
        print(f"WRONG: {text}", file=sys.stderr, flush=True)

    def check(self, photo: int, answer: dict[str, Any], oldest: int) -> None:
        """Compares an answer with that of the version it comes from."""
        version = int(str(answer["neighbour_ids"][0]).partition("-")[0].removeprefix("v"))
        if not oldest <= version <= self.pushed:
            self.fault(f"version {version} answered; {oldest} to {self.pushed} were served")
        expected = self._expected[version][photo]
        scores = np.array(answer["neighbour_scores"])
        if not np.allclose(scores, expected["neighbour_scores"], atol=TOLERANCE):
            self.fault(f"photo {photo}: scores of version {version} differ")
        known = dict(zip(expected["neighbour_ids"], expected["neighbour_scores"], strict=True))
        for identity, score in zip(answer["neighbour_ids"], scores, strict=True):
            # Neighbours with nearly equal scores may change places, the last with one unseen.
            if abs(known.get(identity, expected["neighbour_scores"][-1]) - score) > 2 * TOLERANCE:
                self.fault(f"photo {photo}: {identity} is no neighbour in version {version}")
        self.counts["right answers"] += 1

    async def rest_client(self, number: int) -> None:
        """Asks over REST without a pause."""
        rng, served = random.Random(number), 1
        connection = await load_client.Connection.open("127.0.0.1", self._port)
        while not self.over():
            photo = rng.randrange(len(self._images))
            try:
                answer = await connection.ask(self._requests[photo])
            except (OSError, asyncio.IncompleteReadError) as error:
                self.fault(f"a valid request got no answer: {error!r}")
                connection = await load_client.Connection.open("127.0.0.1", self._port)
                continue
            if answer.status != 200:
                self.fault(f"a valid request failed: {answer.status} {answer.body[:200]!r}")
                continue
            (prediction,) = json.loads(answer.body)["predictions"]
            self.check(photo, prediction, served)
            # Newer versions may come meanwhile, but none older than what one client has seen.
            found = int(prediction["neighbour_ids"][0].partition("-")[0].removeprefix("v"))
            served = max(served, found)
        connection.close()

    async def grpc_client(self) -> None:
        """Asks over gRPC without a pause."""
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

        rng = random.Random(0)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self._grpc_port}") as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            while not self.over():
                photo = rng.randrange(len(self._images))
                request = predict_pb2.PredictRequest()
                request.model_spec.name = MODEL
                tensor = tf.make_tensor_proto([self._images[photo]])
                request.inputs["image_bytes"].CopyFrom(tensor)
                try:
                    response = await stub.Predict(request, timeout=30)
                except grpc.aio.AioRpcError as error:
                    self.fault(f"a valid gRPC request failed: {error.details()}")
                    continue
                ids = tf.make_ndarray(response.outputs["neighbour_ids"])[0]
                scores = tf.make_ndarray(response.outputs["neighbour_scores"])[0]
                names = [identity.decode() for identity in ids]
                self.check(photo, {"neighbour_ids": names, "neighbour_scores": scores}, 1)
                self.counts["right gRPC answers"] += 1

    async def bad_client(self, number: int) -> None:
        """Sends what has to be refused."""
        rng = random.Random(number)
        while not self.over():
            image = bytearray(rng.choice(self._images))
            body = bytearray(json.dumps({"instances": ["not an image"]}).encode())
            kinds = {
                "corrupt images": (
                    load_client.predict_request([bytes(image[: len(image) // 9])], MODEL),
                    400,
                ),
                "other bytes": (load_client.predict_request([rng.randbytes(500)], MODEL), 400),
                "half of a JSON": (self._raw(body[: rng.randrange(len(body))]), 400),
                "no JSON": (self._raw(rng.randbytes(rng.randrange(1, 5000))), 400),
                "unknown models": (load_client.predict_request([bytes(image)], "nobody"), 404),
                "too large": (self._raw(b" " * (LIMIT + 1)), 413),
            }
            kind = rng.choice(sorted(kinds))
            request, status = kinds[kind]
            connection = await load_client.Connection.open("127.0.0.1", self._port)
            try:
                answer = await connection.ask(request)
                if answer.status != status:
                    self.fault(f"{kind}: {answer.status} {answer.body[:200]!r}")
                self.counts[kind] += 1
            except (OSError, asyncio.IncompleteReadError):
                # Refused before it was read whole, which the sender may see as a hang-up.
                if kind != "too large":
                    self.fault(f"{kind}: no answer")
                self.counts[kind] += 1
            finally:
                connection.close()
            await asyncio.sleep(rng.uniform(0, 0.3))

    async def rude_client(self, number: int) -> None:
        """Is slow, or gone, as its number is even or odd."""
        rng = random.Random(number)
        while not self.over():
            request = rng.choice(self._requests)
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            hang_ups = ("hang-ups in a request", "hang-ups before an answer")
            kind = rng.choice(hang_ups) if number % 2 else "slow bodies"
            with contextlib.suppress(OSError):
                if kind == "slow bodies":
                    writer.write(request[:2000])
                    for place in range(2000, 2000 + 3 * TIMEOUT_MS // 1000):
                        await asyncio.sleep(1)
                        writer.write(request[place : place + 1])
                        await writer.drain()
                        if reader.at_eof() or self.over():
                            break
                else:
                    cut = len(request) if "answer" in kind else rng.randrange(len(request))
                    writer.write(request[:cut])
                    await writer.drain()
                    await asyncio.sleep(rng.uniform(0, 0.05))
            writer.close()
            self.counts[kind] += 1

    @staticmethod
    def _raw(body: bytes | bytearray) -> bytes:
        return load_client.raw_request(f"/v1/models/{MODEL}:predict", bytes(body))


def expected_answers(folder: pathlib.Path, images: list[bytes]) -> dict[int, dict[str, list]]:
    """What a version says to each photo when it is called directly."""
    import tensorflow as tf

    similar = tf.saved_model.load(str(folder)).signatures["serving_default"]
    answers = {}
    for photo, image in enumerate(images):
        outputs = similar(image_bytes=tf.constant([image]))
        answers[photo] = {
            "neighbour_ids": [i.decode() for i in outputs["neighbour_ids"].numpy()[0]],
            "neighbour_scores": outputs["neighbour_scores"].numpy()[0].tolist(),
        }
    return answers


async def run(
    soak: Soak, pid: int, staged: pathlib.Path, base: pathlib.Path, seconds: float
) -> Any:
    """Lets the clients loose and pushes versions; the memory that was seen, with its times."""
    began = time.monotonic()
    soak.end = began + seconds
    sizes: list[tuple[float, float]] = []

    async def push() -> None:
        step = seconds / (VERSIONS + 2)
        for version in range(2, VERSIONS + 1):
            await asyncio.sleep(step)
            if version == VERSIONS // 2 + 1:
                broken = base / str(version * 10 - 5)
                broken.mkdir()
                (broken / "saved_model.pb").write_bytes(b"this is no model")
                await asyncio.sleep(min(step, 10))
                shutil.rmtree(broken)
            # Before it appears, so that nobody can have an answer of it too early.
            soak.pushed = version
            (staged / str(version)).rename(base / str(version))
            print(f"pushed version {version}", file=sys.stderr, flush=True)

    async def watch() -> None:
        while not soak.over():
            sizes.append((time.monotonic() - began, resident_mb(pid)))
            await asyncio.sleep(1)

    await asyncio.gather(
        push(),
        watch(),
        *(soak.rest_client(number) for number in range(8)),
        soak.grpc_client(),
        *(soak.bad_client(number) for number in range(3)),
        *(soak.rude_client(number) for number in range(4)),
    )
    return sizes


def main() -> None:
    """Parses the command line, prints a line of JSON, and exits with 1 if anything went wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="(%(default)s)")
    options = parser.parse_args()
    seconds = 60 * options.minutes
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        base, staged = folder / "base", folder / "staged"
        base.mkdir()
        images, expected = served_model.photos(24, side=128), {}
        for version in range(1, VERSIONS + 1):
            target = staged / str(version)
            served_model.write(
                target, gallery=2000, input_size=96, prefix=f"v{version}", seed=version
            )
            expected[version] = expected_answers(target, images)
        (staged / "1").rename(base / "1")
        (folder / "parameters").write_text(PARAMETERS)
        grpc_port = free_port()
        with (folder / "log").open("w") as log:
            port, server = start_server(
                base,
                folder / "parameters",
                f"--port={grpc_port}",
                f"--max_request_bytes={LIMIT}",
                f"--rest_api_timeout_in_ms={TIMEOUT_MS}",
                log=log,
            )
            soak = Soak(port, grpc_port, images, expected)
            try:
                sizes = asyncio.run(run(soak, server.pid, staged, base, seconds))
            finally:
                server.send_signal(signal.SIGTERM)
                status = server.wait()
        tracebacks = (folder / "log").read_text().count("Traceback")
    step = seconds / (VERSIONS + 2)
    early = statistics.median(size for at, size in sizes if 1.5 * step < at < 2 * step)
    late = statistics.median(size for at, size in sizes if at > seconds - 0.5 * step)
    if soak.pushed != VERSIONS or not soak.counts["right gRPC answers"] or status or tracebacks:
        soak.fault(f"{soak.pushed} versions, exit status {status}, {tracebacks} tracebacks")
    print(
        json.dumps(
            {
                "minutes": options.minutes,
                **dict(sorted(soak.counts.items())),
                "wrong": len(soak.wrong),
                "resident_mb_after_first_swap": round(early),
                "resident_mb_at_the_end": round(late),
                "resident_mb_at_most": round(max(size for _, size in sizes)),
            }
        )
    )
    sys.exit(bool(soak.wrong))


if __name__ == "__main__":
    main()
