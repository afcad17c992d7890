# Shared by the tests of Flume's own Java components with a real server, which source it first. The components run between
# penstock and that server, beside the real Flume (oracle.sh), and then with kills of the Java process under load.
#
#   server_begin SERVER        starts the server on `server_port`, in $work/SERVER; it ends with the script
#   ask VERB WORD...           the server's script
#   kill_java_often, all_there see below; KILLS=N says how many kills (default 2)
# shellcheck shell=bash
# shellcheck source=tests/real/oracle.sh disable=SC2154
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
# shellcheck source=tests/support/seed.sh
source "$here/../support/seed.sh"
with_java_host
kills=${KILLS:-2}

server='' children=()
server_begin() { # SERVER
    "$here/$1" fetch >"$work/fetch.log" 2>&1 || skip "the jars of $1 cannot be fetched"
    server=$1
    server_port=$(ports_reserve)
    ask start >"$work/start.log" 2>&1 || fail "$1 does not start"
}
ask() { # VERB WORD...: of the server's script
    "$here/$server" "$@" --dir "$work/$server" --port "$server_port"
}
server_end() {
    local code=$?
    ((${#children[@]} == 0)) || kill -KILL "${children[@]}" 2>/dev/null || true
    [[ ! $server ]] || ask stop >/dev/null 2>&1 || true
    finish "$code"
}
trap server_end EXIT

# ---- kills ----

ends() { grep -c 'the Java host was killed by signal 9' "$work/kill.log" || true; }

draw_kills() {
    local seed
    seed=$(seed_of_run)
    RANDOM=$((seed % 32768))
    echo "seed $seed (PENSTOCK_SEED)"
}

# After four kills the next start is 16 s away; a new agent begins with 1 s.
kill_java_often() { # FUNCTION: prints how much has come out; every other kill waits until more has
    local kill before came began
    for ((kill = 1; kill <= kills; kill++)); do
        before=$("$1")
        for ((came = 0; kill % 2 && came < 600; came++)); do
            began=$EPOCHREALTIME
            (($("$1") > before)) && break
            pause_after "$began" 500 # each look reads all that the server has
            patient_tenth
        done
        ((came < 600)) || fail "nothing comes out after $((kill - 1)) kills"
        sleep "$((RANDOM % 3)).$((RANDOM % 10))"
        kill_java
        if ((kill % 4 == 0)); then
            cat "$work/kill.log" >>"$work/earlier.logs"
            stop TERM
            start "$work/kill" "$PENSTOCK"
        fi
    done
}

# Expects that every word of the first file is among those that the function prints; prints the account.
all_there() { # EXPECTED FUNCTION...
    local expected=$1 i missing began
    shift
    LC_ALL=C sort -u "$expected" >"$work/expected"
    for ((i = 0; i < 900; i++)); do
        began=$EPOCHREALTIME
        "$@" >"$work/came"
        missing=$(LC_ALL=C sort -u "$work/came" | LC_ALL=C comm -23 "$work/expected" - | wc -l)
        ((missing > 0)) || break
        pause_after "$began" 500
        patient_tenth
    done
    echo "Java killed $kills times: $(wc -l <"$work/expected") acknowledged, $missing lost," \
        "$(($(wc -l <"$work/came") - $(sort -u "$work/came" | wc -l))) came again"
    ((missing == 0)) || fail "$missing events are missing, such as $(LC_ALL=C sort -u "$work/came" | LC_ALL=C comm -23 "$work/expected" - | head -3 | paste -sd ' ')"
}
