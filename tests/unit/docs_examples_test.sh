#!/usr/bin/env bash
# Runs every command in the documents, or knows why not; tests/unit/docs_examples.py says how they are marked.
# No sanitizer: the commands are those of whole outputs and of tests end to end, whose parts have tests there.
set -euo pipefail

[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
for program in python3 unshare jq nc curl ip ss kcat; do
    command -v $program >/dev/null || { echo "SKIP: no $program"; exit 77; }
done
cd "$PENSTOCK_SOURCE"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
documents=("$@")
((${#documents[@]})) || mapfile -t documents < <(find README.md CONTRIBUTING.md docs perf -maxdepth 2 -name '*.md' | sort)
python3 tests/unit/docs_examples.py "$PENSTOCK" "$work" "${documents[@]}"
