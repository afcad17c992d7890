#include "stages/lib/queue/segment/format.h"

#include <endian.h>
#include <string.h>

#include "core/base.h"
#include "core/crc32c.h"

#define SEGMENT_MAGIC "penstock segment"
#define STATE_MAGIC "penstock state\n\0"
#define MAGIC_BYTES 16U
#define FORMAT_VERSION 1U
#define FORMAT_VERSION_SEALED 2U
#define CIPHER_AES_GCM 1U
#define FRAME_MAGIC UINT32_C(0x314d5246) /* "FRM1" */

/* Offsets in the head of an encrypted segment. */
#define SEALING_TAG (PS_SEGMENT_HEAD_BYTES + 8U + PS_SEAL_SALT_BYTES)
#define SEALING_NAME_LENGTH (SEALING_TAG + PS_SEAL_TAG_BYTES)
#define SEALING_CHECK (PS_SEGMENT_SEALED_HEAD_BYTES - 4U)

/* Write or read a number, and return or advance the position. */
static char *put32(char *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

static char *put64(char *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

static uint32_t get32(const char **from)
{
    uint32_t value;
    memcpy(&value, *from, sizeof value);
    *from += sizeof value;
    return le32toh(value);
}

static uint64_t get64(const char **from)
{
    uint64_t value;
    memcpy(&value, *from, sizeof value);
    *from += sizeof value;
    return le64toh(value);
}

/* ---- segments ---- */

/* Writes the encryption fields after the common part of a head. */
static void sealing_write(char *to, const struct ps_segment_sealing *sealing)
{
    uint32_t name_length = (uint32_t)strlen(sealing->key);
    char *at = put32(to + PS_SEGMENT_HEAD_BYTES, CIPHER_AES_GCM);
    at = put32(at, sealing->key_bytes);
    memcpy(at, sealing->salt, PS_SEAL_SALT_BYTES);
    memcpy(to + SEALING_TAG, sealing->tag, PS_SEAL_TAG_BYTES);
    at = put32(to + SEALING_NAME_LENGTH, name_length);
    memcpy(at, sealing->key, name_length);
    put32(to + SEALING_CHECK,
          ps_crc32c(0, to + PS_SEGMENT_HEAD_BYTES, SEALING_CHECK - PS_SEGMENT_HEAD_BYTES));
}

static bool sealing_read(const char *from, struct ps_segment_sealing *sealing)
{
    const char *at = from + PS_SEGMENT_HEAD_BYTES, *check = from + SEALING_CHECK,
               *name = from + SEALING_NAME_LENGTH;
    if (get32(&check) != ps_crc32c(0, at, SEALING_CHECK - PS_SEGMENT_HEAD_BYTES) ||
        get32(&at) != CIPHER_AES_GCM)
        return false;
    sealing->on = true;
    sealing->key_bytes = get32(&at);
    memcpy(sealing->salt, at, PS_SEAL_SALT_BYTES);
    memcpy(sealing->tag, from + SEALING_TAG, PS_SEAL_TAG_BYTES);
    uint32_t name_length = get32(&name);
    if (name_length == 0 || name_length > PS_KEY_NAME_BYTES_MAX || memchr(name, 0, name_length) != NULL)
        return false;
    memcpy(sealing->key, name, name_length);
    return sealing->key_bytes == 16 || sealing->key_bytes == 24 || sealing->key_bytes == PS_KEY_BYTES_MAX;
}

void ps_segment_head_bound(char *to, const struct ps_segment_head *head)
{
    ps_segment_head_write(to, head);
    memset(to + PS_SEGMENT_HEAD_BYTES - 4, 0, 4);
    memset(to + SEALING_TAG, 0, PS_SEAL_TAG_BYTES);
    memset(to + SEALING_CHECK, 0, 4);
}

void ps_segment_head_write(char *to, const struct ps_segment_head *head)
{
    memset(to, 0, ps_segment_head_bytes(head));
    memcpy(to, SEGMENT_MAGIC, MAGIC_BYTES);
    char *at = put32(to + MAGIC_BYTES, head->sealing.on ? FORMAT_VERSION_SEALED : FORMAT_VERSION);
    at = put32(at, head->salt);
    at = put64(at, head->log);
    at = put64(at, head->segment);
    put64(put64(at, head->first), head->size);
    put32(to + PS_SEGMENT_HEAD_BYTES - 4, ps_crc32c(0, to, PS_SEGMENT_HEAD_BYTES - 4));
    if (head->sealing.on)
        sealing_write(to, &head->sealing);
}

bool ps_segment_head_read(const char *from, struct ps_segment_head *head)
{
    const char *at = from + MAGIC_BYTES, *check = from + PS_SEGMENT_HEAD_BYTES - 4;
    *head = (struct ps_segment_head){.log = 0};
    if (memcmp(from, SEGMENT_MAGIC, MAGIC_BYTES) != 0 ||
        get32(&check) != ps_crc32c(0, from, PS_SEGMENT_HEAD_BYTES - 4))
        return false;
    uint32_t version = get32(&at);
    if (version == FORMAT_VERSION_SEALED ? !sealing_read(from, &head->sealing) : version != FORMAT_VERSION)
        return false;
    head->salt = get32(&at);
    head->log = get64(&at);
    head->segment = get64(&at);
    head->first = get64(&at);
    head->size = get64(&at);
    return head->segment > 0 && head->first > 0;
}

/* ---- frames ---- */

uint32_t ps_frame_checksum(uint32_t salt, const void *payload, size_t length)
{
    return ps_crc32c(salt, payload, length);
}

void ps_frame_write(char *to, const struct ps_frame *frame, uint32_t salt)
{
    char *at = put32(to + 8, frame->checksum);
    at = put32(at, frame->length);
    at = put32(at, frame->kind);
    at = put32(at, frame->count);
    at = put64(at, frame->number);
    at = put64(at, frame->promised);
    put64(at, frame->bytes);
    put32(to, FRAME_MAGIC);
    put32(to + 4, ps_crc32c(salt, to + 8, PS_FRAME_HEAD_BYTES - 8));
}

bool ps_frame_read(const char *from, uint32_t salt, struct ps_frame *frame)
{
    const char *at = from;
    if (get32(&at) != FRAME_MAGIC || get32(&at) != ps_crc32c(salt, from + 8, PS_FRAME_HEAD_BYTES - 8))
        return false;
    frame->checksum = get32(&at);
    frame->length = get32(&at);
    uint32_t kind = get32(&at);
    frame->kind = (enum ps_frame_kind)kind;
    frame->count = get32(&at);
    frame->number = get64(&at);
    frame->promised = get64(&at);
    frame->bytes = get64(&at);
    return kind >= PS_FRAME_EVENTS && kind <= PS_FRAME_END && frame->length <= PS_FRAME_LENGTH_MAX;
}

/* ---- delivered frames ---- */

void ps_taken_range_write(char *to, const struct ps_taken_range *range)
{
    put64(put64(put64(put64(to, range->first), range->last), range->events), range->bytes);
}

void ps_taken_range_read(const char *from, struct ps_taken_range *range)
{
    range->first = get64(&from);
    range->last = get64(&from);
    range->events = get64(&from);
    range->bytes = get64(&from);
}

/* ---- the state ---- */

void ps_segment_state_write(char *to, const struct ps_segment_state *state)
{
    PS_ASSERT(state->range_count <= PS_STATE_RANGES_MAX);
    memset(to, 0, PS_STATE_SLOT_BYTES);
    memcpy(to, STATE_MAGIC, MAGIC_BYTES);
    char *at = put32(to + MAGIC_BYTES, FORMAT_VERSION);
    at = put32(at, state->range_count);
    at = put64(at, state->generation);
    at = put64(at, state->log);
    at = put64(at, state->low);
    at = put64(at, state->segment);
    at = put64(at, state->offset);
    at = put64(at, state->next);
    at = put64(at, state->events);
    at = put64(at, state->bytes);
    for (uint32_t i = 0; i < state->range_count; i++, at += PS_TAKEN_RANGE_BYTES)
        ps_taken_range_write(at, &state->ranges[i]);
    put32(to + PS_STATE_SLOT_BYTES - 4, ps_crc32c(0, to, PS_STATE_SLOT_BYTES - 4));
}

/* Returns whether the numbers are consistent: readers of the state rely on that, and loop over the ranges. */
static bool state_is_sound(const struct ps_segment_state *state)
{
    uint64_t behind = state->low;
    if (state->low == 0 || state->next < state->low)
        return false;
    for (uint32_t i = 0; i < state->range_count; i++) {
        const struct ps_taken_range *range = &state->ranges[i];
        if (range->first <= behind || range->last < range->first || range->last >= state->next)
            return false;
        behind = range->last;
    }
    return true;
}

bool ps_segment_state_read(const char *from, struct ps_segment_state *state)
{
    const char *at = from + MAGIC_BYTES, *check = from + PS_STATE_SLOT_BYTES - 4;
    if (memcmp(from, STATE_MAGIC, MAGIC_BYTES) != 0 ||
        get32(&check) != ps_crc32c(0, from, PS_STATE_SLOT_BYTES - 4) || get32(&at) != FORMAT_VERSION)
        return false;
    state->range_count = get32(&at);
    if (state->range_count > PS_STATE_RANGES_MAX)
        return false;
    state->generation = get64(&at);
    state->log = get64(&at);
    state->low = get64(&at);
    state->segment = get64(&at);
    state->offset = get64(&at);
    state->next = get64(&at);
    state->events = get64(&at);
    state->bytes = get64(&at);
    for (uint32_t i = 0; i < state->range_count; i++, at += PS_TAKEN_RANGE_BYTES)
        ps_taken_range_read(at, &state->ranges[i]);
    return state_is_sound(state);
}
