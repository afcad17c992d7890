/* Topic expressions: `kafka.topics.regex` is a java.util.regex pattern that must match a whole topic name;
 * librdkafka takes POSIX extended expressions that may match anywhere. This file translates the Java pattern
 * into a POSIX expression.
 *
 * Topic names consist only of letters, digits, '.', '_' and '-', so each character class becomes the set of the
 * legal characters that it contains. Constructs that POSIX cannot express are refused with an error that names
 * the construct: look-around, back references, possessive quantifiers, inline flags, properties, class
 * intersections. Thread: control. */
#pragma once

#include "core/arena.h"
#include "core/status.h"

/* Returns "^(..)$" (librdkafka recognizes an expression by the "^"), or NULL after setting `err` to a line with
 * the reason. */
const char *ps_kafka_topic_regex(struct ps_arena *arena, const char *pattern, struct ps_err *err);
