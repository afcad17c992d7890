# Ports for scripts that run at the same time. Sourced; defines
#
#   ports_reserve     prints the first of 100 ports in a row that are this script's until it ends
#   port_is_free PORT
#
# A block is reserved by a file with the number of its owner's process; the block of a process that has ended may be taken
# over. All users share the folder, as they share the ports. The blocks are below the ports that the kernel gives to clients.
# PENSTOCK_PORT names the first port to use instead.
# shellcheck shell=bash

ports_folder=/tmp/penstock-ports

ports_are_free() { # FIRST COUNT: whether no process listens on them, on TCP
    local address state port
    while read -r _ address _ state _; do
        [[ $state == 0A ]] || continue
        port=$((16#${address##*:}))
        ((port < $1 || port >= $1 + $2)) || return 1
    done < <(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null)
}

port_is_free() { ports_are_free "$1" 1; } # PORT

ports_reserve() {
    local try first block owner lock
    [[ -z ${PENSTOCK_PORT:-} ]] || { echo "$PENSTOCK_PORT"; return; }
    mkdir -m 777 "$ports_folder" 2>/dev/null || [[ -d $ports_folder ]]
    exec {lock}<"$ports_folder"
    flock "$lock" # without it two scripts that find the same dead owner both take its block over
    for ((try = 0; try < 1000; try++)); do
        first=$((12000 + RANDOM % 180 * 100))
        block=$ports_folder/$first
        if [[ -e $block ]]; then
            owner=$(<"$block")
            [[ -z $owner || ! -e /proc/$owner ]] || continue
            rm -f "$block"
        fi
        ports_are_free "$first" 100 || continue
        (set -o noclobber && echo $$ >"$block") || continue
        exec {lock}<&-
        echo "$first"
        return
    done
    exec {lock}<&-
    echo "ports_reserve: no 100 free ports in a row" >&2
    return 1
}
