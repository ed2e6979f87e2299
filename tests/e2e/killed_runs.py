"""Runs the pipeline once for each component, each time killed inside it; a script, not a test.

Usage: killed_runs.py WORKDIR COMPONENTS SETTINGS, the last two as JSON lists. Then once more to
the end. TensorFlow and TFX are imported once and the runs forked, which no run notices since
nothing has been computed yet. After each run it prints a line of JSON: the component, the exit
status, and the versions that a server would see.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import sys
import threading
from typing import Any

# Long enough to be inside the executor's work, short enough not to be past it: of the components
# that take less, the kill comes when the work is done and TFX does not know of it yet.
DELAY_SECONDS = 0.3


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_inside(target: str) -> None:
    """Arranges for this process to be killed while `target` works."""
    import logging

    from tfx.orchestration.portable import launcher

    from trainer_module.callbacks import ReseedDropout

    run_executor = launcher.Launcher._run_executor

    def run_and_die(self: Any, *arguments: Any) -> Any:
        if self._pipeline_node.node_info.id == target and target != "Trainer":
            threading.Timer(DELAY_SECONDS, kill).start()
            run_executor(self, *arguments)
            kill()
        return run_executor(self, *arguments)

    def die_in_the_second_epoch(self: Any, batch: int, logs: Any = None) -> None:
        if self.model.optimizer.iterations.numpy() > self.params["steps"] and batch == 1:
            kill()

    class DieAtStart(logging.Handler):
        """For components without an executor."""

        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == f"Component {target} is running.":
                kill()

    launcher.Launcher._run_executor = run_and_die
    if target == "Trainer":
        ReseedDropout.on_train_batch_end = die_in_the_second_epoch
    if target in ("Baseline", "ImportSchemaGen"):
        logging.getLogger("absl").addHandler(DieAtStart())


def main(workdir: pathlib.Path, components: list[str], overrides: list[str]) -> None:
    import keras  # noqa: F401
    import tfx.v1  # noqa: F401

    import pipeline.pipeline  # noqa: F401
    import trainer_module.training  # noqa: F401
    from pipeline.local_runner import run
    from pipeline.settings_loader import load_settings
    from serving.version_folders import find

    settings = load_settings("demo", overrides)
    for target in [*components, None]:
        child = os.fork()
        if child == 0:
            if target is not None:
                kill_inside(target)
            run(settings, workdir, preset="demo")
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        serving = workdir / "serving" / "flowers"
        versions = sorted(find(str(serving))) if serving.exists() else []
        print(json.dumps({"component": target, "status": status, "versions": versions}), flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3]))
