/* Topic expressions: `kafka.topics.regex` is a java.util.regex pattern that must match a whole topic name;
 * librdkafka takes POSIX extended expressions that may match anywhere. This translates one into the other.
 *
 * Topic names consist of letters, digits, '.', '_' and '-' only, so every character class is written out as
 * the set of those it contains. What POSIX cannot express is refused by name: look-around, back references,
 * possessive quantifiers, inline flags, properties, class intersections. Thread: control. */
#pragma once

#include "core/arena.h"
#include "core/status.h"

/* "^(..)$", which is also librdkafka's mark of an expression. NULL and a line saying what is not understood.
 */
const char *ps_kafka_topic_regex(struct ps_arena *arena, const char *pattern, struct ps_err *err);
