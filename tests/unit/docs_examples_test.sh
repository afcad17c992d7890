#!/usr/bin/env bash
# Runs the examples in the documents: every sh block after a line "<!-- run -->", in the root of the source, with this
# program first in the path. "<!-- run: exit N -->" expects that exit code.
set -euo pipefail

[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
cd "$PENSTOCK_SOURCE"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$PENSTOCK" "$work/bin/penstock"
cp conf/bin/flume-ng "$work/bin/flume-ng"
export PATH="$work/bin:$PATH" TMPDIR="$work"

# Writes each block to a file NAME-LINE.block; its first line is "DOCUMENT:LINE EXIT".
find . -maxdepth 3 -name '*.md' \( -path './README.md' -o -path './docs/*' \) | sort | while IFS= read -r document; do
    awk -v document="$document" -v dir="$work" '
        /^<!-- run(: exit [0-9]+)? -->$/ { wanted = /exit/ ? $4 + 0 : 0; armed = 1; next }
        armed && /^```sh$/ {
            name = document
            gsub(/[.]*\//, "_", name)
            name = sprintf("%s/%s-%05d.block", dir, name, FNR)
            print document ":" FNR, wanted >name
            inside = 1; armed = 0
            next
        }
        inside && /^```$/ { inside = 0; close(name); next }
        inside { print >name; next }
        armed && NF { armed = 0; print document ":" FNR ": no sh block after <!-- run -->" >"/dev/stderr" }
    ' "$document"
done

failures=0 count=0
for block in "$work"/*.block; do
    [[ -e $block ]] || break
    read -r place wanted <"$block"
    tail -n +2 "$block" >"$work/script"
    code=0
    timeout 60 bash -euo pipefail "$work/script" >"$work/out" 2>&1 </dev/null || code=$?
    count=$((count + 1))
    if ((code != wanted)); then
        echo "FAILED: $place: exit $code, not $wanted"
        sed 's/^/    /' "$work/script"
        tail -20 "$work/out"
        failures=$((failures + 1))
    fi
done
echo "$count examples"
((count > 0 && failures == 0))
