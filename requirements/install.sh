#!/usr/bin/env bash
# Installs what a lock pins, and nothing else, into an environment: for .venv (bootstrap.sh) and the
# container image alike. Nothing here chooses a Python, a lock, or makes the environment.
#
#   requirements/install.sh PYTHON LOCK UV...
#
# UV is the program uv, or a command that ends with it.
set -euo pipefail

python=${1:?usage: requirements/install.sh PYTHON LOCK UV...}
lock=${2:?usage: requirements/install.sh PYTHON LOCK UV...}
shift 2
nodeps=$(dirname "${BASH_SOURCE[0]}")/tfx-1.16-py311.nodeps.lock

"$@" pip sync --python "$python" "$lock"
case $lock in
  *tfx-1.16-py311*)
    # Their wheels declare Python < 3.11 and run on it: setup.py says more.
    "$@" pip install --python "$python" --python-version 3.10 --no-deps -r "$nodeps"
    ;;
esac
