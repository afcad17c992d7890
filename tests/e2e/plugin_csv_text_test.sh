#!/usr/bin/env bash
# The example of a serializer (csv_text.c): a reader of CSV that is not ours gets back each header and body, whatever quotes, commas and ends of lines
# they have; the line of the columns' names.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/e2e/plugin_installed.sh
source "$(dirname "${BASH_SOURCE[0]}")/plugin_installed.sh"
mkdir -p plugins/csv_text/penstock spool
cc "${flags[@]}" -O1 -shared -fPIC "$root/conf/examples/plugins/csv_text.c" -o plugins/csv_text/penstock/csv_text.so 2>cc.err || fail "csv_text.c does not compile"

# Each file is an event; its name is a header. All texts of up to four of these characters, and longer ones.
python3 - <<'END' || fail "no files"
import itertools
texts = ["".join(some) for count in range(1, 5) for some in itertools.product('a",\n\r', repeat=count)]
texts += ["x" * 5000, '"' * 3000, 'one "two" three, "four"\n', "a;b\tc 'd'"]
for number, text in enumerate(texts):
    name = "".join(c for c in text if c not in "\r\n")[:40]
    open(f"spool/{number:04},{name}", "w", newline="").write(text)
END
agent() { # FOLDER MORE...: runs an agent until all files are taken
    cp -r spool spooled
    mkdir "$1"
    cat >agent.properties <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = spooldir
a1.sources.r1.spoolDir = $work/spooled
a1.sources.r1.pollDelay = 50
a1.sources.r1.deletePolicy = immediate
a1.sources.r1.deserializer = org.apache.flume.sink.solr.morphline.BlobDeserializer\$Builder
a1.sources.r1.basenameHeader = true
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 10000
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = $work/$1
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.serializer = csv_text
END
    printf '%s\n' "${@:2}" >>agent.properties
    "$PENSTOCK" agent -n a1 -f agent.properties --plugins-path plugins >agent.out 2>agent.err &
    agent=$!
    children[$agent]=1
    await "all files are taken" none_left
    stop_agent TERM 0
    rm -r spooled
}
none_left() { [[ -z $(find spooled -maxdepth 1 -type f) ]]; }
records() { # FOLDER FIRST: compares the records with the files; the first one is these words
    python3 - "$@" <<'END' || fail "$1: other records"
import csv, glob, os, sys
folder, first = sys.argv[1], sys.argv[2:]
[path] = glob.glob(folder + "/*")
with open(path, newline="") as file:
    got = list(csv.reader(file, strict=True))
if first:
    begin = got.pop(0)
    assert begin == first, begin
wanted = [[name, "", open("spool/" + name, newline="").read()] for name in sorted(os.listdir("spool"))]
wrong = [(a, b) for a, b in zip(sorted(got), wanted) if a != b]
assert len(got) == len(wanted) and not wrong, f"{len(got)} records, not {len(wanted)}; the first wrong ones: {wrong[:2]}"
END
}
agent plain "a1.sinks.k1.sink.serializer.columns = basename, none"
records plain
agent headed "a1.sinks.k1.sink.serializer.columns = basename, \"none\"" "a1.sinks.k1.sink.serializer.heading = true"
records headed basename '"none"' body

# A field that needs no quotes has none.
grep -qxF "a;b	c 'd'" <(sed -n 's/^.*,,//p' plain/*) || fail "quotes where none are needed"
