#!/usr/bin/env bash
# Makes .venv, the project's environment: `make setup`.
#
#   requirements/bootstrap.sh          make it, or say in one line that it is ready
#   requirements/bootstrap.sh --quiet  the same, silent when there is nothing to do
#   requirements/bootstrap.sh --uv     only print the path of uv, fetching it where it is missing
#
# FLOWERSIM_PYTHON forces an interpreter (a path or a version such as 3.10), and with it the TFX
# line: Python 3.11 and 3.10 get TFX 1.16, Python 3.13 and 3.12 get TFX 1.21 (needs glibc 2.39).
#
# Nothing outside this folder is changed, but for uv's own cache and the Pythons it keeps.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$ROOT"
VENV=$ROOT/.venv
STAMP=$VENV/flowersim.stamp
FORCED=${FLOWERSIM_PYTHON:-}
NEEDS_NODEPS=requirements/tfx-1.16-py311.lock
NODEPS=requirements/tfx-1.16-py311.nodeps.lock
# An activated environment must not leak into this one.
unset VIRTUAL_ENV CONDA_PREFIX PYTHONHOME PYTHONPATH UV_PYTHON UV_SYSTEM_PYTHON

say() { printf 'flowersim setup: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

# --- which Python ------------------------------------------------------------------------------

# Prints "VERSION PATH" of a usable CPython, e.g. "3.11.7 /usr/bin/python3.11"; fails for others
# (a pyenv shim without its version, an interpreter built without lzma or ssl).
probe() {
  "$1" -I -c '
import bz2, ctypes, lzma, os, sqlite3, ssl, sys, zlib
assert sys.implementation.name == "cpython" and sys.maxsize > 2**32
base = getattr(sys, "_base_executable", None) or sys.executable
print("%d.%d.%d" % sys.version_info[:3], os.path.realpath(base))' 2>/dev/null
}

# Prints every place where an interpreter of version X.Y may be, one a line, best first.
places() {
  local version=$1 root
  type -ap "python$version" python3 python 2>/dev/null || true
  {
    if [ -n "${PYENV_ROOT:-}" ]; then echo "$PYENV_ROOT"; fi
    if command -v pyenv >/dev/null 2>&1; then pyenv root 2>/dev/null || true; fi
    echo "${HOME:-/nonexistent}/.pyenv"
  } | awk '!seen[$0]++' | while IFS= read -r root; do
    { find "$root/versions" -maxdepth 1 -name "$version.*" 2>/dev/null || true; } | sort -rV |
      sed "s|\$|/bin/python$version|"
  done
  if [ -n "${UV:-}" ]; then
    "$UV" python find --managed-python --no-python-downloads "$version" 2>/dev/null || true
  fi
}

# Prints "VERSION PATH" of the first usable interpreter of version X.Y.
find_python() {
  local place found
  while IFS= read -r place; do
    found=$(probe "$place") || continue
    case $found in "$1".*)
      echo "$found"
      return 0
      ;;
    esac
  done < <(places "$1")
  return 1
}

has_glibc_2_39() {
  local release
  release=$(getconf GNU_LIBC_VERSION 2>/dev/null) || return 1
  release=${release#glibc }
  [ "${release%%.*}" -gt 2 ] || { [ "${release%%.*}" -eq 2 ] && [ "${release#*.}" -ge 39 ]; }
}

has_cxx() { command -v "${CXX:-c++}" >/dev/null 2>&1 || command -v g++ >/dev/null 2>&1; }

install_python_311() {
  say "no fitting Python on this machine: uv fetches Python 3.11"
  UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-30} "$UV" python install --quiet 3.11 2>/dev/null
}

