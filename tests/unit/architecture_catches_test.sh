#!/usr/bin/env bash
# Breaks every rule of architecture_test.sh in a copy of the tree, and expects a line that names file and rule for each,
# and no other line.
# No sanitizer: it reads the tree.
set -euo pipefail
cd "$PENSTOCK_SOURCE"

work=$(mktemp -d "${TMPDIR:-/tmp}/penstock-test-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/tree"
tar --exclude=./.git --exclude='./build*' --exclude=./.cache --exclude=./perf-out -cf - . | tar -C "$work/tree" -xf -
cd "$work/tree"

expected=()
expect() { # REGEX...: whole lines of the test's output
    expected+=("$@")
}

# ---- includes ----

echo '#include "core/engine/agent/agent.h"' >>core/flow/batch.c
expect 'core/flow/batch\.c: includes "core/engine/agent/agent\.h"; it may include .*' \
    '[^ ]+: its includes come back to it: .*\bcore/flow\b.*'
echo '#include "commands/agent/agent.h"' >>conf/agent.c
expect 'conf/agent\.c: includes "commands/agent/agent\.h"' 'conf/agent\.c: includes "commands/agent/agent\.h"; it may include .*'
echo '#include "stages/sinks/null.h"' >>bench/load/lane/lane.c
expect 'bench/load/lane/lane\.c: includes a stage: "stages/sinks/null\.h"'
echo '#include "tests/support/stage.h"' >>bench/suite/paired.c
expect 'bench/suite/paired\.c: includes "tests/support/stage\.h", which nothing but tests may'
echo '#include <hs.h>' >>conf/agent.c
expect 'conf/agent\.c: includes <hs\.h>; only regex/\* may'

echo '#include "core/flow/bump.h"' >>stages/sinks/null.c
expect 'stages/sinks/null\.c: includes "core/flow/bump\.h", and so the engine.s part of batches \(core/flow/batch_home\.h\)'
echo '#include "core/flow/batch_home.h"' >>conf/agent.c
expect 'conf/agent\.c: includes "core/flow/batch_home\.h", and so the engine.s part of batches'

echo '#include "core/engine/plan.h"' >>stages/lib/queue/store.h
expect 'stages/lib/queue/store\.h: includes "core/engine/plan\.h": the engine knows stages by core/stage\.h alone, and they it'

# ---- what code must not hold ----

echo '/* kafka */' >>core/clock.c
expect 'core/clock\.c:[0-9]+: core knows Kafka: .*'
echo 'extern _Atomic int plain;' >>conf/agent.c
expect 'conf/agent\.c:[0-9]+: an atomic outside rings/: .*'

echo 'int created = pthread_create(0, 0, 0, 0);' >>conf/agent.c
expect 'conf/agent\.c:[0-9]+: starts a thread without ps_thread_start: .*'

echo 'static void skips(void) { skip(); }' >>tests/core/log/log_test.c
expect 'tests/core/log/log_test\.c:[0-9]+: skips without a reason: .*'

cat >>tests/core/log/log_test.c <<'EOF'
static void has_no_prefix(void **state)
{
    (void)state;
}
static int set_up(void **state)
{
    return *state == NULL;
}
#define TEST(kind)                                                                                           \
    static void kind##_works(void **)                                                                        \
    {                                                                                                        \
    }
EOF
expect 'tests/core/log/log_test\.c:[0-9]+: the name of the test has_no_prefix does not begin with test_' \
    'tests/core/log/log_test\.c:[0-9]+: the name of the test kind##_works does not begin with test_'

# ---- stages ----

echo 'STAGE(sink, ghost)' >>stages/stages.def
expect 'stages/stages\.def: STAGE\(sink, ghost\) has no stages/sinks/ghost\.c' \
    'stages/sinks/ghost\.c: has no tests/stages/sinks/ghost_test\.c, and no scenario names it' \
    'stages/sinks/ghost\.c: has no docs/stages/sink_ghost\.md' \
    'stages/sinks/ghost\.c: does not define ps_sink_ghost' \
    'stages/sinks/ghost\.c: does not say its contract: PS_STAGE\(PS_KIND_SINK\)' \
    'stages/sinks/ghost\.c: is not asked by the conformance suite: add an entry to tests/support/conformance_sinks\.c' \
    "stages/sinks/ghost\.c: is not in docs/COMPONENTS\.md: build, and run docs/generate"
touch stages/sinks/undeclared.c
expect 'stages/sinks/undeclared\.c: is not in stages/stages\.def: add STAGE\(sink, undeclared\), or move what is no stage to stages/lib'
echo '# Nothing' >docs/stages/sink_nothing.md
expect 'docs/stages/sink_nothing\.md: is about no stage'

# ---- names ----

cat >conf/doubts/twice.c <<'EOF'
struct ps_batch {
    int member;
};

enum ps_result {
    PS_MEMBER,
};

struct ps_batch *ps_batch_take(struct ps_bump *carver,
                               struct ps_now now)
{
    return 0;
}

static void ps_batch_give(void)
{
}
EOF
expect '[^ ]+: struct ps_batch is defined more than once: .*\bconf/doubts/twice\.c:1\b.*' \
    '[^ ]+: enum ps_result is defined more than once: .*\bconf/doubts/twice\.c:5\b.*' \
    '[^ ]+: function ps_batch_take is defined more than once: .*\bconf/doubts/twice\.c:11\b.*'

# ---- tests ----

touch core/flow/stray_test.c
expect 'core/flow/stray_test\.c: a test outside tests/'
mkdir tests/core/nowhere
expect 'tests/core/nowhere: there is no folder core/nowhere that its tests could be about'
touch tests/fuzz/hungry_fuzz.c
expect 'tests/fuzz/hungry_fuzz\.c: has 0 inputs in tests/fuzz/corpus/hungry, needs 3'

# ---- what comments and pages name ----

cat >conf/doubts/comment.c <<'EOF'
/* See core/none/such.c, core/cl*ck.c, conf/<name>.c and conf/doubts/{comment,twice}.c,
 * conf/{none,such}.c and such_none.h. */
int number; // docs/none.md
const char *const path = "conf/nothing.c /* core/nothing.c */";
EOF
expect 'conf/doubts/comment\.c:1: names core/none/such\.c, which is not there' \
    'conf/doubts/comment\.c:2: names conf/\{none,such\}\.c, which is not there' \
    'conf/doubts/comment\.c:2: names such_none\.h, and no file has that name' \
    'conf/doubts/comment\.c:3: names docs/none\.md, which is not there'
# shellcheck disable=SC2016
echo 'See `tests/none_test.c` and [this](none.md#some).' >>docs/RULES.md
expect 'docs/RULES\.md:[0-9]+: names tests/none_test\.c, which is not there' \
    'docs/RULES\.md:[0-9]+: links to none\.md, which is not there'
echo '# as bench/none.sh does' >>test.sh
expect 'test\.sh:[0-9]+: names bench/none\.sh, which is not there'

# ---- decisions ----

first=$(find docs/decisions -name '[0-9]*.md' -printf '%f\n' | sort | head -1 | cut -c 1-4)
last=$(grep -oE '\b[0-9]{4}\b' docs/decisions/README.md | sort | tail -1)
another=$(printf %04d $((10#$last + 2))) ahead=$(printf %04d $((10#$last + 3)))
echo "# $((10#$ahead)). Far ahead" >"docs/decisions/$ahead-far-ahead.md"
echo "# $((10#$last)). Another number" >"docs/decisions/$another-another-number.md"
echo "# $((10#$first)). Twice" >"docs/decisions/$first-twice.md"
expect "docs/decisions/README\.md: does not say why there is no decision $(printf %04d $((10#$last + 1)))" \
    "docs/decisions/$ahead-far-ahead\.md: is not listed in docs/decisions/README\.md" \
    "docs/decisions/$another-another-number\.md: is not listed in docs/decisions/README\.md" \
    "docs/decisions/$another-another-number\.md: its title does not begin with \"$((10#$another))\. \"" \
    "docs/decisions/$first-twice\.md: is not listed in docs/decisions/README\.md" \
    "docs/decisions/$first-[a-z-]+\.md: another decision has its number"

# ---- files ----

yes 'int line;' | head -601 >conf/long.c || true
expect 'conf/long\.c: has 601 lines; if it has to, its head says "More than 600 lines: ", and why'
{ echo '/* More than 600 lines: this one may be. */'; yes 'int line;' | head -600; } >rings/longer.c || true
{ echo '/* More than 600 lines: this one was. */'; yes 'int line;' | head -500; } >rings/shorter.c || true
expect 'rings/shorter\.c: has 501 lines, and its head says more'
echo 'int bare;' >conf/bare.h
expect 'conf/bare\.h: has no #pragma once' 'conf/bare\.h: does not begin by saying what it is'
mkdir -p core/flow/deep/er/still tests/core/flow/deep/er/still
touch core/flow/deep/er/still/file.c tests/core/flow/deep/er/still/file.c
expect 'core/flow/deep/er/still/file\.c: lies deeper than four folders' \
    'tests/core/flow/deep/er/still/file\.c: lies deeper than four folders below tests/'

mkdir core/many
touch core/many/{1..41}.txt
expect 'core/many: has 41 files, more than 40'
touch conf/part_{first,second}.c conf/part_internal.h
printf '/* Part. */\n#pragma once\n' >conf/part_internal.h
expect 'conf: the prefix part of (part|part_first|part_second)( (part|part_first|part_second)){2} is a folder'

# Five files call each other; the sixth is called and calls nobody. A name in a comment or a string is no call, nor is a member.
for one in 1 2 3 4 5; do
    cat >regex/circle$one.c <<EOF
int ps_circle$one(void)
{
    return ps_circle$((one % 5 + 1))() + ps_circle6(); /* of its own */
}
EOF
done
cat >regex/circle6.c <<'EOF'
/* ps_circle1() */
int ps_circle6(void)
{
    return sizeof "ps_circle1" + that.ps_circle1;
}
EOF
expect 'regex/circle1\.c: calls come back to it through regex/circle2\.c regex/circle3\.c regex/circle4\.c regex/circle5\.c: more than four files'
for one in 1 2 3 4; do # in a folder that may have three
    printf 'int ps_round%d(void)\n{\n    return ps_round%d();\n}\n' "$one" $((one % 4 + 1)) >"stages/lib/queue/segment/round$one.c"
done
expect 'stages/lib/queue/segment/round1\.c: calls come back to it through stages/lib/queue/segment/round2\.c stages/lib/queue/segment/round3\.c stages/lib/queue/segment/round4\.c: more than three files'
sed -i "s/^core\/engine  .*/&\nrings  none/" tests/unit/architecture_test.sh
expect 'tests/unit/architecture_test\.sh: allows rings a circle of calls that it has not'

# ---- rooms: what was added above is none of their business ----

sed -i -E '/^stages\/lib\/tls /d; s/^([^#]+) [0-9]+$/\1 999999/' tests/unit/rooms.txt
PENSTOCK_SOURCE=$PWD tests/unit/rooms.sh --lower
sed -i -E 's/^rings .*/rings 1/; s/^core .*/core 999999/' tests/unit/rooms.txt
expect 'stages/lib/tls: is in no room: add the line stages/lib/tls [0-9]+ to tests/unit/rooms\.txt' \
    'rings: has [0-9]+ lines, and its room has 1: take as many out of it' \
    'core: has [0-9]+ lines, and its room has 999999: call tests/unit/rooms\.sh --lower'

sed -i 's/^insides_max=.*/insides_max=1/' tests/unit/architecture_test.sh
expect 'tests: has [0-9]+ files that include a header of one product folder alone, at most 1 may: .*'

# ---- words: written in pieces, as the test reads this file too ----

for word in "/wo""rk/place" "../sha""red" "/home/some""body/" "TO""DO" "FIX""ME" "XX""X:" "py""pi.org" "FLU""ME.md"; do
    echo "$word" >>conf/words.txt
    expect "\\./conf/words\.txt: [0-9]+:${word//./\\.}"
done

# ---- global names ----

expect_symbol=''
if command -v cc >/dev/null && command -v ar >/dev/null && command -v nm >/dev/null; then
    mkdir "$work/bin"
    echo 'int stray_name; int ps_good_name;' | cc -x c -c -o "$work/bin/stray.o" -
    ar rc "$work/bin/libps_engine.a" "$work/bin/stray.o"
    expect 'libps_engine\.a: the global name stray_name begins neither with ps_ nor, as those of commands/client/client\.h, with penstock_client_'
    expect_symbol=$work/bin/penstock
fi

# ---- what the test prints ----

failed=0
PENSTOCK_SOURCE=$PWD PENSTOCK=${expect_symbol:-$PENSTOCK} bash tests/unit/architecture_test.sh >"$work/lines" 2>"$work/errors" && {
    echo "the test found nothing"
    exit 1
}
[[ ! -s $work/errors ]] || { cat "$work/errors"; failed=1; }
expect "${#expected[@]} things are wrong"
for one in "${expected[@]}"; do
    grep -qxE -- "$one" "$work/lines" || { echo "no line is: $one"; failed=1; }
done
if printf '%s\n' "${expected[@]}" | grep -vxEf - "$work/lines"; then
    echo "these lines are about nothing that was broken"
    failed=1
fi
[[ $(bash tests/unit/architecture_test.sh --arrows) == *"core/flow "*"-> core/engine "* ]] || { echo "--arrows does not print the planted include"; failed=1; }
exit $failed
