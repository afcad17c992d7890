#!/usr/bin/env bash
# The rules of the tree that a compiler does not check: who may include whom, one door for each library, atomics in
# one place, each stage complete, files readable in one sitting, nothing that belongs to one workplace.
set -euo pipefail
shopt -s nullglob
cd "$PENSTOCK_SOURCE"

failures=0
wrong() { # FILE WHAT
    echo "$1: $2"
    failures=$((failures + 1))
}

# ---- include directions ----

# An arrow: files that match the first pattern may include "..." that matches one of the others. The first line that matches counts;
# what a folder includes of itself need not be written. [!/] keeps a pattern to one folder: FLAT stands for the files of a folder itself.
arrows='
core/main.c             *
core/commands/*         *
core/flow/*             core/FLAT rings/*
core/watch/*            core/FLAT core/flow/* rings/* version.h
core/engine/*           core/FLAT core/flow/* core/watch/* rings/*
core/stage.h            core/FLAT core/flow/*
core/FLAT
rings/*                 core/base.h
regex/matcher/*         regex/FLAT regex/java/* regex/compile/* core/base.h core/status.h core/log.h core/arena.h core/utf8.h
regex/rules/*           regex/FLAT regex/java/* core/base.h core/status.h core/log.h core/arena.h core/nearest.h core/printable.h core/utf8.h
regex/compile/*         regex/FLAT regex/java/* core/base.h core/status.h core/log.h core/arena.h core/spawn.h
regex/java/*            core/base.h core/status.h core/log.h core/arena.h core/nearest.h core/utf8.h
regex/FLAT              regex/java/* core/base.h core/status.h core/log.h core/arena.h core/utf8.h
conf/*                  core/*
stages/channels/*       SUBJECTS rings/*
stages/sources/*        SUBJECTS
stages/interceptors/*   SUBJECTS
stages/selectors/*      SUBJECTS
stages/sinks/*          SUBJECTS
stages/serializers/*    SUBJECTS
stages/kafka/*          ENGINE stages/avro/* stages/net/* stages/text/*
stages/syslog/*         ENGINE stages/text/*
stages/http/*           ENGINE stages/net/* stages/text/*
stages/avro/*           ENGINE stages/net/* stages/text/*
stages/rules/*          ENGINE
stages/net/*            ENGINE
stages/text/*           ENGINE
stages/process/*        ENGINE
stages/FLAT             ENGINE
bench/support/*         core/* rings/* conf/* stages/*
bench/report/*          core/* bench/support/* bench/plan/search.h
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
        ENGINE) printf '%s\n' 'core/*' 'regex/*' 'stages/+([!/])' ;;
        SUBJECTS) printf '%s\n' 'core/*' 'regex/*' 'stages/+([!/])' 'stages/@(kafka|rules|syslog|net|text|process|http|avro)/*' ;;
        *FLAT) printf '%s\n' "${one/FLAT/+([!/])}" ;;
        *) printf '%s\n' "$one" ;;
        esac
    done
}
shopt -s extglob
froms=() mays=()
while read -r from may; do
    [[ $from ]] || continue
    froms+=("${from/FLAT/+([!/])}")
    read -ra patterns <<<"$may"
    mays+=("$(expand "${patterns[@]}" "${from%/*}/+([!/])")")
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

while IFS=: read -r file header; do
    for i in "${!froms[@]}"; do
        # shellcheck disable=SC2053
        [[ $file == ${froms[i]} ]] || continue
        mapfile -t may <<<"${mays[i]}"
        matches "$header" "${may[@]}" || wrong "$file" "includes \"$header\"; it may include ${may[*]}"
        break
    done
    case $header in
    core/commands/*) [[ $file == core/main.c || $file == core/commands/* ]] || wrong "$file" "includes \"$header\"" ;;
    stages/@(sources|interceptors|selectors|channels|sinks|serializers)/*) wrong "$file" "includes a stage: \"$header\"" ;;
    tests/*) [[ $file == tests/* ]] || wrong "$file" "includes \"$header\", which nothing but tests may" ;;
    esac
done < <(grep -roE --include='*.[ch]' '^# *include "[^"]+"' core rings regex conf stages bench tests |
    sed -E 's/:# *include "([^"]+)"/:\1/')

# ---- one door for each library ----

# Headers and the files that may include them.
doors='
ck_*                rings/*
hs/*                regex/*
hs.h                regex/*
pcre2.h             regex/*
urcu*               core/engine/*
urcu/*              core/engine/*
librdkafka/*        stages/kafka/*|stages/sources/kafka*|stages/sinks/kafka*|bench/suite/*
microhttpd.h        core/watch/metrics_server.c|bench/verify/far_listen_http.c
jansson.h           core/commands/*|conf/*|stages/*|bench/*
curl/*              core/commands/*|conf/*|stages/*|bench/*
openssl/*           stages/*
isa-l*              bench/support/*
isa-l/*             bench/support/*
systemd/*           nowhere
'
while IFS=: read -r file header; do
    while read -r pattern files; do
        # shellcheck disable=SC2053
        [[ $pattern && $header == $pattern ]] || continue
        IFS='|' read -ra may <<<"$files"
        matches "$file" "${may[@]}" || wrong "$file" "includes <$header>; only $files may"
    done <<<"$doors"
done < <(grep -roE --include='*.[ch]' '^# *include <[^>]+>' core rings regex conf stages bench/*/ 2>/dev/null |
    sed -E 's/:# *include <([^>]+)>/:\1/')

