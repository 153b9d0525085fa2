#!/bin/sh
# Usage: tools/venv.sh FOLDER
#
# Make an empty virtual environment, in place of what was there, with a pip that knows dependency
# groups. The variable PYTHON may name the interpreter.
set -eu

folder=$1
here=$(dirname "$0")
python=$("$here/python.sh")

has_ensurepip() { "$python" -c 'import ensurepip' 2>/dev/null; }

# Debian keeps ensurepip, without which there is no venv, in a package of its own.
if ! has_ensurepip; then
    "$here/debian-install.sh" python3-venv || true
    if ! has_ensurepip; then
        echo "$python cannot make virtual environments: install its venv package" \
            "(Debian, Ubuntu: apt-get install python3-venv)" >&2
        exit 1
    fi
fi

"$python" -m venv --clear "$folder"
"$folder/bin/python" -m pip install --quiet --upgrade 'pip>=25.1'
"$folder/bin/python" --version
