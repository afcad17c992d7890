# What tests share that have a sink of Flume's in Java, instead of java_server.sh. The script defines
# `sink_keys NAME`, which prints the keys of the sink k1, and `words NAME`, which prints the first word of each event at the far end, NAME
# being flume, penstock or kill. `sinks=3` before gives the source's events to k1, k2 and k3. Then
#
#   same_input EVENTS    gives the same lines to Flume and to penstock, and waits until all of them are at the far end
#   killed               kills the Java process again and again while a client sends lines, and expects every line that was answered
# shellcheck shell=bash
# shellcheck source=tests/real/java_server.sh disable=SC2154
source "$(dirname "${BASH_SOURCE[0]}")/java_server.sh"

numbered() { seq -s ' ' -f "$1%g" "${sinks:-1}"; } # LETTER
flow() { # DIR SOURCE: a source, and a file channel for each sink
    local i
    mkdir -p "$1"
    printf 'a1.%s\n' "sources = r1" "channels = $(numbered c)" "sinks = $(numbered k)" "sources.r1.channels = $(numbered c)"
    for ((i = 1; i <= ${sinks:-1}; i++)); do
        printf "a1.channels.c$i.%s\n" "type = file" "checkpointDir = $1/c$i.checkpoint" "dataDirs = $1/c$i.data" "capacity = 100000" \
            "transactionCapacity = 1000"
        echo "a1.sinks.k$i.channel = c$i"
    done
    if [[ $2 == exec ]]; then
        printf 'a1.sources.r1.%s\n' "type = exec" "command = cat $work/input"
    else
        printf 'a1.sources.r1.%s\n' "type = netcat" "bind = 127.0.0.1" "port = $((server_port + 50))" "max-line-length = 2000"
    fi
    sink_keys "${1##*/}"
}
agent_file() { flow "$1" exec; }
arrived() { words "${1##*/}" | wc -l; }
same_input() { # EVENTS [TEXT]: how each line ends
    seq 1 "$1" | sed "s/.*/line-& of the file ${2:-äöü}/" >"$work/input"
    both "$1"
    for engine in flume penstock; do words $engine | sort >"$work/$engine.words"; done
    same "the events" "$work/flume.words" "$work/penstock.words"
}

# ---- what is in HDFS, below web_root ----

# What goes wrong with a reading is in web.log, which `fail` prints: a directory that is not there yet, too. A far end from which nothing comes is
# given up for this time, long before the wait for events ends, and asked again.
web() { # PATH OPERATION FILE: the answer; no file if there is none
    curl -sSfL --speed-limit 1 --speed-time 15 --connect-timeout 15 -o "$3" --remove-on-error \
        "http://127.0.0.1:$((server_port + 1))/webhdfs/v1/$web_root/$1?op=$2&user.name=$(id -un)" 2>"$work/web.err" && return
    rm -f "$3"
    echo "$(date +%T) $1 $2: $(<"$work/web.err")" >>"$work/web.log"
    return 1
}
files() { # NAME [REGEX]: those whose names have it
    web "$1" LISTSTATUS "$work/list" && grep -o '"pathSuffix":"[^"]*"' "$work/list" | cut -d '"' -f 4 | grep -e "${2:-}"
}
lines() { # NAME [REGEX]: of its files, those that a killed writer left open among them; a file may get another name between the list and the reading
    local try file failed=1
    for ((try = 0; try < 3 && failed > 0; try++)); do
        failed=0
        : >"$work/whole"
        for file in $(files "$@"); do
            if web "$1/$file" OPEN "$work/file"; then cat "$work/file" >>"$work/whole"; else ((++failed)); fi
        done
    done
    cat "$work/whole"
}

# ---- kills ----

came() { # also says it to the client, which does not get further ahead than the kills need
    words kill | wc -l | tee "$work/came.new"
    mv "$work/came.new" "$work/came.w"
}
killed() {
    draw_kills
    echo 0 >"$work/came.w"
    flow "$work/kill" netcat >"$work/kill.properties"
    start "$work/kill" "$PENSTOCK"
    python3 "$here/numbered_client.py" $((server_port + 50)) w "$work" netcat "${RATE:-1000}" 2>"$work/client.log" &
    children+=($!)
    kill_java_often came
    touch "$work/stop"
    wait "${children[-1]}" || fail "the client ends with $?"
    unset 'children[-1]'
    all_there "$work/acked.w" words kill
    stop TERM
}
