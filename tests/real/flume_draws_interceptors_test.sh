#!/usr/bin/env bash
# Needs: flume
# Interceptors and selectors with drawn configurations and events: Flume's own classes beside the native stages.
# shellcheck source=tests/real/flume_draws.sh
source "$(dirname "${BASH_SOURCE[0]}")/flume_draws.sh"
# shellcheck disable=SC2086
drawn ${ONLY:-timestamp host static remove_header uuid search_replace regex_filter regex_extractor selector}
