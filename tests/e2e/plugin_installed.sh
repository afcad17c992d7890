# shellcheck shell=bash disable=SC2034,SC2154,SC2153
# Sourced after lib.sh by the tests of plug-ins in C: what a package installs, in the test's folder, which becomes the working directory. Sets root,
# penstock (the installed program) and flags (of the compiler).
cd "$work" || exit
for program in cc cmake pkg-config; do
    command -v $program >/dev/null || { echo "SKIP: no $program"; exit 77; }
done
unset FLUME_HOME
root=$work/staged/opt/penstock penstock=$work/staged/opt/penstock/bin/penstock
DESTDIR=$work/staged cmake --install "$(dirname "$PENSTOCK")" --prefix /opt/penstock >install.err 2>&1 || fail "install"
read -ra flags <<<"$(PKG_CONFIG_PATH=$root/lib/pkgconfig pkg-config --cflags penstock)"
