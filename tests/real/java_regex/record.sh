#!/usr/bin/env bash
# Writes tests/regex/data/java_regex_table.txt anew: nasty.txt and generated cases as Java 17 answers them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
seed=20261120
patterns=1500
{ cat nasty.txt; java Generate.java $seed $patterns; } | java JavaRegex.java >../../regex/data/java_regex_table.txt
