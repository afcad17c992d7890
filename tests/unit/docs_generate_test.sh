#!/usr/bin/env bash
# docs/generate adds a new component to its row of docs/COMPONENTS.md: what Flume has among Flume's, what it has not behind
# `; only in penstock:`. A row keeps its order and its names, and the tree of a finished change stays as it is.
# No sanitizer: it runs a script over a copy of two files, with a program that prints what the test says.
set -euo pipefail

command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/docs" "$work/stages"
cp "$PENSTOCK_SOURCE/docs/generate" "$work/docs/"
fail() {
    echo "FAILED: $*"
    exit 1
}

cat >"$work/program" <<'END'
#!/usr/bin/env bash
case $2 in
--markdown) echo '# Options' ;;
--json) cat "$(dirname "$0")/components.json" ;;
esac
END
chmod +x "$work/program"
cat >"$work/components.json" <<'END'
{"kinds": [
    {"kind": "sink", "components": [
        {"name": "kafka", "aliases": ["org.apache.flume.sink.kafka.KafkaSink"]},
        {"name": "morphline", "aliases": ["org.apache.flume.sink.solr.morphline.MorphlineSolrSink"]},
        {"name": "null", "aliases": ["org.apache.flume.sink.NullSink"]},
        {"name": "pulsar", "aliases": []},
        {"name": "nats", "aliases": []}]},
    {"kind": "selector", "components": [
        {"name": "lottery", "aliases": ["org.apache.flume.channel.LotteryChannelSelector"]},
        {"name": "replicating", "aliases": ["org.apache.flume.channel.ReplicatingChannelSelector"]},
        {"name": "rules", "aliases": []},
        {"name": "hash", "aliases": []}]}]}
END
cat >"$work/stages/stages.def" <<'END'
STAGE(sink, pulsar)
STAGE(selector, hash)
END
cat >"$work/docs/COMPONENTS.md" <<'END'
| selectors | `replicating`; only in penstock: `rules` |
| sinks | `null`, `KafkaSink` |
END
cat >"$work/wanted" <<'END'
| selectors | `replicating`, `lottery`; only in penstock: `rules`, `hash` |
| sinks | `null`, `KafkaSink`, `morphline`; only in penstock: `pulsar`, `nats` |
END

for turn in first second; do # the second one finds nothing to add
    "$work/docs/generate" "$work/program"
    diff "$work/wanted" "$work/docs/COMPONENTS.md" || fail "the $turn turn wrote another table"
    [[ $(<"$work/docs/OPTIONS.md") == '# Options' ]] || fail "docs/OPTIONS.md is not what the program prints"
done

echo 'STAGE(sink, ghost)' >>"$work/stages/stages.def"
! "$work/docs/generate" "$work/program" 2>"$work/err" || fail "a program without the stage is taken"
grep -qF 'was built without ghost: build it again' "$work/err" || fail "another message: $(<"$work/err")"
