#!/usr/bin/env bash
# Needs: flume
# Source spooldir compared with a real Flume's, on the same directories: events, headers, what becomes of the files; and each takes over
# the position of the other, killed in the middle of a file.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
command -v python3 >/dev/null || skip "no python3"

flows="lines replace ignore latin utf16 youngest immediate marks deep hash literal short"

make_files() { # DIR: the directories of all flows
    python3 - "$1" <<'END'
import os, struct, sys, zlib
top = sys.argv[1]
def put(path, contents, age):
    path = f"{top}/{path}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(contents)
    os.utime(path, (1_600_000_000 - age, 1_600_000_000 - age))
text = "é plain\r\n\nlong " + "x" * 5000 + "\n" + "y" * 2048 + "\n" + "ä" * 2048 + "\nemoji 😀 end\nlast"
put("lines/b", text.encode(), 10)
put("lines/a", b"a comes later\n", 5)
put("lines/empty", b"", 7)
put("lines/c", b"as old as d\n", 3)
put("lines/d", b"as old as c\n", 3)
put("lines/cut", b"cut \xe2\x82", 2)
put("lines/.hidden", b"hidden\n", 1)
put("lines/old.COMPLETED", b"old\n", 1)
bad = b"a\xffz\n\xe2\x82\nx\xf0\x9f\x98y\n\xed\xa0\x80\n\xc3\n\xc0\xaf!\n" + b"\xff" * 30 + b"\n\xf0\x9f\n\xe0\x80\x80\nend\n"
for flow in "replace", "ignore":
    put(f"{flow}/bad", bad, 1)
put("latin/x", bytes(range(32, 256)) + b"\nnext\n", 1)
put("utf16/x", "üä\nzwei €\nletzte".encode("utf-16-be"), 1)
for i in range(20):
    put(f"youngest/f{i}", f"file {i}\n".encode(), i * 7 % 20)
    put(f"immediate/f{i}", f"file {i}\n".encode(), i)
    put(f"marks/{'sub/' if i % 3 == 0 else ''}f{i}", f"file {i}\n".encode(), i)
    put(f"deep/{'one/' if i % 2 else ''}{'two/' if i % 4 == 3 else ''}f{i}.{'log' if i % 5 else 'txt'}", f"file {i}\n".encode(), i)
put("deep/skip/no.log", b"no\n", 1)
put("deep/.dot/no.log", b"no\n", 1)
put("deep/no.log.gz", b"no\n", 1)
put("short/x", b"abcdefghijk\nabcd\nabc\n\n", 1)
def number(n):
    n = n << 1 ^ n >> 63
    out = b""
    while n >= 0x80:
        out, n = out + bytes([n & 0x7f | 0x80]), n >> 7
    return out + bytes([n])
def string(s):
    return number(len(s)) + s
sync = bytes(range(16))
schema = b'{"type":"record","name":"R","namespace":"x.y","fields":[{"name":"s","type":"string"},{"name":"n","type":["null","int"]},' \
    b'{"name":"a","type":{"type":"array","items":"string"}},{"name":"e","type":{"type":"enum","name":"E","symbols":["P","Q"]}}]}'
def container(codec, blocks):
    out = b"Obj\x01" + number(2) + string(b"avro.schema") + string(schema) + string(b"avro.codec") + string(codec) + b"\0" + sync
    for block in blocks:
        data = b"".join(string(b"record %d" % i) + (number(0) if i % 2 else number(1) + number(i)) +
                        (number(1) + string(b"item") + number(0)) + number(i % 2) for i in block)
        if codec == b"deflate":
            packer = zlib.compressobj(6, zlib.DEFLATED, -15)
            data = packer.compress(data) + packer.flush()
        out += number(len(block)) + string(data) + sync
    return out
for flow in "hash", "literal":
    put(f"{flow}/null.avro", container(b"null", [range(0, 50), range(50, 120)]), 3)
    put(f"{flow}/deflate.avro", container(b"deflate", [range(200, 300), range(300, 301)]), 2)
END
}

