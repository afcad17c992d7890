#!/usr/bin/env bash
# quickstart.sh on a Debian 13, whose compiler and libraries are newer than those of Debian 12: it builds there, and the demo loses nothing.
# Needs: debian
#
#   KEEP=1   keep the working directory
suite=trixie
# shellcheck source=tests/real/debian.sh
source "$(dirname "${BASH_SOURCE[0]}")/debian.sh"
[[ $own_suite != "$suite" ]] || skip "this machine is a $suite"
cd "$PENSTOCK_SOURCE"

mapfile -t packages < <(awk '!/^#/ && $2 == "build" { sub(/.*[|]/, "", $1); print $1 }' cmake/packaging/packages.txt)
packages+=(ccache)

# The Debian with the packages of a build: kept, too, as long as their list is the same.
exec 8>"$cache/lock"
flock 8
prepared=$cache/$suite-$(printf '%s\n' "${packages[@]}" | sha256sum | cut -c 1-12).tar
if [[ -e $prepared ]]; then
    base=$prepared
    fresh_debian
else
    fresh_debian
    step "the packages of a build"
    apt_inside update >"$work/apt.log" 2>&1 || { tail -3 "$work/apt.log"; skip "apt reaches no mirror of Debian"; }
    apt_inside install "${packages[@]}" >>"$work/apt.log" 2>&1 || fail "apt install"
    chroot "$root" apt-get clean
    tar -C "$root" -cf "$prepared.$$" . && mv "$prepared.$$" "$prepared"
fi
exec 8>&-

step "quickstart.sh"
mkdir -p "$root/penstock" "$root/ccache" "$cache/ccache-$suite"
git ls-files -z | xargs -0 cp --parents -t "$root/penstock"
mount --bind "$cache/ccache-$suite" "$root/ccache"
trap 'code=$?; umount "$root/ccache"; (exit $code); finish' EXIT
# No package is missing, so that it needs no network.
inside env HOME=/root CCACHE_DIR=/ccache CCACHE_MAXSIZE=500M /penstock/quickstart.sh --rate 20000 --seconds 2 >"$work/quickstart.log" 2>&1 ||
    fail "quickstart.sh: exit $?"
grep -qE '^ *lost +0\b' "$work/quickstart.log" || fail "quickstart.sh does not say that nothing is lost"
echo "built and run on $(inside cat /etc/debian_version), gcc $(inside gcc -dumpfullversion)"
