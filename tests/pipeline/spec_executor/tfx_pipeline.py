"""A pipeline of TFX function components, one of them an exit handler; a program that compiles it.

The components are imported by their tasks, from this module. TFX reads the annotations of
functions, so these must not be texts here.
"""

import importlib
import json
import pathlib
import sys

from tfx import v1 as tfx
from tfx.dsl.component.experimental.annotations import (
    InputArtifact,
    OutputArtifact,
    OutputDict,
    Parameter,
)
from tfx.types import standard_artifacts
from tfx.types.experimental.simple_artifacts import Dataset


@tfx.dsl.components.component
def Write(words: Parameter[str], data: OutputArtifact[Dataset]) -> OutputDict(count=int):  # type: ignore # noqa: N802
    with tfx.dsl.io.fileio.open(data.uri, "w") as file:
        file.write(words)
    data.set_string_custom_property("language", "English")
    return {"count": len(words.split())}


@tfx.dsl.components.component
def Judge(  # noqa: N802
    data: InputArtifact[Dataset],
    count: Parameter[int],
    least: Parameter[int],
    blessing: OutputArtifact[standard_artifacts.ModelBlessing],
) -> None:
    assert data.get_string_custom_property("language") == "English"
    blessing.set_int_custom_property("blessed", int(count >= least))
    print("judged", count, least)


@tfx.dsl.components.component
def Publish(data: InputArtifact[Dataset]) -> None:  # noqa: N802
    with tfx.dsl.io.fileio.open(data.uri) as file:
        print("published", file.read())


@tfx.orchestration.experimental.exit_handler
def Finish(status: Parameter[str]) -> None:  # noqa: N802
    print("finished", status)


def pipeline(root: str) -> tfx.dsl.Pipeline:
    write = Write(words=tfx.dsl.experimental.RuntimeParameter("words", ptype=str))
    judge = Judge(
        data=write.outputs["data"],
        count=write.outputs["count"].future()[0].value,
        least=tfx.dsl.experimental.RuntimeParameter("least", ptype=int),
    )
    with tfx.dsl.Cond(
        judge.outputs["blessing"].future()[0].custom_property("blessed") == 1
    ):  # fmt: skip
        publish = Publish(data=write.outputs["data"])
    components = [write, judge, publish]
    return tfx.dsl.Pipeline("tfx-toy", root, components=components, enable_cache=True)


def main(file: str, root: str) -> None:
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as kubeflow

    config = kubeflow.KubeflowV2DagRunnerConfig(default_image="img:1", use_pipeline_spec_2_1=True)
    runner = kubeflow.KubeflowV2DagRunner(config=config, output_filename=file)
    runner.set_exit_handler(Finish(status=tfx.orchestration.experimental.FinalStatusStr()))
    runner.run(pipeline(root))
    pass_parameters_on(pathlib.Path(file))


def pass_parameters_on(file: pathlib.Path) -> None:
    """Gives the DAG under the exit handler its parameters, which TFX 1.16 leaves out."""
    job = json.loads(file.read_text())
    spec = job["pipelineSpec"]
    definitions = spec["root"]["inputDefinitions"]
    spec["components"]["tfx-dag"]["inputDefinitions"] = definitions
    spec["root"]["dag"]["tasks"]["tfx-dag"]["inputs"] = {
        "parameters": {
            name: {"componentInputParameter": name} for name in definitions["parameters"]
        }
    }
    file.write_text(json.dumps(job))


if __name__ == "__main__":
    # By its own name, which is what the components are compiled with.
    importlib.import_module("tfx_pipeline").main(*sys.argv[1:])
