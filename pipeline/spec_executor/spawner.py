"""The process that starts all tasks, so that none outlives the run, however that ends.

It runs as `python -m …spawner FD [MODULE…]`, has one thread, and obeys JSON lines on the socket FD.
Each task is the leader of a process group of its own. When the socket closes, because the run is
over or was killed, what is left of all groups is ended.

A task is executed as any program, or, if it is `python -m M`, in a fork of this process. The fork
has already imported the given MODULEs, which saves their import in each task. Forking is safe only
while no thread has been started, which is checked before the first task.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
import time
import traceback
from typing import Any

# How long tasks have to end by themselves when the run itself was killed.
GRACE_SECONDS = 5.0
# Its allocator stops and starts this one around a fork.
_SAFE_THREADS = ("jemalloc_bg_thd",)


class Spawner:
    """Starts tasks, reports how they end, and passes signals on."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: dict[int, int] = {}
        self._woken, self._waker = os.pipe()
        for end in (self._woken, self._waker):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def report(self, **message: Any) -> None:
        """Tells the run something; it may be gone, which the next reading shows."""
        with contextlib.suppress(OSError):
            self._control.sendall(json.dumps(message).encode() + b"\n")

    def serve(self) -> dict[str, Any] | None:
        """Obeys until the socket closes.

        Returns:
            In a fork, the task that it is to be; None at the end.
        """
        waiting = b""
        while True:
            either: list[Any] = [self._control, self._woken]
            readable, _, _ = select.select(either, [], [])
            if self._woken in readable:
                os.read(self._woken, 4096)
                self._reap()
            if self._control not in readable:
                continue
            try:
                received = self._control.recv(1 << 20)
            except ConnectionError:
                received = b""
            if not received:
                self._end_all()
                return None
            *lines, waiting = (waiting + received).split(b"\n")
            for line in lines:
                request = json.loads(line)
                if "signal" in request:
                    self._signal(request["signal"])
                elif self._start(request):
                    return request

    def _start(self, request: dict[str, Any]) -> bool:
        """Starts a task; true in the fork that is to be one of Python's modules."""
        try:
            child = os.fork()
        except OSError as error:
            self.report(id=request["id"], error=f"cannot start a process: {error}")
            return False
        if child:
            self._children[child] = request["id"]
            return False
        try:
            self._become(request)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(126)
        return True

    def _become(self, request: dict[str, Any]) -> None:
        """In the child: cuts the ties to this process, and executes what is not a module."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        self._control.close()
        for descriptor in (log, nothing, self._woken, self._waker):
            os.close(descriptor)
        if not request["fork"]:
            program, environment = request["argv"][0], request["environment"]
            try:
                os.execvpe(program, request["argv"], environment)
            except FileNotFoundError:
                message = f"{program}: there is no such program\n"
            except OSError as error:
                message = f"{program} cannot be executed: {error}\n"
            os.write(2, message.encode())
            os._exit(127)

    def _reap(self) -> None:
        while True:
            try:
                child, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not child:
                return
            task = self._children.pop(child, None)
            if task is not None:
                # As in a container, nothing goes on once the first process has ended.
                _signal_group(child, signal.SIGKILL)
                self.report(id=task, status=os.waitstatus_to_exitcode(status))

    def _signal(self, number: int) -> None:
        for child in list(self._children):
            _signal_group(child, number)

    def _end_all(self) -> None:
        self._signal(signal.SIGTERM)
        end = time.monotonic() + GRACE_SECONDS
        while self._children and time.monotonic() < end:
            time.sleep(0.05)
            self._reap()
        self._signal(signal.SIGKILL)


def _signal_group(leader: int, number: int) -> None:
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        # Not yet the leader of a group, or gone.
        if number != signal.SIGKILL:
            with contextlib.suppress(ProcessLookupError):
                os.kill(leader, number)


def preload(modules: list[str]) -> str | None:
    """Imports modules that tasks will need.

    Args:
        modules: Their names.

    Returns:
        Why tasks cannot be forked now, or None.
    """
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:
            traceback.print_exc()
            return f"cannot import {name}: {type(error).__name__}: {error}"
    if threading.active_count() > 1:
        names = ", ".join(sorted(thread.name for thread in threading.enumerate()))
        return f"importing {', '.join(modules)} started threads ({names})"
    # Libraries that can bear a fork (OpenBLAS) end their threads before it, and make new ones when
    # they need them. So after a fork that is for nothing else, those that are left are of others.
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    left = _native_threads()
    if left:
        return f"importing {', '.join(modules)} started {left} threads that a fork would cut off"
    gc.freeze()
    return None


def _native_threads() -> int:
    """Threads of this process that a fork would not carry over, beside the one that forks."""
    count = -1
    for thread in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{thread}/comm", encoding="utf-8") as file:
            count += file.read().strip() not in _SAFE_THREADS
    return count


def main(arguments: list[str]) -> dict[str, Any] | None:
    """Runs the process; returns, in a fork, the task that it is to be."""
    # The run passes on what it wants to pass on; the terminal's own Ctrl-C is not for this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=int(arguments[0]))
    os.set_inheritable(control.fileno(), False)
    spawner = Spawner(control)
    problem = preload(arguments[1:]) if arguments[1:] else None
    spawner.report(ready=problem is None, error=problem)
    return spawner.serve()


def become_module(request: dict[str, Any]) -> None:
    """Does in this process what `python -m MODULE ARGUMENTS…` does in a new one."""
    module, *arguments = request["argv"]
    if "numpy" in sys.modules:
        # Its global generator would draw the same numbers in all forks.
        sys.modules["numpy"].random.seed()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    task = main(sys.argv[1:])
    if task is not None:
        become_module(task)
