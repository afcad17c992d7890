# A HDFS with Kerberos of a test's own, clients of it with configurations of their own, and files that penstock's client writes and
# Hadoop's reads. Sourced behind lib.sh.
# shellcheck shell=bash disable=SC2154,SC2034
# shellcheck source=tests/real/hdfs_files.sh
source "$PENSTOCK_SOURCE/tests/real/hdfs_files.sh"
# shellcheck source=tests/support/kdc.sh
source "$PENSTOCK_SOURCE/tests/support/kdc.sh"
kdc_programs || skip "no krb5-kdc, krb5-admin-server"

secure=$PENSTOCK_SOURCE/tests/real/hdfs_secure
d=$work/secure
end_secure() {
    local code=$?
    "$secure" stop --dir "$d" || true
    ended $code
}
ended() { # CODE: ends the script as lib.sh does
    (exit "$1") || finish
    finish
}
trap end_secure EXIT

serve() { # OPTION... of hdfs_secure
    "$secure" start --dir "$d" --port "$((port + 40))" "$@" >"$work/secure.log" 2>&1 || fail "HDFS with Kerberos does not start"
    hdfs_url=$(tail -n 1 "$work/secure.log")
    export KRB5_CONFIG=$d/krb5.conf KRB5_KDC_PROFILE=$d/kdc.conf
}

# A client's configuration: that of the servers, with some values replaced.
client() { # NAME [KEY=VALUE]...
    local conf=$work/conf-$1 pair
    shift
    mkdir "$conf"
    cp "$d"/conf/{core,hdfs}-site.xml "$conf"
    for pair in "$@"; do
        sed -i "s|<name>${pair%%=*}</name><value>[^<]*|<name>${pair%%=*}</name><value>${pair#*=}|" "$conf"/*.xml
    done
}

as_flume=(--principal flume@PENSTOCK.TEST --keytab "$d/flume.keytab")
as() { # CLIENT [OPTION]...: writes with this client's configuration, and reads it back
    local name=$1
    shift
    write "$name" --conf "$work/conf-$name" --read "${as_flume[@]}" "$@"
}

# A writer that must fail, for this reason; several at the same time, because some try again until the time-out, which is long enough for a busy
# machine: a writer that has not been refused by then would tell that nobody answers.
refusals=0
refused() { # CLIENT PATTERN [OPTION]... of hdfs_writer
    local conf=$work/conf-$1 to=$work/refused.$((refusals += 1))
    echo "$2" >"$to.pattern"
    shift 2
    "$writer" --url "$hdfs_url" --path /test/refused --conf "$conf" --timeout 30000 "$@" >"$to.json" 2>>"$work/writer.log" &
    children[$!]="refused $refusals"
    echo $! >"$to.pid"
}

await_refused() {
    local to pid
    for to in "$work"/refused.*.pid; do
        to=${to%.pid}
        pid=$(<"$to.pid")
        ! wait "$pid" || fail "hdfs_writer did not fail: $(<"$to.pattern")"
        unset "children[$pid]"
        grep -qE -- "$(<"$to.pattern")" "$to.json" || fail "no reason '$(<"$to.pattern")', but: $(<"$to.json")"
        echo "    refused: $(sed 's/.*"reason":"//; s/"}//' "$to.json")"
        rm "$to".*
    done
}

hadoop_reads() { # NAME...: Hadoop's own client gives what was acknowledged
    local name paths=() copies=()
    for name; do paths+=("/test/$name.0"); copies+=("$work/copy/$name.0"); done
    "$secure" fs --dir "$d" -cat "${paths[@]}" >"$work/hadoop" 2>"$work/fs.log" || fail "Hadoop cannot read ${paths[*]}"
    cat "${copies[@]}" | cmp - "$work/hadoop" || fail "Hadoop reads something else"
}
