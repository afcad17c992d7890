/* The bytes of a log on disk: segment files of frames, and the state file, from which recovery begins. All
 * numbers are little-endian. docs/CHANNEL-FORMAT.md describes the layout for other programs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/lib/encryption/seal.h"

#define PS_SEGMENT_HEAD_BYTES 64U
/* Head of a segment whose frames are encrypted. */
#define PS_SEGMENT_SEALED_HEAD_BYTES 256U
#define PS_FRAME_HEAD_BYTES 48U
/* Frames begin at multiples of this number. */
#define PS_FRAME_ALIGN 8U
#define PS_FRAME_LENGTH_MAX (UINT32_C(1) << 30)
/* Maximum length of a payload before encryption, which adds PS_SEAL_TAG_BYTES. */
#define PS_FRAME_PAYLOAD_MAX (PS_FRAME_LENGTH_MAX - PS_SEAL_TAG_BYTES)

/* Encryption of a segment's frames. */
struct ps_segment_sealing {
    bool on;
    uint32_t key_bytes; /* 16, 24 or 32 */
    uint8_t salt
        [PS_SEAL_SALT_BYTES]; /* random for each segment: the segment's own key is derived from it and the named key */
    uint8_t tag[PS_SEAL_TAG_BYTES]; /* authenticates the head, and so shows whether a key is the right one */
    char key[PS_KEY_NAME_BYTES_MAX + 1];
};

/* The head of a segment file. */
struct ps_segment_head {
    uint64_t log;     /* random number of the log: files of two logs cannot be mixed up */
    uint64_t segment; /* 1, 2, .. */
    uint64_t
        /* number of the segment's first frame; frames of earlier segments with this number or a higher one are void */
        first;
    uint64_t size; /* size of the file when it was created, bytes; 0: not recorded */
    uint32_t
        /* random for each segment, and part of every checksum, so old bytes on the disk are never taken for
         * frames of this segment */
        salt;
    struct ps_segment_sealing sealing;
};

/* Returns the offset of the first frame. */
static inline uint32_t ps_segment_head_bytes(const struct ps_segment_head *head)
{
    return head->sealing.on ? PS_SEGMENT_SEALED_HEAD_BYTES : PS_SEGMENT_HEAD_BYTES;
}

/* Returns the length in bytes of the tag after each payload; 0: the segment is not encrypted. */
static inline uint32_t ps_segment_tag_bytes(const struct ps_segment_head *head)
{
    return head->sealing.on ? PS_SEAL_TAG_BYTES : 0;
}

enum ps_frame_kind {
    PS_FRAME_EVENTS = 1, /* events that were put */
    PS_FRAME_TAKEN = 2,  /* ranges of frames that were delivered */
    PS_FRAME_END = 3,    /* the segment ends here; the next one continues */
};

struct ps_frame {
    enum ps_frame_kind kind;
    /* length of the payload on the disk, bytes; includes the tag if the segment is encrypted */
    uint32_t length;
    uint32_t checksum; /* CRC32C of the payload on the disk, seeded with the salt */
    uint32_t count;    /* number of events in the frame */
    uint64_t bytes;    /* bytes of the events' bodies */
    /* EVENTS: 1, 2, .. without gaps; other kinds: the number of the last frame of events before this frame. */
    uint64_t number;
    uint64_t promised; /* frames up to this number were synced before this frame was written */
};

/* Returns the number of bytes from the beginning of a frame to the beginning of the next one. */
static inline uint64_t ps_frame_span(uint32_t length)
{
    return (PS_FRAME_HEAD_BYTES + (uint64_t)length + PS_FRAME_ALIGN - 1) & ~(uint64_t)(PS_FRAME_ALIGN - 1);
}

/* Writes the ps_segment_head_bytes of the head. */
void ps_segment_head_write(char *to, const struct ps_segment_head *head);
/* Returns false if the bytes at `from` are not a valid head. `from` has PS_SEGMENT_SEALED_HEAD_BYTES bytes;
 * bytes after the end of the file are zero. */
bool ps_segment_head_read(const char *from, struct ps_segment_head *head);
/* The first bytes of a head, from which the segment's key is derived. */
#define PS_SEGMENT_IDENTITY_BYTES 48U
/* Writes the PS_SEGMENT_SEALED_HEAD_BYTES that the head's tag authenticates: the head without the tag and the checksums. */
void ps_segment_head_bound(char *to, const struct ps_segment_head *head);

/* Returns the CRC32C of a payload of this segment. */
uint32_t ps_frame_checksum(uint32_t salt, const void *payload, size_t length);
void ps_frame_write(char *to, const struct ps_frame *frame, uint32_t salt);
/* Returns false if these bytes are not a valid head of a frame of this segment. Does not check the payload. */
bool ps_frame_read(const char *from, uint32_t salt, struct ps_frame *frame);

/* The part of a frame's head that the frame's tag authenticates: all bytes but the checksums. */
#define PS_FRAME_BOUND_OFFSET 12U
#define PS_FRAME_BOUND_BYTES (PS_FRAME_HEAD_BYTES - PS_FRAME_BOUND_OFFSET)

/* Frames `first` to `last` were delivered, with this number of events and bytes of bodies. */
struct ps_taken_range {
    uint64_t first, last, events, bytes;
};
#define PS_TAKEN_RANGE_BYTES 32U
void ps_taken_range_write(char *to, const struct ps_taken_range *range);
void ps_taken_range_read(const char *from, struct ps_taken_range *range);

/* The state file has two slots of this size, which are written alternately, so that one is always complete. */
#define PS_STATE_SLOT_BYTES 65536U
#define PS_STATE_RANGES_MAX ((PS_STATE_SLOT_BYTES - 96U) / PS_TAKEN_RANGE_BYTES)

/* The state from which recovery begins. */
struct ps_segment_state {
    uint64_t generation; /* the slot with the higher generation is valid */
    uint64_t log;
    uint64_t low;             /* every frame below this number was delivered */
    uint64_t segment, offset; /* where the tail begins: recovery reads all frames from here on */
    uint64_t next;            /* number of the first frame of events in the tail */
    uint64_t events, bytes;   /* undelivered events and bytes in frames before the tail */
    uint32_t range_count;     /* at most PS_STATE_RANGES_MAX */
    struct ps_taken_range
        /* delivered ranges above `low`, in order; the reader of a slot supplies room for PS_STATE_RANGES_MAX */
        *ranges;
};
void ps_segment_state_write(char *to, const struct ps_segment_state *state);
/* Returns false if the slot is empty or damaged. */
bool ps_segment_state_read(const char *from, struct ps_segment_state *state);

/* Returns whether all bytes are zero: a part of a file that was allocated and never written. */
static inline bool ps_segment_is_zero(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}
