"""The Pusher's work: look at the blessings, publish, and note in the artifact what is served."""

from __future__ import annotations

import json
import os
from typing import Any

from absl import logging
from tfx.components.pusher import executor as pusher_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.pusher.versions import publish

RECEIPT = "pushed.json"


class Executor(pusher_executor.Executor):
    """TFX's Pusher with versions that appear whole and only once."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Publishes the model if every blessing says so."""
        pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if not self.CheckBlessing(input_dict):
            logging.info("The model is not blessed, so it is not pushed.")
            self._MarkNotPushed(pushed)
            return
        destination = json.loads(exec_properties["push_destination"])
        result = publish(self.GetModelPath(input_dict), destination["filesystem"]["base_directory"])
        logging.info("%s version %d.", "Pushed" if result.is_new else "Served as", result.version)
        # TFX's own copies the model here once more; the servable artifact has it already.
        receipt = {"path": result.path, "version": result.version, "is_new": result.is_new}
        io_utils.write_string_file(os.path.join(pushed.uri, RECEIPT), json.dumps(receipt))
        self._MarkPushed(pushed, pushed_destination=result.path, pushed_version=str(result.version))
