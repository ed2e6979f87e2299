#!/usr/bin/env bash
# Looks every locked package up among known vulnerabilities: `make audit`. Needs PyPI.
#
# Advisories in the table of SECURITY.md are judged there and passed over here. Exit status: 0 if there
# are no others, 1 if there are, or if a package could not be looked up. Nothing is installed but
# pip-audit, in uv's own cache.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
uv=${1:?usage: requirements/audit.sh UV}

judged=()
while IFS= read -r id; do
  judged+=(--ignore-vuln "$id")
done < <(grep '^|' SECURITY.md | grep -oE '(CVE|GHSA|PYSEC)-[0-9A-Za-z-]+' | sort -u)

status=0
for lock in requirements/*.lock; do
  echo "flowersim audit: $lock"
  # --strict: without it a package that cannot be looked up counts as one without vulnerabilities.
  "$uv" tool run pip-audit --strict --no-deps --disable-pip --progress-spinner off \
    --requirement "$lock" "${judged[@]}" || status=1
done
exit $status
