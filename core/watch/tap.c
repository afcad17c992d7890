#include "core/watch/tap.h"

#include <stdlib.h>
#include <string.h>

/* The head of a record in the ring; after it come the headers (struct pair, name, value) and the body. */
struct record {
    uint32_t size;        /* of the whole record */
    uint32_t pairs;       /* headers shown */
    uint32_t body_shown;  /* bytes that follow */
    uint32_t body_length; /* length of the event's body */
    bool cut;
};

struct pair {
    uint32_t name_length, value_length;
};

/* Limit of a record, headers and body together. */
#define RECORD_MAX ((uint32_t)sizeof(struct record) + PS_TAP_EVENT_BYTES)

struct ps_tap *ps_tap_create(void)
{
    /* the ring is not zeroed: most taps are never used, and their pages stay untouched */
    struct ps_tap *tap = NULL;
    if (posix_memalign((void **)&tap, PS_CACHE_GAP, sizeof *tap) != 0)
        ps_out_of_memory(sizeof *tap, "a tap");
    tap->wanted.value = false;
    tap->head.value = 0;
    tap->tail.value = 0;
    tap->lookers = 0;
    memset(tap->next, 0, sizeof tap->next);
    return tap;
}

void ps_tap_destroy(struct ps_tap *tap)
{
    free(tap);
}

/* Frees the bytes that every reader has read. Without readers it changes nothing: the next ps_tap_start empties the
 * ring. */
static void tail_move(struct ps_tap *tap)
{
    uint64_t tail = UINT64_MAX;
    for (unsigned i = 0; i < PS_TAP_LOOKERS; i++) {
        if (ps_tap_is_looking(tap, i) && tap->next[i] < tail)
            tail = tap->next[i];
    }
    if (tap->lookers != 0)
        ps_mark_move(&tap->tail, tail);
}

bool ps_tap_is_looking(const struct ps_tap *tap, unsigned looker)
{
    return (tap->lookers & 1U << looker) != 0;
}

void ps_tap_start(struct ps_tap *tap, unsigned looker)
{
    tap->next[looker] = ps_mark_read(&tap->head);
    tap->lookers |= 1U << looker;
    tail_move(tap);
    ps_flag_set(&tap->wanted, true);
}

void ps_tap_stop(struct ps_tap *tap, unsigned looker)
{
    tap->lookers &= ~(1U << looker);
    tail_move(tap);
    if (tap->lookers == 0)
        ps_flag_set(&tap->wanted, false);
}

static void ring_write(struct ps_tap *tap, uint64_t at, const void *data, uint32_t length)
{
    uint32_t offset = (uint32_t)(at % PS_TAP_BYTES), first = PS_TAP_BYTES - offset;
    if (first > length)
        first = length;
    memcpy(tap->bytes + offset, data, first);
    memcpy(tap->bytes, (const char *)data + first, length - first);
}

static void ring_read(const struct ps_tap *tap, uint64_t at, void *data, uint32_t length)
{
    uint32_t offset = (uint32_t)(at % PS_TAP_BYTES), first = PS_TAP_BYTES - offset;
    if (first > length)
        first = length;
    memcpy(data, tap->bytes + offset, first);
    memcpy((char *)data + first, tap->bytes, length - first);
}

/* Writes one event at `at`, where RECORD_MAX bytes are free; returns its size. */
static uint32_t event_write(struct ps_tap *tap, uint64_t at, const struct ps_batch *batch,
                            const struct ps_event *event)
{
    struct record record = {.size = sizeof record, .body_length = event->body_length};
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    while ((header = ps_headers_next(&cursor)) != NULL) {
        struct pair pair = {header->name->length, header->value_length};
        uint64_t size = sizeof pair + (uint64_t)pair.name_length + pair.value_length;
        if (record.size + size > RECORD_MAX) {
            record.cut = true;
            break;
        }
        ring_write(tap, at + record.size, &pair, sizeof pair);
        ring_write(tap, at + record.size + sizeof pair, header->name->text, pair.name_length);
        ring_write(tap, at + record.size + sizeof pair + pair.name_length, header->value, pair.value_length);
        record.size += (uint32_t)size;
        record.pairs++;
    }
    uint32_t room = RECORD_MAX - record.size;
    record.body_shown = event->body_length < room ? event->body_length : room;
    if (record.body_shown < event->body_length)
        record.cut = true;
    ring_write(tap, at + record.size, event->body, record.body_shown);
    record.size += record.body_shown;
    ring_write(tap, at, &record, sizeof record);
    return record.size;
}

void ps_tap_copy(struct ps_tap *tap, const struct ps_lease *lease)
{
    uint64_t head = ps_mark_own(&tap->head), tail = ps_mark_read(&tap->tail);
    uint32_t step = (lease->count + PS_TAP_LEASE_EVENTS - 1) / PS_TAP_LEASE_EVENTS;
    for (uint32_t position = 0; position < lease->count; position += step) {
        if (PS_TAP_BYTES - (head - tail) < RECORD_MAX)
            break;
        head += event_write(tap, head, lease->batch, ps_lease_event(lease, position));
    }
    ps_mark_move(&tap->head, head);
}

static void event_show(const char *bytes, const struct record *record, struct ps_page *page)
{
    const char *at = bytes;
    ps_page_text(page, "{\"headers\":{");
    for (uint32_t i = 0; i < record->pairs; i++) {
        struct pair pair;
        memcpy(&pair, at, sizeof pair);
        at += sizeof pair;
        if (i > 0)
            ps_page_text(page, ",");
        ps_page_json(page, at, pair.name_length);
        ps_page_text(page, ":");
        ps_page_json(page, at + pair.name_length, pair.value_length);
        at += pair.name_length + pair.value_length;
    }
    ps_page_text(page, "},\"body\":");
    ps_page_json(page, at, record->body_shown);
    ps_page_format(page, ",\"bytes\":%u%s}\n", record->body_length, record->cut ? ",\"cut\":true" : "");
}

unsigned ps_tap_take(struct ps_tap *tap, unsigned looker, unsigned max, struct ps_page *page)
{
    uint64_t head = ps_mark_read(&tap->head), tail = tap->next[looker];
    char bytes[PS_TAP_EVENT_BYTES];
    unsigned taken = 0;
    if (!ps_tap_is_looking(tap, looker))
        return 0;
    while (tail != head && taken < max) {
        struct record record;
        ring_read(tap, tail, &record, sizeof record);
        PS_ASSERT(record.size >= sizeof record && record.size <= RECORD_MAX && record.size <= head - tail);
        ring_read(tap, tail + sizeof record, bytes, record.size - (uint32_t)sizeof record);
        event_show(bytes, &record, page);
        tail += record.size;
        taken++;
    }
    tap->next[looker] = tail;
    tail_move(tap);
    return taken;
}
