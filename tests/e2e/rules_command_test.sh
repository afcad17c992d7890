#!/usr/bin/env bash
# penstock rules with the program itself: the limit of its compiler, the semantics of rules, bench, and the worked examples of docs/RULES.md with their
# tests. What the commands print is compared in tests/commands/rules.
# shellcheck disable=SC2016 # the program's messages contain backticks
set -euo pipefail

[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
command -v jq >/dev/null || { echo "SKIP: no jq"; exit 77; }
work=$(mktemp -d)
mkdir "$work/tmp"
export TMPDIR=$work/tmp
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "FAILED: $*" >&2; cat out err >&2; exit 1; }

rules() { # WANTED-EXIT ARGUMENT...
    local wanted=$1 code=0
    shift
    "$PENSTOCK" rules "$@" >out 2>err || code=$?
    [[ $code == "$wanted" ]] || fail "rules $*: exit $code, not $wanted"
}

said() { grep -qF -- "$1" out || fail "the output does not contain: $1"; }
silent() { ! grep -qF -- "$1" out || fail "the output contains: $1"; }
complained() { grep -qF -- "$1" err || fail "the error does not contain: $1"; }
holds() { jq -e "$1" out >/dev/null || fail "the JSON output does not fulfil: $1"; }

cat >web.rules <<'END'
mode first
default rest
rule health { when body ~ /GET \/healthz / drop }
rule errors priority 10 {
    when body ~ m|" (?<status>5\d\d) | and (header.host ~ /^web/i or exists header."x forwarded")
    set header.topic = "errors-${status}"
    route errors, audit
}
rule disk { when body ~ /ERROR disk/ tag disk route errors }
rule debug { when body ~ /\bDEBUG\b/ sample 1/100 }
rule cards { when body ~ /\d{16}/ replace /\b(\d{4})\d{8}(\d{4})\b/ with "$1********$2" }
test "an error" {
    body "GET / \" 503 "
    header.host = "web1"
    expect rules errors
    expect route errors, audit
    expect header.topic == "errors-503"
    expect no header.tags
}
test "health" { body "GET /healthz " expect drop expect rules health expect route none }
test "debug is kept at first" { body "a DEBUG b" expect rules debug expect route rest }
test "debug is kept at first, again" { body "a DEBUG b" expect route rest }
test "cards" { body "no 4111111111111111" expect body "no 4111********1111" }
END

# rules that take longer to compile than the limit
seq 2000 | sed 's/.*/rule r& { when body ~ m,word&[a-z]{1\\,300}end&, drop }/' >large.rules
rules 1 check large.rules --compile-time 1
said "more than 1 s of CPU time"

# The semantics of rules, as docs/RULES.md describes them.
cat >semantics.rules <<'END'
mode all
default rest
rule sets priority 10 { when body ~ /a/ set header.seen = "1" replace /a/ with "b" replace /b/ with "c" }
rule unseen { when header.seen == "1" tag never }
rule body-as-it-came { when body ~ /a/ tag came set header.now = "${body}" }
rule prefixed { when body ~ /n=(?<n>\d+)/ as prefix "x." extract body ~ /m=(?<m>\d+)/ set header.both = "${n}-${m}-${header.x.n}" }
rule under-not { when not (not body ~ /k=(?<k>\d)/) tag k }
rule optional { when body ~ /opt/ route optional o route p }
rule required { when body ~ /opt/ route o }
rule numbers { when header.v == 404.0 or header.w > 5 tag num }
rule not-prod { when header.env != "prod" tag other-env }
rule not-prod-or-none { when not header.env == "prod" and exists header.env tag both }
rule stops priority -1 { when body ~ /hold/ tag halted stop }
rule after priority -2 { when body ~ /hold/ tag never }
rule limited priority -3 { when body ~ /lim/ limit 1/h else route o }
rule drops priority 20 { when body ~ /^dropped/ drop }
test "order" { body "a" expect rules sets, body-as-it-came expect body "c" expect header.now == "c" expect header.tags == "came" }
test "prefix" { body "n=1 m=2" expect header.x.n == "1" expect header.x.m == "2" expect header.both == "1-2-1" expect no header.n expect no header.m }
test "double not" { body "k=7" expect header.k == "7" }
test "routes add up" { body "opt" expect route o, p }
test "numbers" { body "x" header.v = "0404" header.w = "10" expect header.tags == "num" }
test "no number" { body "x" header.v = "404x" expect rules none }
test "env none" { body "x" expect rules none }
test "env test" { body "x" header.env = "test" expect header.tags == "other-env,both" }
test "stop" { body "hold" expect header.tags == "halted" }
test "drop ends" { body "dropped a" expect rules drops expect drop }
END
rules 0 test semantics.rules
rules 1 check semantics.rules --strict
said 'rule "after" can never act'

# ---- bench ----

