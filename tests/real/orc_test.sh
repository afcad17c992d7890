#!/usr/bin/env bash
# Needs: orc
# ORC files of the writer (stages/lib/orc), read by Apache ORC: random rows of all types with nulls and extreme values, every compression,
# many stripes, tables of transactions with a footer for each; seeks by the row index; searches that statistics and bloom filters
# shorten must find what is there.
#
#   PENSTOCK_SEED   of the rows      KEEP=1   keep the working directory
# No sanitizer: it reads files.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/support/seed.sh
source "$here/../support/seed.sh"
# shellcheck source=tests/real/java_classes.sh
source "$here/java_classes.sh"
PENSTOCK=${PENSTOCK:-$here/../../build/release/penstock}
PENSTOCK_TOOLS=${PENSTOCK_TOOLS:-$(dirname "$PENSTOCK")/tests}
skip() { echo "SKIP: $*"; exit 77; }
for program in java javac mvn; do
    command -v $program >/dev/null || skip "$program is needed for Apache ORC"
done
[[ -x $PENSTOCK_TOOLS/orc_write ]] || skip "no program $PENSTOCK_TOOLS/orc_write"
work=$(mktemp -d "${TMPDIR:-/tmp}/penstock-real.XXXXXX")
trap '[[ ${KEEP:-} ]] && echo "left: $work" || rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; [[ ! -s $work/java.log ]] || tail -20 "$work/java.log" >&2; exit 1; }

seed=$(seed_of_run)
echo "seed: PENSTOCK_SEED=$seed"
RANDOM=$((seed % 32768))
classes=$("$here/orc" classpath) || fail "Apache ORC cannot be fetched"
java_classes "$work/classes" "$classes" "$here/OrcDump.java"
java=(java -Xmx512m -XX:TieredStopAtLevel=1 -Duser.timezone=UTC -cp "$work/classes:$classes" OrcDump)
dump() { "${java[@]}" "$@" 2>>"$work/java.log" || fail "Apache ORC does not read: $*"; }

# NAME ROWS COMPRESSION STRIPE_BYTES STRIDE CHUNK_BYTES DICTIONARY_RATIO [acid] [parts]
names=() files=()
write() {
    local name=$1
    shift
    echo "$name: $*"
    "$PENSTOCK_TOOLS/orc_write" "$work/$name.orc" "$work/$name.rows" "$seed" "$@"
    names+=("$name") files+=("$work/$name.orc")
}

write many 100000 ZSTD 4000000 1000 16384 0.8
write one 5000 ZLIB 67108864 10000 262144 0.8
write small 10000 SNAPPY 300000 100 4096 0.5
write direct 10000 LZ4 1000000 3000 1024 0
write plain 10000 NONE 1000000 512 65536 0.8 parts
write without 5000 ZLIB 67108864 0 65536 0.8
write table 10000 ZLIB 1000000 512 65536 0 acid parts
write nothing 0 ZLIB 67108864 10000 262144 0.8

echo "all rows"
for name in "${names[@]}"; do
    echo "== $work/$name.orc"
    cat "$work/$name.rows"
done >"$work/wanted"
dump rows "${files[@]}" >"$work/read"
cmp "$work/wanted" "$work/read" || fail "other rows than were written"

echo "seeks"
numbers=()
for ((i = 0; i < 100; i++)); do numbers+=($((RANDOM % 10000))); done
for name in many small direct plain; do
    echo "== $work/$name.orc"
    printf '%s\n' "${numbers[@]}" | awk 'NR == FNR { wanted[NR] = $1 + 1; count = NR; next } { line[FNR] = $0 }
        END { for (i = 1; i <= count; i++) print line[wanted[i]] }' - "$work/$name.rows"
done >"$work/wanted"
dump seek "$(IFS=,; echo "${numbers[*]}")" "$work"/{many,small,direct,plain}.orc >"$work/read"
cmp "$work/wanted" "$work/read" || fail "a seek finds another row"

echo "searches"
field() { sed -n "$2p" "$work/many.rows" | cut -d ' ' -f "$1"; } # COLUMN ROW, from 1
hex() { printf '"%s"' "$(printf %s "$1" | od -An -tx1 -v | tr -d ' \n')"; }
number=$(field 4 3500) day=$(field 11 3501) money=$(field 13 3502)
searches=(serial LONG 5 serial LONG 99999 serial LONG 100000 number LONG 7 number LONG "$number" number LONG 123456789
    name STRING "value 5" name STRING "value 39" name STRING nothing day DATE "$day" day DATE 9 money DECIMAL "$money")
declare -A columns=([number]=4 [name]=8 [day]=11 [money]=13 [serial]=19)
dump find "$work/many.orc" "${searches[@]}" >"$work/found"
for ((i = 0; i < ${#searches[@]}; i += 3)); do
    value=${searches[i + 2]} text=${searches[i + 2]}
    [[ ${searches[i]} != name ]] || text=$(hex "$value")
    got=$(sed -n "$((i / 3 + 1))s/.*, \\([0-9]*\\) match/\\1/p" "$work/found")
    wanted=$(awk -v field="${columns[${searches[i]}]}" -v text="$text" '$field "" == text { n++ } END { print n + 0 }' "$work/many.rows")
    [[ $got == "$wanted" ]] || fail "${searches[i]} $value: $got rows found, $wanted are there"
done
grep -qx 'serial 99999: [0-9]\{1,4\} read, 1 match' "$work/found" || fail "the index saves nothing"
grep -qx 'name nothing: [0-9]\{1,5\} read, 0 match' "$work/found" || fail "the bloom filter saves nothing"

echo "a transactional table"
dump about "$work/table.orc" >"$work/about"
grep -qx 'hive.acid.stats=10000,0,0' "$work/about" || fail "hive.acid.stats"
grep -qx 'hive.acid.version=2' "$work/about" || fail "hive.acid.version"
stripes=$(sed -n 's/.*stripes \([0-9]*\),.*/\1/p' "$work/about")
keys=$(sed -n 's/^hive.acid.key.index=//p' "$work/about")
((stripes >= 10)) || fail "$stripes stripes"
[[ ${keys//[^;]/} == "$(printf ';%.0s' $(seq "$stripes"))" && $keys == *"5,537067520,9999;" ]] || fail "hive.acid.key.index: $keys"
echo "all rows are read as they were written"
