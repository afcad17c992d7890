/* Calls of Flume 0.9's clients, and of scribe's, as bytes. */
#pragma once

#include "core/base.h"

/* Headers and fields of the calls' events in addition to their bodies. */
#define PS_TEST_LEGACY_HEADERS                                                                               \
    "host", "old.example", "timestamp", "1300000000123", "pri", "WARN", "nanos", "-7", "k", "v", "FlumeOG",  \
        "yes"

/* Each writes a call with an event and returns its length; `to` has room for 512 bytes and the body. */
size_t ps_test_legacy_thrift(uint8_t *to, uint32_t number, const char *body, size_t length);
/* A POST; `pieces`: frames of its body. */
size_t ps_test_legacy_avro(uint8_t *to, const char *body, size_t length, unsigned pieces);
size_t ps_test_scribe(uint8_t *to, uint32_t number, const char *body, size_t length);
