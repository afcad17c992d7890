#!/usr/bin/env bash
# A server that fails at some events (it ends the connection, answers 500, 404 or 503, or hangs) and takes all others does not stop the
# sink http: with dead letters such an event goes aside and the others arrive, without them it waits, and the log and /readyz name it. A
# server that fails at every event judges none of them, and the order is kept.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
in=$(free_port)
far=$(free_port)
metrics_port=$(free_port)
dead=$work/dead

# A server that fails at bodies with "poison", at all bodies while the file `down` exists, and writes what it takes.
perl -MIO::Socket::INET -MIO::Select -e '
    $| = 1; $SIG{CHLD} = "IGNORE";
    my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => shift, Listen => 20, ReuseAddr => 1) or die "$!";
    my $work = shift;
    while (my $c = $s->accept) {
        my ($n, $body) = (0, "");
        while (<$c>) { $n = $1 if /^Content-Length: (\d+)/i; last if /^\r$/ }
        read $c, $body, $n;
        my $how = $body =~ /poison-(\w+)/ ? $1 : "";
        unlink "$work/down" if -e "$work/up" && $body eq "e2"; # so the oldest one is the first after the outage
        if (-e "$work/down") { open my $f, "<", "$work/down"; $how = <$f>; chomp $how }
        if ($how eq "hang") { push @kept, $c; next }
        if ($how eq "close") { close $c; next }
        my $status = $how || 200;
        if ($status == 200) { open my $f, ">>", "$work/taken"; print $f "$body\n"; close $f }
        print $c "HTTP/1.1 $status X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"; close $c }' "$far" "$work" 2>"$work/server.err" &
children[$!]=1

agent() { # LINE...
    : >"$work/err"
    rm -rf "$dead" "$work/taken"
    : >"$work/taken"
    printf '%s\n' "a1.sources = r1" "a1.channels = c1" "a1.sinks = k1" "a1.sources.r1.type = http" "a1.sources.r1.bind = 127.0.0.1" \
        "a1.sources.r1.port = $in" "a1.sources.r1.channels = c1" "a1.channels.c1.type = memory" "a1.sinks.k1.type = http" "a1.sinks.k1.channel = c1" \
        "a1.sinks.k1.endpoint = http://127.0.0.1:$far/" "a1.sinks.k1.rollback.2XX = false" "a1.sinks.k1.requestTimeout = 500" \
        "a1.sinks.k1.penstock.retry.backoff = 20" "a1.sinks.k1.penstock.retry.backoff.max = 20" "$@" >"$work/a.properties"
    "$PENSTOCK" agent -n a1 -f "$work/a.properties" -Dflume.monitoring.type=prometheus -Dflume.monitoring.port="$metrics_port" 2>>"$work/err" &
    started=$!
    children[$started]=1
    await "the agent listens" grep -q "listening on 127.0.0.1:$in" "$work/err"
}
stop() {
    send_signal "$started" TERM
    wait "$started" || fail "exit status $?"
    unset "children[$started]"
}
post() { # BODY..: one request each
    local body
    for body; do
        [[ $(curl -s --noproxy '*' -o "$work/answer" -w '%{http_code}' --data "[{\"body\":\"$body\"}]" "http://127.0.0.1:$in/") == 200 ]] || fail "not accepted"
    done
}
has_taken() { [[ $(sort "$work/taken" | xargs) == "$1" ]]; }
letters() { cat "$dead"/*.jsonl 2>/dev/null; }

# ---- with dead letters ----
for requests in 1 4; do
    agent "a1.sinks.k1.penstock.deadletter = $dead" "a1.sinks.k1.penstock.requests = $requests"
    post poison-close poison-500 e1 e2 poison-404 e3 poison-503 e4 e5 e6 poison-hang e7 e8 e9
    await "$requests: the others have not arrived" has_taken 'e1 e2 e3 e4 e5 e6 e7 e8 e9'
    more=0
    are_letters() { # each failure that counts has an event that the server takes
        is_metric penstock_sink_events_deadletter_total k1 5 || { post g$((++more)) && return 1; }
    }
    await "$requests: they are no dead letters" are_letters
    [[ $(letters | jq -r .body | sort | xargs) == 'poison-404 poison-500 poison-503 poison-close poison-hang' ]] || fail "$requests: $(letters)"
    letters | jq -e -s 'all(.reason == "request-refused" and (.text | test("the server fails at an event of 1[012] bytes again and again, and takes others: ")))' >"$work/jq" ||
        fail "$requests: $(letters)"
    [[ $(sort "$work/taken" | uniq -d) == '' ]] || fail "twice: $(sort "$work/taken" | uniq -d)"
    stop
done

# ---- a server that fails at everything ----
for how in close 500 503; do
    agent "a1.sinks.k1.penstock.deadletter = $dead"
    post e1
    await "$how: the first one has not arrived" has_taken e1
    rm -f "$work/up"
    echo $how >"$work/down"
    post e2 e3 e4 e5
    is_tried() { (($(metric penstock_sink_events_retried_total k1) >= 20)); }
    await "$how: it is not tried" is_tried
    : >"$work/up"
    await "$how: they have not arrived" has_taken 'e1 e2 e3 e4 e5'
    [[ $(xargs <"$work/taken") == 'e1 e2 e3 e4 e5' ]] || fail "$how: not in order: $(xargs <"$work/taken")"
    is_metric penstock_sink_events_deadletter_total k1 0 || fail "$how: a dead letter because of an outage"
    stop
done

# ---- without dead letters ----
agent
post poison-500 e1
not_ready() { [[ $(http_get "$metrics_port" /readyz "$work/ready") == 503 ]] && grep -q 'sink k1 has failed .*HTTP 500; an event of 10 bytes waits: if the server means it, penstock.deadletter takes it out' "$work/ready"; }
await "/readyz does not name it" not_ready
grep -q 'WARN sink k1: .*HTTP 500; an event of 10 bytes waits.*penstock.deadletter takes it out' "$work/err" || fail "the log does not name it"
[[ ! -s $work/taken ]] || fail "what is behind it has overtaken it"
kill -9 "$started"
wait "$started" 2>"$work/jq" || true # by the signal
unset "children[$started]"