# Sets FOUND to "VERSION PATH", or ends with one sentence.
choose_python() {
  local glibc version
  case $(uname -s)-$(uname -m) in
    Linux-x86_64) ;;
    *) fail "TFX has packages for Linux on x86_64 only, and this is $(uname -s) on $(uname -m)." ;;
  esac
  glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || glibc="no glibc"

  if [ -n "$FORCED" ]; then
    case $FORCED in
      3.1[0-3]) FOUND=$(find_python "$FORCED") || FOUND= ;;
      *) FOUND=$(probe "$FORCED") || FOUND= ;;
    esac
    if [ -z "$FOUND" ] && [ "$FORCED" = 3.11 ] && install_python_311; then
      FOUND=$(find_python 3.11) || FOUND=
    fi
    case $FOUND in
      "") fail "FLOWERSIM_PYTHON=$FORCED: no usable interpreter found; give a path," \
        "or a version from 3.10 to 3.13." ;;
      3.11.*) ;;
      3.10.*)
        has_cxx || fail "Python 3.10 needs a C++ compiler (for pyfarmhash): install g++," \
          "or use Python 3.11, which needs none."
        ;;
      3.12.* | 3.13.*)
        has_glibc_2_39 || fail "Python ${FOUND%% *} needs TFX 1.21, whose packages need" \
          "glibc 2.39 (here: $glibc): use Python 3.11."
        ;;
      *) fail "FLOWERSIM_PYTHON=$FORCED is Python ${FOUND%% *}: TFX runs on 3.10 to 3.13." ;;
    esac
    return
  fi

  if FOUND=$(find_python 3.11); then return; fi
  if has_cxx && FOUND=$(find_python 3.10); then return; fi
  if install_python_311 && FOUND=$(find_python 3.11); then return; fi
  if has_glibc_2_39; then
    for version in 3.13 3.12; do
      if FOUND=$(find_python "$version"); then return; fi
    done
    fail "no Python 3.10 to 3.13 was found, and uv could not fetch one: install Python 3.11."
  fi
  if FOUND=$(find_python 3.10); then
    fail "Python 3.10 needs a C++ compiler (for pyfarmhash): install g++, or Python 3.11," \
      "which needs none."
  fi
  fail "no Python 3.11 was found, and uv could not fetch one: install Python 3.11" \
    "(newer ones need glibc 2.39; here: $glibc)."
}

# Sets LOCK for a version X.Y.Z.
choose_lock() {
  case $1 in
    3.11.*) LOCK=$NEEDS_NODEPS ;;
    3.10.*) LOCK=requirements/tfx-1.16-py310.lock ;;
    3.12.*) LOCK=requirements/tfx-1.21-py312.lock ;;
    3.13.*) LOCK=requirements/tfx-1.21-py313.lock ;;
  esac
}

# --- uv ----------------------------------------------------------------------------------------

# Sets UV: the one on PATH, else a private one in .uv.
choose_uv() {
  local python
  UV=$(command -v uv) || UV=
  if [ -n "$UV" ] && "$UV" --version >/dev/null 2>&1; then return; fi
  for UV in "$ROOT/.uv/bin/uv" "${HOME:-/nonexistent}/.local/bin/uv"; do
    if "$UV" --version >/dev/null 2>&1; then return; fi
  done
  UV=
  say "fetching uv into .uv"
  while IFS= read -r python; do
    probe "$python" >/dev/null || continue
    rm -rf .uv
    # --target: for Pythons without venv (Debian splits it off), and not barred by PEP 668.
    if { "$python" -m venv .uv && .uv/bin/python -m pip install uv; } >.uv.log 2>&1 ||
      "$python" -m pip install --upgrade --target .uv uv >>.uv.log 2>&1; then
      UV=$ROOT/.uv/bin/uv
      rm -f .uv.log
      if "$UV" --version >/dev/null 2>&1; then return; fi
    fi
  done < <(for version in 3.11 3.10 3.13 3.12; do places "$version"; done | awk '!seen[$0]++')
  fail "uv is missing and no python3 here could install it: install uv" \
    "(for instance with 'pipx install uv'), or python3-venv."
}

# Installs a lock: with uv's progress on a terminal, otherwise silent but for errors.
install_lock() { # LOCK
  local uv=("$UV" --quiet)
  if [ -t 2 ]; then uv=("${FOUND#* }" -I requirements/uv_progress.py "$UV"); fi
  bash requirements/install.sh "$VENV/bin/python" "$1" "${uv[@]}"
}

# --- is there anything to do? ------------------------------------------------------------------