for i in $(seq 500); do
    printf 'GET /healthz \nline %s\na DEBUG and ERROR disk %s\n4111111111111111\n' "$i" "$i"
done >sample.log
rules 0 bench web.rules --sample sample.log --seconds 0.2
said '2,000 lines'
said 'ns an event'
said 'bare scan'
said 'never matched: errors'
said 'hidden: debug matched 500 times and never acted; disk came first'
said 'overlap: disk and debug both match 500 events'
rules 0 bench web.rules --sample - --seconds 0.2 --json <sample.log
holds '.sample_lines == 2000 and .ns_per_event > 0 and .unmatched == 500 and .overlapping == 500 and (.overlaps | length) == 1'
holds '.rules[] | select(.rule == "health") | .matches == 500 and .acts == 500'
[[ -z $(ls -A tmp) ]] || fail 'it left files in TMPDIR'
echo 'rule one { when header.x ~ /a[0-9]+/ tag t }' >headers.rules # nothing to compare with where bodies are not searched
rules 0 bench headers.rules --sample sample.log --seconds 0.1
said 'never matched: one'
silent 'bare scan'
rules 1 bench web.rules --sample none.log
complained 'cannot read none.log'
: >empty.log
rules 1 bench web.rules --sample empty.log
complained 'it is empty'

# ---- the worked examples, and their excerpts in the documents ----

for file in "$PENSTOCK_SOURCE"/docs/rules/*.rules "$PENSTOCK_SOURCE"/conf/examples/*.rules; do
    rules 0 check --strict "$file"
    rules 0 test "$file"
done
for file in "$PENSTOCK_SOURCE"/docs/rules/*.rules; do
    rules 0 test --coverage-min 100 "$file"
done
# Every rule in a block of docs/RULES.md that names a file is in that file, word for word.
python3 - "$PENSTOCK_SOURCE" <<'END' >out 2>err || fail 'rules in docs/RULES.md differ from its files'
import re, sys
root = sys.argv[1] + "/docs/"
text = open(root + "RULES.md").read()
found = 0
for name, block in re.findall(r"\((rules/[\w-]+\.rules)\)[^`]*(?:`[^`]+`[^`]*)*?\n\n```\n(.*?)```", text, re.S):
    whole = open(root + name).read()
    whole = re.sub(r"\n    # .*", "", whole)
    for rule in re.findall(r"^rule .*?^}", block, re.S | re.M):
        found += 1
        if rule not in whole:
            sys.exit(f"{name}:\n{rule}")
if found < 9:
    sys.exit(f"only {found} rules")
END

# ---- one mistake is one error ----
mistakes=0
while IFS= read -r mistake; do
    printf '%s\n\nrule z { when body ~ /zz/ drop }\n' "$mistake" >one.rules
    rules 1 check one.rules
    [[ $(grep -c '^one.rules:[0-9]*:[0-9]*: error: ' out) == 1 ]] || fail "not one error for: $mistake"
    mistakes=$((mistakes + 1))
done <<'END'
rule a { when body ~ /x/ rout b }
rule a { when boddy ~ /x/ drop }
rule a { when body ~ /x/ and drop }
rule a { when body = /x/ drop }
rule a  when body ~ /x/ drop }
rule a { when body ~ /x drop }
rule a { when body ~ m|x drop }
rule { when body ~ /x/ drop }
rule a { when body ~ /(/ drop }
rule a { when (body ~ /x/ drop }
rule a { when body ~ /x/ set header.x "y" drop }
rule a { when body ~ /x/ set header.x = "y }
rule a { when body ~ /x/ drop
rule a priority x { when body ~ /x/ drop }
test "t" { body "x }
rule a when { body ~ /x/ } drop
rule a priority 1 when { body ~ /x/ drop }
rule a b { when body ~ /x/ drop }
rule a : { when body ~ /x/ drop }
rule a disabled } when body ~ /x/ drop {
rule a ( when { body ~ /x/ } { drop } )
rule "a" "b" when { body ~ /}/ } drop
rule a { when { body ~ /x/ } drop }
rule a { when body ~ /x/ { drop } }
rule a { when body ~ /x/ } drop
rule a { when body ~ /x/ drop } }
rules a { when { body ~ /x/ } drop }
END
((mistakes == 27)) || fail "$mistakes mistakes"
# After a head with an error the block is read if it is known where it begins; the name, which may be half of one, is no other rule's.
cat >heads.rules <<'END'
rule a when {
    body ~ /x/
} drop
rule a b {
    when boddy ~ /x/
    drop
}
test "t" { body "x" expect rules a }
rule a c { when body ~ /x/ drop }
END
rules 1 check heads.rules
[[ $(grep -oE '^heads.rules:[0-9]+:[0-9]+: error' out) == $'heads.rules:1:8: error\nheads.rules:4:8: error\nheads.rules:5:10: error\nheads.rules:9:8: error' ]] ||
    fail 'not the four errors'

echo ok
