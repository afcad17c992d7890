#!/usr/bin/env bash
# penstock rules: check, test, explain and bench, and the worked examples of docs/RULES.md with their tests.
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

# ---- usage ----

rules 2
complained 'Usage: penstock rules COMMAND'
rules 0 --help
said 'penstock rules bench web.rules --sample access.log'
for command in check test explain bench; do
    rules 0 $command --help
    said "Usage: penstock rules $command"
    said 'Examples:'
    rules 2 $command
    complained 'name a rules file'
done
rules 2 chek web.rules
complained 'did you mean `check`?'
rules 2 check web.rules --chanels a
complained 'did you mean --channels?'
rules 2 check web.rules --sample x
complained 'there is no option --sample'
rules 2 explain web.rules --header host text
complained '--header takes NAME=VALUE'
rules 2 explain web.rules two words
complained 'put the line in quotes'
rules 2 test web.rules --coverage-min 101
complained '--coverage-min takes a number from 0 to 100'
rules 2 bench web.rules
complained '--sample LOG'

# ---- check ----

rules 0 check web.rules
said 'web.rules: fine'
said 'rules        5, mode first, 5 tests, in 1 file'
rules 0 check web.rules --channels errors,audit,rest
rules 1 check web.rules --channels errors,rest
said 'web.rules:7:19: error: channel audit'
# Channels that are not there, beside errors of the text.
cat >wrong.rules <<'END'
default elsewhere
rule a { when body ~ /(/ route errors }
rule b { when true route erors, rest }
END
rules 1 check wrong.rules --channels errors,rest
said "wrong.rules:1:9: error: channel elsewhere does not belong to this source; add it to the channels of the source"
said 'wrong.rules:2:24: error: bad expression: '
said "wrong.rules:3:26: error: channel erors does not belong to this source; did you mean errors?"
said 'wrong.rules: 3 errors'
rules 1 check wrong.rules
said 'wrong.rules: 1 error'
rules 0 check web.rules --verbose
said 'web.rules:3'
said 'Hyperscan'
rules 0 check - <web.rules
rules 1 check nothing.rules
said 'cannot read nothing.rules'
rules 0 check web.rules --json
holds '.good and .errors == 0 and .rules == 5 and (.expressions | length) == 6 and .database_bytes > 0'
holds '[.expressions[] | select(.header == "host")] | length == 1'

printf 'rule a { when boddy ~ /x/ drop }\nrule b { when body ~ /(x/ drop }\nrule c { when true route }\n' >bad.rules
rules 1 check bad.rules
said 'bad.rules:1:15: error: expected a condition'
said 'did you mean `body`?'
said 'bad.rules:2:'
said 'bad.rules:3:'
said 'bad.rules: 3 errors: these rules would not run'
rules 1 check bad.rules --json
holds '(.good | not) and .errors == 3 and .problems[0].line == 1 and .problems[0].column == 15'

cat >shadow.rules <<'END'
mode first
rule all-errors { when body ~ /ERROR/ route a }
rule disk { when body ~ /ERROR disk/ route b }
rule both { when size > 5 and body contains "an ERROR here" route b }
rule two { when header.x == "1" and header.y == "2" tag t }
rule two-again { when header.y == "2" and exists header.z and header.x == "1" tag u }
rule either { when body ~ /ERROR!/ or header.x == "3" tag v }
rule either-again { when header.x == "3" or body contains "ERROR?" tag w }
rule goes-on { when body ~ /WARN/ tag w continue }
rule warn { when body ~ /WARN/ tag x }
END
rules 0 check shadow.rules
for rule in disk both two-again either-again; do said "rule \"$rule\" can never act"; done
for rule in all-errors two either goes-on warn; do silent "rule \"$rule\" can never act"; done
said 'shadow.rules: 4 warnings'
rules 1 check shadow.rules --strict

cat >a1.properties <<END
a1.sources = r1 r2
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = 1
a1.sources.r1.channels = c1 c2
a1.sources.r1.selector.type = rules
a1.sources.r1.selector.rules.file = $work/agent.rules
a1.sources.r2.type = netcat
a1.sources.r2.bind = 127.0.0.1
a1.sources.r2.port = 2
a1.sources.r2.channels = c1
a1.sources.r2.interceptors = i1
a1.sources.r2.interceptors.i1.type = rules
a1.sources.r2.interceptors.i1.rules.file = $work/clean.rules
a1.channels.c1.type = memory
a1.channels.c2.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
a1.sinks.k2.type = null
a1.sinks.k2.channel = c2
END
echo 'rule a { when body ~ /x/ route c1, c2 }' >agent.rules
echo 'rule a { when body ~ /x/ drop }' >clean.rules
rules 2 check -n a1 -f a1.properties
complained 'name one with --source'
rules 0 check -n a1 -f a1.properties --source r1
said "$work/agent.rules: fine"
rules 0 check -n a1 -f a1.properties --source r2
said "$work/clean.rules: fine"
rules 1 check agent.rules -n a1 -f a1.properties --source r2 # an interceptor routes nothing
said 'agent.rules:1:'
echo 'rule a { when body ~ /x/ route c3 }' >agent.rules
rules 1 check -n a1 -f a1.properties --source r1
complained 'agent.rules:1:32'
rules 2 check -n a1
complained '-f FILE'

# rules that take longer to compile than the limit
seq 2000 | sed 's/.*/rule r& { when body ~ m,word&[a-z]{1\\,300}end&, drop }/' >large.rules
rules 1 check large.rules --compile-time 1
said "more than 1 s of CPU time"

# ---- test ----

rules 0 test web.rules
said 'web.rules: 5 tests, 0 failed; 4 of 5 rules acted (80 %)'
said 'rules that acted in no test: disk'
silent 'ok '
rules 0 test web.rules --coverage-min 80 -v
said 'ok    an error'
rules 1 test web.rules --coverage-min 81
said 'coverage is below 81 %'
rules 0 test web.rules --json
holds '.passed and .files[0].coverage_percent == 80 and .files[0].uncovered == ["disk"] and (.files[0].cases | length) == 5'

cat >wrong.rules <<'END'
rule a { when body ~ /x(?<n>\d)/ set header.t = "${n}" replace /x/ with "y" route c }
rule b { when body ~ /drop/ drop }
test "all of it is wrong" {
    body "x1"
    expect rules b
    expect route d
    expect header.t == "2"
    expect header.u == "1"
    expect no header.n
    expect body "x1"
}
test "kept" { body "x1" expect drop }
test "right" { body "drop" expect drop }
END
rules 1 test wrong.rules
said 'FAIL  all of it is wrong  (wrong.rules:3)'
said 'wrong.rules: 3 tests, 2 failed'
[[ $(grep -c 'expected  ' out) == 7 ]] || fail 'not seven differences'
said 'came      (no such header)'
rules 1 test wrong.rules web.rules bad.rules
said 'web.rules: 5 tests, 0 failed'
complained 'bad.rules:1:15: error'
rules 1 test wrong.rules --json
holds '(.passed | not) and .files[0].failed == 2'

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

# ---- explain ----

rules 0 explain web.rules 'GET / " 503 ' --header host=WEB1
said 'rule errors (web.rules:4) acts'
said 'status = "503"'
said 'no   exists header."x forwarded"'
said '-> route errors, audit'
said 'routed to errors, audit'
said 'header.topic = errors-503'
rules 0 explain web.rules 'GET / " 503 '
said 'no rule matches'
said 'routed to rest, by default'
rules 0 explain web.rules 'GET / " 503 ' --all
said 'rule errors (web.rules:4) does not match'
rules 0 explain web.rules 'ERROR disk DEBUG'
said 'rule debug (web.rules:10) also matches, but an earlier rule ended the evaluation'
rules 0 explain web.rules 'GET /healthz '
said 'dropped'
rules 0 explain web.rules 'card 4111111111111111'
said 'body = card 4111********1111'
printf 'a DEBUG b\na DEBUG \033[31m\200b\n' | "$PENSTOCK" rules explain web.rules - >out 2>err || fail 'explain -'
said 'routed to rest'
said 'dropped' # the second of a hundred: sample 1/100
said '\x1b[31m\x80b'
rules 0 explain web.rules --json 'GET / " 503 ' --header host=web1
holds '.route == ["errors", "audit"] and .headers.topic == "errors-503" and .rules[0].acts and .rules[0].when.parts[0].holds'
rules 1 explain bad.rules x
complained 'bad.rules:1:15'

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
rules 1 bench bad.rules --sample sample.log
complained 'bad.rules:1:15'

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

# ---- why a rule does not act; a header that another rule sets; one mistake is one error ----
cat >why.rules <<'END'
mode first
default rest
rule web { when body ~ /GET/ and header.host == "web1" continue set header.kind = "web" }
rule errors { when body ~ / 5\d\d / and header.kind == "web" route errors }
rule any { when body ~ /GET/ route b }
rule late { when body ~ /GET/ and body ~ /503/ route c }
rule off disabled { when true route c }
END
rules 0 check why.rules
said 'why.rules:4:41: warning: rule "web" (why.rules:3) sets header.kind, but every condition reads the event as it was received; repeat the condition of rule "web"'
# The rule that sets it ends the evaluation: the same mistake. A later rule that compares with another text means the received value.
cat >tagged.rules <<'END'
default rest
rule tag { when body ~ /GET/ set header.kind = "web" set header.level = "low" }
rule other { when header.kind == "mail" or not header.kind == "web" route c }
rule level { when header.level in ("high", "low") route d }
rule short { when header.word == "error" set header.word = "err" }
rule word { when header.word == "err" route e }
rule errors { when body ~ / 5\d\d / and header.kind == "web" route errors }
END
rules 0 check tagged.rules
said 'tagged.rules:4:19: warning: rule "tag" (tagged.rules:2) sets header.level to this value, but ends the evaluation: no later rule sees its events; repeat the condition of rule "tag"'
said 'tagged.rules:7:41: warning: rule "tag" (tagged.rules:2) sets header.kind to this value, but ends the evaluation'
silent 'tagged.rules:3'
silent 'header.word'
rules 0 explain why.rules 'GET / 503 ' --header host=web1 --why errors
said 'rule errors (why.rules:4) does not match'
said '        yes  body ~ / 5\d\d /'
said '        no   header.kind == "web"   there is no such header'
silent 'rule any'
rules 0 explain why.rules 'GET / 503 ' --why late
said 'rule late (why.rules:6) matches, but rule any (why.rules:5) ended the evaluation before: mode is first; `continue` in that rule, or a higher priority of this one'
rules 0 explain why.rules 'GET / 503 ' --why any
said 'rule any (why.rules:5) acts'
rules 0 explain why.rules x --why any --json
holds '[.rules[] | [.rule, .matches]] == [["any", false]]'
rules 1 explain why.rules x --why off
complained 'rule off is disabled, at why.rules:7'
rules 1 explain why.rules x --why lat
complained 'there is no rule lat; did you mean late?'
# Whoever rewrites a header looks at it, too; behind a rule that ends the evaluation another text is the received one.
cat >fine.rules <<'END'
mode first
rule a { when header.x == "1" set header.x = "2" route b continue }
rule b { when header.x == "3" set header.x = "4" route b }
rule c { when body ~ /c/ set header.y = "1" route b }
rule d { when header.y == "2" route b }
rule e { when body ~ /e/ set header.z = "1" unless exists continue }
rule f { when header.z == "1" route b }
END
rules 0 check fine.rules --strict
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
