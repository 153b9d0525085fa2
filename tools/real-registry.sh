#!/bin/sh
# Usage: tools/real-registry.sh
#
# Install what the tests against a real registry need, and those in real shells; where that cannot be
# done, say which tests are left out. It never fails: those tests are skipped, or fail where they are
# required.
set -eu

here=$(dirname "$0")

missing() {
    for program in docker-registry skopeo buildah zsh fish mandoc; do
        command -v "$program" >/dev/null 2>&1 || echo "$program"
    done
    # The image of the tests is built on Debian's own Python.
    dpkg-query --show python3-venv >/dev/null 2>&1 || echo python3-venv
}

wanted=$(missing)
[ -n "$wanted" ] || exit 0

# shellcheck disable=SC2086 # one word a package
"$here/debian-install.sh" $wanted || true

case $wanted in
*docker-registry*)
    # The package starts a registry on port 5000. The tests start their own.
    service docker-registry stop >/dev/null 2>&1 || true
    update-rc.d docker-registry disable >/dev/null 2>&1 || true
    ;;
esac

left=$(missing | tr '\n' ' ')
[ -n "$left" ] || exit 0

echo "NOT INSTALLED: $left"
echo "The tests that need them are left out. They are among:"
find tests/registry tests/parity tests/cli/test_completion.py tests/cli/test_reference.py -name 'test_*.py' | sort | sed 's/^/  /'
echo "To run them too, on Debian or Ubuntu: apt-get install $left"
