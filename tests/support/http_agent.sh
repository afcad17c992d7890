# An agent a1 with a source http r1 at $port and metrics at $metrics_port: sourced by tests of tests/e2e whose events need headers,
# after tests/e2e/lib.sh.
#
#   http_agent LINE...       starts it with these lines, which name sinks and channels; $agent is its process
#   post_events EVENT...     posts one request with these events, JSON objects
#   not_ready PATTERN        whether /readyz answers 503 with a line that has the pattern, into $work/ready
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034,SC2004 # $work, $port, $metrics_port, $PENSTOCK and the array children are the script's

http_agent() {
    : >"$work/agent.err"
    printf '%s\n' "a1.sources = r1" "a1.sources.r1.type = http" "a1.sources.r1.bind = 127.0.0.1" "a1.sources.r1.port = $port" "$@" >"$work/agent.properties"
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=prometheus -Dflume.monitoring.port="$metrics_port" 2>>"$work/agent.err" &
    agent=$!
    children[$agent]=1
    await "the source listens" grep -q "listening on 127.0.0.1:$port" "$work/agent.err"
}
post_events() {
    [[ $(IFS=,; curl -s --noproxy '*' -o "$work/answer" -w '%{http_code}' --data "[$*]" "http://127.0.0.1:$port/") == 200 ]] || fail "not accepted"
}
not_ready() {
    [[ $(http_get "$metrics_port" /readyz "$work/ready") == 503 ]] && grep -q -- "$1" "$work/ready"
}
