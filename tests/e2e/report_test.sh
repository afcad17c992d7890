#!/usr/bin/env bash
# The page of `penstock plan --report`: one file, made from a result document alone, that loads nothing and turns no
# foreign text into markup. If there is a browser, it runs the pages' script: narrow and wide, light and dark, from no
# trial to a hundred.
set -euo pipefail

[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
sample=$PENSTOCK_SOURCE/tests/bench/data/plan-result.json
check=$PENSTOCK_SOURCE/tests/e2e/report_check.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

render() { # RESULT PAGE
    "$PENSTOCK" plan --render "$1" --report "$2" >"$work/out" 2>&1 || fail "plan --render $1: exit $?: $(cat "$work/out")"
}

echo "one page"
render "$sample" "$work/out.html"
render "$sample" "$work/again.html"
cmp -s "$work/out.html" "$work/again.html" || fail "the same document gives two pages"

echo "a page that cannot be written"
code=0
"$PENSTOCK" plan --render "$sample" --report "$work/nowhere/out.html" >"$work/out" 2>&1 || code=$?
((code != 0)) || fail "a page was written to a folder that is not there"
grep -q 'nowhere' "$work/out" || fail "the message does not name the file: $(cat "$work/out")"
[[ -z $(find "$work" -name '*.tmp') ]] || fail "it left a temporary file"

echo "documents of all kinds"
mkdir "$work/pages"
python3 "$check" variants "$sample" "$work/pages"
pages=()
for document in "$work"/pages/*.json; do
    render "$document" "${document%.json}.html"
    "$PENSTOCK" plan --render "$document" >"${document%.json}.txt" || fail "plan --render $document: exit $?"
    pages+=("${document%.json}.html")
done
((${#pages[@]} >= 10)) || fail "only ${#pages[@]} pages"
python3 "$check" static "${pages[@]}" || fail "wrong pages"

echo "in a browser"
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[[ $chromium ]] || { echo "SKIP: no chromium; everything else was checked"; exit 77; }
python3 "$check" browser "$chromium" "${pages[@]}" || fail "the browser shows wrong pages"
