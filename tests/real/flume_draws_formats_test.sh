#!/usr/bin/env bash
# Needs: flume
# Serializers and deserializers with drawn configurations, events and files: Flume's own classes beside the native stages.
# shellcheck source=tests/real/flume_draws.sh
source "$(dirname "${BASH_SOURCE[0]}")/flume_draws.sh"
drawn serializer line blob avro
