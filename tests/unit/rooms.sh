#!/usr/bin/env bash
# Lines of product (C and Java) in each room of tests/unit/rooms.txt, and lines of tests (scripts and scenarios, too) in the room tests. A room has at most as many as its line says, and the line
# follows when a room becomes smaller, so that the numbers only fall. A file belongs to the longest room that it lies in.
# architecture_test.sh runs it.
#
#   rooms.sh            prints what is wrong; fails if anything is
#   rooms.sh --lower    writes the numbers of rooms that have become smaller; never a higher one
#   rooms.sh --count    prints all rooms with their lines
set -euo pipefail
cd "${PENSTOCK_SOURCE:-$(dirname "$0")/../..}"
table=tests/unit/rooms.txt
# A folder of stages/lib with more lines is a room of its own.
own_lines=1000

# Prints "ROOM LINES ALLOWED" for each room in the order of the table; ROOM is a folder of stages/lib that is too large for none.
count() {
    find commands core rings regex conf stages bench tests -path tests/fuzz/corpus -prune -o \
        \( -name '*.[ch]' -o -name '*.cc' -o -name '*.java' -o -path 'tests/*.sh' -o -path 'tests/*.py' -o -path 'tests/*.scn' \) -print0 |
        xargs -0 wc -l | awk -v table="$table" -v own_lines="$own_lines" '
        BEGIN {
            while ((getline line < table) > 0) {
                if (line ~ /^#/ || split(line, part, " ") != 2)
                    continue
                order[++rooms] = part[1]
                allowed[part[1]] = part[2]
            }
        }
        $2 == "total" { next }
        {
            room = $2
            while (room != "" && !(room in allowed))
                if (!sub(/\/[^\/]*$/, "", room))
                    room = ""
            lines[room == "" ? $2 : room] += $1
            if (room == "stages/lib" && match($2, /^stages\/lib\/[^\/]+\//))
                small[substr($2, 1, RLENGTH - 1)] += $1
        }
        END {
            for (i = 1; i <= rooms; i++)
                print order[i], lines[order[i]] + 0, allowed[order[i]]
            for (room in lines)
                if (!(room in allowed))
                    print room, lines[room], "-"
            for (room in small)
                if (small[room] > own_lines)
                    print room, small[room], "-"
        }'
}

case ${1:-} in
--count) count ;;
--lower)
    lowered=$(count | awk 'NR == FNR { if ($3 != "-" && $2 < $3) low[$1] = $2; next } $1 in low { $0 = $1 " " low[$1] } { print }' - "$table")
    printf '%s\n' "$lowered" >"$table"
    ;;
*)
    # a twentieth below, so that two people who make a room smaller at the same time need not both write its line
    wrong=$(count | awk '
        $3 == "-" { print $1 ": is in no room: add the line " $1 " " $2 " to tests/unit/rooms.txt"; next }
        $2 > $3 { print $1 ": has " $2 " lines, and its room has " $3 ": take as many out of it" }
        $2 < $3 * 0.95 && $2 < $3 - 100 { print $1 ": has " $2 " lines, and its room has " $3 ": call tests/unit/rooms.sh --lower" }')
    [[ ! $wrong ]] || { echo "$wrong"; exit 1; }
    ;;
esac
