#!/usr/bin/env bash
# The .deb on a clean machine: a Debian 12 that debootstrap makes, with nothing else in it. apt installs the package with
# its dependencies from Debian's mirror; the agent of the package moves an event, started by hand and, where
# systemd-nspawn can boot that Debian, by systemd, with the sandbox of the unit, a reload, a low port, an upgrade, and purge.
# Needs: debian
#
#   KEEP=1   keep the working directory
# Run as root, with debootstrap. The base of the Debian is kept in the cache.
# shellcheck source=tests/real/debian.sh
source "$(dirname "${BASH_SOURCE[0]}")/debian.sh"

# ---- install ----

fresh_debian
pack_deb
cp "$work"/pack/*.deb "$root/root/penstock.deb" # /tmp is empty after a boot
step "apt install"
apt_inside update >"$work/apt.log" 2>&1 || { tail -3 "$work/apt.log"; skip "apt reaches no mirror of Debian"; }
apt_inside install /root/penstock.deb >>"$work/apt.log" 2>&1 || fail "apt install"

step "what it installed"
inside penstock version >"$work/version.log" || fail "penstock version: exit $?"
! inside ldd /usr/bin/penstock | grep 'not found' || fail "a library is missing"
inside getent passwd penstock | grep -q 'nologin$' || fail "the user penstock: $(inside getent passwd penstock)"
[[ $(inside stat -c '%U:%G %a' /etc/penstock /etc/penstock/agent.properties | paste -sd' ') == 'root:penstock 750 root:penstock 640' ]] ||
    fail "modes of /etc/penstock: $(inside stat -c '%n %U:%G %a' /etc/penstock /etc/penstock/agent.properties)"
# shellcheck disable=SC2016 # the words of dpkg-query
inside dpkg-query --show -f '${Conffiles}' penstock | grep -q /etc/penstock/agent.properties || fail "agent.properties is no conffile"
inside dpkg --verify penstock || fail "dpkg --verify"

step "the agent of the package, started by hand"
cat >"$root/tmp/by-hand" <<'EOF_'
#!/bin/bash
# As the user of the package: an event is answered by OK and appears in the log (its first 16 bytes).
set -eu
setpriv --reuid=penstock --regid=penstock --clear-groups penstock agent -n a1 -f /etc/penstock/agent.properties 2>/tmp/agent.log &
for i in $(seq 300); do
    if exec 3<>/dev/tcp/127.0.0.1/44444; then break; fi 2>/dev/null
    sleep 0.1
done
echo "by hand" >&3
read -r -t 60 answer <&3
[ "$answer" = OK ]
kill $!
wait $!
grep -q "by hand" /tmp/agent.log
EOF_
inside bash /tmp/by-hand >"$work/by-hand.log" 2>&1 || { cat "$root/tmp/agent.log" >>"$work/by-hand.log"; fail "the agent moved no event"; }

# ---- as a service ----

as_service() {
    systemd-nspawn --quiet --directory="$root" --boot --private-network --register=no --keep-unit --console=pipe --machine="penstock-$$" \
        </dev/null >"$work/boot.log" 2>&1 &
    booted=$!
    first() { leader=$(pgrep -P "$booted" | head -1) && [[ $leader ]]; } # the container's first process
    await 30 first || return 1
    on() { nsenter --target "$leader" --all -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }
    up() { [[ $(on systemctl is-system-running 2>/dev/null) =~ ^(running|degraded)$ ]]; }
    await 90 up
}
event() { # PORT TEXT: sends a line, expects OK
    # shellcheck disable=SC2016 # of the inner shell
    on bash -c 'exec 3<>/dev/tcp/127.0.0.1/$0; echo "$1" >&3; read -r -t 60 answer <&3; [ "$answer" = OK ]' "$1" "$2"
}
in_journal() { on journalctl -q -u penstock --no-pager -o cat | grep -qF -- "$1"; }

step "as a service: booting"
rm "$root/usr/sbin/policy-rc.d"
command -v systemd-nspawn >/dev/null || { echo "SKIP: no systemd-nspawn (systemd-container): not started as a service"; exit 77; }
as_service || { tail -5 "$work/boot.log"; echo "SKIP: systemd-nspawn does not boot here: not started as a service"; exit 77; }

step "start, event, reload"
[[ $(on systemctl is-enabled penstock) == disabled ]] || fail "an installation enables the service"
systemctl_does() { # WORD: start, reload, ..
    on systemctl "$1" penstock && return
    on journalctl --no-pager -n 30 || true
    fail "systemctl $1"
}
systemctl_does start
event 44444 "by systemd" || fail "the service answers no event"
await 10 in_journal "by systemd" || fail "no event in the journal"
pid=$(on systemctl show -p MainPID --value penstock)
on cat "/proc/$pid/status" >"$work/status.log"
grep -qE '^Uid:.*\b[1-9]' "$work/status.log" || fail "the service runs as root"
[[ $(awk '/^Cap(Eff|Prm|Bnd|Amb):/ { print $2 }' "$work/status.log" | sort -u) == 0000000000000000 ]] || fail "capabilities: $(grep ^Cap "$work/status.log")"
[[ $(on readlink "/proc/$pid/ns/user") != $(on readlink /proc/1/ns/user) ]] || fail "no user namespace of its own"
on grep -qE '^Max core file size +0 +0 ' "/proc/$pid/limits" || fail "LimitCORE"
[[ $(on stat -c %u "/proc/$pid/environ") == 0 ]] || fail "the service is dumpable"
[[ $(on systemctl show -p MemoryMax --value penstock) =~ ^[0-9]+$ ]] || fail "MemoryMax"
[[ $(on systemctl show -p TasksMax --value penstock) == 4096 ]] || fail "TasksMax"
on sed -i 's/44444/44445/' /etc/penstock/agent.properties
systemctl_does reload
await 30 event 44445 "after a reload" 2>/dev/null || fail "no event after a reload"
[[ $(on systemctl show -p MainPID --value penstock) == "$pid" ]] || fail "a reload restarted the service"

step "a low port"
on sed -i 's/44445/514/' /etc/penstock/agent.properties
systemctl_does restart
await 30 in_journal "port 514 needs a privilege" || fail "no message about port 514"
on mkdir -p /etc/systemd/system/penstock.service.d
on cp /usr/share/doc/penstock/conf/systemd/low-ports.conf /etc/systemd/system/penstock.service.d/
on systemctl daemon-reload
systemctl_does restart
await 30 event 514 "low port" 2>/dev/null || fail "low-ports.conf does not open port 514"
await 10 in_journal "low port" || fail "no event in the journal"

step "upgrade and purge"
pid=$(on systemctl show -p MainPID --value penstock)
on dpkg -i /root/penstock.deb >"$work/upgrade.log" 2>&1 || fail "an upgrade"
[[ $(on systemctl show -p MainPID --value penstock) != "$pid" ]] || fail "an upgrade does not restart the running service"
on grep -q ' = 514' /etc/penstock/agent.properties || fail "an upgrade overwrote the configuration"
on systemctl is-active penstock >/dev/null || fail "not running after an upgrade"
on apt-get purge -y penstock >"$work/purge.log" 2>&1 || fail "apt purge"
! on systemctl is-active penstock >/dev/null || fail "runs after purge"
for file in /usr/bin/penstock /etc/penstock/agent.properties /var/lib/penstock /usr/share/doc/penstock /usr/lib/penstock; do
    ! on test -e "$file" || fail "purge leaves $file"
done
on systemctl poweroff 2>/dev/null || true
wait "$booted" 2>/dev/null || true
booted=''
echo "installed, started, reloaded, upgraded and purged on a clean $suite"
