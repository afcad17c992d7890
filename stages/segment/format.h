/* The bytes of a log on disk: segment files of frames, and the state that says from where they are read. All numbers are
 * little-endian. docs/CHANNEL-FORMAT.md has the layout for readers of other programs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/encryption/seal.h"

#define PS_SEGMENT_HEAD_BYTES 64U
/* Of a segment whose frames are encrypted. */
#define PS_SEGMENT_SEALED_HEAD_BYTES 256U
#define PS_FRAME_HEAD_BYTES 48U
/* Frames begin at multiples of this. */
#define PS_FRAME_ALIGN 8U
#define PS_FRAME_LENGTH_MAX (UINT32_C(1) << 30)
/* Of a frame's payload before it is encrypted, which makes it PS_SEAL_TAG_BYTES longer. */
#define PS_FRAME_PAYLOAD_MAX (PS_FRAME_LENGTH_MAX - PS_SEAL_TAG_BYTES)

/* With which key the frames of a segment are encrypted. */
struct ps_segment_sealing {
    bool on;
    uint32_t key_bytes; /* 16, 24 or 32 */
    uint8_t salt
        [PS_SEAL_SALT_BYTES]; /* drawn for each segment: from it and the key comes the segment's own key */
    uint8_t tag[PS_SEAL_TAG_BYTES]; /* of the head: says whether a key is the right one */
    char key[PS_KEY_NAME_BYTES_MAX + 1];
};

/* The head of a segment file. */
struct ps_segment_head {
    uint64_t log;     /* drawn when the log was made: the files of two logs cannot be mixed up */
    uint64_t segment; /* 1, 2, .. */
    uint64_t
        first; /* number of its first frame; frames of earlier segments with this number or more are void */
    uint64_t size; /* of the file when it was made, bytes; 0: not said */
    uint32_t
        salt; /* drawn for each segment, and in every checksum: old bytes of the disk are never frames of it */
    struct ps_segment_sealing sealing;
};

/* Where the first frame begins. */
static inline uint32_t ps_segment_head_bytes(const struct ps_segment_head *head)
{
    return head->sealing.on ? PS_SEGMENT_SEALED_HEAD_BYTES : PS_SEGMENT_HEAD_BYTES;
}

/* What a frame has behind its payload. */
static inline uint32_t ps_segment_tag_bytes(const struct ps_segment_head *head)
{
    return head->sealing.on ? PS_SEAL_TAG_BYTES : 0;
}

enum ps_frame_kind {
    PS_FRAME_EVENTS = 1, /* what was put */
    PS_FRAME_TAKEN = 2,  /* what was delivered */
    PS_FRAME_END = 3,    /* the segment ends here; the next one goes on */
};

struct ps_frame {
    enum ps_frame_kind kind;
    uint32_t length;   /* of the payload on the disk, bytes: with the tag, if the segment is encrypted */
    uint32_t checksum; /* CRC32C of these bytes, seeded with the salt */
    uint32_t count;    /* events in it */
    uint64_t bytes;    /* of their bodies */
    uint64_t number;   /* EVENTS: 1, 2, .. without gaps; others: of the last frame of events before it */
    uint64_t promised; /* frames up to this number were synced before this one was written */
};

/* Bytes from the begin of one frame to that of the next. */
static inline uint64_t ps_frame_span(uint32_t length)
{
    return (PS_FRAME_HEAD_BYTES + (uint64_t)length + PS_FRAME_ALIGN - 1) & ~(uint64_t)(PS_FRAME_ALIGN - 1);
}

/* Writes ps_segment_head_bytes. */
void ps_segment_head_write(char *to, const struct ps_segment_head *head);
/* Returns false if it is none, or damaged. `from` has PS_SEGMENT_SEALED_HEAD_BYTES; what is behind the file's end is zero. */
bool ps_segment_head_read(const char *from, struct ps_segment_head *head);
/* The bytes of a head from which the key of the segment comes: its first ones. */
#define PS_SEGMENT_IDENTITY_BYTES 48U
/* Writes the PS_SEGMENT_SEALED_HEAD_BYTES that the tag of a head is about: the head without tag and checksums. */
void ps_segment_head_bound(char *to, const struct ps_segment_head *head);

/* The CRC32C of a payload of this segment. */
uint32_t ps_frame_checksum(uint32_t salt, const void *payload, size_t length);
void ps_frame_write(char *to, const struct ps_frame *frame, uint32_t salt);
/* Returns false if these bytes are no head of a frame of this segment, or a damaged one. Says nothing of the payload. */
bool ps_frame_read(const char *from, uint32_t salt, struct ps_frame *frame);

/* The bytes of a frame's head that its tag is about, of those that ps_frame_write wrote: all but the checksums. */
#define PS_FRAME_BOUND_OFFSET 12U
#define PS_FRAME_BOUND_BYTES (PS_FRAME_HEAD_BYTES - PS_FRAME_BOUND_OFFSET)

/* Frames first .. last were delivered: so many events and bytes of bodies. */
struct ps_taken_range {
    uint64_t first, last, events, bytes;
};
#define PS_TAKEN_RANGE_BYTES 32U
void ps_taken_range_write(char *to, const struct ps_taken_range *range);
void ps_taken_range_read(const char *from, struct ps_taken_range *range);

/* Two slots of this size, written in turn, so that one is always whole. */
#define PS_STATE_SLOT_BYTES 65536U
#define PS_STATE_RANGES_MAX ((PS_STATE_SLOT_BYTES - 96U) / PS_TAKEN_RANGE_BYTES)

/* What recovery begins with. */
struct ps_segment_state {
    uint64_t generation; /* the higher one counts */
    uint64_t log;
    uint64_t low;             /* every frame below this number was delivered */
    uint64_t segment, offset; /* the tail begins here: frames from here on are read by recovery */
    uint64_t next;            /* number of the first frame of events from there on */
    uint64_t events, bytes;   /* put before the tail and not delivered */
    uint32_t range_count;     /* at most PS_STATE_RANGES_MAX */
    struct ps_taken_range
        *ranges; /* delivered, above `low`, in order; reading: room for PS_STATE_RANGES_MAX */
};
void ps_segment_state_write(char *to, const struct ps_segment_state *state);
/* Returns false if the slot is empty or damaged. */
bool ps_segment_state_read(const char *from, struct ps_segment_state *state);
