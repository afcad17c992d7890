#!/usr/bin/env bash
# What is installed is complete, its links and examples hold, and the programs run from any place: the tree, the tarball,
# the .deb and the .rpm. The tree uninstalls itself.
# No sanitizer: it looks at packages.
set -euo pipefail

build=$(dirname "$PENSTOCK")
[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

complete() { # PREFIX
    local file
    for file in bin/penstock bin/flume-ng README.md LICENSE docs/OPERATIONS.md docs/decisions/README.md conf/systemd/low-ports.conf \
        lib/libpenstock-client.so lib/libpenstock-client.a include/penstock/client.h lib/pkgconfig/penstock-client.pc include/penstock/plugin.h include/penstock/core/stage.h lib/pkgconfig/penstock.pc \
        lib/cmake/penstock/penstockConfig.cmake share/man/man3/penstock-client.3 \
        share/man/man1/penstock.1 share/man/man1/flume-ng.1 share/man/man7/penstock-components.7 \
        docs/monitoring/grafana-dashboard.json docs/monitoring/alerts.yml \
        docs/components.schema.json share/bash-completion/completions/penstock share/zsh/site-functions/_penstock \
        share/fish/vendor_completions.d/penstock.fish lib/systemd/system/penstock.service share/penstock/uninstall; do
        [[ -s $1/$file ]] || fail "$file is missing in $1"
    done
    while read -r file; do # each command has a page
        [[ -s $1/share/man/man1/penstock-$file.1 ]] || fail "share/man/man1/penstock-$file.1 is missing in $1"
    done < <("$PENSTOCK" help | sed -nE 's/^  ([a-z-]+) {2,}.*/\1/p')
    [[ ! -e $build/penstock-java.jar || -s $1/lib/penstock/penstock-java.jar ]] || fail "lib/penstock/penstock-java.jar is missing in $1"
    for file in cmake conf/bind.c conf/package docs/man etc usr; do
        [[ ! -e $1/$file ]] || fail "$file should not be in $1"
    done
    pages_hold "$1"
}

# The root of the documents: links lead to files that are there too, and examples are complete with what they include.
pages_hold() { # FOLDER
    local found page link example agent links=0
    while IFS= read -r found; do # PAGE:](LINK)
        page=${found%%:*} link=${found#*:](}
        links=$((links + 1))
        [[ -e ${page%/*}/${link%?} ]] || fail "${page#"$work/"} links to ${link%?}, which is not installed"
    done < <(find "$1" -name '*.md' -exec grep -oHE '\]\([^)#: ]+[)#]' {} +)
    ((links > 100)) || fail "only $links links in the documents of $1"
    for example in "$PENSTOCK_SOURCE"/conf/examples/*; do
        [[ -e $1/conf/examples/${example##*/} ]] || fail "the example ${example##*/} is missing in $1"
    done
    for example in "$1"/conf/examples/*.properties; do
        agent=$(sed -nE 's/^([A-Za-z0-9_]+)\.sources *=.*/\1/p' "$example" | head -1)
        (cd / && LOGS=$work "$PENSTOCK" check --strict -n "$agent" -f "$example") >"$work/out" 2>&1 ||
            fail "check of ${example##*/} from another directory: $(cat "$work/out")"
    done
}

runs() { # PREFIX
    local version
    version=$("$1/bin/penstock" version) || fail "penstock version: exit $?"
    [[ $version == *penstock* ]] || fail "penstock version says: $version"
    [[ $("$1/bin/flume-ng" version) == "$version" ]] || fail "flume-ng version differs"
    "$1/bin/flume-ng" help | grep -q 'run an agent' || fail "flume-ng help"
    ln -sf "$1/bin/flume-ng" "$work/linked"
    [[ $("$work/linked" version) == "$version" ]] || fail "flume-ng through a link"
    local word
    for word in avro-client tool nonsense; do
        if "$1/bin/flume-ng" $word >"$work/out" 2>&1; then fail "flume-ng $word: exit 0"; fi
        grep -q "$word" "$work/out" || fail "flume-ng $word: the message does not name it: $(cat "$work/out")"
    done
}

cmake --install "$build" --prefix "$work/prefix" >"$work/log" 2>&1 || fail "install: $(tail -5 "$work/log")"
complete "$work/prefix"
runs "$work/prefix"

(cd "$build" && cpack -B "$work/pack" >"$work/log" 2>&1) || fail "cpack: $(tail -5 "$work/log")"
tarball=("$work"/pack/penstock-*.tar.gz)
[[ -e ${tarball[0]} ]] || fail "no tarball"
tar -xzf "${tarball[0]}" -C "$work"
top=("$work"/penstock-*)
[[ -d ${top[0]} && ${#top[@]} == 1 ]] || fail "more than one folder in the tarball: ${top[*]}"
complete "${top[0]}"
runs "${top[0]}"
# Flume's own integration tests unpack a distribution without its modes and make only bin/flume-ng executable.
chmod -R a-x,a+X "${top[0]}" && chmod a-x "${top[0]}"/bin/* && chmod +x "${top[0]}/bin/flume-ng"
"${top[0]}/bin/flume-ng" version >"$work/out" 2>"$work/log" || fail "flume-ng beside a penstock that is not executable: $(<"$work/log")"
grep -qF "${top[0]}/bin/penstock was not executable and is now" "$work/log" || fail "flume-ng does not say what it did: $(<"$work/log")"
runs "${top[0]}"

# The man pages and the systemd unit, if their checkers are installed.
if command -v mandoc >/dev/null; then
    mandoc -T lint -W warning "$work"/prefix/share/man/man*/*.[137] || fail "man pages"
fi
unit_holds() { # FILE PROGRAM
    command -v systemd-analyze >/dev/null || return 0
    local unit=$work/penstock.service
    sed "s|^ExecStart=[^ ]*|ExecStart=$2|" "$1" >"$unit"
    systemd-analyze verify --man=no "$unit" >"$work/log" 2>&1 || true
    if grep -E '^[^ ]*penstock\.service' "$work/log"; then fail "systemd-analyze verify complains"; fi
    if systemd-analyze security --offline=true "$unit" >"$work/log" 2>&1; then
        grep -qE 'Overall exposure.* (OK|SAFE|PERFECT)' "$work/log" || fail "the unit's sandbox is rated as weak: $(tail -1 "$work/log")"
    fi
}
unit_holds "$work/prefix/lib/systemd/system/penstock.service" "$work/prefix/bin/penstock"

# ---- uninstall ----

echo kept >"$work/prefix/conf/examples/mine.properties"
"$work/prefix/share/penstock/uninstall" --list >"$work/list"
grep -qxF "$work/prefix/bin/penstock" "$work/list" || fail "uninstall --list does not list the program"
"$work/prefix/share/penstock/uninstall" >"$work/out"
grep -qF '1 files stay' "$work/out" || fail "uninstall says: $(cat "$work/out")"
[[ $(cd "$work/prefix" && find . | sort | paste -sd' ') == '. ./conf ./conf/examples ./conf/examples/mine.properties' ]] ||
    fail "uninstall leaves $(cd "$work/prefix" && find . | paste -sd' ')"
rm -r "$work/prefix"
DESTDIR=$work/staged cmake --install "$build" --prefix /opt/penstock >"$work/log" 2>&1 || fail "install with DESTDIR: $(tail -5 "$work/log")"
"$work/staged/opt/penstock/share/penstock/uninstall" >"$work/out"
[[ ! -e $work/staged/opt/penstock ]] || fail "uninstall with DESTDIR leaves $(find "$work/staged" -type f)"
cmake --build "$build" --target help >"$work/log"
grep -q '^uninstall: ' "$work/log" || fail "there is no target uninstall"

# ---- packages of distributions ----

missing=()
pack() { # GENERATOR
    (cd "$build" && cpack -G "$1" -B "$work/pack" >"$work/log" 2>&1) || fail "cpack -G $1: $(tail -5 "$work/log")"
}
system_holds() { # ROOT: the files of a package
    local root=$1 version
    version=$("$root/usr/bin/penstock" version) || fail "penstock version of a package: exit $?"
    [[ $(PATH=$root/usr/bin:$PATH "$root/usr/lib/penstock/bin/flume-ng" version) == "$version" ]] || fail "flume-ng of a package"
    [[ ! -e $root/usr/bin/flume-ng ]] || fail "packages of Flume have /usr/bin/flume-ng, too"
    grep -qx 'ExecStart=/usr/bin/penstock agent .*' "$root/usr/lib/systemd/system/penstock.service" || fail "ExecStart of a package's unit"
    grep -qx 'User=penstock' "$root/usr/lib/systemd/system/penstock.service" || fail "the user of a package's unit"
    unit_holds "$root/usr/lib/systemd/system/penstock.service" "$root/usr/bin/penstock"
    pages_hold "$root/usr/share/doc/penstock"
    "$root/usr/bin/penstock" check --strict -n a1 -f "$root/etc/penstock/agent.properties" >"$work/out" || fail "check of the package's agent: $(cat "$work/out")"
}
pack_java() { # GENERATOR: the package penstock-java, in $work/java
    rm -rf "$work/java"
    (cd "$build" && cpack --config CPackJava.cmake -G "$1" -B "$work/java" >"$work/log" 2>&1) || fail "cpack of penstock-java: $(tail -5 "$work/log")"
}
java_files='usr/lib/penstock/penstock-java.jar usr/share/doc/penstock-java/copyright'
java_holds() { # ROOT: the files of the package penstock-java
    [[ $(cd "$1" && find usr -type f | sort | paste -sd' ') == "$java_files" ]] || fail "penstock-java has $(cd "$1" && find . -type f)"
    cmp "$1/usr/lib/penstock/penstock-java.jar" "$build/penstock-java.jar" || fail "the jar of penstock-java is another one"
}
if command -v dpkg-shlibdeps >/dev/null; then
    pack DEB
    dpkg-deb -x "$work"/pack/*.deb "$work/deb"
    system_holds "$work/deb"
    dpkg-deb -e "$work"/pack/*.deb "$work/control"
    [[ $(sort "$work/control/conffiles" | paste -sd' ') == '/etc/default/penstock /etc/penstock/agent.properties' ]] || fail "conffiles"
    for script in postinst prerm postrm; do
        [[ -x $work/control/$script ]] || fail "$script is not executable"
    done
    grep -qE '^Depends:.*\blibrdkafka1\b.*\blibssl3\b' "$work/control/control" || fail "the package does not depend on its libraries: $(grep ^Depends "$work/control/control")"
    grep -qE '^Depends:.*\blibhyperscan5\b' "$work/control/control" || fail "the package does not depend on Hyperscan"
    [[ ! -e $work/deb/usr/lib/penstock/penstock-java.jar ]] || fail "penstock and penstock-java have the same file"
    if [[ -e $build/penstock-java.jar ]]; then
        pack_java DEB
        dpkg-deb -x "$work"/java/*.deb "$work/java_root"
        java_holds "$work/java_root"
        version=$(dpkg-deb -f "$work"/pack/*.deb Version)
        [[ $(dpkg-deb -f "$work"/java/*.deb Package Architecture Depends | paste -sd' ') == \
            "Package: penstock-java Architecture: all Depends: penstock (= $version), default-jre-headless | java8-runtime-headless" ]] ||
            fail "penstock-java: $(dpkg-deb -f "$work"/java/*.deb)"
    else
        missing+=("no JDK: no penstock-java")
    fi
else
    missing+=("no dpkg-shlibdeps (dpkg-dev): no .deb")
fi
if command -v rpmbuild >/dev/null && command -v rpm2cpio >/dev/null && command -v cpio >/dev/null; then
    pack RPM
    rpm=$(echo "$work"/pack/*.rpm)
    mkdir "$work/rpm"
    (cd "$work/rpm" && rpm2cpio "$rpm" | cpio -idm --quiet)
    system_holds "$work/rpm"
    [[ $(rpm -qp --configfiles "$rpm" | sort | paste -sd' ') == '/etc/default/penstock /etc/penstock/agent.properties' ]] || fail "config files of the .rpm"
    if rpm -qpl "$rpm" | grep -xE '/etc|/usr|/usr/(bin|lib|share|share/man|share/doc|lib/systemd/system)'; then fail "the .rpm owns folders of the system"; fi
    rpm -qp --scripts "$rpm" >"$work/scripts"
    (($(grep -cE '^(pre|post)(un)?install scriptlet' "$work/scripts") == 4)) || fail "scripts of the .rpm: $(cat "$work/scripts")"
    if [[ -e $build/penstock-java.jar ]]; then
        pack_java RPM
        java_rpm=$(echo "$work"/java/*.rpm)
        rm -rf "$work/java_root" && mkdir "$work/java_root"
        (cd "$work/java_root" && rpm2cpio "$java_rpm" | cpio -idm --quiet)
        java_holds "$work/java_root"
        [[ $(rpm -qp --qf '%{ARCH}' "$java_rpm") == noarch && ! $(rpm -qp --scripts "$java_rpm") ]] || fail "the .rpm of penstock-java has scripts, or an architecture"
        rpm -qp --requires "$java_rpm" | grep -qx "penstock = $(rpm -qp --qf '%{VERSION}' "$rpm")" || fail "penstock-java does not depend on this penstock"
        rpm -qp --requires "$java_rpm" | grep -qx 'java-headless >= 1:1.8.0' || fail "penstock-java does not depend on a JRE"
        if rpm -qpl "$java_rpm" | grep -xE '/usr|/usr/(lib|share|share/doc|lib/penstock)'; then fail "the .rpm of penstock-java owns others' folders"; fi
    fi
    [[ ! -e $work/deb ]] || diff <(cd "$work/deb" && find . -type f | sort) <(cd "$work/rpm" && find . -type f ! -path '*/.build-id/*' | sort) ||
        fail "the .deb and the .rpm have different files"
else
    missing+=("no rpmbuild, rpm2cpio or cpio (rpm, cpio): no .rpm")
fi
for script in "$PENSTOCK_SOURCE"/cmake/packaging/rpm/*; do sh -n "$script" || fail "$script"; done

((${#missing[@]} == 0)) || { echo "SKIP: ${missing[*]}"; exit 77; }
