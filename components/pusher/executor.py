"""The Pusher's work: look at the blessings, publish, and note in the artifact what is served."""

from __future__ import annotations

import json
import os
from typing import Any

from absl import logging
from tfx.components.pusher import executor as pusher_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.pusher.errors import HeldError
from components.pusher.versions import publish

RECEIPT = "pushed.json"

# Custom property of the artifact: why a blessed model was not pushed.
HELD_KEY = "held"


class Executor(pusher_executor.Executor):
    """TFX's Pusher with versions that appear whole and only once."""

    def GetModelPath(self, input_dict: dict[str, list[Any]]) -> str:  # noqa: N802
        """Returns the model's folder: in the InfraBlessing, if that holds the model.

        TFX's own Pusher looks there only if it is given no model. Ours is given one too, by which
        ML Metadata knows what was pushed.
        """
        if blessings := input_dict.get("infra_blessing"):
            blessing = artifact_utils.get_single_instance(blessings)
            if blessing.get_int_custom_property("has_model"):
                return super().GetModelPath({"infra_blessing": blessings})
        return super().GetModelPath(input_dict)

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
        config = json.loads(exec_properties["custom_config"])
        try:
            result = publish(
                self.GetModelPath(input_dict),
                destination["filesystem"]["base_directory"],
                despite_hold=config["despite_hold"],
            )
        except HeldError as reason:
            logging.info("Not pushed: %s.", reason)
            pushed.set_string_custom_property(HELD_KEY, str(reason))
            self._MarkNotPushed(pushed)
            return
        logging.info("%s version %d.", "Pushed" if result.is_new else "Served as", result.version)
        # TFX's own copies the model here once more; the servable artifact has it already.
        receipt = {"path": result.path, "version": result.version, "is_new": result.is_new}
        io_utils.write_string_file(os.path.join(pushed.uri, RECEIPT), json.dumps(receipt))
        self._MarkPushed(pushed, pushed_destination=result.path, pushed_version=str(result.version))
