#!/usr/bin/env bash
# Needs: flume
# Serializers, deserializers and the JSON handler with drawn configurations, events, files and requests: Flume's own classes beside the native stages.
# shellcheck source=tests/real/flume_draws.sh
source "$(dirname "${BASH_SOURCE[0]}")/flume_draws.sh"
# shellcheck disable=SC2086
drawn ${ONLY:-serializer line blob avro json}
