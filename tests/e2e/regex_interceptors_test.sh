#!/usr/bin/env bash
# A chain of Flume's regex interceptors in the whole program: the sink's output, the regex engines that `check` prints,
# and its message about a bad expression.
set -uo pipefail
[[ -x ${PENSTOCK:-} ]] || { echo "SKIP: the program is not built"; exit 77; }
work=$(mktemp -d)
agent=
trap '[[ -z $agent ]] || kill -KILL "$agent" 2>/dev/null; rm -rf "$work"' EXIT
# shellcheck source=tests/support/patience.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/patience.sh"
failed=0
fail() { echo "FAILED: $*"; failed=1; }

mkdir "$work/out"
cat >"$work/chain.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = exec
a1.sources.r1.command = cat $work/log
a1.sources.r1.channels = c1
a1.sources.r1.interceptors = health level fields secret again headers
a1.sources.r1.interceptors.health.type = regex_filter
a1.sources.r1.interceptors.health.regex = GET /health
a1.sources.r1.interceptors.health.excludeEvents = true
a1.sources.r1.interceptors.level.type = REGEX_FILTER
a1.sources.r1.interceptors.level.regex = (?<!no )level=(INFO|WARN)
a1.sources.r1.interceptors.fields.type = org.apache.flume.interceptor.RegexExtractorInterceptor\$Builder
a1.sources.r1.interceptors.fields.regex = ^(\\\\S+) .*status=(\\\\d+)(?: user=(\\\\w+))?
a1.sources.r1.interceptors.fields.serializers = s1 s2 s3
a1.sources.r1.interceptors.fields.serializers.s1.name = timestamp
a1.sources.r1.interceptors.fields.serializers.s1.type = org.apache.flume.interceptor.RegexExtractorInterceptorMillisSerializer
a1.sources.r1.interceptors.fields.serializers.s1.pattern = yyyy-MM-dd'T'HH:mm:ssZ
a1.sources.r1.interceptors.fields.serializers.s2.name = x-status
a1.sources.r1.interceptors.fields.serializers.s3.name = user
a1.sources.r1.interceptors.secret.type = search_replace
a1.sources.r1.interceptors.secret.searchPattern = password=\\\\S+
a1.sources.r1.interceptors.secret.replaceString = password=***
a1.sources.r1.interceptors.again.type = regex_filter
a1.sources.r1.interceptors.again.regex = password=[^*]
a1.sources.r1.interceptors.again.excludeEvents = true
a1.sources.r1.interceptors.headers.type = remove_header
a1.sources.r1.interceptors.headers.matching = x-.*
a1.channels.c1.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.serializer = header_and_text
END
{
    for i in {1..2000}; do
        echo "2024-01-01T00:00:00+0000 level=INFO status=200 user=ann n=$i"
        echo "2024-01-01T00:00:00+0000 level=INFO GET /health status=200 n=$i"
        echo "2024-01-01T00:00:01+0000 level=DEBUG status=200 n=$i"
        echo "2024-01-01T00:00:02+0000 level=WARN status=500 password=geheim n=$i"
        echo "2024-01-01T00:00:02+0000 no level=WARN status=500 n=$i"
        echo "yesterday level=INFO status=1 n=$i"
        echo "level=INFO n=$i"
    done
} >"$work/log"
for i in {1..2000}; do
    echo "{timestamp=1704067200000, user=ann} 2024-01-01T00:00:00+0000 level=INFO status=200 user=ann n=$i"
    echo "{timestamp=1704067202000} 2024-01-01T00:00:02+0000 level=WARN status=500 password=*** n=$i"
    echo "{} yesterday level=INFO status=1 n=$i"
    echo "{} level=INFO n=$i"
done >"$work/expected"

"$PENSTOCK" check -n a1 -f "$work/chain.properties" >"$work/check" 2>&1 || { fail "check"; cat "$work/check"; }
grep -q 'interceptor health of source r1: regex "GET /health": Hyperscan' "$work/check" || { fail "no engine"; cat "$work/check"; }
grep -q 'interceptor level of source r1: regex .*PCRE2' "$work/check" || { fail "no engine"; cat "$work/check"; }

"$PENSTOCK" agent -n a1 -f "$work/chain.properties" >"$work/agent.log" 2>&1 &
agent=$!
# shellcheck disable=SC2317 # patient_await calls it
all_are_there() { [[ $(cat "$work"/out/* 2>/dev/null | wc -l) -ge 8000 ]]; }
patient_await 60 all_are_there || fail "not all events arrive"
kill -TERM "$agent"
if ! wait "$agent"; then
    fail "the agent failed"
    cat "$work/agent.log"
fi
agent=
# The headers of an event have no defined order: sorts them by name.
sort_headers() {
    awk '{ end = index($0, "}"); head = substr($0, 2, end - 2); n = split(head, part, ", ")
           for (i = 2; i <= n; i++) for (j = i; j > 1 && part[j] < part[j - 1]; j--) { t = part[j]; part[j] = part[j - 1]; part[j - 1] = t }
           out = ""; for (i = 1; i <= n; i++) out = out (i > 1 ? ", " : "") part[i]
           print "{" out "}" substr($0, end + 1) }'
}
cat "$work"/out/* | sort_headers >"$work/got"
cmp -s "$work/got" "$work/expected" || { fail "events differ"; diff "$work/expected" "$work/got" | head; tail -20 "$work/agent.log"; }

sed -i 's/regex = GET .health/regex = GET (health/' "$work/chain.properties"
"$PENSTOCK" check -n a1 -f "$work/chain.properties" >"$work/check" 2>&1 && fail "check is content with an agent without its only source"
grep -q 'chain.properties:[0-9]*: dropped: a1.sources.r1.interceptors.health.regex: ' "$work/check" || { fail "not dropped"; cat "$work/check"; }
exit $failed
