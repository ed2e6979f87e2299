"""The ways in which a container's command becomes a process."""

from __future__ import annotations

import datetime
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable

import pytest

from pipeline.spec_executor.errors import LaunchError, TaskError
from pipeline.spec_executor.launchers import DockerLauncher, ExactLauncher, FastLauncher
from pipeline.spec_executor.run import Run, State
from tests.pipeline.spec_executor.specs import Spec
from tests.serving import fake_docker

Runner = Callable[..., Run]


def log_of(run: Run, task: str) -> str:
    log = run.tasks[task].log
    assert log is not None
    return log.read_text()


def python(spec: Spec, name: str, *words: str, **more: object) -> None:
    spec.executor(name, {"container": {"image": "image", "command": ["python", *words], **more}})
    spec.task(name)


@pytest.fixture
def modules(tmp_path: pathlib.Path) -> str:
    """A folder with modules: one that says which process imported it, and programs."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "preloaded.py").write_text("import os\nPROCESS = os.getpid()\n")
    (folder / "program.py").write_text(
        "import atexit, os, sys, preloaded\n"
        "if __name__ == '__main__':\n"
        "    atexit.register(print, 'end')\n"
        "    print(sys.argv[1:], 'own' if preloaded.PROCESS == os.getpid() else 'inherited')\n"
        "    print(os.getsid(0) == os.getpid(), sys.stdin.read() == '')\n"
        "    if sys.argv[1:] == ['exit']: sys.exit(3)\n"
        "    if sys.argv[1:] == ['raise']: raise ValueError('no good\\nat all')\n"
        "    if sys.argv[1:] == ['kill']: os.kill(os.getpid(), 9)\n"
    )
    (folder / "threaded.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=[60], daemon=True, name='sleeper').start()\n"
    )
    return str(folder)


def test_python_is_the_running_one(run: Runner):
    spec = Spec()
    python(spec, "program", "-c", "import sys; print(sys.executable)")
    spec.shell("by-path", 'python -c "import sys; print(sys.executable)"')
    spec.task("by-path")
    result = run(spec)
    assert log_of(result, "program") == log_of(result, "by-path") == f"{sys.executable}\n"


def test_variables_of_the_container_are_its_own(run: Runner):
    spec = Spec()
    env = [{"name": "WORD", "value": "of {{$.pipeline_task_name}}"}]
    spec.shell("with", 'echo "$WORD $OTHER"', env=env)
    spec.shell("without", 'echo "${WORD-none} $OTHER"')
    spec.task("with")
    spec.task("without")
    result = run(spec, environment={**os.environ, "OTHER": "all"})
    assert log_of(result, "with") == "of with all\n"
    assert log_of(result, "without") == "none all\n"


def test_a_program_that_is_not_there_is_named(run: Runner):
    spec = Spec()
    spec.executor("task", {"container": {"image": "image", "command": ["no-such-program"]}})
    spec.task("task")
    assert "no-such-program: there is no such program" in (run(spec).tasks["task"].error or "")


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"image": "server:1"}, "has no command; what server:1 runs needs --docker"),
        (
            {"image": "x", "command": ["sh", "-c", "python3 -m pip install kfp && exec $0"]},
            "installs packages with pip, which would change this environment",
        ),
    ],
)
def test_what_only_docker_can_run_is_refused(
    run: Runner, container: dict[str, object], message: str
):
    spec = Spec()
    spec.executor("task", {"container": container})
    spec.task("task")
    assert message in (run(spec).tasks["task"].error or "")


def test_what_a_task_leaves_behind_is_ended(run: Runner, tmp_path: pathlib.Path):
    spec = Spec()
    spec.shell("task", f"sleep 300 & echo $! > {tmp_path}/left")
    spec.task("task")
    assert run(spec).succeeded
    left = int((tmp_path / "left").read_text())
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(left)], capture_output=True, text=True)
    assert state.stdout.strip()[:1] in ("", "Z")


def test_forks_have_what_was_preloaded_and_are_otherwise_as_exact(run: Runner, modules: str):
    def spec() -> Spec:
        made = Spec()
        for name in ("fine", "exit", "raise", "kill"):
            python(made, name, "-m", "program", name)
        return made

    options = {"python_path": [modules], "use_cache": False}
    exact = run(spec(), launcher=ExactLauncher(), **options)
    fast = run(spec(), launcher=FastLauncher(), preload=["preloaded"], **options)
    assert log_of(exact, "fine") == "['fine'] own\nTrue True\nend\n"
    assert log_of(fast, "fine") == "['fine'] inherited\nTrue True\nend\n"
    for result in (exact, fast):
        assert result.tasks["raise"].error == "exit status 1\nValueError: no good\nat all\nend"
        assert (result.tasks["exit"].error or "").startswith("exit status 3\n")
        assert (result.tasks["kill"].error or "").startswith("ended by signal 9")


def test_a_task_with_variables_of_its_own_is_not_forked(run: Runner, modules: str):
    spec = Spec()
    env = [{"name": "WORD", "value": "x"}]
    python(spec, "task", "-m", "program", env=env)
    result = run(spec, python_path=[modules], launcher=FastLauncher(), preload=["preloaded"])
    assert "[] own" in log_of(result, "task")


@pytest.mark.parametrize(
    ("preload", "message"),
    [
        ("threaded", r"importing threaded started threads \(MainThread, sleeper\)"),
        ("no_such_module", "cannot import no_such_module: ModuleNotFoundError"),
    ],
)
def test_forks_that_would_not_be_safe_are_refused(
    run: Runner, modules: str, preload: str, message: str
):
    spec = Spec()
    python(spec, "task", "-m", "program")
    with pytest.raises(LaunchError, match=message):
        run(spec, python_path=[modules], launcher=FastLauncher(), preload=[preload])


def test_threads_that_python_does_not_know_are_seen(run: Runner, modules: str):
    """One that C started; OpenBLAS's, which it ends before a fork, are no reason to refuse."""
    pathlib.Path(modules, "native.py").write_text(
        "import ctypes\n"
        "thread = ctypes.c_ulong()\n"
        "libc = ctypes.CDLL(None)\n"
        "mutex = ctypes.create_string_buffer(64)\n"
        "libc.pthread_mutex_lock(mutex)\n"
        # Waits for ever; other waits would end with a signal, for instance that of a child's end.
        "wait = libc.pthread_mutex_lock\n"
        "assert libc.pthread_create(ctypes.byref(thread), None, wait, mutex) == 0\n"
    )
    spec = Spec()
    python(spec, "task", "-m", "program")
    options = {"python_path": [modules], "launcher": FastLauncher()}
    with pytest.raises(LaunchError, match="started 1 threads that a fork would cut off"):
        run(spec, preload=["native"], **options)
    assert run(spec, preload=["numpy"], **options).succeeded


