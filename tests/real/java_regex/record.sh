#!/usr/bin/env bash
# Rewrites tests/regex/data/java_regex_table.txt: nasty.txt and generated cases with the answers of Java 17.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
seed=20261120
patterns=150
{ cat nasty.txt; java Generate.java $seed $patterns; } | java JavaRegex.java >../../regex/data/java_regex_table.txt