agent_file() {
    local flow
    [[ -d $1/spool ]] || make_files "$1/spool"
    cat <<-EOF_
	a1.sources = $flows
	a1.channels = $flows
	a1.sinks = $flows
	a1.sources.lines.fileHeader = true
	a1.sources.lines.basenameHeader = true
	a1.sources.replace.decodeErrorPolicy = REPLACE
	a1.sources.ignore.decodeErrorPolicy = ignore
	a1.sources.latin.inputCharset = ISO-8859-1
	a1.sources.utf16.inputCharset = UTF-16BE
	a1.sources.youngest.consumeOrder = youngest
	a1.sources.immediate.deletePolicy = immediate
	a1.sources.marks.trackingPolicy = tracker_dir
	a1.sources.marks.trackerDir = tracked
	a1.sources.marks.recursiveDirectorySearch = true
	a1.sources.marks.basenameHeader = true
	a1.sources.deep.recursiveDirectorySearch = true
	a1.sources.deep.includePattern = .*\\\\.(log|txt)
	a1.sources.deep.ignorePattern = skip|f1\\\\..*
	a1.sources.deep.fileHeader = true
	a1.sources.deep.fileHeaderKey = path
	a1.sources.deep.fileSuffix = .done
	a1.sources.hash.deserializer = AVRO
	a1.sources.literal.deserializer = org.apache.flume.serialization.AvroEventDeserializer\$Builder
	a1.sources.literal.deserializer.schemaType = LITERAL
	a1.sources.short.bufferMaxLineLength = 4
	EOF_
    for flow in $flows; do
        cat <<-EOF_
		a1.sources.$flow.type = spooldir
		a1.sources.$flow.spoolDir = $1/spool/$flow
		a1.sources.$flow.channels = $flow
		EOF_
        into_files "$flow" "$1/out/$flow" 1000 1000
    done
}
arrived() { find "$1/out" -type f -exec cat {} + 2>/dev/null | wc -l; }
leaving() { # DIR: when no more events come, and nothing becomes of the files any more
    local before='' now
    while now=$(arrived "$1" && find "$1/spool" | sort); [[ $now != "$before" ]]; do before=$now; patient_rest 3; done
}

both "${EVENTS:-400}"

for flow in $flows; do
    same_content "events of $flow" "out/$flow" sed -E "s#$work/(flume|penstock)/#TOP/#g"
done
for engine in flume penstock; do
    (cd "$work/$engine/spool" && find . -type f ! -name .flumespool-main.meta | sort) >"$work/$engine.text"
done
same "what became of the files" "$work/flume.text" "$work/penstock.text"

# ---- one takes over from the other ----

position() { # META: the last offset in it
    python3 - "$1" <<'END'
import sys
data = open(sys.argv[1], "rb").read()
def number(at):
    shift = value = 0
    while True:
        byte = data[at]; at += 1
        value |= (byte & 0x7f) << shift; shift += 7
        if byte < 0x80: return (value >> 1) ^ -(value & 1), at
at = 4
while True:
    count, at = number(at)
    if count == 0: break
    for _ in range(2 * abs(count)):
        size, at = number(at); at += size
at += 16
offset = 0
while at < len(data):
    count, at = number(at)
    size, at = number(at)
    end = at + size
    while at < end: offset, at = number(at)
    at = end + 16
print(offset)
END
}
LINE=1000
flow_file() { # DIR
    cat <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = spooldir
	a1.sources.r1.spoolDir = $work/shared/spool
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 1000
	a1.channels.c1.transactionCapacity = 1000
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.channel = c1
	a1.sinks.k1.sink.directory = $1
	a1.sinks.k1.sink.rollInterval = 0
	EOF_
}
meta=$work/shared/spool/.flumespool/.flumespool-main.meta
# Begins the first agent so that its sink writes no more than 20,000 KiB, and fails from there on: the channel is full then, and the source
# stands in the middle of the file, however long this script does not get its turn.
limited() { # COMMAND...: becomes it, so this is for the background
    ulimit -f 20000
    trap '' XFSZ
    exec "$@"
}
stands_inside() { # it is stopped while its position is read, so that it is killed where it was seen
    [[ -e $meta ]] || return 1
    kill -STOP "$agent"
    (($(position "$meta" 2>/dev/null || echo 0) <= 100000)) || return 0
    kill -CONT "$agent"
    return 1
}
has_begun() { (($(find "$1" -type f -exec head -c $LINE {} \; | wc -c) >= LINE)); } # DIR
for first in penstock flume; do
    second=$([[ $first == flume ]] && echo penstock || echo flume)
    rm -rf "$work/shared"
    mkdir -p "$work/shared/spool" "$work/shared/first" "$work/shared/second"
    python3 -c "
with open('$work/shared/spool/large', 'w') as out:
    for i in range(${LINES_LARGE:-100000}):
        out.write(f'{i:09} ' + 'x' * ($LINE - 11) + '\n')"
    flow_file "$work/shared/first" >"$work/first.properties"
    flow_file "$work/shared/second" >"$work/second.properties"
    start "$work/first" limited "${engines[$first]}"
    await 120 stands_inside || fail "$first wrote no position"
    stop KILL
    at=$(position "$meta")
    ((at % LINE == 0 && at > 0)) || fail "$first's position: $at"
    start "$work/second" "${engines[$second]}"
    await 60 has_begun "$work/shared/second" || fail "$second delivers nothing"
    stop KILL
    begun=$(find "$work/shared/second" -type f -exec head -c 9 {} \;)
    ((10#$begun == at / LINE)) || fail "$second began at line $begun, not $((at / LINE)), where $first stood"
    (($(cat "$work/shared/first/"* | wc -c) >= at - LINE * 2000)) || fail "$first's position is beyond what it delivered"
    echo "$second goes on where $first stood: line $((10#$begun))"
done