# Everything that decides what is in .venv, on three lines: the sum, the interpreter, the lock.
stamp_for() { # VERSION_AND_PATH LOCK
  local sum
  sum=$({
    cat "$2" "$NODEPS" setup.py pyproject.toml requirements/bootstrap.sh requirements/install.sh
    echo "$ROOT|$1"
  } | sha256sum)
  printf '%s\n%s\n%s\n' "${sum%% *}" "$1" "$2"
}

# Sets FOUND and LOCK from the stamp; fails if there is none, or if another Python is forced.
read_stamp() {
  local lines
  [ -f "$STAMP" ] || return 1
  mapfile -t lines <"$STAMP"
  [ "${#lines[@]}" -eq 3 ] && [ -f "${lines[2]}" ] || return 1
  case $FORCED in
    "") ;;
    3.1[0-3]) [ "${lines[1]#"$FORCED".}" != "${lines[1]}" ] || return 1 ;;
    *) [ "$(probe "$FORCED")" = "${lines[1]}" ] || return 1 ;;
  esac
  FOUND=${lines[1]} LOCK=${lines[2]}
}

# True if the stamp is what the files here ask for, and the interpreter and as many packages as the
# lock has are still there.
is_current() {
  local packages expected
  read_stamp && [ -x "$VENV/bin/flowersim" ] || return 1
  [ "$(stamp_for "$FOUND" "$LOCK")" = "$(cat "$STAMP")" ] || return 1
  "$VENV/bin/python" -I -S -c '' 2>/dev/null || return 1
  packages=("$VENV"/lib/python3.*/site-packages/*.dist-info)
  expected=$(($(grep -c == "$LOCK") + 1))
  if [ "$LOCK" = "$NEEDS_NODEPS" ]; then expected=$((expected + $(grep -c == "$NODEPS"))); fi
  [ "${#packages[@]}" -ge "$expected" ]
}

report_ready() {
  local line=${LOCK#requirements/tfx-}
  say "ready: Python ${FOUND%% *}, TFX ${line%%-*}, in .venv$1"
}

# --- main --------------------------------------------------------------------------------------

case ${1:-} in
  "" | --quiet) ;;
  --uv)
    choose_uv
    echo "$UV"
    exit
    ;;
  *) fail "unknown argument $1" ;;
esac

# Two makes at once: the second waits, then finds everything done.
if command -v flock >/dev/null 2>&1; then
  exec 9>"$ROOT/.venv.lock"
  flock 9
fi

if is_current; then
  [ "${1:-}" = --quiet ] || report_ready ""
  exit
fi

started=$SECONDS
choose_uv
# A Python that was chosen once stays chosen until .venv goes or another one is forced.
if ! read_stamp || [ "$(probe "${FOUND#* }")" != "$FOUND" ]; then choose_python; fi
choose_lock "${FOUND%% *}"
rm -f "$STAMP"

# Absent, broken, of another Python, or moved here from another folder.
if [ "$(probe "$VENV/bin/python")" != "$FOUND" ] ||
  ! grep -qsFx "VIRTUAL_ENV='$VENV'" "$VENV/bin/activate"; then
  say "new .venv with Python ${FOUND%% *} (${FOUND#* })"
  rm -rf "$VENV"
  "$UV" venv --quiet --prompt flowersim --python "${FOUND#* }" "$VENV"
fi

# Where Python must not write bytecode, each process would compile TensorFlow anew: 20 s in place of 8.
if [ -n "${PYTHONDONTWRITEBYTECODE:-}" ]; then export UV_COMPILE_BYTECODE=1; fi

say "installing $(grep -c == "$LOCK") packages of $LOCK (a first time downloads about 1 GB)"
install_lock "$LOCK" || fail "uv could not install $LOCK; its message is above."
say "installing flowersim itself, editable"
# compat: one .pth line for this folder instead of an import hook with a fixed list of packages.
"$UV" pip install --quiet --python "$VENV/bin/python" --no-deps --no-build-isolation \
  --config-settings editable_mode=compat --editable "$ROOT" ||
  fail "flowersim could not be installed; uv's message is above."

stamp_for "$FOUND" "$LOCK" >"$STAMP"
report_ready " ($((SECONDS - started)) s)"
