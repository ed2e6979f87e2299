"""A pipeline in KFP's own language, compiled by KFP's own compiler; a program.

KFP reads the annotations of functions, so these must not be texts here.
"""

import sys

from kfp import compiler, dsl


@dsl.component(install_kfp_package=False)
def count(words: list, scale: float, lines: dsl.Output[dsl.Dataset]) -> int:
    with open(lines.path, "w") as file:
        file.write("\n".join(words))
    lines.metadata["words"] = len(words)
    return int(len(words) * scale)


@dsl.container_component
def show(text: str, given: dsl.Input[dsl.Dataset], said: dsl.OutputPath(str)):  # type: ignore
    return dsl.ContainerSpec(
        image="image",
        command=["sh", "-c", 'printf "%s: %s" "$0" "$(wc -l < "$1")" > "$2"'],
        args=[text, given.path, said],
    )


@dsl.container_component
def tell(status: str):
    return dsl.ContainerSpec(image="image", command=["echo"], args=[status])


@dsl.component(install_kfp_package=False)
def finish(status: dsl.PipelineTaskFinalStatus):
    print("finished", status.state, status.pipeline_task_name)


@dsl.pipeline(name="kfp-toy")
def pipeline(words: list = ["a", "b"], limit: int = 3):  # noqa: B006 - KFP takes it as a default
    with dsl.ExitHandler(finish()):
        counted = count(words=words, scale=2.0)
        with dsl.If(counted.outputs["Output"] > limit):
            many = show(text=f"many of {counted.outputs['Output']}", given=counted.outputs["lines"])
        with dsl.Else():
            few = show(text="few", given=counted.outputs["lines"])
        tell(status=dsl.OneOf(many.outputs["said"], few.outputs["said"]))


if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, sys.argv[1])
