#!/usr/bin/env bash
# Tests what penstock check says about agent files with sinks of files and stores, whole: every problem at once, with file, line and key.
# The files are in tests/conf/data ({hdfs,hive,stores}-*.properties), what is said of them is beside them (.expected; UPDATE=1 writes it).
# No sanitizer: conf_corpus, conf_corpus_company and the whole outputs of commands read such files there, without a process for each.
set -uo pipefail
[[ -x ${PENSTOCK:-} ]] || { echo "SKIP: the program is not built"; exit 77; }
cd "$PENSTOCK_SOURCE/tests/conf/data" || exit 1
unset HADOOP_CONF_DIR HADOOP_HOME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
for file in {hdfs,hive,stores}-*.properties; do
    "$PENSTOCK" check -n a1 -f "$file" >"$work/all"
    code=$?
    ((code == 0)) || { echo "FAILED: $file: exit code $code"; failed=1; }
    sed '/^$/,$d' "$work/all" >"$work/out"
    grep "^a1: " "$work/all" >>"$work/out"
    [[ -z ${UPDATE:-} ]] || cp "$work/out" "${file%.properties}.expected"
    diff "${file%.properties}.expected" "$work/out" || { echo "FAILED: $file"; failed=1; }
done
exit "$failed"
