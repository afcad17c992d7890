/* Encrypts frames, and derives the keys of segments. docs/decisions/0030-segment-keys.md explains why a nonce never repeats. */
#include <stdlib.h>
#include <string.h>

#include "core/quantity.h"
#include "stages/lib/queue/segment/log_internal.h"

/* ---- segments ---- */

static struct ps_seal *seal_of(const struct ps_segment_head *head, const struct ps_key *key)
{
    char bound[PS_SEGMENT_SEALED_HEAD_BYTES];
    ps_segment_head_bound(bound, head);
    return ps_seal_create(key, head->sealing.salt, bound, PS_SEGMENT_IDENTITY_BYTES);
}

/* Returns the message whose tag authenticates a head: an empty message with the head as associated data. */
static struct ps_sealed head_message(const struct ps_segment_head *head,
                                     char bound[PS_SEGMENT_SEALED_HEAD_BYTES])
{
    ps_segment_head_bound(bound, head);
    return (struct ps_sealed){
        .nonce = PS_SEAL_NONCE_HEAD, .bound = {bound}, .bound_lengths = {PS_SEGMENT_SEALED_HEAD_BYTES}};
}

void ps_segment_unlock_frames(struct ps_segment_log *log, struct ps_segment *segment)
{
    const struct ps_segment_head *head = &segment->head;
    const struct ps_key *key = ps_key_ring_find(log->options.keys, head->sealing.key);
    char bound[PS_SEGMENT_SEALED_HEAD_BYTES];
    if (!head->sealing.on || key == NULL || key->length != head->sealing.key_bytes)
        return;
    struct ps_seal *seal = seal_of(head, key);
    struct ps_sealed message = head_message(head, bound);
    if (ps_seal_open(&log->sealer, seal, &message, NULL, head->sealing.tag))
        segment->seal = seal;
    else
        ps_seal_destroy(seal);
}

enum ps_status ps_segment_seal_head(struct ps_segment_log *log, struct ps_segment *segment,
                                    struct ps_err *err)
{
    const struct ps_key *key = ps_key_ring_find(log->options.keys, log->options.active_key);
    struct ps_segment_sealing *sealing = &segment->head.sealing;
    char bound[PS_SEGMENT_SEALED_HEAD_BYTES];
    if (key == NULL)
        return ps_err_set(err, "the active key %s is not among the channel's keys", log->options.active_key);
    sealing->on = true;
    sealing->key_bytes = (uint32_t)key->length;
    memcpy(sealing->key, key->name, sizeof sealing->key);
    if (!ps_seal_draw(sealing->salt))
        return ps_err_set(err, "the system has no random numbers for a key");
    segment->seal = seal_of(&segment->head, key);
    struct ps_sealed message = head_message(&segment->head, bound);
    if (ps_seal_close(&log->sealer, segment->seal, &message, NULL, sealing->tag))
        return PS_OK;
    ps_seal_destroy(segment->seal);
    return ps_err_set(err, "OpenSSL does not encrypt: no memory");
}

/* ---- frames ---- */

struct ps_segment_place ps_segment_place_of(const struct ps_segment *segment, uint64_t offset,
                                            const struct ps_frame *frame)
{
    uint32_t tag_bytes = ps_segment_tag_bytes(&segment->head);
    return (struct ps_segment_place){.number = frame->number,
                                     .log = segment->head.log,
                                     .directory = segment->directory,
                                     .segment = segment->head.segment,
                                     .offset = offset + PS_FRAME_HEAD_BYTES,
                                     .fd = segment->fd,
                                     .length = frame->length - tag_bytes,
                                     .count = frame->count,
                                     .checksum = frame->checksum,
                                     .salt = segment->head.salt,
                                     .bytes = frame->bytes,
                                     .promised = frame->promised,
                                     .kind = frame->kind,
                                     .tag_bytes = tag_bytes,
                                     .seal = segment->seal};
}

/* Returns the message for a frame with this head. Events are encrypted. Ranges of delivered frames are only authenticated,
 * so that recovery can read them without the key, but nobody can change them. */
static struct ps_sealed frame_message(const char *head, enum ps_frame_kind kind, uint64_t offset,
                                      const void *payload, size_t length)
{
    bool is_secret = kind == PS_FRAME_EVENTS;
    return (struct ps_sealed){.nonce = offset,
                              .bound = {head + PS_FRAME_BOUND_OFFSET, payload},
                              .bound_lengths = {PS_FRAME_BOUND_BYTES, is_secret ? 0 : length},
                              .from = payload,
                              .length = is_secret ? length : 0};
}

