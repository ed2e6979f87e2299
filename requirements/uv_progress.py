"""Runs uv in a pseudo-terminal, so that it shows progress, and drops its list of packages.

On a terminal uv ends with one line for each of some 290 packages; without one it shows no progress.
Used by bootstrap.sh before there is an environment: standard library only, not for other commands.
"""

import fcntl
import os
import pty
import re
import shutil
import struct
import sys
import termios

COLOUR = rb"(?:\x1b\[[0-9;]*m)*"
# " + numpy==1.26.4", with "-" or "~" for removed and reinstalled ones, and colours in between.
LISTED = re.compile(rb"^" + COLOUR + rb" " + COLOUR + rb"[-+~]" + COLOUR + rb" .*\n", re.MULTILINE)
# The beginning of such a line, at the end of what was read so far.
BEGUN = re.compile(rb"(?:^|(?<=\n))" + COLOUR + rb" [^\n]*\Z")


class ListFilter:
    """Cuts package lines out of a stream of chunks that may end anywhere."""

    def __init__(self) -> None:
        self._kept = b""

    def __call__(self, chunk: bytes) -> bytes:
        """Returns what of the stream so far can be shown; may be empty."""
        text = LISTED.sub(b"", self._kept + chunk)
        begun = BEGUN.search(text)
        cut = begun.start() if begun else len(text)
        self._kept = text[cut:]
        return text[:cut]

    def rest(self) -> bytes:
        """Returns what was held back when the stream has ended."""
        return self._kept


def main(command: list[str]) -> int:
    """Runs `command` in a pseudo-terminal of this terminal's width; returns its exit status."""
    show = ListFilter()
    size = shutil.get_terminal_size()
    window = struct.pack("HHHH", size.lines, size.columns, 0, 0)

    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, window)
        os.execvp(command[0], command)
    try:
        while chunk := os.read(terminal, 65536):
            sys.stderr.buffer.write(show(chunk))
            sys.stderr.buffer.flush()
    except OSError:
        pass  # Linux's way to say that the other end was closed
    except KeyboardInterrupt:
        return 130
    sys.stderr.buffer.write(show.rest())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
