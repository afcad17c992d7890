#!/usr/bin/env bash
# The sink irc before a server that does not take some messages for their words. With penstock.retry.max and dead letters they go aside and the others
# arrive in order; without them the first one waits, and /readyz names the server's reason. A server that is away costs no attempts.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/support/http_agent.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/http_agent.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
port=$(free_port)
irc_port=$(free_port)
metrics_port=$(free_port)

cat >"$work/server.py" <<'END'
import socketserver, sys
class Client(socketserver.StreamRequestHandler):
    def handle(self):
        for line in iter(self.rfile.readline, b""):
            word, _, rest = line.decode().strip().partition(" ")
            answer = {"USER": ":srv 001 flume :Welcome", "JOIN": ":flume!~f@h JOIN :#logs", "PING": ":srv PONG srv " + rest}.get(word)
            text = rest.partition(":")[2]
            if word == "PRIVMSG" and "bad" in text:
                answer = ":srv 404 flume #logs :Your message contained a censored word"
            elif word == "PRIVMSG":
                print(text, flush=True)
            if answer:
                self.wfile.write((answer + "\r\n").encode())
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
Server(("127.0.0.1", int(sys.argv[1])), Client).serve_forever()
END
serve() {
    python3 "$work/server.py" "$irc_port" >>"$work/said" 2>"$work/server.err" &
    server=$!
    children[$server]=1
}
agent() { # LINE...
    http_agent "a1.channels = c1" "a1.sinks = k1" "a1.sources.r1.channels = c1" "a1.channels.c1.type = memory" \
        "a1.sinks.k1.type = irc" "a1.sinks.k1.channel = c1" "a1.sinks.k1.hostname = 127.0.0.1" "a1.sinks.k1.port = $irc_port" \
        "a1.sinks.k1.nick = flume" "a1.sinks.k1.chan = logs" a1.sinks.k1.penstock.retry.backoff{,.max}=20 "$@"
}
post() { # BODY...
    local events=() body
    for body; do events+=("{\"body\":\"$body\"}"); done
    post_events "${events[@]}"
}
said() { awk '!seen[$0]++' "$work/said" | xargs; } # what was not confirmed is said again

serve
agent "a1.sinks.k1.penstock.deadletter = $work/dead" "a1.sinks.k1.penstock.retry.max = 2"
post bad1 2 3 bad4 bad5 6
post bad7
await "they are no dead letters" is_metric penstock_sink_events_deadletter_total k1 4
await "the others have not arrived" is_metric penstock_sink_events_delivered_total k1 3
[[ $(said) == '2 3 6' ]] || fail "said: $(said)"
"$PENSTOCK" deadletter show "$work/dead" --reason attempts-exhausted --json >"$work/letters.json"
[[ $(jq -r .body "$work/letters.json" | xargs) == 'bad1 bad4 bad5 bad7' ]] || fail "$(<"$work/letters.json")"
[[ $(jq -r '"\(.attempts) \(.text)"' "$work/letters.json" | sort -u) == '2 '*'Your message contained a censored word' ]] || fail "$(<"$work/letters.json")"
kill "$server"
wait "$server" || true
unset "children[$server]"
post 8
await "it does not try" not_ready 'sink k1 has failed [0-9]* times in a row: .*Connection refused'
serve
await "it has not arrived" is_metric penstock_sink_events_delivered_total k1 4
is_metric penstock_sink_events_deadletter_total k1 4 || fail "a dead letter because of an outage"
stop_agent TERM 0

agent
post bad9 10
await "/readyz does not name it" not_ready 'sink k1 has failed [0-9]* times in a row: .*Your message contained a censored word'
is_metric penstock_sink_events_delivered_total k1 0 || fail "what is behind it has overtaken it"
