/* The frames of a log (a file channel) that transactions have committed: the position of a channel, in a record of the
 * topic of positions.
 *
 * A frame is named by the random number of its file (salt) and its own number: a log gives a number again only in another
 * file (core/flow/identity.h, docs/decisions/0110-positions-in-a-compacted-topic.md). Frames that follow each other in a file
 * are one range. A gap is a frame that the channel could not read, or whose key is missing: it may come later.
 *
 * At most PS_KAFKA_FRAMES_MAX ranges are kept, those that grew last. The log itself records deliveries a moment after the
 * transaction, so only the last ones are needed.
 *
 * Thread: the owner's. No allocation. */
#pragma once

#include "core/base.h"

#define PS_KAFKA_FRAMES_MAX 256U
/* Bytes of the longest text: version, and three numbers of each range. */
#define PS_KAFKA_FRAMES_TEXT_BYTES (2U + PS_KAFKA_FRAMES_MAX * 53U + 1U)

struct ps_kafka_frame_range {
    uint64_t first, last;
    uint32_t salt;
};

struct ps_kafka_frames {
    struct ps_kafka_frame_range ranges[PS_KAFKA_FRAMES_MAX]; /* in the order in which they grew last */
    uint32_t count;
};

void ps_kafka_frames_add(struct ps_kafka_frames *frames, uint32_t salt, uint64_t number);
bool ps_kafka_frames_has(const struct ps_kafka_frames *frames, uint32_t salt, uint64_t number);
/* Prints "1 SALT:FIRST-LAST SALT:FIRST-LAST .." (1 is the version), terminated. Returns the length. */
uint32_t ps_kafka_frames_print(const struct ps_kafka_frames *frames, char text[PS_KAFKA_FRAMES_TEXT_BYTES]);
/* Reads what `print` wrote. Returns false if it is anything else. */
bool ps_kafka_frames_parse(struct ps_kafka_frames *frames, const char *text, size_t length);
