/* A store of the durable queue that is a database of SQLite's, with events that are numbers. */
#pragma once

#include "stages/lib/queue/database/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "stages/lib/queue/segment/events.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#define LONG_BYTES 20000U /* longer than a row of the table */

static struct ps_depot *depot;
static struct ps_block_cache blocks;
static struct ps_database_store_settings settings;
static void *store;
static unsigned long_every = 40;

static inline void begin_memory(void)
{
    struct ps_err err = {.length = 0};
    depot = ps_depot_create(UINT64_C(16) << 20, &err);
    ps_block_cache_init(&blocks, depot);
}

static inline void end_memory(void)
{
    ps_block_cache_fini(&blocks);
    assert_int_equal(ps_depot_used_bytes(depot), 0); /* each payload was given back */
    ps_depot_destroy(depot);
}

static inline bool open_store(struct ps_err *err)
{
    static char path[512], lock[520];
    snprintf(path, sizeof path, "%s", ps_test_folder_path("events.sqlite"));
    snprintf(lock, sizeof lock, "%s.lock", path);
    settings = (struct ps_database_store_settings){
        .database = {.kind = PS_DATABASE_SQLITE, .label = path, .path = path, .create = true},
        .channel = "c1",
        .schema = {.create = true, .index = true, .foreign_keys = true},
        .lock = lock};
    store = ps_database_store.open(&settings, "channel c1", err);
    return store != NULL;
}

static inline bool is_long(unsigned number)
{
    return number % long_every == 7;
}

/* Appends a frame of events with these numbers. One in `long_every` is longer than a row of the table, and so is its
 * header. Returns the bytes of the bodies; 0: it failed. */
static inline uint64_t append(unsigned first, unsigned count)
{
    static char body[LONG_BYTES];
    struct ps_events_encoder encoder = {0};
    struct ps_err err = {0};
    uint64_t number;
    ps_events_begin(&encoder);
    for (unsigned i = first; i < first + count; i++) {
        int length = snprintf(body, sizeof body, "%u", i);
        ps_events_add(&encoder, body, is_long(i) ? LONG_BYTES : (uint32_t)length, 1);
        ps_events_header(&encoder, "name", 4, body, is_long(i) ? 700 : 3);
    }
    const char *payload = ps_events_end(&encoder);
    enum ps_status status = ps_database_store.append(store, payload, (uint32_t)encoder.length, encoder.count,
                                                     encoder.body_bytes, &number, &err);
    uint64_t bytes = status == PS_OK ? encoder.body_bytes : 0;
    ps_events_encoder_fini(&encoder);
    return bytes;
}

/* Asserts that the frame's events have the numbers from `next` on. Returns the number after the last. */
static inline unsigned look_at(const struct ps_store_frame *frame, unsigned next)
{
    struct ps_events_cursor cursor;
    struct ps_events_item item;
    struct ps_events_field field;
    assert_true(ps_events_cursor_init(&cursor, frame->rows.payload->base, frame->length));
    while (ps_events_next_field(&cursor, &field)) {
    }
    while (ps_events_next(&cursor, &item)) {
        char text[16];
        int length = snprintf(text, sizeof text, "%u", next);
        assert_int_equal(item.length, is_long(next) ? LONG_BYTES : (uint32_t)length);
        assert_memory_equal(item.body, text, (size_t)length);
        assert_int_equal(item.header_count, 1);
        next++;
    }
    assert_int_equal(cursor.done, frame->count);
    ps_events_cursor_fini(&cursor);
    return next;
}
