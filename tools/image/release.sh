#!/bin/sh
# Usage: tools/image/release.sh REPOSITORY VERSION
#
# Join REPOSITORY:VERSION-amd64 and REPOSITORY:VERSION-arm64 as REPOSITORY:VERSION, by oci-merge itself, and
# print the line with the digest. The images and the index are signed, by the key in COSIGN_PRIVATE_KEY with
# the password in COSIGN_PASSWORD, before a tag moves. A final version also gets the tag latest, unless that
# has a newer one.
#
# The images have the label org.opencontainers.image.version. OCI_MERGE_PROGRAM names the program, else it is
# oci-merge on PATH. Where COSIGN_PUBLIC_KEY is set, the signatures are verified by it in the end.
set -eu

if [ $# != 2 ]; then
    echo "usage: tools/image/release.sh REPOSITORY VERSION" >&2
    exit 2
fi
repository=$1
version=$2
program=${OCI_MERGE_PROGRAM:-oci-merge}
platforms=linux/amd64,linux/arm64

case $version in
*[!0-9.]*) latest= ;; # such as 1.0rc1
*) latest=latest ;;
esac

"$program" --template "$repository:$version-ARCH" --platforms "$platforms" --require "$platforms" \
    --require-same org.opencontainers.image.version --annotations-from-labels \
    --target "$repository:$version" ${latest:+--tags "$latest" --only-newer version} \
    --sign --provenance --verify

if [ -n "${COSIGN_PUBLIC_KEY:-}" ]; then
    "$program" verify --key env://COSIGN_PUBLIC_KEY --platforms "$platforms" "$repository:$version" >&2
fi
