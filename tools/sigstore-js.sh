#!/bin/sh
# Usage: tools/sigstore-js.sh FOLDER
#
# Install sigstore's verifier for node into a folder, where node and npm are on this machine. It never
# fails: what needs it is skipped then.
set -eu

folder=$1

command -v node >/dev/null 2>&1 || exit 0
command -v npm >/dev/null 2>&1 || exit 0
[ ! -d "$folder/node_modules/@sigstore/verify" ] || exit 0

mkdir -p "$folder"
npm install --silent --ignore-scripts --no-audit --no-fund --no-package-lock --prefix "$folder" \
    @sigstore/bundle@^4.0.0 @sigstore/verify@^3.1.1 ||
    echo "not installed: @sigstore/verify, so that its tests are skipped" >&2