enum ps_status ps_segment_seal_frame(struct ps_segment_log *log, struct ps_segment *segment,
                                     struct ps_frame *frame, const void **payload, struct ps_err *err)
{
    char head[PS_FRAME_HEAD_BYTES];
    size_t length = frame->length;
    if (segment->end < segment->sealed_end) /* the place is the nonce, so each place is used once */
        return ps_err_set(err, "a write failed, and the segment was not renewed");
    if (length + PS_SEAL_TAG_BYTES > log->sealed_room) {
        log->sealed_room = length + PS_SEAL_TAG_BYTES;
        free(log->sealed);
        log->sealed = ps_must_alloc(1, log->sealed_room, "a frame of a log");
    }
    frame->length += PS_SEAL_TAG_BYTES;
    frame->checksum = 0;
    ps_frame_write(head, frame, segment->head.salt);
    segment->sealed_end = segment->end + ps_frame_span(frame->length);
    struct ps_sealed message = frame_message(head, frame->kind, segment->end, *payload, length);
    if (message.length == 0 && length > 0)
        memcpy(log->sealed, *payload, length);
    if (!ps_seal_close(&log->sealer, segment->seal, &message, log->sealed, (uint8_t *)log->sealed + length))
        return ps_err_set(err, "OpenSSL does not encrypt: no memory");
    *payload = log->sealed;
    return PS_OK;
}

bool ps_segment_open_frame(struct ps_sealer *sealer, const struct ps_segment_place *place, void *payload,
                           const uint8_t tag[PS_SEAL_TAG_BYTES])
{
    char head[PS_FRAME_HEAD_BYTES];
    struct ps_frame frame = {.kind = place->kind,
                             .length = place->length + place->tag_bytes,
                             .count = place->count,
                             .bytes = place->bytes,
                             .number = place->number,
                             .promised = place->promised};
    ps_frame_write(head, &frame, place->salt);
    struct ps_sealed message =
        frame_message(head, place->kind, place->offset - PS_FRAME_HEAD_BYTES, payload, place->length);
    return ps_seal_open(sealer, place->seal, &message, payload, tag);
}

/* ---- what is held back ---- */

/* Returns whether all frames of the segment were delivered, so that its key is not needed. */
static bool is_delivered(const struct ps_segment_log *log, size_t i)
{
    return (i + 1 < log->count ? log->segments[i + 1].head.first : log->next) <= log->taken.low;
}

static const char *missing(const struct ps_segment_log *log, const struct ps_segment *segment)
{
    return ps_key_ring_find(log->options.keys, segment->head.sealing.key) == NULL
               ? "which is not among the channel's keys"
               : "and the channel's key of that name differs from the key of the segment";
}

enum ps_status ps_segment_look_for_held(struct ps_segment_log *log, struct ps_err *err)
{
    for (size_t i = 0; i < log->count; i++) {
        const struct ps_segment *segment = &log->segments[i];
        if (segment->head.sealing.on && log->options.active_key == NULL && !log->options.plain)
            return ps_err_set(
                err,
                "segment %llu of %s is encrypted with key %s, and the channel has no encryption.activeKey: "
                "the channel does not write events in plain text beside encrypted ones. Set "
                "encryption.activeKey to a key, or to NONE to end encryption",
                (unsigned long long)segment->head.segment, segment->directory, segment->head.sealing.key);
        if (!ps_segment_is_held(segment) || is_delivered(log, i))
            continue;
        log->held++;
        ps_segment_report(log, segment,
                          "it is encrypted with key %s, %s: the channel keeps the segment unchanged, and "
                          "continues with the frames after it",
                          segment->head.sealing.key, missing(log, segment));
    }
    return PS_OK;
}

void ps_segment_log_held(const struct ps_segment_log *log, char *text, size_t room)
{
    text[0] = '\0';
    for (size_t i = 0; log->held > 0 && i < log->count && text[0] == '\0'; i++) {
        const struct ps_segment *segment = &log->segments[i];
        if (ps_segment_is_held(segment) && !is_delivered(log, i))
            snprintf(text, room,
                     "%zu %s held back: segment %llu of %.200s is encrypted with key "
                     "%s, %s; add the key and reload, or put the right one into its file and restart",
                     log->held,
                     ps_quantity_word(log->held, "segment of the log is", "segments of the log are"),
                     (unsigned long long)segment->head.segment, segment->directory, segment->head.sealing.key,
                     missing(log, segment));
    }
}
