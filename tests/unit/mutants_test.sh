#!/usr/bin/env bash
# Each planted bug of tests/mutation/mutants.txt fits the tree: whoever changes a line on which one is planted refits it, or else that bug is never planted again.
# No sanitizer: it reads the tree.
set -euo pipefail
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
cd "$PENSTOCK_SOURCE"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 tests/mutation/run.py --fit || { echo "FAILED: refit these blocks of tests/mutation/mutants.txt"; exit 1; }

# A block that does not fit is noticed, and named with the reason.
refused() { # REASON PATH BEFORE AFTER [TEST]
    printf '%s\n- %s\n+ %s\n' "${@:2:3}" >"$work/bugs.txt"
    [[ $# == 4 ]] || echo "tests: $5" >>"$work/bugs.txt"
    ! python3 tests/mutation/run.py --fit --bugs "$work/bugs.txt" >"$work/out" || { echo "FAILED: not noticed: $1"; exit 1; }
    grep -qF "    $1" "$work/out" || { echo "FAILED: no \"$1\": $(<"$work/out")"; exit 1; }
}
line='return fill.capacity == 0 || fill.size < fill.capacity;'
refused 'there is no such file' stages/none.c "$line" ';'
refused 'the line is there 0 times' stages/lib/queue/producer.c 'no such line;' ';'
refused 'the line is there 0 times in ps_queue_put' 'stages/lib/queue/producer.c ps_queue_put' "$line" ';'
refused 'it changes nothing' 'stages/lib/queue/producer.c has_room' "$line" "$line"
refused 'no test is named core_none' 'stages/lib/queue/producer.c has_room' "$line" ';' core_none

# Many bugs in one program (run.py --together): each is there only with its number, and PS_MUTANT=-1 names those whose function was called, once.
cat >"$work/program.c" <<'END'
#include <errno.h>

static int twice(int value)
{
    return 2 * value;
}

static int never(void)
{
    return 1;
}

static int second(int, const unsigned char[2], const int *numbers, unsigned long)
{
    return numbers[1];
}

int main(int argc, char **argv)
{
    (void)argv;
    errno = 7;
    return argc < 0 ? never() : twice(twice(3)) + errno + second(9, (const unsigned char *)"9", (const int[]){40, 0}, 9);
}
END
python3 - tests/mutation "$work" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import together
with open(sys.argv[2] + "/program.c") as file:
    text = file.read()
text, alone, probed = together.plant(text, [(1, 4, "    return 3 * value;"), (2, 9, "    return 2;"), (3, 4, "    return value;"), (4, 0, "#include <none.h>"), (5, 14, "    return numbers[0];")])
assert alone == [4], alone
assert sorted(probed) == [1, 2, 3, 5], probed
together.prepare_file(sys.argv[2] + "/reached")
with open(sys.argv[2] + "/planted.c", "w") as file:
    file.write(text)
END
${CC:-cc} -o "$work/planted" "$work/planted.c"
answers() { # NUMBER STATUS
    local status=0
    PS_MUTANT=$1 PS_MUTANT_REACHED=$work/reached "$work/planted" || status=$?
    ((status == $2)) || { echo "FAILED: with PS_MUTANT=$1 it ends with $status, not $2"; exit 1; }
}
answers 0 19
answers 1 34
answers 2 19
answers 3 10
answers 5 59 # some of its parameters have no name
reached() { # SETS
    local sets
    sets=$(python3 -c 'import sys; sys.path.insert(0, "tests/mutation"); import together; print(*together.read_reached(sys.argv[1]))' "$work/reached")
    [[ $sets == "$1" ]] || { echo "FAILED: reached: $sets, not $1"; exit 1; }
}
reached "set() set()" # a program with one bug marks nothing
answers -1 19
reached "{1, 3, 5} {1, 3, 5}"

# The edits that a drawn bug may make in a line; other lines are left alone.
edits() { # LINE EDIT...
    local out
    out=$(python3 -c 'import sys; sys.path.insert(0, "tests/mutation"); import run; print(*(edit.strip() for edit in run.edits_of(sys.argv[1])), sep="\n")' "$1")
    [[ $out == "$(printf '%s\n' "${@:2}")" ]] || { printf 'FAILED: of %s becomes\n%s\n' "$1" "$out"; exit 1; }
}
edits '    if (count > 3)' 'if (count >= 3)' 'if (count > 4)'
edits '    for (int i = 0; i < count; i++) {' 'for (int i = 0; i <= count; i++) {' 'for (int i = 1; i < count; i++) {' \
    'for (int i = 0; i < count && i < 1; i++) {'
edits '    count++;' 'count--;'
edits '    return -1;' 'return 0;'
edits '    say("a < b");' ';'
edits '    free(text);' ''
edits '    pthread_mutex_lock(&queue->lock);' ''
edits '    ps_log_error("no room");' ''
edits '    return;' ';'
edits '    if (bytes > NAME_BYTES_MAX)' 'if (bytes >= NAME_BYTES_MAX)' 'if (bytes > NAME_BYTES_MAX + 1)'
edits '    copy(to, from, length);' 'copy(to, length, from);' ';'

# Those that need the words of the file: sides of a condition, a constant of the same enum, a member with a similar name.
words() { # TEXT LINE EDIT...
    local out
    out=$(python3 -c 'import sys; sys.path.insert(0, "tests/mutation"); import run; print(*(edit.strip() for edit in run.Words(sys.argv[1]).edits_of(sys.argv[2])), sep="\n")' "$1" "$2")
    [[ $out == "$(printf '%s\n' "${@:3}")" ]] || { printf 'FAILED: of %s becomes\n%s\n' "$2" "$out"; exit 1; }
}
words '' '    if (a && (b || c))' 'if (!(a && (b || c)))' 'if (false && (a && (b || c)))' 'if (a)' 'if ((b || c))'
words '' '    if (a) b(c);' ''
words 'PS_END_OPEN PS_END_DONE PS_OTHER_X' '    return PS_END_DONE;' 'return PS_END_OPEN;'
words '' '    errno = ENOENT;' 'errno = EIO;'
words 'line->first_row line->last_row line->name' '    line->first_row = 1;' 'line->last_row = 1;'
words 'PS_LOG_WARN PS_LOG_ERROR' '    report(PS_LOG_WARN);' ''
