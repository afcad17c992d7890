# Files written to a real HDFS by tests/real/hdfs_writer, and compared with what was acknowledged. Sourced behind lib.sh by tests that
# have started an HDFS.
# shellcheck shell=bash disable=SC2154,SC2034,SC2004

writer=$PENSTOCK_TOOLS/hdfs_writer
[[ -x $writer ]] || skip "no program $writer"
mkdir "$work/copy"

write() { # NAME [OPTION]... of hdfs_writer: sets wrote, its JSON
    local name=$1
    shift
    wrote=$("$writer" --url "$hdfs_url" --path "/test/$name" --copy "$work/copy" --timeout 120000 "$@" 2>>"$work/writer.log") ||
        fail "hdfs_writer ends with $?: $wrote"
    echo "    $name: $wrote"
}

fetched() { hdfs_read "$1" >"$work/read"; } # PATH; the NameNode may send a reader to a DataNode that is gone

same() { # NAME: what is in HDFS is what was acknowledged
    local file
    for file in "$work/copy/$1".*; do
        await 30 fetched "/test/${file##*/}" || fail "${file##*/} cannot be read"
        cmp -s "$work/read" "$file" || fail "${file##*/} differs: $(cmp "$work/read" "$file" 2>&1)"
    done
}

write_start() { # NAME [OPTION]...: in the background, batch after batch until write_wait
    local name=$1
    shift
    rm -f "$work/progress" "$work/until"
    "$writer" --url "$hdfs_url" --path "/test/$name" --copy "$work/copy" --progress "$work/progress" --timeout 120000 \
        --until "$work/until" --batches 100000 --rest 20 "$@" \
        >"$work/$name.json" 2>>"$work/writer.log" &
    writing=$!
    children[$writing]=hdfs_writer
}

write_wait() { # NAME [CODE]: the writer writes some more batches and ends with this exit code (0); with another code it ends by itself
    local code=0
    ((${2:-0} != 0)) || await_progress $(($(<"$work/progress") + 10))
    touch "$work/until"
    wait "$writing" || code=$?
    unset "children[$writing]"
    echo "    $1: $(<"$work/$1.json")"
    ((code == ${2:-0})) || fail "the writer of $1 ends with $code"
}

progressed() { # COUNT: so many batches are acknowledged
    [[ -s $work/progress ]] && (($(<"$work/progress") >= $1))
}

await_progress() { # COUNT
    await 60 progressed "$1" || fail "no $1 batches are acknowledged"
}

# The DataNode, by its server's name, that is in this place of the pipeline of a file.
node_of() { # NAME PLACE
    local data
    data=$(curl -sf "$webhdfs_url/test/$1.0?op=GET_BLOCK_LOCATIONS&user.name=$(id -un)" | grep -oE '"xferPort":[0-9]+' | sed -n "$2p" | cut -d: -f2)
    [[ $data ]] || fail "the DataNodes of $1 are not known"
    echo "datanode$(((data - port - 62) / 3))"
}