def test_docker_gets_the_image_the_command_and_the_folders(
    run: Runner, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    docker = fake_docker.install(tmp_path, "ends")
    for name, value in docker.environment.items():
        monkeypatch.setenv(name, value)
    spec = Spec()
    spec.shell("task", "exit 3", env=[{"name": "WORD", "value": "x y"}])
    spec.task("task")
    mounts = [str(tmp_path / "root"), str(tmp_path / "store")]
    for mount in mounts:
        pathlib.Path(mount).mkdir()
    result = run(spec, launcher=DockerLauncher(mounts))
    assert result.state is State.FAILED
    assert (result.tasks["task"].error or "").startswith("exit status 3")
    call = docker.run_call()
    assert call[:4] == ["run", "--rm", "--init", "--name"]
    assert call[5:] == [
        *("--user", f"{os.getuid()}:{os.getgid()}"),
        *(f"--mount=type=bind,source={mount},target={mount}" for mount in mounts),
        *("--env=HOME=/tmp", "--env=WORD=x y", "--entrypoint", "sh", "image"),
        *("-ec", "exit 3", "sh"),
    ]


@pytest.mark.parametrize("image", ["--privileged", "-v/:/host", "--volume=/:/host"])
def test_an_image_is_no_option_of_docker(image: str, tmp_path: pathlib.Path):
    with pytest.raises(TaskError, match="is no image: docker would take it for an option"):
        DockerLauncher([tmp_path]).command("name", image, ["sh", "-c", "true"], {})


def test_a_stopped_run_removes_its_container(
    run: Runner, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    docker = fake_docker.install(tmp_path, "waits")
    for name, value in docker.environment.items():
        monkeypatch.setenv(name, value)

    def interrupt() -> None:
        while ["started"] not in docker.calls():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    spec = Spec()
    spec.shell("task", "sleep 60")
    spec.task("task")
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run(spec, launcher=DockerLauncher([tmp_path]))
    name = docker.run_call()[4]
    assert docker.calls()[-2:] == [["got", "SIGTERM"], ["rm", "--force", name]]


def test_placeholders_about_the_run(run: Runner, tmp_path: pathlib.Path):
    """Those that KFP documents in `kfp.dsl`; all of them."""
    names = (
        *("job_name", "job_resource_name", "job_uuid", "task_name", "task_uuid", "root"),
        *("job_create_time_utc", "job_schedule_time_utc"),
    )
    fields = [f"pipeline_{name}" for name in names]
    spec = Spec()
    spec.shell("task", 'printf "%s\\n" "$@"', *(f"{{{{$.{field}}}}}" for field in fields))
    spec.task("task")
    result = run(spec)
    lines = log_of(result, "task").splitlines()
    resource = f"projects/local/locations/local/pipelineJobs/{result.id}"
    assert lines[:4] == [result.id, resource, result.id, "task"]
    assert str(uuid.UUID(lines[4])) == lines[4]
    assert lines[5] == str(tmp_path / "root")
    times = [datetime.datetime.fromisoformat(line.replace("Z", "+00:00")) for line in lines[6:]]
    now = datetime.datetime.now(datetime.timezone.utc)
    assert len(times) == 2
    assert all(abs(now - moment) < datetime.timedelta(hours=1) for moment in times)


@pytest.mark.parametrize(
    ("mode", "message"),
    [("no-daemon", "daemon does not answer: Cannot connect"), (None, "is not here")],
)
def test_docker_is_asked_before_anything_runs(
    run: Runner,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str | None,
    message: str,
):
    monkeypatch.setenv("PATH", str(tmp_path))
    if mode:
        for name, value in fake_docker.install(tmp_path, mode).environment.items():
            monkeypatch.setenv(name, value)
    spec = Spec()
    spec.shell("task", "true")
    spec.task("task")
    with pytest.raises(LaunchError, match=message):
        run(spec, launcher=DockerLauncher([tmp_path]))
    assert not (tmp_path / "store").exists()
