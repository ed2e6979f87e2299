"""The command `flowersim execute`: runs a compiled pipeline spec on this machine.

How that is done is in `pipeline/spec_executor/`, which knows nothing of flowersim; what is
flowersim's own is which modules the forks of the fast mode start with.
"""

from __future__ import annotations

import argparse
import pathlib
from typing import Any

from pipeline.commands.argument_types import positive

DEFAULT_STORE = pathlib.Path("runs", "execute")
# What TFX has as the entry points of components and of ExampleGen's driver.
_ENTRY_POINTS = (
    "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor",
    "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver",
)


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "execute",
        help="run a compiled Vertex AI or Kubeflow pipeline on this machine",
        description="Executes a compiled pipeline (a PipelineJob as JSON, a PipelineSpec as YAML) "
        "without a cloud or Kubernetes: its order, conditions, caching, resolvers and exit handler "
        "as there, its containers' commands as processes. After an interruption the same command "
        "goes on with what had not finished. Exit status: 0 all went well, 1 not.",
    )
    parser.add_argument("spec", type=pathlib.Path, metavar="SPEC", help="the compiled pipeline")
    parser.add_argument(
        "--store",
        type=pathlib.Path,
        default=DEFAULT_STORE,
        help="folder for metadata and logs; runs with the same store share results "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--pipeline-root",
        metavar="DIR",
        help="folder for artifacts; without it the spec's, if that is on this machine, and "
        "otherwise a folder in the store",
    )
    parser.add_argument(
        "--mode",
        choices=("exact", "fast"),
        default="exact",
        help="exact: each task is a new process with the command as compiled; fast: tasks are "
        "forks of one process that has imported TFX and TensorFlow already (default: %(default)s)",
    )
    parser.add_argument(
        "--docker",
        action="store_true",
        help="run each task in its image with docker; the store and the pipeline root are mounted",
    )
    parser.add_argument(
        "--mount",
        action="append",
        default=[],
        metavar="DIR",
        help="with --docker, a further folder that tasks read or write; may be given several times",
    )
    parser.add_argument(
        "--jobs",
        type=positive,
        help="tasks that run at once (default: 2, on a single CPU 1)",
    )
    parser.add_argument("--no-cache", action="store_true", help="take no results of earlier runs")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="also take what the runs since the last success have finished where the spec does not "
        "allow caching, or with --no-cache",
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="parameters",
        help="set a parameter of the pipeline; NAME.a.b=VALUE changes one value inside a parameter "
        "that is a mapping; may be given several times",
    )
    parser.add_argument("--verbose", action="store_true", help="print tracebacks")
    parser.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    from pipeline.executed_summary import summarise
    from pipeline.spec_executor.artifacts import is_remote
    from pipeline.spec_executor.display import Display
    from pipeline.spec_executor.errors import LaunchError
    from pipeline.spec_executor.launchers import DockerLauncher, ExactLauncher, FastLauncher
    from pipeline.spec_executor.loader import load_spec
    from pipeline.spec_executor.runner import execute
    from pipeline.summary import print_summary
    from pipeline.terminal import terminal

    if options.docker and options.mode == "fast":
        raise LaunchError("--mode fast and --docker exclude each other")
    if options.mount and not options.docker:
        raise LaunchError("--mount is for --docker")
    spec = load_spec(options.spec)
    root = options.pipeline_root or spec.pipeline_root
    if not options.pipeline_root and (not root or is_remote(root)):
        root = str(options.store / "artifacts")
    launcher: Any = FastLauncher() if options.mode == "fast" else ExactLauncher()
    if options.docker:
        mounts = [options.store, *options.mount]
        if not is_remote(root):
            mounts.append(root)
            pathlib.Path(root).mkdir(parents=True, exist_ok=True)
        options.store.mkdir(parents=True, exist_ok=True)
        launcher = DockerLauncher(mounts)
    console = terminal(stderr=True)
    console.print(f"{spec.name}: {options.spec}", markup=False, soft_wrap=True)
    with Display(console, spec) as display:
        run = execute(
            spec,
            options.store,
            pipeline_root=root,
            parameters=options.parameters,
            launcher=launcher,
            preload=preloaded_modules(spec) if options.mode == "fast" else (),
            jobs=options.jobs,
            use_cache=not options.no_cache,
            resume=options.resume,
            # Where this project's own modules are, which the tasks of its pipeline import.
            python_path=[str(pathlib.Path(__file__).resolve().parents[2])],
            listener=display,
        )
    if found := summarise(run, spec, preset=options.spec.stem):
        print_summary(found[0], console)
        console.print(f"summary    {found[1]}", markup=False, soft_wrap=True)
        if found[0]["report"]:
            console.print(f"report     {found[0]['report']}", markup=False, soft_wrap=True)
    console.print(f"\n{run.state.value.lower()} after {run.seconds:.0f} s")
    for what, where in (
        ("artifacts", f"{run.root}/{run.id}"),
        ("logs", run.folder / "logs"),
        ("result", run.folder / "result.json"),
    ):
        console.print(f"{what:<10} {where}", markup=False, soft_wrap=True)
    return 0 if run.succeeded else 1


def preloaded_modules(spec: Any) -> list[str]:
    """The entry points that the spec's containers run, and the modules of their executors."""
    from pipeline.spec_executor.spec import ContainerExecutor

    modules = set()
    for component in spec.components.values():
        container = component.implementation
        if not isinstance(container, ContainerExecutor):
            continue
        for part in (container.run, container.pre_cache_check):
            words = [*part.command, *part.args] if part else []
            modules |= {word for word in words if word in _ENTRY_POINTS}
            for flag, value in zip(words, words[1:], strict=False):
                if flag == "--executor_class_path":
                    modules.add(value.rpartition(".")[0])
    return sorted(modules)
