"""The official proto of pipeline specs, as the distribution kfp-pipeline-spec has it."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any

from pipeline.spec_executor.errors import SpecError

_NAME = "kfp.pipeline_spec.pipeline_spec_pb2"


def pipeline_spec_pb2() -> Any:
    """Imports the proto's module alone: the package around it, KFP's SDK, takes seconds.

    Returns:
        The module, also to those who import it in the usual way later.

    Raises:
        SpecError: It is not installed.
    """
    if _NAME in sys.modules:
        return sys.modules[_NAME]
    package = importlib.util.find_spec("kfp")
    for folder in (package and package.submodule_search_locations) or ():
        file = os.path.join(folder, "pipeline_spec", "pipeline_spec_pb2.py")
        found = importlib.util.spec_from_file_location(_NAME, file)
        if os.path.exists(file) and found is not None and found.loader is not None:
            module = importlib.util.module_from_spec(found)
            found.loader.exec_module(module)
            sys.modules[_NAME] = module
            return module
    raise SpecError(
        "pipeline specs need the package kfp-pipeline-spec: pip install kfp-pipeline-spec"
    )
