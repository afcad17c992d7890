#!/usr/bin/env bash
# Needs: flume
# Flume's TwitterSource, which exists only in Java, in a real Flume 1.11 and in penstock with the same file. Twitter is a server of ours: the same tweets must
# come out, in the same batches.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_host
command -v python3 >/dev/null || skip "no python3"
for jar in flume-twitter twitter4j-core twitter4j-stream; do
    file=$("$here/extras" jar $jar 2>"$work/fetch.log") || skip "the jar $jar cannot be fetched"
    FLUME_CLASSPATH=${FLUME_CLASSPATH:+$FLUME_CLASSPATH:}$file
done
FLUME_CLASSPATH+=:$("$here/flume" classpath)
export FLUME_CLASSPATH

tweets=100
port=$(ports_reserve)
python3 "$here/tweet_server.py" "$port" $((2 * tweets)) 2>"$work/server.log" &
server=$!
trap 'code=$?; kill $server 2>/dev/null || true; finish $code' EXIT
instead=(-Dtwitter4j.streamBaseURL="http://127.0.0.1:$port/1.1/")
export FLUME_JAVA="$FLUME_JAVA ${instead[*]}" JAVA_OPTS="$JAVA_OPTS ${instead[*]}"

agent_file() { # DIR
    printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
    printf 'a1.sources.r1.%s\n' 'type = org.apache.flume.source.twitter.TwitterSource' 'channels = c1' 'maxBatchSize = 20' 'consumerKey = a' \
        'consumerSecret = b' 'accessToken = c' 'accessTokenSecret = d'
    printf 'a1.channels.c1.%s\n' 'type = memory' 'capacity = 1000'
    mkdir -p "$1/out"
    printf 'a1.sinks.k1.%s\n' 'type = file_roll' 'channel = c1' "sink.directory = $1/out" 'sink.rollInterval = 0'
}
found() { { grep -rhaoE 'tweet-[0-9]+ äöü|Some One|2012-08-29[^ ]{10}|avro.schema' "$1" || true; } } # DIR: parts of the events, which are files of Avro
arrived() { found "$1/out" | grep -c tweet || true; }
both $tweets

# A batch goes when the tweet behind it has come: the server sends more than are compared.
for engine in flume penstock; do found "$work/$engine/out" | grep -m $tweets tweet- >"$work/$engine.found"; done
(($(grep -c tweet- "$work/penstock.found") == tweets)) || fail "not every tweet has come"
same "tweets" "$work/flume.found" "$work/penstock.found"
