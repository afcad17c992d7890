#!/usr/bin/env bash
# Needs: flume
# Messages of the sources syslogtcp and syslogudp, drawn, with drawn keys, zones and times: Flume's SyslogUtils beside our parser.
# shellcheck source=tests/real/flume_draws.sh
source "$(dirname "${BASH_SOURCE[0]}")/flume_draws.sh"
# shellcheck disable=SC2086
drawn ${ONLY:-syslog}
