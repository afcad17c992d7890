#!/usr/bin/env bash
# cmake/packaging/oci/Containerfile can be read, and keeps its promises: Debian 12, a user by number, commands without a shell, nothing
# of the build in the image. tests/real/debian_container_test.sh carries it out.
# No sanitizer: it reads a file.
set -euo pipefail

command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
cd "$PENSTOCK_SOURCE"
python3 tests/unit/containerfile.py check

# The check finds what it is for.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/cmake/packaging/oci"
finds() { # EXPRESSION OF SED, MESSAGE
    sed -E "$1" cmake/packaging/oci/Containerfile >"$work/cmake/packaging/oci/Containerfile"
    if (cd "$work" && python3 "$PENSTOCK_SOURCE/tests/unit/containerfile.py" check) >"$work/out" 2>&1; then
        echo "FAILED: $1 is not found"
        exit 1
    fi
    grep -qF -- "$2" "$work/out" || { echo "FAILED: $1 is reported as: $(cat "$work/out")"; exit 1; }
}
finds 's/^USER .*/USER penstock/' 'USER is no pair of numbers'
finds 's/^USER .*/USER 0:0/' 'USER is no pair of numbers'
finds '/^USER /d' 'the last stage has no USER'
finds 's/^ENTRYPOINT .*/ENTRYPOINT penstock agent/' 'ENTRYPOINT is no JSON list'
finds 's/ AS build//' 'no such stage before'
finds 's/debian:12-slim$/debian:latest/' 'the package is for Debian 12'
finds 's/^WORKDIR/WORKDIRS/' 'unknown instruction WORKDIRS'
finds 's# && rm -rf /tmp.*##' 'the lists of apt stay'
finds 's#/tmp/\*.deb &&#/tmp/*.deb cmake \&\&#' 'what only a build needs'
