#!/usr/bin/env bash
# Resolves requirements/*.lock from the ranges in setup.py: `make lock`.
#
# Pins that still fit are kept; `make lock UPGRADE=1` takes the newest versions instead. Nothing is
# installed: the next `make setup` does that.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
uv=${1:?usage: requirements/lock.sh UV}

# resolve NAME PYTHON_VERSION PLATFORM EXTRAS [OPTION_OR_INPUT...]
resolve() {
  local lock=requirements/$1.lock python=$2 platform=$3 extras=$4
  shift 4
  local options=() extra
  for extra in $extras; do options+=(--extra "$extra"); done
  if [ -n "${UPGRADE:-}" ]; then options+=(--upgrade); fi
  local draft
  draft=$(mktemp)
  if [ -f "$lock" ]; then cp "$lock" "$draft"; fi
  "$uv" pip compile setup.py "$@" "${options[@]}" \
    --python-version "$python" --python-platform "$platform" \
    --no-header --no-annotate --quiet --output-file "$draft" >/dev/null
  {
    echo "# Resolved by 'make lock' from the ranges in setup.py: do not edit."
    grep -v '^#' "$draft"
  } >"$lock"
  rm -f "$draft"
  echo "flowersim lock: $lock ($(grep -c == "$lock") packages)"
}

resolve tfx-1.16-py311 3.11 x86_64-manylinux_2_28 "dev kfp" \
  --override requirements/tfx-1.16-py311.overrides requirements/tfx-1.16-py311.in
# The container image's packages are those of that lock but for the extra dev; what a GPU needs beside
# them is in a lock of its own.
image=requirements/tfx-1.16-py311.image.lock gpu=requirements/tfx-1.16-py311.gpu.lock
for kind in image gpu; do
  extras=kfp
  if [ "$kind" = gpu ]; then extras="kfp gpu"; fi
  resolve "tfx-1.16-py311.$kind" 3.11 x86_64-manylinux_2_28 "$extras" \
    --override requirements/tfx-1.16-py311.overrides requirements/tfx-1.16-py311.in \
    --constraint requirements/tfx-1.16-py311.lock
done
{
  echo "# What a GPU needs beside tfx-1.16-py311.image.lock. Resolved by 'make lock': do not edit."
  grep -vxFf "$image" "$gpu"
} >"$gpu.new"
mv "$gpu.new" "$gpu"
# No override: no newer pyfarmhash has a wheel for Python 3.10, so TFDV's own choice is compiled.
resolve tfx-1.16-py310 3.10 x86_64-manylinux_2_28 "dev kfp"
resolve tfx-1.21-py312 3.12 x86_64-manylinux_2_39 "dev kfp" --override requirements/tfx-1.21.overrides
resolve tfx-1.21-py313 3.13 x86_64-manylinux_2_39 "dev kfp" --override requirements/tfx-1.21.overrides
