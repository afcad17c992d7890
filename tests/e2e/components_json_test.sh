#!/usr/bin/env bash
# penstock components --json: it is what its schema says, and has every stage and every key.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
here=$(dirname "${BASH_SOURCE[0]}")
schema=$PENSTOCK_SOURCE/docs/components.schema.json
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

"$PENSTOCK" components --json >"$work/all.json" || fail "exit $?"
python3 "$here/schema_check.py" "$schema" "$work/all.json" || fail 'it is not what the schema says'

# Every stage of the table, and none else.
jq -r '.kinds[] | .kind as $kind | .components[] | "\($kind) \(.name)"' "$work/all.json" | sort >"$work/listed"
sed -nE 's/^STAGE\((\w+), *(\w+)\).*/\1 \2/p' "$PENSTOCK_SOURCE/stages/stages.def" | sort >"$work/declared"
[[ $(wc -l <"$work/listed") == $(wc -l <"$work/declared") ]] || fail "$(wc -l <"$work/listed") stages, not $(wc -l <"$work/declared")"

# Every row of the page of options: key, default, unit.
jq -r '[.agent.options[] | .key = "penstock." + .key] + [.kinds[] | .options[], .components[].options[]] +
    .sink_groups.options + [.sink_groups.processor[] | .key = "processor." + .key] | .[] |
    [.key, .unit // "", (if .required then "**required**" else .default // "" end)] | join("\u0001")' "$work/all.json" |
    sort >"$work/rows"
grep -E '^\| `' "$PENSTOCK_SOURCE/docs/OPTIONS.md" | python3 -c '
import re, sys
for line in sys.stdin:
    cell = [part.strip() for part in re.split(r" \| ", line.strip().removeprefix("| "))]
    key = cell[0].strip("`")
    print(key[:-1] if key.endswith("*") else key, cell[3], cell[2].strip("`"), sep="\x01")' | sort >"$work/page"
diff "$work/rows" "$work/page" >"$work/rows.err" || fail "the rows differ from docs/OPTIONS.md: $(head -5 "$work/rows.err")"
jq -e '[.kinds[].components[].options[] | select(.secret) | .key] | index("keystore-password")' "$work/all.json" >/dev/null ||
    fail 'no password is secret'
jq -e '.kinds[] | select(.kind == "source") | .components[] | select(.name == "syslogtcp") | .options[] | select(.key == "port") |
    .minimum == 0 and .maximum == 65535 and .required and .type == "integer"' "$work/all.json" >/dev/null || fail 'port of syslogtcp'

# One component by any of its names, a kind, nothing.
for word in kafka org.apache.flume.sink.kafka.KafkaSink sinks; do
    "$PENSTOCK" components "$word" --json >"$work/one.json" || fail "components $word --json: exit $?"
    python3 "$here/schema_check.py" "$schema" "$work/one.json" >/dev/null || fail "components $word --json is not what the schema says"
    jq -e 'has("agent") or has("sink_groups") | not' "$work/one.json" >/dev/null || fail "$word: with the agent's keys"
done
[[ $(jq -r '[.kinds[].kind] | join(" ")' "$work/one.json") == sink ]] || fail 'sinks: other kinds'
[[ $(jq '[.kinds[].components[]] | length' "$work/one.json") == $(grep -c '^sink ' "$work/declared") ]] || fail 'sinks: not all'
code=0
"$PENSTOCK" components --json nonsense >"$work/none.json" 2>"$work/none.err" || code=$?
((code == 1)) || fail "nonsense: exit $code"
[[ ! -s $work/none.json ]] || fail 'nonsense: a document nevertheless'
grep -qF 'nothing is called' "$work/none.err" || fail 'nonsense is not named'
code=0
"$PENSTOCK" components --json >/dev/full 2>"$work/full.err" || code=$?
((code == 2)) || fail "a full disk: exit $code"
