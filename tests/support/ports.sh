# Ports for scripts that run at the same time. Sourced; defines
#
#   ports_reserve     prints the first of 100 ports in a row that are this script's until it ends
#   port_is_free PORT
#
# A block is reserved by a folder that names the owner's process; the block of a process that has ended may be taken
# over. The blocks are below the ports that the kernel gives to clients. PENSTOCK_PORT names the first port to use
# instead.
# shellcheck shell=bash

ports_folder=${TMPDIR:-/tmp}/penstock-ports-$UID

port_is_free() { # PORT: whether no process listens on it, on TCP
    local hex
    printf -v hex ':%04X ' "$1"
    ! grep -qsE "^ *[0-9]*: [0-9A-F]*${hex}[0-9A-F:]* 0A " /proc/net/tcp /proc/net/tcp6
}

ports_block_is_free() { # FIRST
    local at
    for ((at = $1; at < $1 + 100; at++)); do port_is_free "$at" || return 1; done
}

ports_reserve() {
    local try first block owner
    [[ -z ${PENSTOCK_PORT:-} ]] || { echo "$PENSTOCK_PORT"; return; }
    mkdir -p "$ports_folder"
    for ((try = 0; try < 1000; try++)); do
        first=$((12000 + RANDOM % 180 * 100))
        block=$ports_folder/$first
        if [[ -e $block/owner ]]; then
            owner=$(<"$block/owner") || continue
            [[ -n $owner && ! -e /proc/$owner ]] || continue
            rm -rf "$block" # its owner was killed
        fi
        mkdir "$block" 2>/dev/null || continue
        echo $$ >"$block/owner"
        if ports_block_is_free "$first"; then
            echo "$first"
            return
        fi
        rm -rf "$block"
    done
    echo "ports_reserve: no 100 free ports in a row" >&2
    return 1
}
