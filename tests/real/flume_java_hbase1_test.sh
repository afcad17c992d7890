#!/usr/bin/env bash
# Needs: flume hbase1
# The sinks hbase and asynchbase of Flume 1.9 in Java (penstock.engine = java), with penstock and a real HBase 1: a real Flume 1.9 and penstock get the same
# lines and the same keys, and then the Java process is killed again and again (KILLS=N). `check` names the jar that has them.
# shellcheck source=tests/real/java_sink.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_sink.sh"
server_begin hbase1
engines[flume]=$here/old_flume
FLUME_CLASSPATH=$("$here/old_flume" classpath):$("$here/hbase1" classpath)
export FLUME_CLASSPATH

# Each sink has its own table. The first has the word of a line as row key; the keys of the others are new for each event, and the
# row `all` counts the events.
sinks=3
tables="regex simple async"
RATE=${RATE:-300} # lines/s, each of which is three rows
for name in flume penstock kill; do
    for table in $tables; do ask create "$name-$table" f; done
done
counted_keys() { # SERIALIZER
    printf '%s\n' "serializer = org.apache.flume.sink.hbase.$1" "coalesceIncrements = true" "serializer.payloadColumn = body" "serializer.rowPrefix = row" \
        "serializer.suffix = uuid" "serializer.incrementColumn = events" "serializer.incrementRow = all"
}
sink_keys() { # NAME
    local i=0 table
    printf 'a1.sources.r1.%s\n' "interceptors = i1" "interceptors.i1.type = static" "interceptors.i1.key = from" "interceptors.i1.value = here"
    for table in $tables; do
        ((++i))
        {
            printf '%s\n' "penstock.engine = java" "table = $1-$table" "columnFamily = f" "zookeeperQuorum = $(ask url)" "batchSize = 50"
            case $table in
            regex)
                printf '%s\n' "type = hbase" "serializer = org.apache.flume.sink.hbase.RegexHbaseEventSerializer" "serializer.regex = (([a-z]+-[0-9]+) .*)" \
                    "serializer.colNames = body,ROW_KEY" "serializer.rowKeyIndex = 1" "serializer.depositHeaders = true"
                ;;
            simple) echo "type = hbase"; counted_keys SimpleHbaseEventSerializer ;;
            async) echo "type = asynchbase"; counted_keys SimpleAsyncHbaseEventSerializer ;;
            esac
        } | sed "s/^/a1.sinks.k$i./"
    done
}
words() { # NAME: those that all of its tables have, as often as the one with the most of them
    local table
    for table in $tables; do ask values "$1-$table" f:body | sed -n "s/^\([a-z]*-[0-9]*\) .*/$table \1/p"; done | awk '
        { if (++times[$1, $2] == 1) ++tables[$2]; if (times[$1, $2] > most[$2]) most[$2] = times[$1, $2] }
        END { for (word in tables) if (tables[word] == 3) while (most[word]-- > 0) print word }'
}
cells() { # NAME
    local table
    for table in $tables; do ask cells "$1-$table" | sed -E "s/^/$table /; s/ row[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} / rowUUID /"; done
}

same_input 1000
for engine in flume penstock; do cells $engine | sort >"$work/$engine.cells"; done
same "the cells" "$work/flume.cells" "$work/penstock.cells"
for cell in 'regex line-7 f:from here' 'simple rowUUID f:body line-7 of the file \xC3\xA4\xC3\xB6\xC3\xBC' 'async rowUUID f:body line-7 of the file \xC3\xA4\xC3\xB6\xC3\xBC' \
    'simple all f:events \x00\x00\x00\x00\x00\x00\x03\xE8' 'async all f:events \x00\x00\x00\x00\x00\x00\x03\xE8'; do
    grep -qxF -- "$cell" "$work/penstock.cells" || fail "there is no cell: $cell"
done
jar=$("$here/hbase1" classpath)
"$PENSTOCK" check -n a1 -f "$work/penstock.properties" >"$work/check.log" || fail "check refuses the file"
for class in k1.penstock.engine:HBaseSink k2.penstock.engine:HBaseSink k3.penstock.engine:AsyncHBaseSink; do
    grep -qF "note: a1.sinks.${class%:*}: the class \`org.apache.flume.sink.hbase.${class#*:}\` of ${jar%\*}flume-ng-hbase-sink-1.9.0.jar runs in Java" "$work/check.log" ||
        fail "check does not name the jar of ${class#*:}"
done

killed
# A batch that comes again is counted again.
for table in simple async; do
    counted=$(printf %b "$(ask cells "kill-$table" | sed -n 's/^all f:events //p')" | od -An -tu8 --endian=big)
    echo "$table: $((counted)) counted"
    ((counted >= $(wc -l <"$work/acked.w"))) || fail "the row of $table counts $((counted)) events of $(wc -l <"$work/acked.w")"
done
