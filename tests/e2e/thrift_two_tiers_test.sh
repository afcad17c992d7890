#!/usr/bin/env bash
# Two tiers with a thrift sink and a thrift source between them, each killed and started again under load.
LINK=thrift
# shellcheck source=tests/e2e/avro_two_tiers_test.sh
source "$(dirname "${BASH_SOURCE[0]}")/avro_two_tiers_test.sh"
