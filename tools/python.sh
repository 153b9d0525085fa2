#!/bin/sh
# Usage: tools/python.sh [VERSION]
#
# Print the path of a Python that oci-merge runs on: the one that the variable PYTHON names, else
# the newest on PATH. With a VERSION such as 3.12, one of exactly that version, from PATH or from
# pyenv. Each candidate is run, since pyenv puts names on PATH that lead nowhere.
set -eu

wanted=${1:-}

pyenv_versions() {
    command -v pyenv >/dev/null 2>&1 || return 0
    for found in "$(pyenv root)"/versions/"$1".*/bin/python"$1"; do
        echo "$found"
    done | sort -V -r
}

fits() {
    "$1" - "$wanted" 2>/dev/null <<'EOF'
import sys

version = "%d.%d" % sys.version_info[:2]
sys.exit(sys.version_info < (3, 11) or sys.argv[1] not in ("", version))
EOF
}

if [ -n "$wanted" ]; then
    candidates="python$wanted $(pyenv_versions "$wanted")"
else
    candidates=${PYTHON:-python3.13 python3.12 python3.11 python3}
fi

for candidate in $candidates; do
    if fits "$candidate"; then
        "$candidate" -c 'import sys; print(sys.executable)'
        exit 0
    fi
done

echo "oci-merge needs Python ${wanted:-3.11 or newer}; tried:" $candidates >&2
exit 1
