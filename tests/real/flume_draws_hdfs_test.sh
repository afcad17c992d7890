#!/usr/bin/env bash
# Needs: flume
# Paths, escapes, rounding and files of the sink hdfs, its sequence files, and Avro files of bodies that are Avro data, with drawn configurations and
# events, on the local disk: Flume's own sink beside the native one.
# shellcheck source=tests/real/flume_draws.sh
source "$(dirname "${BASH_SOURCE[0]}")/flume_draws.sh"
# shellcheck disable=SC2086
drawn ${ONLY:-hdfs sequence datum}
