#!/usr/bin/env bash
# Checks the rules of the tree that a compiler does not check: who may include whom, one door for each library, atomics
# in one place, each name once, each stage complete, each test in its place and with its prefix, files that comments name,
# short files, small folders, prefixes, circles of calls, nothing that belongs to one workplace.
# architecture_catches_test.sh breaks each rule. More than 600 lines: whoever looks for a rule of the tree finds it here.
#
#   architecture_test.sh --arrows     prints which folder includes which, and how often
# No sanitizer: it reads the tree.
set -euo pipefail
shopt -s nullglob extglob
cd "${PENSTOCK_SOURCE:-$(dirname "$0")/../..}"
mapfile -t c_files < <(find commands core rings regex conf stages bench tests -name '*.[ch]' | sort)

# ---- which folder includes which ----

# Prints "from to count" for each pair of folders, counted from the files' includes. core/stage.h (with core/stage_call.h and core/stage.c) lies above core/flow
# and is a node of its own; core/log and core/text are one with core/; the folders of commands/ are one, but for its client library, and so is a folder of a prefix with its parent.
folder_arrows() {
    grep -oE '^# *include "[^"]+/[^"]+"' "${c_files[@]}" | sed -E 's/:# *include "([^"]+)"/ \1/' | awk '
        function node(path) {
            if (path ~ /^commands\// && path !~ /^commands\/client\//)
                return "commands"
            if (path ~ /^core\/stage(_call)?\.[ch]$/)
                return "core/stage.h"
            sub(/^core\/(log|text)\//, "core/", path)
            sub(/\/[^\/]*$/, "", path)
            depth = path ~ /^stages\/lib\/(hadoop|hive|queue)\// ? 4 : path ~ /^stages\/lib\// ? 3 : path ~ /^(conf|rings)(\/|$)/ ? 1 : 2
            count_of_parts = split(path, part, "/")
            path = part[1]
            for (i = 2; i <= depth && i <= count_of_parts; i++)
                path = path "/" part[i]
            return path
        }
        { from = node($1); to = node($2) }
        from != to { count[from " " to]++ }
        END { for (pair in count) print pair, count[pair] }' | sort
}

if [[ ${1:-} == --arrows ]]; then
    printf '%-28s    %-28s %8s\n' from to includes
    folder_arrows | while read -r from to count; do
        printf '%-28s -> %-28s %8d\n' "$from" "$to" "$count"
    done
    exit 0
fi

failures=0
wrong() { # FILE WHAT
    echo "$1: $2"
    failures=$((failures + 1))
}

# ---- include directions ----

# An arrow: files that match the first pattern may include "..." that matches one of the others. The first line that matches counts;
# what a folder includes of itself, and a folder of a prefix (stages/lib/tail/tailer) of its parent, need not be written. FLAT stands for the files of a folder itself, L for stages/lib, LIB for all of it, ENGINE for what
# every library may include.
arrows='
commands/client/*       core/* conf/* stages/* version.h
commands/*              *
core/flow/*             core/FLAT core/log/* rings/*
core/watch/*            core/FLAT core/log/* core/flow/* core/text/* rings/* version.h
core/deadletter/*       core/FLAT core/log/* core/flow/* core/text/*
core/helper/*           core/FLAT core/log/* rings/*
core/plugin/*           core/FLAT core/log/* core/flow/* core/text/ends.h core/helper/* core/deadletter/*
core/sink/*             core/FLAT core/log/* core/flow/* core/deadletter/*
core/engine/*           core/FLAT core/log/* core/text/list.h core/flow/* core/watch/* core/deadletter/* core/sink/* rings/*
core/stage.[ch]         core/FLAT core/log/* core/flow/* core/deadletter/* core/text/printable.h
core/log/*              core/FLAT core/text/*
core/text/*             core/base.h core/arena.h
core/FLAT               core/log/* rings/base.h
rings/*
regex/matcher/*         regex/FLAT regex/java/* regex/compile/* core/base.h core/status.h core/log/log.h core/quantity.h core/arena.h core/text/hex.h core/text/utf8.h
regex/rules/*           regex/FLAT regex/java/* core/base.h core/fnv.h core/status.h core/log/log.h core/arena.h core/text/nearest.h core/text/printable.h core/text/hex.h core/text/utf8.h
regex/compile/*         regex/FLAT regex/java/* core/base.h core/status.h core/log/log.h core/quantity.h core/arena.h core/spawn.h core/text/ends.h
regex/java/*            core/base.h core/status.h core/log/log.h core/quantity.h core/arena.h core/text/nearest.h core/text/hex.h core/text/utf8.h
regex/FLAT              regex/java/* core/base.h core/status.h core/log/log.h core/arena.h core/text/hex.h core/text/utf8.h
conf/*                  core/* stages/lib/java/class_path.h stages/lib/kafka/produce/partition.h
stages/channels/*       LIB rings/*
stages/sources/*        LIB
stages/interceptors/*   LIB
stages/selectors/*      LIB
stages/sinks/*          LIB
stages/serializers/*    LIB
stages/deserializers/*  LIB
stages/lib/kafka/*      ENGINE L/avro/* L/keystore/* L/tls/* L/sasl/* L/text/* L/net/*
stages/lib/syslog/*     ENGINE L/date/* L/text/*
stages/lib/http/*       ENGINE L/date/* L/remote/* L/stream/* L/tls/* L/text/*
stages/lib/avro/*       ENGINE L/rpc/* L/stream/* L/tls/* L/text/*
stages/lib/thrift/*     ENGINE L/net/* L/rpc/* L/sasl/* L/stream/* L/tls/*
stages/lib/rpc/*        ENGINE L/net/* L/remote/*
stages/lib/irc/*        ENGINE L/net/* L/remote/*
stages/lib/remote/id.c    ENGINE L/text/*
stages/lib/remote/*     ENGINE L/net/*
stages/lib/rules/live/* ENGINE rings/swap.h L/rules/*
stages/lib/rules/*      ENGINE
stages/lib/net/*        ENGINE L/tls/*
stages/lib/stream/*     ENGINE L/net/* L/tls/*
stages/lib/tls/*        ENGINE L/keystore/*
stages/lib/keystore/*   ENGINE
stages/lib/sasl/*       ENGINE
stages/lib/date/*       ENGINE
stages/lib/text/*       ENGINE L/date/*
stages/lib/process/*    ENGINE
stages/lib/tail/position_file.[ch] ENGINE rings/refcount.h
stages/lib/tail/*       ENGINE L/text/*
stages/lib/spool/*      ENGINE L/tail/* L/avro/* L/text/*
stages/lib/encryption/key/class.[ch] ENGINE L/encryption/* L/java/*
stages/lib/encryption/* ENGINE
stages/lib/flume_log/*  ENGINE L/encryption/*
stages/lib/queue/FLAT   ENGINE rings/* L/encryption/* L/flume_log/* L/queue/segment/*
stages/lib/queue/segment/* ENGINE L/encryption/*
stages/lib/queue/database/* ENGINE L/queue/store.h L/queue/segment/*
stages/lib/filesystem/* ENGINE
stages/lib/hadoop/FLAT  ENGINE L/hadoop/proto/* L/net/* L/sasl/* L/tls/*
stages/lib/hadoop/rpc/* ENGINE L/hadoop/FLAT L/hadoop/proto/* L/filesystem/* L/net/* L/sasl/* L/tls/*
stages/lib/hadoop/transfer/* ENGINE L/hadoop/FLAT L/hadoop/proto/* L/net/* L/sasl/* L/tls/*
stages/lib/hadoop/webhdfs/* ENGINE L/hadoop/FLAT L/hadoop/rpc/* L/filesystem/* L/http/* L/keystore/* L/sasl/*
stages/lib/hadoop/hdfs/* ENGINE L/hadoop/FLAT L/hadoop/proto/* L/hadoop/rpc/* L/hadoop/transfer/* L/hadoop/webhdfs/* L/filesystem/* L/sasl/*
stages/lib/hadoop/file/* ENGINE L/avro/* L/text/* L/filesystem/*
stages/lib/hadoop/bucket_writer/* ENGINE L/filesystem/* L/hadoop/FLAT L/hadoop/hdfs/* L/hadoop/file/* L/text/*
stages/lib/orc/*        ENGINE L/avro/codec/* L/orc/proto/*
stages/lib/hive/FLAT    ENGINE L/date/* L/orc/* L/text/* L/thrift/* L/net/* L/sasl/* L/tls/* L/hadoop/FLAT
stages/lib/hbase/*      ENGINE regex/* L/hadoop/FLAT L/net/* L/remote/* L/sasl/* L/text/* L/tls/* L/zookeeper/*
stages/lib/zookeeper/*  ENGINE L/hadoop/FLAT L/net/*
stages/lib/kudu/*       ENGINE regex/* L/avro/* L/date/* L/hadoop/FLAT L/net/* L/remote/* L/text/*
stages/lib/hive/text/*  ENGINE L/date/* L/hive/FLAT L/orc/* L/text/*
stages/lib/FLAT         ENGINE
stages/FLAT             ENGINE stages/stages.def
bench/support/*         core/* rings/* conf/* stages/*
bench/report/*          core/* bench/support/* bench/plan/planning_text.h bench/plan/result.h
bench/load/*            core/* rings/* regex/* conf/* stages/* bench/support/*
bench/verify/*          core/* rings/* regex/* conf/* stages/* bench/support/*
bench/plan/*            core/* rings/* regex/* conf/* stages/* bench/support/*
bench/suite/*           *
tests/*                 *
'
expand() { # PATTERN...: one pattern a line
    local one
    for one; do
        case $one in
        ENGINE) printf '%s\n' 'core/*' 'regex/*' 'stages/lib/+([!/])' ;;
        LIB) printf '%s\n' 'core/*' 'regex/*' 'stages/lib/*' ;;
        L/*) expand "stages/lib/${one#L/}" ;;
        *FLAT) printf '%s\n' "${one/FLAT/+([!/])}" ;;
        *) printf '%s\n' "$one" ;;
        esac
    done
}
froms=() mays=()
while read -r from may; do
    [[ $from ]] || continue
    froms+=("${from/FLAT/+([!/])}")
    read -ra patterns <<<"$may"
    own="${from%/*}/+([!/])"
    [[ $from != *'/*' ]] || own=$from
    mays+=("$(expand "${patterns[@]}" "$own")")
done < <(set -f; echo "$arrows")

matches() { # TEXT PATTERN...
    local text=$1 one
    shift
    for one; do
        # shellcheck disable=SC2053
        [[ $text != $one ]] || return 0
    done
    return 1
}

# Files include the same few headers: which arrow a file has, and whether it allows a header, is looked up once.
declare -A arrow_of=() allowed=()
find_arrow() { # FILE: sets arrow, the first that matches; empty: none
    arrow=${arrow_of[$1]-unknown}
    [[ $arrow == unknown ]] || return 0
    for arrow in "${!froms[@]}" ''; do
        # shellcheck disable=SC2053
        [[ $arrow && $1 != ${froms[arrow]} ]] || break
    done
    arrow_of[$1]=$arrow
}
while IFS=: read -r file header; do
    find_arrow "$file"
    if [[ $arrow && ${header%/*} != "${file%/*}" && ! ${allowed["$arrow $header"]-} ]]; then
        mapfile -t may <<<"${mays[arrow]}"
        if matches "$header" "${may[@]}"; then allowed["$arrow $header"]=1; else wrong "$file" "includes \"$header\"; it may include ${may[*]}"; fi
    fi
    case $header in
    commands/*) [[ $file == commands/* || $file == tests/commands/* || $file == tests/world/life.c ]] || wrong "$file" "includes \"$header\"" ;;
    stages/@(sources|interceptors|selectors|channels|sinks|serializers|deserializers)/*)
        [[ ${header%/*} == stages/*/* && ${file#tests/} == "${header%/*}"/* ]] || wrong "$file" "includes a stage: \"$header\""
        ;;
    tests/*) [[ $file == tests/* ]] || wrong "$file" "includes \"$header\", which nothing but tests may" ;;
    core/engine/*) [[ $file != stages/* ]] || wrong "$file" "includes \"$header\": the engine knows stages by core/stage.h alone, and they it" ;;
    esac
done < <(grep -roE --include='*.[ch]' '^# *include "[^"]+"' commands core rings regex conf stages bench tests |
    sed -E 's/:# *include "([^"]+)"/:\1/')

# What a stage sees of batches is core/flow/batch.h, and a channel core/flow/channel.h. The engine's part could not change any
# more if a stage knew it, be it through another header.
while read -r file header part; do
    wrong "$file" "includes \"$header\", and so the engine's part of batches${part:+ ($part)}"
done < <(grep -oE '^# *include "[^"]+/[^"]+"' "${c_files[@]}" | sed -E 's/:# *include "([^"]+)"/ \1/' | awk '
    { includes[$1, $2] = 1 }
    END {
        part["core/flow/batch_home.h"] = ""
        do {
            changed = 0
            for (pair in includes) {
                split(pair, at, SUBSEP)
                if (!(at[1] in part) && at[2] in part && at[1] ~ /\.h$/) {
                    part[at[1]] = "core/flow/batch_home.h"
                    changed = 1
                }
            }
        } while (changed)
        for (pair in includes) {
            split(pair, at, SUBSEP)
            if (at[1] ~ /^(stages|regex|conf|core\/stage\.[ch])/ && at[2] in part)
                print at[1], at[2], part[at[2]]
        }
    }')

# No folder reaches itself through others. What reaches no folder is taken away until nothing changes; each folder that is
# left leads to a cycle, which is found by following the first arrow of each.
while read -r cycle; do
    wrong "${cycle%% *}" "its includes come back to it: $cycle"
done < <(folder_arrows | awk '
    $1 ~ /^(commands|core|rings|regex|conf|stages)(\/|$)/ { arrow[$1, $2] = 1; nodes[$1]; nodes[$2] }
    END {
        do {
            changed = 0
            for (from in nodes) {
                out = 0
                for (to in nodes)
                    out += ((from, to) in arrow)
                if (out == 0) {
                    delete nodes[from]
                    changed = 1
                }
            }
        } while (changed)
        for (at in nodes) {
            path = ""
            while (index(path " ", " " at " ") == 0) {
                path = path " " at
                for (to in nodes)
                    if ((at, to) in arrow)
                        break
                at = to
            }
            print substr(path, index(path " ", " " at " ") + 1), at
            exit
        }
    }')

# ---- one door for each library ----

# Headers and the files that may include them.
doors='
ck_*                rings/*
hs/*                regex/*|commands/version.c
hs.h                regex/*
pcre2.h             regex/*|commands/version.c
urcu*               core/engine/*|rings/swap.c
urcu/*              core/engine/*|rings/swap.c
librdkafka/*        stages/lib/kafka/*|stages/sources/kafka*|stages/sinks/kafka*|bench/suite/*|bench/support/mock_broker.c|commands/version.c
microhttpd.h        core/watch/metrics/server.c|bench/verify/far/listen/http.c|commands/version.c
jansson.h           commands/*|conf/*|stages/*|bench/*
http_parser.h           stages/lib/http/message.h|commands/version.c
curl/*              commands/*|conf/*|stages/*|bench/*
openssl/*           stages/*|commands/version.c|commands/plugin/fetch/check.c
isa-l*              core/crc32c.c
isa-l/*             core/crc32c.c
sqlite3.h           stages/lib/queue/database/sqlite.c|commands/version.c
libpq-fe.h          stages/lib/queue/database/postgres.c|commands/version.c
gssapi/*            stages/lib/sasl/gssapi*
krb5.h              stages/lib/sasl/gssapi.c
zip.h               conf/java/jar.c|commands/version.c
expat.h             conf/command/log4j2.c|stages/lib/hadoop/configuration.c|commands/version.c
protobuf-c/*        stages/lib/hadoop/*|stages/lib/orc/*|commands/version.c
zookeeper/*         stages/lib/zookeeper/zookeeper.c
systemd/*           nowhere
'
declare -A doors_of=() # by header: the files that may include it, of each line of the list
find_doors() { # HEADER
    local pattern files
    doors_of[$1]=''
    while read -r pattern files; do
        # shellcheck disable=SC2053
        [[ ! $pattern || $1 != $pattern ]] || doors_of[$1]+="$files "
    done <<<"$doors"
}
while IFS=: read -r file header; do
    [[ ${doors_of[$header]+known} ]] || find_doors "$header"
    read -ra doors_here <<<"${doors_of[$header]}" # no words of the shell: they are patterns
    for files in "${doors_here[@]}"; do
        IFS='|' read -ra may <<<"$files"
        matches "$file" "${may[@]}" || wrong "$file" "includes <$header>; only $files may"
    done
done < <(grep -roE --include='*.[ch]' '^# *include <[^>]+>' commands core rings regex conf stages bench/*/ 2>/dev/null |
    sed -E 's/:# *include <([^>]+)>/:\1/')

# ---- core knows no client library and no stage by name; Flume's names of counters, and ours for them, are data ----

while IFS=: read -r file line text; do
    wrong "$file:$line" "core knows Kafka: $text"
done < <(grep -rniE --include='*.[ch]' kafka core |
    sed -E 's/\bKafka(EventGetTimer|EventSendTimer|CommitTimer|EmptyCount)\b|"kafka_(get_seconds|commit_seconds|send_seconds|empty_polls)"//g' |
    grep -iE '^[^:]+:[^:]+:.*kafka' || true)

# ---- atomics: rings/ alone, but for plain relaxed loads and stores (single-writer counters) ----

while IFS=: read -r file line text; do
    wrong "$file:$line" "an atomic outside rings/: $text"
done < <(grep -rnE --include='*.[ch]' '<stdatomic\.h>|_Atomic|__sync_|__atomic_(fetch|exchange|compare|add|sub|or|and|test|thread|signal|clear)|__ATOMIC_(ACQUIRE|RELEASE|ACQ_REL|SEQ_CST)|\bck_pr_' \
    commands core regex conf stages bench/*/ 2>/dev/null || true)

# ---- threads are started in one place, with a name, without signals and without their creator's CPU (the bench's own apart) ----

while IFS=: read -r file line text; do
    [[ $file == core/thread.c ]] || wrong "$file:$line" "starts a thread without ps_thread_start: $text"
done < <(grep -rnE --include='*.[ch]' '\bpthread_create *\(' commands core rings regex conf stages || true)

# ---- every stage: a line, a file, a test or a scenario, a page, a place in its kind's conformance suite and in README's table ----

declared=' '
while read -r kind name; do
    file=stages/${kind}s/$name.c
    [[ ! -d stages/${kind}s/$name ]] || file=stages/${kind}s/$name/$name.c
    declared+="$file "
    [[ -e $file ]] || wrong stages/stages.def "STAGE($kind, $name) has no $file"
    tests=(tests/"${file%.c}"_test.*)
    ((${#tests[@]})) || grep -qiw -- "$name" tests/scenarios/*.scn || wrong "$file" "has no tests/${file%.c}_test.c, and no scenario names it"
    [[ -s docs/stages/${kind}_$name.md ]] || wrong "$file" "has no docs/stages/${kind}_$name.md"
    grep -q "ps_${kind}_$name\b" "$file" 2>/dev/null || wrong "$file" "does not define ps_${kind}_$name"
    grep -q "PS_STAGE(PS_KIND_${kind^^})" "$file" 2>/dev/null || wrong "$file" "does not say its contract: PS_STAGE(PS_KIND_${kind^^})"
    suite=(tests/stages/conformance_"${kind}"*_test.c tests/support/conformance_"${kind}"*.c)
    entries=tests/support/conformance_${kind}s.c
    [[ -e $entries ]] || entries=${suite[*]}
    grep -q "\bps_${kind}_$name\b" "${suite[@]}" || wrong "$file" "is not asked by the conformance suite: add an entry to $entries"
    # Flume's name: `null`, `KafkaSink`, `UUIDInterceptor`
    grep -iE "^\| ${kind}s \|" docs/COMPONENTS.md | grep -qiE "\`$name($kind)?\`" || wrong "$file" "is not in docs/COMPONENTS.md: build, and run docs/generate"
done < <(sed -nE 's/^STAGE\((\w+), *(\w+)\).*/\1 \2/p' stages/stages.def)
for file in stages/@(sources|interceptors|selectors|channels|sinks|serializers|deserializers)/*; do
    [[ ! -d $file ]] || file+=/${file##*/}.c
    kind=${file#stages/} kind=${kind%%s/*} name=${file##*/} name=${name%.*}
    [[ $declared == *" $file "* ]] || wrong "$file" "is not in stages/stages.def: add STAGE($kind, $name), or move what is no stage to stages/lib"
done
for page in docs/stages/*.md; do
    name=${page##*/} name=${name%.md}
    [[ $declared == *" stages/${name%%_*}s/"?("${name#*_}/")"${name#*_}.c "* ]] || wrong "$page" "is about no stage"
done

# ---- fuzz targets have inputs ----

for file in tests/fuzz/*_fuzz.c; do
    name=${file##*/} name=${name%_fuzz.c}
    inputs=(tests/fuzz/corpus/"$name"/*)
    ((${#inputs[@]} >= 3)) || wrong "$file" "has ${#inputs[@]} inputs in tests/fuzz/corpus/$name, needs 3"
done

# ---- each name once ----

# Types with a body and functions that other files can call. A fake of tests/support/fake_* defines what it stands in for.
# shellcheck disable=SC2016
while read -r what name places; do
    wrong "${places%%:*}" "$what $name is defined more than once: $places"
done < <(printf '%s\n' "${c_files[@]}" | grep -v '^tests/support/fake_' | xargs awk '
    function defined(what, name) {
        count[what " " name]++
        places[what " " name] = places[what " " name] " " FILENAME ":" FNR
    }
    FNR == 1 { head = "" }
    /^(struct|enum|union) ps_[a-z0-9_]+ \{/ { defined($1, $2) }
    /^\{/ { # the lines before it are the head of a function
        external = head !~ /(^| )static |__wrap_/
        sub(/\(.*/, "", head)
        if (external && match(head, /ps_[a-z0-9_]+$/))
            defined("function", substr(head, RSTART))
        head = ""
        next
    }
    /^[#}]/ || /^ *$/ || /;$/ || /^\/\*/ || /\*\/$/ || /^ \*/ { head = ""; next }
    { head = head $0 " " }
    END { for (name in count) if (count[name] > 1) print name places[name] }')

# ---- where tests stand ----

while IFS= read -r file; do
    wrong "${file#./}" "a test outside tests/"
done < <(find . \( -name .git -o -path './build*' -o -path ./tests \) -prune -o -name '*_test.[cs]*' -print)
no_mirror='@(unit|e2e|real|sim|world|scenarios|crash|stress|fuzz|mutation|support|data|perf|bench|plugin)' # folders of tests/ that are about no folder, or about several
for folder in tests/*/ tests/*/*/ tests/*/*/*/ tests/*/*/*/*/; do
    folder=${folder%/}
    # shellcheck disable=SC2254
    case ${folder#tests/} in
    $no_mirror | @(unit|e2e|real|sim|world|crash|stress|fuzz|mutation|support|perf|plugin)/* | */data | */data/*) ;;
    *) [[ -d ${folder#tests/} ]] || wrong "$folder" "there is no folder ${folder#tests/} that its tests could be about" ;;
    esac
done

# ---- files that comments and pages name are there ----

# Prints "FILE:LINE: text" for each line of a comment of C files.
comments() {
    awk '
    FNR == 1 { inside = 0 }
    !inside && !/\/[*\/]/ { next }
    {
        line = $0
        text = ""
        while (line != "") {
            if (inside) {
                end = index(line, "*/")
                text = text " " (end == 0 ? line : substr(line, 1, end - 1))
                line = end == 0 ? "" : substr(line, end + 2)
                inside = end == 0
                continue
            }
            if (!match(line, /\/\*|\/\/|"/))
                break
            opens = substr(line, RSTART, RLENGTH)
            line = substr(line, RSTART + RLENGTH)
            if (opens == "/*")
                inside = 1
            else if (opens == "//") {
                text = text " " line
                line = ""
            } else if (match(line, /^([^"\\]|\\.)*"/)) # a string is no comment
                line = substr(line, RLENGTH + 1)
            else
                line = ""
        }
        if (text != "")
            print FILENAME ":" FNR ":" text
    }' "$@"
}
# Prints "FILE:LINE NAME" for what matches PATTERN in lines "FILE:LINE:text"; the character before a name is no part of it.
named() { # PATTERN
    grep -oE "^[^:]+:[0-9]+:|(^|[^A-Za-z0-9_./<*-])($1)" |
        awk '/^[^ ]+:[0-9]+:$/ { at = substr($0, 1, length($0) - 1); next } { sub(/^[^A-Za-z0-9_.]/, ""); print at, $0 }'
}
# core/x.c, core/*.c, core/{a,b}.c and core/<name>.c: is there such a file? CONTRIBUTING.md has steps for a stage `example`.
is_there() { # PATH
    local pattern=$1 found
    [[ ! -e $pattern ]] || return 0
    [[ $pattern != *example* ]] || return 0
    [[ $pattern != *[\<\{]* && $pattern != *...* ]] || pattern=$(sed -E 's/<[a-z_]+>|\.\.\./*/g; s/\{/@(/g; s/\}/)/g; :a; s/(@\([^)]*),/\1|/; ta' <<<"$pattern")
    # shellcheck disable=SC2206
    found=($pattern)
    [[ -e ${found[0]:-} ]] # a word without a pattern stays as it is, even if there is no such file
}
comment_lines=$(comments "${c_files[@]}")
pages=(README.md CONTRIBUTING.md docs/*.md docs/*/*.md perf/*.md)
mapfile -t scripts < <(find .ci bench conf perf tests -name '*.sh' ! -path 'tests/unit/architecture*' | sort)
path='(commands|core|rings|regex|conf|stages|bench|tests|docs|perf|cmake)/[A-Za-z0-9_./*<>{},-]*\.[a-z]+'
while read -r at name; do
    is_there "$name" || is_there "${at%/*}/$name" || wrong "$at" "names $name, which is not there"
done < <({
    printf '%s\n' "$comment_lines"
    grep -nHE '' "${pages[@]}"
    grep -nHE '^ *#' "${scripts[@]}" quickstart.sh test.sh
} | named "$path")
declare -A basenames=()
for file in "${c_files[@]}"; do
    basenames[${file##*/}]=1
done
while read -r at name; do
    [[ ${basenames[$name]:-} ]] || wrong "$at" "names $name, and no file has that name"
done < <(named '[A-Za-z0-9_-]+\.[ch]\b' <<<"$comment_lines")
while read -r at link; do
    folder=./$at
    [[ -e ${folder%/*}/$link ]] || wrong "$at" "links to $link, which is not there"
done < <(grep -noHE '\]\([^)#: ]+[)#]' "${pages[@]}" | sed -E 's/:\]\((.*).$/ \1/')

# ---- decisions ----

decisions=docs/decisions/README.md
list=$(<"$decisions") given_up=$(sed -nE '/^(Never used|Merged):/,/^$/p' "$decisions")
last=0
for page in docs/decisions/[0-9]*.md; do
    name=${page##*/} number=$((10#${name:0:4}))
    for ((gap = last + 1; gap < number; gap++)); do
        printf -v digits %04d "$gap"
        [[ $given_up =~ [^A-Za-z0-9_]$digits([^A-Za-z0-9_]|$) ]] || wrong "$decisions" "does not say why there is no decision $digits"
    done
    ((number > last)) || wrong "$page" "another decision has its number"
    last=$number
    [[ $list == *"($name)"* ]] || wrong "$page" "is not listed in $decisions"
    [[ $'\n'$(<"$page") == *$'\n'"# $number. "* ]] || wrong "$page" "its title does not begin with \"$number. \""
done

# ---- files ----

# A long file says in its head why it is one: "More than 600 lines: ".
while read -r lines file; do
    reason=$(head -15 "$file" | grep -oE 'More than 600 lines: [^ ]+ [^ ]+ .*' || true)
    [[ $reason || $lines -le 600 ]] || wrong "$file" "has $lines lines; if it has to, its head says \"More than 600 lines: \", and why"
    [[ ! $reason || $lines -gt 600 ]] || wrong "$file" "has $lines lines, and its head says more"
done < <(find commands core rings regex conf stages bench tests \( -name '*.[ch]' -o -name '*.sh' -o -name '*.cc' \) -exec wc -l {} + | awk '$1 > 400 && $2 != "total"')
mapfile -t headers < <(find commands core rings regex conf stages bench -name '*.h')
while read -r file; do
    wrong "$file" "has no #pragma once"
done < <(printf '%s\n' "${headers[@]}" | xargs grep -L '^#pragma once$')
for file in "${headers[@]}"; do
    IFS= read -rN 2 first <"$file" || true
    [[ $first == '/*' ]] || wrong "$file" "does not begin by saying what it is"
done
while read -r file; do
    wrong "$file" "lies deeper than four folders"
done < <(find commands core rings regex conf stages bench -mindepth 5 -name '*.[ch]')
while read -r file; do
    wrong "$file" "lies deeper than four folders below tests/"
done < <(find tests -mindepth 6 -name '*.[ch]' ! -path '*/data/*')

# ---- folders of product code: at most 40 files; a prefix that three names share is a folder ----

while read -r count folder; do
    wrong "$folder" "has $count files, more than 40"
done < <(find commands core rings regex conf stages bench -type f -printf '%h\n' | sort | uniq -c | awk '$1 > 40')
# x.c, x.h and x_internal.h are one name; a folder is one. The prefix is made of whole words.
while read -r folder prefix names; do
    wrong "$folder" "the prefix $prefix of $names is a folder"
done < <(find commands core rings regex conf stages bench -name '*.[ch]' -o -name '*.cc' | awk '
    function has(folder, name) {
        if ((folder, name) in seen)
            return
        seen[folder, name] = 1
        count_of_words = split(name, word, "_")
        prefix = ""
        for (i = 1; i <= count_of_words; i++) {
            prefix = prefix (i == 1 ? "" : "_") word[i]
            count[folder " " prefix]++
            names[folder " " prefix] = names[folder " " prefix] " " name
        }
    }
    {
        count_of_parts = split($0, part, "/")
        sub(/(_internal)?\.[a-z]+$/, "", part[count_of_parts])
        folder = part[1]
        for (depth = 2; depth <= count_of_parts; depth++) {
            has(folder, part[depth])
            folder = folder "/" part[depth]
        }
    }
    END { for (one in count) if (count[one] >= 3) print one names[one] }' | sort)

# ---- no more than four files call each other in a circle, in some folders no more than three ----

narrow='stages/lib/@(kafka|queue)/*'
# Except in these folders, where the circle is the subject. tests/unit/call_circles.py --calls 3 FOLDER prints who calls what.
circles='
core/engine             a worker runs the runners of sources and sinks, which hand leases to each other and ask their worker to wake
regex/rules             the grammar is recursive: a rule has conditions, tests, actions and templates, which have rules
stages/lib/tail/tailer  one table of followed files: to open one may close, rename or forget another
stages/lib/hadoop/hdfs  one stream to datanodes: its recovery ends in the state from which it began
'
circles_seen=' '
while read -r first files; do
    most=four folder=
    # shellcheck disable=SC2053
    [[ $first != $narrow ]] || most=three
    read -ra others <<<"$files"
    [[ ${#others[@]} -gt 3 || $most == three ]] || continue
    while read -r listed _; do
        [[ $listed ]] || continue
        for file in "$first" "${others[@]}"; do
            [[ $file == "$listed"/* ]] || continue 2
        done
        folder=$listed
    done <<<"$circles"
    circles_seen+="$folder "
    [[ $folder ]] || wrong "$first" "calls come back to it through $files: more than $most files"
done < <(python3 tests/unit/call_circles.py 3 commands core rings regex conf stages bench)
while read -r listed _; do
    [[ ! $listed || $circles_seen == *" $listed "* ]] || wrong tests/unit/architecture_test.sh "allows $listed a circle of calls that it has not"
done <<<"$circles"

# ---- rooms become smaller only ----

while IFS= read -r line; do
    wrong "${line%%: *}" "${line#*: }"
done < <(PENSTOCK_SOURCE=$PWD tests/unit/rooms.sh)

# ---- tests ask for promises ----

insides_max=62 # falls only
insides=$(python3 tests/unit/insides.py | wc -l)
((insides <= insides_max)) || wrong tests "has $insides files that include a header of one product folder alone, at most $insides_max may: ask through the world, a scenario or a public header (python3 tests/unit/insides.py names them)"

while IFS=: read -r file line _; do
    wrong "$file:$line" "skips without a reason: ps_test_skip() gives one (tests/support/support.h)"
done < <(grep -rnE '(^|[^_a-z])skip\(\)' tests --include='*_test.c')

# A function of the type of cmocka's tests is one; set-up and tear-down return int.
while IFS=: read -r file line name; do
    wrong "$file:$line" "the name of the test ${name#*void } does not begin with test_"
done < <(grep -rnoE --include='*.[ch]' '^ *(static )?void [A-Za-z0-9_#]+\(void \*\*[a-z_]*\)' tests |
    sed -E 's/\(void .*//' | grep -vE 'void test_' || true)

# ---- words that must not be there ----

# Written in pieces, so that this file does not find itself.
words="/wo""rk/|\.\./sha""red|/tmp/pen""stock/|/home/[a-z]+/|TO""DO|FIX""ME|XX""X:"
words+="|repo1?\.mav""en|mav""en\.org|py""pi\.org|npm""js\.|deb\.deb""ian\.org|proxy\.gol""ang|crat""es\.io|artifact""ory"
words+="|FLU""ME\.md" # Flume's class or user guide is cited
while IFS= read -r hit; do
    wrong "${hit%%:*}" "${hit#*:}"
done < <(find . \( -name .git -o -path './build*' -o -path ./tests/fuzz/corpus -o -path './tests/*/data' \) -prune -o \
    -type f ! -name LICENSE -print0 | xargs -0 -r grep -nIE "$words" 2>/dev/null | cut -c 1-200 || true)

# ---- global names ----

archive=$(dirname "${PENSTOCK:-build/debug/penstock}")/libps_engine.a
if [[ -e $archive ]] && command -v nm >/dev/null; then
    while read -r symbol; do
        wrong libps_engine.a "the global name $symbol begins neither with ps_ nor, as those of commands/client/client.h, with penstock_client_"
    done < <(nm -g --defined-only "$archive" 2>/dev/null | awk 'NF == 3 { print $3 }' |
        grep -vE '^(ps_|penstock_client_|__asan|__odr_asan|__tsan|__sanitizer|__gcov|\.)' | sort -u || true)
fi

((failures == 0)) || { echo "$failures things are wrong"; exit 1; }
