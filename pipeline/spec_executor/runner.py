"""Executes a spec from its first task to its last: the way into this package."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime
import os
import pathlib
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.spec_executor.artifacts import Values, absolute_root
from pipeline.spec_executor.context import Context, Listener
from pipeline.spec_executor.errors import ParameterError
from pipeline.spec_executor.launchers import ExactLauncher, Launcher
from pipeline.spec_executor.parameters import resolve_parameters
from pipeline.spec_executor.processes import Processes
from pipeline.spec_executor.run import Run, State, TaskRun
from pipeline.spec_executor.scheduler import run_dag
from pipeline.spec_executor.spec import PipelineSpec
from pipeline.spec_executor.store import Store
from pipeline.spec_executor.task_inputs import Ended

_TERMINATED = 128 + signal.SIGTERM


class Silent:
    """A listener that says nothing."""

    def begun(self, name: str, log: pathlib.Path | None) -> None:
        """Nothing."""

    def ended(self, task: TaskRun) -> None:
        """Nothing."""


def execute(
    spec: PipelineSpec,
    store: str | os.PathLike[str],
    *,
    pipeline_root: str | os.PathLike[str] | None = None,
    parameters: Mapping[str, str] | Sequence[str] = (),
    launcher: Launcher | None = None,
    preload: Sequence[str] = (),
    jobs: int | None = None,
    use_cache: bool = True,
    resume: bool = False,
    environment: Mapping[str, str] | None = None,
    python_path: Sequence[str] = (),
    listener: Listener | None = None,
) -> Run:
    """Executes a pipeline and waits for its end.

    Args:
        spec: What `load_spec` gave.
        store: Folder of the store; made if it is not there.
        pipeline_root: Below which artifacts go: a folder, or a bucket's URL that is passed on to
            the tasks. None takes the spec's.
        parameters: See `resolve_parameters`.
        launcher: How containers run; None is `ExactLauncher`.
        preload: Modules that the forks of `FastLauncher` start with.
        jobs: Containers that run at once; None is two, or one on a single CPU.
        use_cache: Whether results of earlier runs may be taken where the spec allows it.
        resume: Also take, where the spec does not allow it, what the runs since the last success
            of this pipeline have finished.
        environment: Variables of all tasks; None is this process's.
        python_path: Folders that tasks can import from, beside those of PYTHONPATH.
        listener: Who follows the run.

    Returns:
        How it went. It is in the store too, as `runs/RUN/result.json`.

    Raises:
        ParameterError: A parameter's value is missing or wrong, or there is no pipeline root.
        StoreError: The store is in use.
        LaunchError: Tasks cannot be started in this way.
        KeyboardInterrupt: The user stopped it; SIGTERM raises SystemExit. What ran has been ended
            and recorded.
    """
    values = resolve_parameters(spec, parameters)
    root = os.fspath(pipeline_root) if pipeline_root is not None else spec.pipeline_root
    if not root:
        raise ParameterError(f"{spec.source} has no pipeline root: give one, --pipeline-root DIR")
    root = absolute_root(root)
    launcher = launcher or ExactLauncher()
    launcher.check()
    with Store(store) as opened:
        run = _run_id(spec.name)
        resumed = _unfinished(opened.run_states(spec.name)) if resume else frozenset()
        folder = opened.folder / "runs" / run
        (folder / "logs").mkdir(parents=True)
        processes = Processes(
            folder / "logs" / "spawner.log", _environment(environment, python_path), preload
        )
        context = Context(
            spec=spec,
            store=opened,
            launcher=launcher,
            processes=processes,
            run=run,
            root=root,
            folder=folder,
            jobs=jobs or min(2, os.cpu_count() or 1),
            use_cache=use_cache,
            resumed=resumed,
            listener=listener or Silent(),
        )
        opened.begin_run(run, spec.name, spec.source, root, values)
        return _execute(context, values)


def _execute(context: Context, values: Mapping[str, Any]) -> Run:
    started = time.monotonic()
    outcome: concurrent.futures.Future[Ended] = concurrent.futures.Future()

    def schedule() -> None:
        try:
            outcome.set_result(run_dag(context, "", context.spec.root, Values(values)))
        except BaseException as error:
            outcome.set_exception(error)

    # In a thread of its own, so that this one is free to be interrupted. Not for joining: a join
    # that was interrupted does not wait a second time (CPython 3.11).
    thread = threading.Thread(target=schedule, daemon=True, name="scheduler")
    interruption: BaseException | None = None
    try:
        with _termination():
            try:
                thread.start()
                outcome.exception()
            except (KeyboardInterrupt, SystemExit) as error:
                interruption = error
                context.stop()
                outcome.exception()
    finally:
        context.processes.close()
    result = outcome.result()
    run = Run(
        id=context.run,
        pipeline=context.spec.name,
        state=State.FAILED if context.fatal else result.state,
        tasks=context.tasks,
        seconds=time.monotonic() - started,
        root=context.root,
        folder=context.folder,
        parameters=values,
        outputs=result.outputs.artifacts,
        output_parameters=result.outputs.parameters,
    )
    run.write()
    context.store.end_run(run.id, run.state.value)
    if interruption or context.fatal:
        raise interruption or context.fatal  # type: ignore[misc]
    return run


@contextlib.contextmanager
def _termination() -> Iterator[None]:
    """Lets SIGTERM end the run in order; only the main thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        raise SystemExit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run_id(pipeline: str) -> str:
    """A name that no run before has had, in order of time."""
    return f"{pipeline}-{datetime.datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _unfinished(states: Mapping[str, str]) -> frozenset[str]:
    """The runs since the last that succeeded."""
    unfinished: list[str] = []
    for run, state in states.items():
        unfinished = [] if state == State.SUCCEEDED.value else [*unfinished, run]
    return frozenset(unfinished)


def _environment(
    environment: Mapping[str, str] | None, python_path: Sequence[str]
) -> dict[str, str]:
    """Variables of tasks, for whom `python` is this program's own."""
    variables = dict(os.environ if environment is None else environment)
    programs = os.path.dirname(sys.executable)
    variables["PATH"] = os.pathsep.join([programs, variables.get("PATH", os.defpath)])
    path = [*python_path, *filter(None, [variables.get("PYTHONPATH")])]
    if path:
        variables["PYTHONPATH"] = os.pathsep.join(path)
    return variables
