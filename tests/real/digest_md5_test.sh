#!/usr/bin/env bash
# Needs: java
# DIGEST-MD5 as Java's own client and server speak it, with nonces of today: stages_lib_sasl_digest_md5_digest_md5 does the same with those that
# were recorded once.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=${PENSTOCK_TOOLS:-$here/../../build/release/tests}
skip() { echo "SKIP: $*"; exit 77; }
command -v java >/dev/null || skip "no java"
[[ -x $tools/stages_lib_sasl_digest_md5_digest_md5 ]] || { echo "FAILED: no program $tools/stages_lib_sasl_digest_md5_digest_md5"; exit 1; }
version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
((version >= 17)) || skip "Java $version: Record.java needs 17"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
java -XX:TieredStopAtLevel=1 "$here/digest_md5/Record.java" >"$work/record"
DIGEST_MD5_RECORD=$work/record "$tools/stages_lib_sasl_digest_md5_digest_md5"
