#!/usr/bin/env bash
# Runs the tests on Debian 13, whose Python 3.13 brings TFX's other line, 1.21.
#
#   tests/debian13.sh FOLDER [COMMAND]   COMMAND defaults to "make lint test"
#
# FOLDER becomes a Debian root, 9 GB with environment, caches and a test run; a second call finds it
# there and is quick. The working tree is copied to FOLDER/flowersim, without what git ignores; this
# checkout and its .venv are not touched. Folders named in FLOWERSIM_BIND (DIR[:PLACE], separated by
# blanks) are seen inside too, read-only: `../shared:/shared`, say.
#
# Needs root, debootstrap and Debian's mirror (DEBIAN_MIRROR names another). What is mounted is
# mounted in a namespace of its own and goes with the last process.
set -euo pipefail

say() { printf 'debian13: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# What `make setup` asks of a machine (python3 and make), and what the tests use where they find it:
# a C++ compiler, git, and the browser that opens the pages.
PACKAGES=(python3 python3-venv make git g++ python3-dev chromium fonts-dejavu-core)

[ $# -ge 1 ] || fail "name the folder for the Debian root: tests/debian13.sh FOLDER [COMMAND]"
[ "$(id -u)" = 0 ] || fail "making a Debian root and changing into it needs root"
command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"

mkdir -p "$1"
ROOT=$(cd "$1" && pwd -P)
shift
COMMAND=${*:-make lint test}
case $CHECKOUT/ in "$ROOT"/*) fail "$ROOT holds this checkout: name another folder" ;; esac

# Runs a shell command inside the root, with its own mounts and processes.
inside() {
  unshare --mount --pid --fork --kill-child bash -euc '
    root=$1 command=$2
    mount --make-rprivate /
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/dev/shm"
    # The certificates of this machine: its network may have one of its own.
    if [ -d /etc/ssl/certs ]; then mount --bind /etc/ssl/certs "$root/etc/ssl/certs"; fi
    for pair in ${FLOWERSIM_BIND:-}; do
      place=$root${pair#*:}
      [ "$pair" != "${pair#*:}" ] || place=$root$(realpath "$pair")
      mkdir -p "$place"
      mount --bind "${pair%%:*}" "$place"
      mount -o remount,bind,ro "$place"
    done
    exec env -u PYTHONDONTWRITEBYTECODE HOME=/root LANG=C.UTF-8 FLOWERSIM_PYTHON=3.13 \
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      chroot "$root" bash -euc "$command"
  ' inside "$ROOT" "$1"
}

if [ ! -e "$ROOT/.debian13" ]; then
  say "making a Debian 13 root in $ROOT"
  debootstrap --variant=minbase --include=ca-certificates trixie "$ROOT" ${DEBIAN_MIRROR:-} >"$ROOT.log" 2>&1 ||
    fail "debootstrap failed: $ROOT.log says why"
  rm -f "$ROOT.log"
  cp -L /etc/resolv.conf "$ROOT/etc/resolv.conf"
  export DEBIAN_FRONTEND=noninteractive
  inside "apt-get update -qq
    apt-get install -qq --yes --no-install-recommends ${PACKAGES[*]} >/dev/null"
  touch "$ROOT/.debian13"
fi

# Without what git ignores, and with what is not committed yet; .venv and .uv in there stay.
mkdir -p "$ROOT/flowersim"
find "$ROOT/flowersim" -mindepth 1 -maxdepth 1 ! -name .venv ! -name .uv -exec rm -rf {} +
git -C "$CHECKOUT" ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do
    if [ -e "$CHECKOUT/$file" ]; then printf '%s\0' "$file"; fi # unless it was deleted
  done |
  tar --create --directory "$CHECKOUT" --null --files-from=- |
  tar --extract --directory "$ROOT/flowersim"

say "$COMMAND"
inside "cd /flowersim && $COMMAND"
