#!/usr/bin/env bash
# Puts a pushed version on the volume that the servers of ../base watch, whole or not at all:
#
#   load_version.sh runs/demo/serving/flowers/1795523810 [--namespace NAME and other kubectl options]
#
# Needs kubectl, and tar here and in the pod.
set -euo pipefail

if [ $# -lt 1 ]; then
  echo "usage: load_version.sh WORKDIR/serving/MODEL/VERSION [kubectl options]" >&2
  exit 2
fi
folder=$(cd "$1" && pwd -P)
shift
version=${folder##*/}
base=${folder%/*}
model=${base##*/}
if [[ ! $version =~ ^[1-9][0-9]*$ ]] || [ ! -f "$folder/saved_model.pb" ]; then
  echo "$folder is no pushed version: its name is no number, or it has no saved_model.pb" >&2
  exit 2
fi
files=$(find "$folder" -type f | wc -l)

pod=$(dirname "${BASH_SOURCE[0]}")/pod.yaml
trap 'kubectl "$@" delete --ignore-not-found --wait=false -f "$pod"' EXIT
kubectl "$@" apply -f "$pod"
kubectl "$@" wait --for=condition=Ready --timeout=300s pod/flowersim-loader

# Unpacked beside its place, counted, then renamed: the server never sees half a version.
# shellcheck disable=SC2016 # the pod's shell is to expand these
tar -C "$base" -cf - "$version" | kubectl "$@" exec -i flowersim-loader -- /bin/sh -c '
  set -eu
  base=/models/$1 version=$2 files=$3
  if [ -e "$base/$version" ]; then
    echo "version $version is there already" >&2
    exit 1
  fi
  rm -rf "$base/.incoming"
  mkdir -p "$base/.incoming"
  tar -xf - -C "$base/.incoming"
  if [ "$(find "$base/.incoming/$version" -type f | wc -l)" -ne "$files" ]; then
    echo "version $version did not arrive whole" >&2
    exit 1
  fi
  mv "$base/.incoming/$version" "$base/$version"
  rmdir "$base/.incoming"
' sh "$model" "$version" $((files))
echo "version $version of $model is on the volume"
