#!/usr/bin/env bash
# Compiles the demo, with little data and one epoch, for an image, and runs each step by its command
# as compiled: what the image lacks shows before anything is submitted.
#
#   deploy/check_image.sh IMAGE             each step in a container of the image (needs docker)
#   deploy/check_image.sh IMAGE --inside    in the image already: each step as a process here
#
# FLOWERSIM names the program where it is not .venv/bin/flowersim.
set -euo pipefail

usage="usage: deploy/check_image.sh IMAGE [--inside]"
image=${1:?$usage}
flowersim=${FLOWERSIM:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.venv/bin/flowersim}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/root"
cd "$folder"

case ${2:-} in
  "") where=(--docker --mount "$folder/root") ;;
  --inside) where=() ;;
  *)
    echo "$usage" >&2
    exit 2
    ;;
esac
settings=(
  --workdir work
  --set "deployment.image=$image"
  --set "deployment.pipeline_root=$folder/root"
  --set data.synthetic.classes=4
  --set data.synthetic.image_size=64
  --set images.canonical_size=64
  --set model.input_size=64
  --set training.epochs=1
)
"$flowersim" prepare --stage "${settings[@]}"
"$flowersim" compile --platform vertex --output vertex.json "${settings[@]}"
"$flowersim" execute vertex.json --store store "${where[@]}"
