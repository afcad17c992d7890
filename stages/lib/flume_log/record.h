/* The format of a log of Flume's file channel, version 3: `log-N`, `log-N.meta` and `checkpoint.meta`. The bytes may
 * come from a damaged disk. Nothing is allocated or copied.
 *
 * A log is a sequence of records, then bytes 0x80:
 *
 *   1 byte    0x7f: a record; 0x00: one that Flume's integrity tool removed; 0x80: the end
 *   4 bytes   length of the rest, big-endian
 *   rest      three Protocol Buffers messages, each after a varint with its length: header, body, footer (empty)
 *
 * In an encrypted log the rest of each record is encrypted (stages/lib/flume_log/cipher.h); the functions here read
 * decrypted records. Flume identifies an event by its pointer: the number of the log and the offset of the record in
 * it.
 *
 * Thread: any. */
#pragma once

#include "core/base.h"

#define PS_FLUME_RECORD 0x7fU
#define PS_FLUME_NOOP 0x00U
#define PS_FLUME_END 0x80U
/* The part before the rest, which is never encrypted. */
#define PS_FLUME_PREFIX_BYTES 5U
/* From the first byte to the end of the header. */
#define PS_FLUME_FRAME_BYTES 29U
#define PS_FLUME_VERSION 3U

enum ps_flume_kind {
    PS_FLUME_PUT = 1,
    PS_FLUME_TAKE = 2,
    PS_FLUME_ROLLBACK = 3,
    PS_FLUME_COMMIT = 4,
};

struct ps_flume_frame {
    enum ps_flume_kind kind;
    uint32_t length; /* of the whole record, including its first byte */
    uint64_t transaction;
    uint64_t order; /* sequence number of the record over all logs */
};

/* Reads the head of a record. Returns false if these PS_FLUME_FRAME_BYTES bytes are not the head of a record. */
bool ps_flume_frame_read(const uint8_t *from, struct ps_flume_frame *frame);

struct ps_flume_record {
    struct ps_flume_frame frame;
    /* The parts of the record have the lengths that its head gives, so the next record follows directly. */
    bool framed;
    struct ps_slice event;        /* PUT: for the functions below */
    uint64_t pointer;             /* TAKE: pointer of the taken event */
    enum ps_flume_kind committed; /* COMMIT: whether puts or takes are committed */
};

/* Reads a record of frame.length bytes. Returns NULL, or a constant text with what is wrong with it. */
const char *ps_flume_record_read(const uint8_t *from, size_t length, struct ps_flume_record *record);

static inline uint64_t ps_flume_pointer(uint32_t log, uint32_t offset)
{
    return (uint64_t)log << 32 | offset;
}

/* Reads the event of a PUT that ps_flume_record_read has checked. */
struct ps_flume_event_reader {
    const uint8_t *at, *end;
};
struct ps_flume_header {
    struct ps_slice name, value; /* UTF-8 */
};
void ps_flume_event_begin(struct ps_flume_event_reader *reader, const struct ps_flume_record *record);
/* Reads the next header. Returns false after the last. */
bool ps_flume_event_header(struct ps_flume_event_reader *reader, struct ps_flume_header *header);
struct ps_slice ps_flume_event_body(const struct ps_flume_record *record);

/* log-N.meta */
struct ps_flume_meta {
    uint32_t version, log;
    bool encrypted;
    struct ps_slice cipher, key_alias, parameters; /* if encrypted */
};
/* Returns false if the bytes are not a log-N.meta. */
bool ps_flume_meta_read(const uint8_t *from, size_t length, struct ps_flume_meta *meta);

/* checkpoint.meta */
struct ps_flume_checkpoint_meta {
    uint32_t version, queue_size, queue_head;
    uint64_t order;
    const uint8_t *logs, *end; /* for ps_flume_checkpoint_log */
};
bool ps_flume_checkpoint_meta_read(const uint8_t *from, size_t length, struct ps_flume_checkpoint_meta *meta);
/* Reads the next log that has events in the queue, and their number. Returns false after the last. */
bool ps_flume_checkpoint_log(struct ps_flume_checkpoint_meta *meta, uint32_t *log, uint32_t *count);
