"""The model server, in a process that ends when its standard input does; takes the same flags.

Whoever started it holds the other end of that pipe, and a killed process holds nothing: a server
that outlived the pipeline run which it was for would keep its memory and its port for ever.
"""

from __future__ import annotations

import os
import sys
import threading


def _end_with_standard_input() -> None:
    while os.read(0, 1024):
        pass
    # Whoever asked is gone, so there is nothing to finish, and nothing to close in order.
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    from serving.model_server import main

    sys.exit(main())
