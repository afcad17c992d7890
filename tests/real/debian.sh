# Shared by tests/real/debian_*_test.sh, which source it first: a clean Debian in $root, of this machine's version or of $suite, made by
# debootstrap and kept in the cache, and commands in it. Needs root and a mirror of Debian that apt knows.
# shellcheck shell=bash
set -euo pipefail

build=$(dirname "$PENSTOCK")
skip() { echo "SKIP: $*"; exit 77; }
[[ -x $PENSTOCK ]] || skip "no program at $PENSTOCK"
((EUID == 0)) || skip "only root can make a Debian"
for program in debootstrap dpkg-shlibdeps unshare nsenter chroot; do
    command -v $program >/dev/null || skip "no $program"
done
! grep -q '^PS_SANITIZE:STRING=.' "$build/CMakeCache.txt" || skip "a sanitizer's build needs libraries that the package does not name"
# The package is for the Debian that it is built on.
own_suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
[[ $(sed -n 's/^ID=//p' /etc/os-release) == debian && $own_suite ]] || skip "this is no Debian"
suite=${suite:-$own_suite}
# The mirrors are those of this machine's apt.
mirrors() { # "URI suite component" of Debian's own
    # shellcheck disable=SC2016 # the words of apt-get
    apt-get indextargets --format '$(ORIGIN)|$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sed -n 's/^Debian|//p' | sed "s/ $own_suite/ $suite/" | sort -u
}
mirror=$(mirrors | awk -v suite="$suite" '$2 == suite && $3 == "main" { print $1; exit }')
[[ $mirror ]] || skip "apt knows no mirror of $suite (apt-get update)"

work=$(mktemp -d "${TMPDIR:-/tmp}/penstock-debian.XXXXXX")
root=$work/root
booted='' # the container's manager
finish() {
    local code=$?
    # The container's first process takes the others with it; the mounts are those of this script's namespace.
    [[ -z $booted ]] || kill -KILL "$booted" 2>/dev/null || true
    [[ -z $booted ]] || wait "$booted" 2>/dev/null || true
    umount -R "$root" 2>/dev/null || true
    if [[ ${KEEP:-} ]]; then echo "left: $work"; else rm -rf --one-file-system "$work"; fi
    exit $code
}
trap finish EXIT
fail() {
    echo "FAILED: $*" >&2
    tail -n 30 "$work"/*.log >&2 2>/dev/null || true
    exit 1
}
step_began=$SECONDS
step() { echo "[$((SECONDS - step_began)) s] $*"; }
# shellcheck source=tests/support/patience.sh
source "$PENSTOCK_SOURCE/tests/support/patience.sh"
await() { # SECONDS COMMAND...: repeats the command until it succeeds; returns 1 after SECONDS of the patient clock, at least 60
    patient_await $(($1 < 60 ? 60 : $1)) "${@:2}"
}

# ---- a clean Debian ----

cache=${XDG_CACHE_HOME:-$HOME/.cache}/penstock-real/debian
base=$cache/$suite.tar
mkdir -p "$cache"
exec 8>"$cache/lock" # two tests may want it at the same time
flock 8
if [[ ! -e $base ]]; then
    step "debootstrap $suite from $mirror"
    debootstrap --variant=minbase --include=systemd-sysv "$suite" "$work/base" "$mirror" >"$work/debootstrap.log" 2>&1 ||
        { tail -3 "$work/debootstrap.log"; skip "debootstrap cannot make a Debian from $mirror"; }
    chroot "$work/base" apt-get clean
    tar -C "$work/base" -cf "$base.$$" . && mv "$base.$$" "$base"
    rm -rf "$work/base"
fi
exec 8>&-
fresh_debian() {
    step "a fresh Debian"
    mkdir "$root"
    tar -C "$root" -xf "$base"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    mirrors | sed 's/^/deb /' >"$root/etc/apt/sources.list"
    for file in /etc/apt/apt.conf.d/*proxy*; do # how this machine reaches the mirror
        [[ ! -e $file ]] || cp "$file" "$root/etc/apt/apt.conf.d/"
    done
    # A package does not start services in a chroot.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
}

# In the Debian, with its own processes and no network but loopback's: ports of this machine are not taken.
inside() { # COMMAND...
    unshare --pid --fork --mount-proc="$root/proc" --net -- bash -c 'ip link set lo up 2>/dev/null; exec chroot "$@"' inside "$root" \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}
apt_inside() {
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        apt-get -o APT::Sandbox::User=root -y --no-install-recommends "$@"
}

pack_deb() { # makes the package of this build: $work/pack/*.deb
    (cd "$build" && cpack -G DEB -B "$work/pack" >"$work/cpack.log" 2>&1) || fail "cpack"
}
