"""An outcome in words: read from the platform's final status, written to a file, posted to a URL.

It never fails a run: that a report was not delivered is logged.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import urllib.request
from collections.abc import Mapping
from typing import Any

from absl import logging
from google.protobuf import json_format, struct_pb2
from tfx.dsl.io import fileio
from tfx.utils import io_utils

from components.pusher.versions import complete_versions

_TIMEOUT_SECONDS = 30


def read_status(given: str | struct_pb2.Struct) -> dict[str, Any]:
    """Returns a PipelineTaskFinalStatus as a mapping, with names in camel case.

    Vertex AI gives its JSON text; Kubeflow, a Struct.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(given, struct_pb2.Struct):
        return json_format.MessageToDict(given)
    status = json.loads(given)
    if not isinstance(status, dict):
        raise ValueError(f"the final status is {given!r}, no JSON object")
    return status


def outcome(status: Mapping[str, Any], serving: str) -> dict[str, Any]:
    """Returns what is reported.

    Args:
        status: Of `read_status`.
        serving: Folder of the served versions; a local path or a bucket URL.

    Returns:
        `job`, `state` (SUCCEEDED, FAILED, CANCELLED), `error` (None if there is none), `served`
        (folder of the newest version, None without any) and `time` (UTC, ISO 8601).
    """
    error = status.get("error") or {}
    versions = complete_versions(serving)
    return {
        "job": status.get("pipelineJobResourceName", ""),
        # Kubeflow gives the state that its own metadata has for it.
        "state": {"COMPLETE": "SUCCEEDED"}.get(status.get("state", ""), status.get("state", "")),
        "error": error.get("message") or (f"code {error['code']}" if error.get("code") else None),
        "served": os.path.join(serving, str(versions[-1])) if versions else None,
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def write(report: Mapping[str, Any], folder: str) -> str:
    """Writes a report to a file named after time and job; returns its path."""
    job = re.sub(r"[^A-Za-z0-9.\-]+", "-", report["job"].rsplit("/", 1)[-1]) or "job"
    stamp = re.sub(r"[^0-9T]", "", report["time"].partition("+")[0])
    path = os.path.join(folder, f"{stamp}-{job}.json")
    fileio.makedirs(folder)
    io_utils.write_string_file(path, json.dumps(report, indent=2) + "\n")
    return path


def post(report: Mapping[str, Any], url: str) -> None:
    """Posts a report as JSON, with `text` for chats that show just that."""
    text = f"{report['job'] or 'pipeline'}: {report['state']}"
    if report["error"]:
        text += f": {report['error']}"
    body = json.dumps({**report, "text": text}).encode()
    request = urllib.request.Request(
        url, data=body, headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
            logging.info("Posted the outcome to %s: %d.", url, response.status)
    except OSError as error:
        logging.error("Could not post the outcome to %s: %s.", url, error)
