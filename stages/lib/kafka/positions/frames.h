/* The frames of a file channel's log that transactions have committed. They are the channel's position, which
 * is kept in a record of the topic of positions.
 *
 * A frame is named by the random number of its file (salt) and its own number; a log uses a number again only
 * in another file (core/flow/identity.h, docs/decisions/0110-positions.md). Frames that
 * follow each other in a file are one range. A gap between ranges is a frame that the channel could not read,
 * or whose encryption key is missing: the channel may deliver it later.
 *
 * The log itself records deliveries a moment after the transaction. So a range that has not grown for
 * PS_KAFKA_FRAMES_YOUNG_NS is no longer needed, and is removed when the room is used up. Younger ranges stay;
 * so the owner calls ps_kafka_frames_room before it adds frames, and waits if there is no room. A range that
 * was read from the topic counts as grown at that time.
 *
 * Thread: the owner's. No allocation. */
#pragma once

#include "core/base.h"

#define PS_KAFKA_FRAMES_MAX 1024U
/* Number of ranges of additional room: the first lease after each start is taken before the positions are
 * known, and may need a new range. */
#define PS_KAFKA_FRAMES_SPARE 32U
#define PS_KAFKA_FRAMES_ROOM (PS_KAFKA_FRAMES_MAX + PS_KAFKA_FRAMES_SPARE)
/* The log writes deliveries without delay, and syncs them each second (stages/lib/queue/thread.c). */
#define PS_KAFKA_FRAMES_YOUNG_NS (10 * UINT64_C(1000000000))
/* Bytes of the longest text: version, and three numbers of each range. */
#define PS_KAFKA_FRAMES_TEXT_BYTES (2U + PS_KAFKA_FRAMES_ROOM * 53U + 1U)

struct ps_kafka_frame_range {
    uint64_t first, last;
    uint64_t grew_ns; /* not in the text */
    uint32_t salt;
};

struct ps_kafka_frames {
    struct ps_kafka_frame_range ranges[PS_KAFKA_FRAMES_ROOM]; /* in the order in which they grew last */
    uint32_t count;
};

void ps_kafka_frames_add(struct ps_kafka_frames *frames, uint32_t salt, uint64_t number, uint64_t now_ns);
/* Returns whether a young range has this frame, or ends or begins next to it: then the frame can be added
 * without room. */
bool ps_kafka_frames_is_next(const struct ps_kafka_frames *frames, uint32_t salt, uint64_t number,
                             uint64_t now_ns);
/* Returns the number of ranges that can be added, or can grow again, without the removal of a young range.
 * *due_ns: when this number next increases; PS_NEVER: no range is young. */
uint32_t ps_kafka_frames_room(const struct ps_kafka_frames *frames, uint64_t now_ns, uint64_t *due_ns);
bool ps_kafka_frames_has(const struct ps_kafka_frames *frames, uint32_t salt, uint64_t number);
/* Copies the age of each range that is the same in `before`. */
void ps_kafka_frames_age(struct ps_kafka_frames *frames, const struct ps_kafka_frames *before);
/* Prints "1 SALT:FIRST-LAST SALT:FIRST-LAST .." (1 is the version), terminated. Returns the length in bytes. */
uint32_t ps_kafka_frames_print(const struct ps_kafka_frames *frames, char text[PS_KAFKA_FRAMES_TEXT_BYTES]);
/* Reads a text of ps_kafka_frames_print. Returns false for any other text. */
bool ps_kafka_frames_parse(struct ps_kafka_frames *frames, const char *text, size_t length, uint64_t now_ns);
