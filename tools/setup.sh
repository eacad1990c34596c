#!/bin/sh
# Makes the virtual environment ($VENV, else .venv) hold what pyproject.toml and constraints.txt ask for.
# Returns at once when it does already. An interrupted install is removed and repeated.
# With --check it changes nothing, and fails if there would be anything to do.
set -eu
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
mark=$venv/made-by-byhand # "incomplete" while installing, then what was installed, where
files="pyproject.toml constraints.txt tools/setup.sh"

wanted() { echo "$(cat $files | cksum) $(cd "$venv" && pwd -P)"; }

find_python() {
    for python in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            return
        fi
    done
    echo "setup: expected Python 3.11, 3.12 or 3.13, found none among: ${PYTHON:-python3 python3.13 python3.12 python3.11}" >&2
    echo "setup: name one, as in: make setup PYTHON=/path/to/python3.12" >&2
    exit 2
}

if [ -e "$venv" ]; then
    if [ ! -f "$mark" ]; then
        echo "setup: $venv was not made by this project and is left alone; move it away, or: make setup VENV=another-folder" >&2
        exit 2
    fi
    if [ "$(cat "$mark")" = "$(wanted)" ] && "$venv/bin/python" -c '' 2>/dev/null; then
        exit 0
    fi
    if [ "${1:-}" = --check ]; then
        echo "setup: $venv is not up to date: make setup" >&2
        exit 3
    fi
    # A complete environment is brought up to date in place; a cut-off, moved or broken one cannot be trusted.
    case "$(cat "$mark")" in
    *" $(cd "$venv" && pwd -P)") "$venv/bin/python" -m pip --version >/dev/null 2>&1 || rm -rf "$venv" ;;
    *) rm -rf "$venv" ;;
    esac
fi

if [ ! -e "$venv" ]; then
    if [ "${1:-}" = --check ]; then
        echo "setup: there is no $venv: make setup" >&2
        exit 3
    fi
    find_python
    echo "setup: making $venv with $("$python" --version)"
    mkdir -p "$venv"
    echo incomplete >"$mark"
    # Without ensurepip (Debian's python3 without python3-venv) the pip that is there fills the environment.
    "$python" -m venv "$venv" 2>/dev/null || "$python" -m venv --without-pip "$venv"
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 ||
        "$python" -m pip --python "$venv/bin/python" install --quiet --constraint constraints.txt pip
fi
echo incomplete >"$mark"

install() { "$venv/bin/python" -m pip install --disable-pip-version-check --constraint constraints.txt "$@"; }
echo "setup: installing; the first time this takes a minute or more"
install --quiet pip
install "$(grep '^torch==' constraints.txt)" # exactly this one, first: a range would bring another build
install --editable '.[lesson,train,study,plots,explore]' --group dev
wanted >"$mark.new" && mv "$mark.new" "$mark"
echo "setup: done"
