"""TFX comes without the clients of a cloud, until somebody asks for what needs them."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

CODE = """
import json, sys
from pipeline.tfx_import import import_tfx_swiftly

def cloud():
    return any(name.startswith("google.cloud.aiplatform_v1") for name in sys.modules)

import_tfx_swiftly()
import pipeline.pipeline
seen = [cloud()]
from tfx import v1 as tfx
from tfx.v1.extensions import google_cloud_ai_platform as postponed
seen.append(hasattr(postponed, "__path__"))
seen.append(cloud())
seen.append(postponed.Trainer.__module__)
seen.append(cloud())
from tfx.v1.extensions.google_cloud_ai_platform import Pusher
seen.append(Pusher.__module__)
seen.append(tfx.extensions.google_cloud_ai_platform.experimental.__name__)
print(json.dumps(seen))
"""


def test_the_clients_are_imported_only_for_who_asks() -> None:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    extension = "tfx.extensions.google_cloud_ai_platform"
    assert json.loads(result.stdout.splitlines()[-1]) == [
        *(False, False, False),
        f"{extension}.trainer.component",
        True,
        f"{extension}.pusher.component",
        "tfx.v1.extensions.google_cloud_ai_platform.experimental",
    ]
