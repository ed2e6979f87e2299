"""The check of one model, from the start of a server to the limits; knows nothing of TFX.

What is asked is in `answers.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from components.serving_check.answers import (
    ask,
    check_answers,
    check_refusals,
    check_signatures,
    rehearse,
)
from components.serving_check.config import CheckFailedError, ServingCheckConfig
from components.serving_check.direct_model import DirectModel
from components.serving_check.latency import measure_latency
from components.serving_check.photos import Photo
from components.serving_check.report import Report
from components.serving_check.rest_model import RestModel
from components.serving_check.server_process import ServerProcess
from trainer_module.progress_log import Countdown
from trainer_module.progress_log import report as say


def check(
    base_path: str,
    direct: DirectModel,
    photos: Sequence[Photo],
    config: ServingCheckConfig,
    log: str,
    report: Report,
) -> None:
    """Serves a model in a process of its own, asks it, and measures.

    Args:
        base_path: Folder on this machine that holds the SavedModel as version folder `1`.
        direct: The same SavedModel.
        photos: What it is asked about.
        config: Limits, and how much is asked.
        log: File for the server's output.
        report: Gets what is measured, as far as it comes.

    Raises:
        CheckFailedError: Why the model must not be pushed.
    """
    timeout = config.request_timeout_seconds
    with (
        ServerProcess(base_path, config.model_name, log, request_timeout_seconds=timeout) as server,
        ThreadPoolExecutor(1) as meanwhile,
    ):
        try:
            say("starting the server, which loads the model")
            # The first answers take seconds, there as here: not one after the other.
            rehearsed = meanwhile.submit(rehearse, direct, photos)
            report.load_seconds = round(server.wait_until_available(config.load_timeout_seconds), 3)
            rehearsed.result()
            with RestModel(
                server.url,
                config.model_name,
                timeout_seconds=timeout,
                exit_status=server.exit_status,
            ) as rest:
                check_signatures(rest.signatures())
                # First, since all else would take long with a model that is too slow.
                _check_latency(rest, photos, config, report)
                say(f"comparing the answers about {len(photos)} photos")
                check_answers(rest, direct, photos, search_is_exact=config.search_is_exact)
                say("asking about bad photos")
                check_refusals(rest, photos)
        finally:
            report.peak_memory_mb = server.peak_memory_mb()
    _check_memory(config, report)


def _check_latency(
    rest: RestModel, photos: Sequence[Photo], config: ServingCheckConfig, report: Report
) -> None:
    first = Countdown("first requests", len(photos))
    for photo in photos:  # what is slow the first time only is no latency
        ask(rest, "serving_default", [photo.image])
        first.add()
    report.latency = measure_latency(
        lambda number: ask(rest, "serving_default", [photos[number % len(photos)].image]),
        config.requests,
        config.max_latency_ms,
    )
    if not report.latency.is_within(config.max_latency_ms):
        raise CheckFailedError(
            f"too slow: 95 % of requests are answered within {report.latency.p95_ms:.1f} ms, "
            f"allowed are {config.max_latency_ms:g} ms (serving_check.max_latency_ms)"
        )


def _check_memory(config: ServingCheckConfig, report: Report) -> None:
    memory, limit = report.peak_memory_mb, config.max_memory_mb
    if memory is not None and limit is not None and memory > limit:
        raise CheckFailedError(
            f"too large: the server's peak memory is {memory:.0f} MB, allowed are {limit:g} MB "
            "(serving_check.max_memory_mb)"
        )
