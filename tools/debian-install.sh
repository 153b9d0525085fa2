#!/bin/sh
# Usage: tools/debian-install.sh PACKAGE...
#
# Install Debian packages where that can be done without asking: as root, with apt-get.
set -eu

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    exit 1
fi

echo "installing Debian packages: $*"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || true # what is known of the archive may do
apt-get install -qq --yes --no-install-recommends "$@" >/dev/null
