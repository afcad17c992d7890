#!/usr/bin/env bash
# Needs: hdfs
# A name service of two real NameNodes (HA by hand: the edits are in a shared directory) and penstock's own client, which makes
# files of no bytes while the active NameNode is killed, stops, hands over, and while both are standbys for a moment: every call
# must succeed, and every file must be there, under its final name. By hand, because a NameNode that is told to become the active one
# does not always on a busy machine:
#
#   PENSTOCK=build/release/penstock bash tests/real/hdfs_failover.sh
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

calls=$PENSTOCK_TOOLS/hdfs_calls
[[ -x $calls ]] || skip "no program $calls"
"$hdfs" fetch || skip "Hadoop is not there"
jars=$("$hdfs" classpath --dir "$work/hdfs")
jars=${jars#*:}

property() { echo "<property><name>$1</name><value>$2</value></property>"; }

configure() { # NAMENODE: its folder
    mkdir -p "$work/$1/conf/webapps/hdfs"
    printf '%s\n' 'log4j.rootLogger=WARN, out' log4j.appender.out=org.apache.log4j.ConsoleAppender log4j.appender.out.target=System.err \
        log4j.appender.out.layout=org.apache.log4j.SimpleLayout >"$work/$1/conf/log4j.properties"
    {
        echo '<configuration>'
        property fs.defaultFS hdfs://ns
        property dfs.nameservices ns
        property dfs.ha.namenodes.ns a,b
        property dfs.namenode.rpc-address.ns.a "127.0.0.1:$((port + 60))"
        property dfs.namenode.rpc-address.ns.b "127.0.0.1:$((port + 61))"
        property dfs.namenode.http-address.ns.a "127.0.0.1:$((port + 62))"
        property dfs.namenode.http-address.ns.b "127.0.0.1:$((port + 63))"
        property dfs.ha.namenode.id "$1"
        property dfs.namenode.name.dir "file://$work/$1/data"
        property dfs.namenode.shared.edits.dir "file://$work/shared"
        property dfs.ha.fencing.methods 'shell(true)'
        property dfs.ha.tail-edits.period 1
        property dfs.namenode.safemode.extension 0
        property dfs.client.failover.proxy.provider.ns org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider
        property dfs.client.failover.sleep.base.millis 100
        property dfs.client.failover.sleep.max.millis 1000
        property ipc.client.rpc-timeout.ms 3s
        echo '</configuration>'
    } | tee "$work/$1/conf/core-site.xml" >"$work/$1/conf/hdfs-site.xml"
}

hadoop() { # NAMENODE CLASS [ARG]...: replaces this shell
    local name=$1
    shift
    exec java -Xmx200m -XX:TieredStopAtLevel=1 --add-opens java.base/java.lang=ALL-UNNAMED -cp "$work/$name/conf:$jars" "$@"
}

namenode_start() { # NAMENODE
    (hadoop "$1" org.apache.hadoop.hdfs.server.namenode.NameNode) >>"$work/$1.log" 2>&1 </dev/null &
    namenodes[$1]=$!
    children[$!]="NameNode $1"
}

declare -A namenodes=()
namenode_kill() { # NAMENODE
    kill -KILL "${namenodes[$1]}"
    wait "${namenodes[$1]}" 2>/dev/null || true
    unset "children[${namenodes[$1]}]"
}

declare -A web=([a]=$((port + 62)) [b]=$((port + 63)))
state_is() { # NAMENODE active|standby
    curl -sf "http://127.0.0.1:${web[$1]}/jmx?qry=Hadoop:service=NameNode,name=NameNodeStatus" | grep -q "\"State\" : \"$2\""
}

admin() { (hadoop a org.apache.hadoop.hdfs.tools.DFSHAAdmin "$@") >>"$work/admin.log" 2>&1 || true; }
become() { # NAMENODE active|standby
    state_is "$1" "$2" && return
    if [[ $2 == active ]]; then admin -transitionToActive --forceactive "$1"; else admin -transitionToStandby "$1"; fi
    state_is "$1" "$2"
}
becomes() { # NAMENODE active|standby
    await 180 become "$1" "$2" || fail "NameNode $1 does not become $2"
}

making=''
make_start() { # NAME
    : >"$work/$1.out"
    "$calls" --until "$work/$1.stop" ns "/$1" "$work/a/conf" >"$work/$1.out" 2>>"$work/calls.log" &
    making=$!
    children[$making]=hdfs_calls
}

makes_on() { # NAME: it has made at least a hundred files more than when it was asked first
    local before=$1 now
    now=$(wc -l <"$work/$2.out")
    ((now > before))
}
make_await() { # NAME: waits until it is in the middle, or goes on
    await 240 makes_on "$(wc -l <"$work/$1.out")" "$1" || fail "no files are made"
}

make_wait() { # NAME NAMENODE: goes on, and ends: every call has succeeded, and every file is there under its final name
    local there made
    make_await "$1"
    touch "$work/$1.stop"
    wait "$making" || { cat "$work/$1.out"; fail "calls have failed"; }
    unset "children[$making]"
    made=$(tail -1 "$work/$1.out")
    [[ $made =~ ^made\ ([0-9]+)\ failed\ 0$ ]] || fail "$made"
    curl -sf "http://127.0.0.1:${web[$2]}/webhdfs/v1/$1?op=LISTSTATUS&user.name=$(id -un)" >"$work/list" || fail "no list of the files"
    there=$(grep -o '"pathSuffix":"[0-9]*"' "$work/list" | sort -u | wc -l)
    ((there == BASH_REMATCH[1])) || fail "$there files of ${BASH_REMATCH[1]}"
}

step "two NameNodes"
mkdir "$work/shared"
configure a
configure b
(hadoop a org.apache.hadoop.hdfs.server.namenode.NameNode -format -nonInteractive) >"$work/format.log" 2>&1 || fail "no format"
cp -r "$work/a/data" "$work/b/data" # what bootstrapStandby does, for a name space that is empty
namenode_start a
namenode_start b
becomes a active

# PS_FILE_OK is 0, _MISSING 1, _EXISTS 2, _LEASE 5, _UNAVAILABLE 6.
step "each call once: there are no DataNodes"
"$calls" ns /calls "$work/a/conf" >"$work/one.out" 2>>"$work/calls.log" || fail "hdfs_calls ends with $?"
awk '{ print $1, $2 }' "$work/one.out" >"$work/one"
diff - "$work/one" <<'END' || fail "$(cat "$work/one.out")"
getServerDefaults 0
getFsStats 0
create 0
create-again 5
addBlock 6
fsync 0
renewLease 0
isFileClosed 0
complete 0
isFileClosed 0
rename 0
rename-missing 1
append 0
create 0
rename-exists 2
recoverLease 0
getBlockLocations 0
getListing 0
getListing-missing 1
getFileInfo 0
getDataEncryptionKey 0
delete 0
delete-missing 0
getFileInfo-missing 1
END

step "the active one is killed"
make_start killed
make_await killed
namenode_kill a
becomes b active
make_wait killed b
grep -q 'WARN hdfs_calls: hdfs://ns: .*tried again' "$work/calls.log" || fail "nobody noticed"
grep -q "INFO hdfs_calls: hdfs://ns: 127.0.0.1:$((port + 61)) answers" "$work/calls.log" || fail "the active one is not named"

step "the other one comes back, and takes over; both are standbys for a moment"
namenode_start a
await 180 state_is a standby || fail "NameNode a does not start"
make_start handed
make_await handed
becomes b standby
becomes a active
make_wait handed a

step "the active one stands still"
make_start stopped
make_await stopped
kill -STOP "${namenodes[a]}"
becomes b active
make_wait stopped b
step "done"