# ---- core knows no client library and no stage by name; Flume's names of counters, and ours for them, are data ----

while IFS=: read -r file line text; do
    wrong "$file:$line" "core knows Kafka: $text"
done < <(grep -rniE --include='*.[ch]' kafka core --exclude-dir=commands |
    grep -v '^core/main\.c:' |
    sed -E 's/\bKafka(EventGetTimer|EventSendTimer|CommitTimer|EmptyCount)\b|"kafka_(get_seconds|commit_seconds|send_seconds|empty_polls)"//g' |
    grep -iE '^[^:]+:[^:]+:.*kafka' || true)

# ---- atomics: rings/ alone, but for plain relaxed loads and stores (single-writer counters) ----

while IFS=: read -r file line text; do
    wrong "$file:$line" "an atomic outside rings/: $text"
done < <(grep -rnE --include='*.[ch]' '<stdatomic\.h>|_Atomic|__sync_|__atomic_(fetch|exchange|compare|add|sub|or|and|test|thread|signal|clear)|__ATOMIC_(ACQUIRE|RELEASE|ACQ_REL|SEQ_CST)|\bck_pr_' \
    core regex conf stages bench/*/ 2>/dev/null || true)

# ---- every stage: a line, a file, a test, a page ----

declared=' '
while read -r kind name; do
    file=stages/${kind}s/$name.c
    declared+="$file "
    [[ -e $file ]] || wrong stages/stages.def "STAGE($kind, $name) has no $file"
    tests=(tests/stages/"${kind}s/${name}"_test.*)
    ((${#tests[@]})) || wrong "$file" "has no tests/stages/${kind}s/${name}_test.c"
    [[ -s docs/stages/${kind}_$name.md ]] || wrong "$file" "has no docs/stages/${kind}_$name.md"
    grep -q "ps_${kind}_$name\b" "$file" 2>/dev/null || wrong "$file" "does not define ps_${kind}_$name"
done < <(sed -nE 's/^STAGE\((\w+), *(\w+)\).*/\1 \2/p' stages/stages.def)
for file in stages/@(sources|interceptors|selectors|channels|sinks|serializers)/*; do
    [[ $declared == *" $file "* ]] || wrong "$file" "is not in stages/stages.def"
done
for page in docs/stages/*.md; do
    name=$(basename "$page" .md)
    [[ $declared == *" stages/${name%%_*}s/${name#*_}.c "* ]] || wrong "$page" "is about no stage"
done

# ---- fuzz targets have something to chew on ----

for file in tests/fuzz/*_fuzz.c; do
    name=$(basename "$file" _fuzz.c)
    inputs=(tests/fuzz/corpus/"$name"/*)
    ((${#inputs[@]} >= 3)) || wrong "$file" "has ${#inputs[@]} inputs in tests/fuzz/corpus/$name, needs 3"
done

# ---- files ----

mapfile -t sources < <(find core rings regex conf stages bench tests \( -name '*.c' -o -name '*.h' -o -name '*.sh' -o -name '*.cc' \) 2>/dev/null | sort)
for file in "${sources[@]}"; do
    lines=$(wc -l <"$file")
    ((lines <= 600)) || wrong "$file" "has $lines lines, more than 600"
done
for file in {core,regex,stages,bench}/*/*.h core/*.h rings/*.h regex/*.h conf/*.h stages/*.h; do
    grep -q '^#pragma once$' "$file" || wrong "$file" "has no #pragma once"
    [[ $(head -c 2 "$file") == '/*' ]] || wrong "$file" "does not begin by saying what it is"
done
for file in */*/*/* tests/*/*/*/*; do # two levels of folders, and the same below tests/
    case $file in
    tests/*/data/* | tests/fuzz/corpus/* | build/* | docs/* | conf/examples/*) ;;
    tests/*/*/*/*.[ch]) wrong "$file" "lies deeper than two folders below tests/" ;;
    tests/*) ;;
    *.c | *.h) wrong "$file" "lies deeper than two folders" ;;
    esac
done

# ---- words that must not be there ----

# Written in pieces, so that this file does not find itself.
words="/wo""rk/|\.\./sha""red|/tmp/pen""stock/|/home/[a-z]+/|TO""DO|FIX""ME|XX""X:"
words+="|repo1?\.mav""en|mav""en\.org|py""pi\.org|npm""js\.|deb\.deb""ian\.org|proxy\.gol""ang|crat""es\.io|artifact""ory"
while IFS= read -r hit; do
    wrong "${hit%%:*}" "${hit#*:}"
done < <(find . \( -name .git -o -path './build*' -o -path ./tests/fuzz/corpus -o -path './tests/*/data' \) -prune -o \
    -type f ! -name LICENSE -print0 | xargs -0 -r grep -nIE "$words" 2>/dev/null | cut -c 1-200 || true)

# ---- global names ----

archive=$(dirname "$PENSTOCK")/libps_engine.a
if [[ -e $archive ]] && command -v nm >/dev/null; then
    while read -r symbol; do
        wrong libps_engine.a "the global name $symbol does not begin with ps_"
    done < <(nm -g --defined-only "$archive" 2>/dev/null | awk 'NF == 3 { print $3 }' |
        grep -vE '^(ps_|__asan|__odr_asan|__tsan|__sanitizer|__gcov|\.)' | sort -u || true)
fi

((failures == 0)) || { echo "$failures things are wrong"; exit 1; }
