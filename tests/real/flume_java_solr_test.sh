#!/usr/bin/env bash
# Needs: flume solr
# Flume's MorphlineInterceptor and its sink morphline_solr, which exist only in Java, with penstock and a real Solr: a real Flume 1.11 and
# penstock get the same lines, which the interceptor changes, and then the Java process is killed again and again (KILLS=N).
# shellcheck source=tests/real/java_sink.sh
source "$(dirname "${BASH_SOURCE[0]}")/java_sink.sh"
server_begin solr
ask home "$work/schema"
FLUME_CLASSPATH=$("$here/flume" classpath):$("$here/solr" classpath)
export FLUME_CLASSPATH

# Morphlines find "org.kitesdk.**" by Java 8's class loader; newer ones need each command's class.
commands() { # CLASS...: of package and name, as a list
    local class text=''
    for class; do text+="${text:+, }\"org.kitesdk.morphline.${class}Builder\""; done
    echo "importCommands : [$text]"
}
cat >"$work/change.conf" <<EOF_
morphlines : [{
  id : change
  $(commands stdio.ReadLine stdlib.{Grok,SetValues,ToByteArray,RemoveFields})
  commands : [
    { readLine { charset : UTF-8 } }
    { grok { dictionaryString : "", expressions : { message : "(?<first>[^ ]+) (?<rest>.*)" } } }
    { setValues { _attachment_body : "@{rest}" } }
    { toByteArray { field : _attachment_body, charset : UTF-8 } }
    { removeFields { blacklist : ["literal:rest", "literal:message"] } }
  ]
}]
EOF_
load() { # NAME
    cat <<-EOF_
	morphlines : [{
	  id : load
	  $(commands stdio.ReadLine stdlib.{GenerateUUID,AddValues} solr.LoadSolr)
	  commands : [
	    { readLine { charset : UTF-8 } }
	    { generateUUID { field : id } }
	    { addValues { engine : $1 } }
	    { loadSolr { solrLocator : { collection : flume, solrUrl : "$(ask url)", solrHomeDir : "$work/schema", batchSize : 40 } } }
	  ]
	}]
	EOF_
}
sink_keys() { # NAME
    load "$1" >"$work/load-$1.conf"
    printf 'a1.sources.r1.%s\n' "interceptors = i1" "interceptors.i1.morphlineFile = $work/change.conf" \
        "interceptors.i1.type = org.apache.flume.sink.solr.morphline.MorphlineInterceptor\$Builder"
    printf 'a1.sinks.k1.%s\n' "type = morphline_solr" "morphlineFile = $work/load-$1.conf" "batchSize = 50"
}
words() { ask values "engine:$1" first; }
same_input 2000
for engine in flume penstock; do ask values "engine:$engine" first,message | sort >"$work/$engine.documents"; done
same "the documents" "$work/flume.documents" "$work/penstock.documents"
grep -q '^line-1,of the file äöü$' "$work/penstock.documents" || fail "the interceptor did not change the lines: $(head -2 "$work/penstock.documents")"
killed
