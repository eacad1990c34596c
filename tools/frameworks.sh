#!/bin/sh
# Runs tests/frameworks: byhand's readers beside the frameworks themselves. They are large and some want other versions of what byhand is
# tested with, so they have an environment of their own, $FRAMEWORKS, else .venv-frameworks, made the first time.
set -eu
cd "$(dirname "$0")/.."
venv=${FRAMEWORKS:-.venv-frameworks}
mark=$venv/made-by-byhand
wanted=$(cat pyproject.toml tools/frameworks.sh | cksum)

if [ "$(cat "$mark" 2>/dev/null)" != "$wanted" ]; then
    echo "frameworks: installing into $venv; the first time this takes minutes"
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "pip>=25.1" "$(grep '^torch==' constraints.txt)"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable . --group frameworks
    echo "$wanted" >"$mark"
fi
JAX_PLATFORMS=cpu PYTHONPATH=tests/support "$venv/bin/python" -m pytest --confcutdir tests/frameworks tests/frameworks "$@"
