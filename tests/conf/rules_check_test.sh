#!/usr/bin/env bash
# Tests penstock check on agent files with rules. Errors in a rules file are reported with file, line and column,
# all of them; they keep the agent from starting, and the source is not dropped. A good file is described,
# expression by expression. check changes nothing.
# No sanitizer: conf_corpus, conf_corpus_company and the whole outputs of commands read such files there, without a process for each.
set -uo pipefail
[[ -x ${PENSTOCK:-} ]] || { echo "SKIP: the program is not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export HOME=$work/home
failed=0

fail() { echo "FAILED: $*"; failed=1; }

run() { # CODE WORDS...: runs penstock, keeps its output in out, compares the exit code
    local want=$1 code; shift
    "$PENSTOCK" "$@" >out 2>&1; code=$?
    [[ $code == "$want" ]] || { fail "$* ended with $code, not $want:"; cat out; }
}
says() { grep -qF -- "$1" out || { fail "the output lacks: $1"; cat out; }; }
says_not() { ! grep -qF -- "$1" out || { fail "the output has: $1"; cat out; }; }

cat >agent.properties <<'END'
a1.sources = r1
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sources.r1.type = seq
a1.sources.r1.channels = c1 c2
a1.sources.r1.selector.type = rules
a1.sources.r1.selector.rules.file = route.rules
a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = RULES
a1.sources.r1.interceptors.i1.rules.file = clean.rules
a1.channels.c1.type = memory
a1.channels.c2.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
a1.sinks.k2.type = null
a1.sinks.k2.channel = c2
END
cat >good-route.rules <<'END'
default c1
rule errors { when body ~ /status=(?<status>5\d\d)/ and not header.env == "test" route c2 }
rule twice  { when body ~ /(\w+) \1/ route c1, c2 }
END
echo 'rule noise { when body ~ /GET \/healthz/ drop }' >clean.rules

# ---- good ----

cp good-route.rules route.rules
run 0 check -n a1 -f agent.properties --strict
says "-> interceptor i1: rules"
says "-> selector: rules"
says "selector of source r1: route.rules: 2 rules (0 disabled), 2 expressions, the first rule that matches acts"
says "cache: $work/home/.cache/penstock"
says 'route.rules:2:27: body ~ /status=(?<status>5\d\d)/: Hyperscan'
says 'route.rules:3:27: body ~ /(\w+) \1/: '
says "PCRE2"
says "interceptor i1 of source r1: clean.rules: 1 rule"
says "a1: fine"
[[ ! -e home ]] || fail "check created a cache"
[[ $(ls) == "$(printf '%s\n' agent.properties clean.rules good-route.rules out route.rules)" ]] || fail "check created files: $(ls)"

# ---- bad: every error is reported with its place ----

cat >route.rules <<'END'
default c1
rule a { when body ~ /status=(5\d\d/ route c2 }
rule b {
    when header.env = "test"
    route c2
}
rule c { when true route c3 }
END
run 1 check -n a1 -f agent.properties
says "agent.properties:7: error: a1.sources.r1.selector.rules.file: route.rules:2:36: bad expression: "
says "agent.properties:7: error: a1.sources.r1.selector.rules.file: route.rules:4:21: "
says "agent.properties:7: error: a1.sources.r1.selector.rules.file: route.rules:7:26: channel c3 does not belong to this source; add it to the channels of the source"
says_not "dropped"
sed -i '2,6d' route.rules
run 1 check -n a1 -f agent.properties
says "agent.properties:7: error: a1.sources.r1.selector.rules.file: route.rules:2:26: channel c3 "
run 1 check -n a1 -f agent.properties --json
says '"severity": "error"'; says '"starts": false'
printf 'include "more.rules"\n' >route.rules
run 1 check -n a1 -f agent.properties
says "route.rules:1:9: cannot read more.rules: No such file or directory"
printf 'include "route.rules"\nrule b { when body ~ /[/ drop }\n' >more.rules
run 1 check -n a1 -f agent.properties
says "more.rules:1:9: files include each other in a cycle"
says "more.rules:2:23: bad expression: "
printf 'rule a { when true rou' >route.rules
run 1 check -n a1 -f agent.properties
says "route.rules:1:"
rm route.rules
run 1 check -n a1 -f agent.properties
says "agent.properties:7: error: a1.sources.r1.selector.rules.file: cannot read route.rules: No such file or directory; it was looked for in the working directory ($work); write the whole path"
says_not "dropped"
mkdir elsewhere
cd elsewhere || exit 1
run 1 check -n a1 -f "$work/agent.properties"
says "cannot read route.rules: No such file or directory; it was looked for in the working directory ($work/elsewhere) and beside the agent file ($work); write the whole path"
cp ../good-route.rules ../route.rules # beside the agent file
run 0 check -n a1 -f ../agent.properties --strict
says "selector of source r1: ../route.rules: 2 rules"
echo 'rule b { when body ~ /[/ drop }' >route.rules # the working directory comes first
run 1 check -n a1 -f ../agent.properties
says "selector.rules.file: route.rules:1:"
cd ..
rm -r elsewhere route.rules
mkfifo route.rules
run 1 check -n a1 -f agent.properties
says "route.rules"
rm route.rules

# ---- an interceptor cannot route ----

cp good-route.rules route.rules
cp good-route.rules clean.rules
run 1 check -n a1 -f agent.properties
says "agent.properties:10: error: a1.sources.r1.interceptors.i1.rules.file: clean.rules:1:9: "
says "clean.rules:2:"
echo 'rule noise { when body ~ /GET \/healthz/ drop }' >clean.rules

# ---- keys ----

sed '/selector.rules.file/d' agent.properties >keys.properties
run 1 check -n a1 -f keys.properties
says "a1.sources.r1.selector.rules.file: is required and missing"
sed 's/selector.rules.file = .*/&\na1.sources.r1.selector.rules.settle = soon/' agent.properties >keys.properties
run 1 check -n a1 -f keys.properties
says 'keys.properties:8: error: a1.sources.r1.selector.rules.settle: "soon" is not a whole number'
sed 's/selector.rules.file = .*/&\na1.sources.r1.selector.rules.compile.memory = 1k/' agent.properties >keys.properties
run 1 check -n a1 -f keys.properties
says "a1.sources.r1.selector.rules.compile.memory: 1024 is out of range"
sed 's/selector.rules.file = .*/&\na1.sources.r1.selector.rules.cashe = none/' agent.properties >keys.properties
run 0 check -n a1 -f keys.properties
says "did you mean rules.cache?"
exit $failed
