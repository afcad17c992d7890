#!/usr/bin/env bash
# The last stage of cmake/packaging/oci/Containerfile, step by step in a clean Debian instead of the image debian:12: the package is
# installed, the agent runs as process 1 of its own with the user and the command of the file, moves an event, and ends on
# SIGTERM. With OCI_BUILD=1 the first stage too, which takes minutes: the package is then built in a clean Debian.
# Needs: debian
#
#   KEEP=1   keep the working directory
# shellcheck source=tests/real/debian.sh
source "$(dirname "${BASH_SOURCE[0]}")/debian.sh"
command -v python3 >/dev/null || skip "no python3"

cd "$PENSTOCK_SOURCE"
steps() { python3 tests/unit/containerfile.py "$1"; } # STAGE
plain() { # COMMAND...: in the Debian, with this machine's network
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}
folder=/ user='' entry='' command=''
# shellcheck disable=SC2016 # of the inner shell
carry_out() { # INSTRUCTION ARGUMENTS
    case $1 in
    FROM | STOPSIGNAL) ;;
    COPY)
        local from=${2% *} to=${2##* }
        case $from in
        '--from=build /packages/*.deb') cp "$work"/pack/*.deb "$root$to" ;;
        '--from=build /build/penstock-java.jar')
            mkdir -p "$root$to"
            if [[ -e $build/penstock-java.jar ]]; then cp "$build/penstock-java.jar" "$root$to"; else echo "no JDK: no penstock-java.jar"; fi
            ;;
        .) mkdir -p "$root$to" && git ls-files -z | xargs -0 cp --parents -t "$root$to" ;;
        *) fail "COPY $2: the test does not know how" ;;
        esac
        ;;
    WORKDIR) folder=$2; mkdir -p "$root$2" ;;
    RUN) plain sh -c 'cd "$0" && exec sh -c "$1"' "$folder" "$2" >>"$work/run.log" 2>&1 || fail "RUN $2" ;;
    USER) user=$2 ;;
    ENTRYPOINT) entry=$2 ;;
    CMD) command=$2 ;;
    *) fail "$1: the test does not know it" ;;
    esac
}
stage() { # NAME
    local word arguments
    fresh_debian
    plain apt-get update >>"$work/run.log" 2>&1 || { tail -3 "$work/run.log"; skip "apt reaches no mirror of Debian"; }
    while IFS=$'\t' read -r word arguments; do
        step "$word $arguments"
        carry_out "$word" "$arguments" </dev/null
    done < <(steps "$1")
}

if [[ ${OCI_BUILD-} ]]; then
    stage build
    mkdir "$work/pack"
    cp "$root"/packages/*.deb "$work/pack/" || fail "the first stage leaves no package"
    [[ -s $root/build/penstock-java.jar ]] || fail "the first stage leaves no penstock-java.jar"
    rm -rf --one-file-system "$root"
else
    pack_deb
fi
folder=/
stage last

step "runs as process 1"
mapfile -t words < <(jq -r '.[]' <<<"$entry"; jq -r '.[]' <<<"$command")
# shellcheck disable=SC2016 # of the inner shell
unshare --pid --fork --kill-child --mount-proc="$root/proc" --net -- bash -c 'ip link set lo up; exec chroot "$@"' chroot "$root" \
    setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups --bounding-set=-all --no-new-privs \
    env -i PATH=/usr/bin:/bin sh -c 'cd "$0" && exec "$@"' "$folder" "${words[@]}" >"$work/agent.log" 2>&1 &
booted=$!
await 30 grep -q 'listening on' "$work/agent.log" || fail "the agent does not start"
first=$(pgrep -P "$booted")
[[ $(sed -n 's/^NSpid:.*\t//p' "/proc/$first/status") == 1 ]] || fail "the agent is not process 1"
grep -qE "^Uid:\s+${user%:*}\s" "/proc/$first/status" || fail "the agent runs as another user"
# shellcheck disable=SC2016 # of the inner shell
nsenter --target "$first" --net -- bash -c 'exec 3<>/dev/tcp/127.0.0.1/44444; echo "in a container" >&3; read -r -t 60 answer <&3; [ "$answer" = OK ]' ||
    fail "no answer"
await 10 grep -q 'in a container' "$work/agent.log" || fail "no event"
kill -TERM "$first"
wait "$booted" || fail "the agent ends with $?"
booted=''
grep -q 'events accepted 1, delivered 1' "$work/agent.log" || fail "the account of the agent"
echo "installed and run as the Containerfile says"
