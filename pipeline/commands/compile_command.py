"""`flowersim compile`: arguments in, a pipeline spec for Vertex AI or Kubeflow out."""

from __future__ import annotations

import argparse
import pathlib
from typing import Any

from pipeline.commands.options import add_settings, add_verbose, add_workdir


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "compile",
        help="write the pipeline as a spec for Vertex AI or Kubeflow Pipelines v2",
        description="Compiles the same pipeline that flowersim run runs, for the platform, image "
        "and machines that the settings deployment.* name. Nothing is sent anywhere: flowersim "
        "execute runs the spec on this machine, flowersim submit on a cluster.",
    )
    add_settings(parser)
    add_workdir(parser)
    parser.add_argument(
        "--platform",
        choices=("vertex", "kfp"),
        help="the same as --set deployment.platform=",
    )
    parser.add_argument(
        "--output",
        type=pathlib.Path,
        metavar="FILE",
        help="where to write it (default: flowersim-vertex.json or flowersim-kfp.yaml here)",
    )
    add_verbose(parser)
    parser.set_defaults(command=_compile)


def _compile(options: argparse.Namespace) -> int:
    from pipeline.deployment.places import root
    from pipeline.run_log import run_log
    from pipeline.settings_loader import load_settings

    _require_compiler()
    chosen = [f"deployment.platform={options.platform}"] if options.platform else []
    settings = load_settings(options.preset, [*options.overrides, *chosen])
    platform = settings.deployment.platform
    default = "flowersim-kfp.yaml" if platform == "kfp" else "flowersim-vertex.json"
    output = options.output or pathlib.Path(default)
    workdir = options.workdir or pathlib.Path("runs", pathlib.Path(options.preset).stem)
    workdir = workdir.resolve()
    bucket = root(settings)
    with run_log(workdir / "logs" / "compile.log", verbose=options.verbose) as console:
        from pipeline.deployment.compilation import compile_pipeline
        from pipeline.deployment.output import describe, write
        from pipeline.deployment.staging import place_for

        data = place_for(settings, bucket, str(workdir))
        job = compile_pipeline(settings, data)
        write(job, output, platform)
        describe(job, settings, data, output, console)
    return 0


def _require_compiler() -> None:
    """Raises SettingsError where TFX comes without its compiler for Kubeflow."""
    import importlib.util

    from pipeline.settings_loader import SettingsError

    if importlib.util.find_spec("kfp") is None:
        raise SettingsError(
            "TFX's compiler for Kubeflow is not installed: it needs the extra kfp "
            '(pip install "flowersim[kfp]")'
        )
