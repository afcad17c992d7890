/* Random events, written as entries by a plain writer of the test's own, and a batch's memory that can run out. One file of
 * a test includes it. */
#pragma once

#include "core/arena.h"
#include "core/flow/bump.h"
#include "core/flow/batch.h"
#include "stages/lib/java/exchange/events.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#define BLOCKS 24U
#define NAMES 40U
#define EVENTS_MAX 400U
#define AREA_BYTES (3U << 20)

struct drawn {
    uint32_t body_length, pattern, header_count;
    unsigned names[8], values[8]; /* in the order of the entry */
};

static struct drawn drawn[EVENTS_MAX];
static char area[AREA_BYTES];
static struct ps_depot *depot;
static struct ps_pool *pool;
static struct ps_bump bump;
static struct ps_block_cache hoard;
static struct ps_block *hoarded[BLOCKS];
static unsigned hoarded_count;
static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static int memory_setup(void **unused)
{
    struct ps_err err = {0};
    depot = ps_depot_create((uint64_t)BLOCKS * PS_BLOCK_BYTES, &err);
    assert_non_null(depot);
    pool = ps_pool_create(depot, 0);
    assert_non_null(pool);
    ps_bump_init(&bump, pool);
    ps_block_cache_init(&hoard, depot);
    return 0;
}

static void memory_return(void)
{
    while (hoarded_count > 0)
        ps_block_drop(&hoard, hoarded[--hoarded_count]);
}

static void memory_take_all(void)
{
    while (hoarded_count < BLOCKS && (hoarded[hoarded_count] = ps_block_take(&hoard)) != NULL)
        hoarded_count++;
}

static int memory_teardown(void **unused)
{
    memory_return();
    ps_block_cache_fini(&hoard);
    ps_bump_fini(&bump);
    assert_int_equal(ps_pool_out_count(pool), 0);
    ps_pool_destroy(pool);
    ps_depot_destroy(depot);
    return 0;
}

static uint32_t name_print(unsigned name, char text[32])
{
    return (uint32_t)snprintf(text, 32, "%.*s%u", (int)(name % 9), "headernam", name);
}

static uint32_t value_print(unsigned value, char text[32])
{
    return value == 0 ? 0
                      : (uint32_t)snprintf(text, 32, "%.*s%u", (int)(value % 13), "valuevaluevalue", value);
}

static void event_draw(struct drawn *event)
{
    event->body_length = draw(20) == 0 ? (uint32_t)draw(40000) : (uint32_t)draw(40);
    event->pattern = (uint32_t)draw(251);
    event->header_count = draw(3) == 0 ? 0 : (uint32_t)draw(8);
    for (uint32_t i = 0; i < event->header_count; i++) {
        event->names[i] = (unsigned)draw(NAMES);
        event->values[i] = (unsigned)draw(50);
    }
}

static char byte_of(const struct drawn *event, uint32_t at)
{
    return (char)(event->pattern + at * 3);
}

/* Writes the entry. Returns its bytes. */
static uint32_t entry_write(char *to, const struct drawn *event, uint32_t origin, uint32_t flags)
{
    bool body = (flags & PS_JAVA_EVENT_BODY) != 0;
    struct ps_java_event head = {.origin = origin,
                                 .flags = flags,
                                 .body_length = body ? event->body_length : 0,
                                 .header_count = event->header_count};
    char *at = to + sizeof head, text[32];
    for (uint32_t i = 0; i < event->header_count; i++) {
        uint32_t lengths[] = {name_print(event->names[i], text), value_print(event->values[i], text)};
        memcpy(at, lengths, sizeof lengths);
        at += sizeof lengths;
        at += name_print(event->names[i], at);
        at += value_print(event->values[i], at);
    }
    for (uint32_t i = 0; i < head.body_length; i++)
        *at++ = byte_of(event, i);
    while ((at - to) % 4 != 0)
        *at++ = 0;
    head.size = (uint32_t)(at - to);
    memcpy(to, &head, sizeof head);
    return head.size;
}

static void expect_body(const struct ps_event *event, const struct drawn *wanted)
{
    assert_int_equal(event->body_length, wanted->body_length);
    for (uint32_t i = 0; i < event->body_length; i++)
        if (event->body[i] != byte_of(wanted, i))
            fail_msg("byte %u of a body of %u", i, event->body_length);
}

#define NO_VALUE UINT32_MAX

/* Sets values[name] to the last value of each name that the event has. */
static void values_add(const struct drawn *event, unsigned values[NAMES])
{
    for (uint32_t i = 0; i < event->header_count; i++)
        values[event->names[i]] = event->values[i];
}

/* Asserts that the event has each name once, with this value. */
static void expect_headers(const struct ps_batch *batch, const struct ps_event *event,
                           const unsigned values[NAMES])
{
    char name[32], value[32];
    unsigned wanted = 0, found = 0;
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    for (unsigned i = 0; i < NAMES; i++)
        wanted += values[i] != NO_VALUE;
    for (const struct ps_header *header; (header = ps_headers_next(&cursor)) != NULL; found++) {
        unsigned is = NAMES;
        for (unsigned i = 0; i < NAMES; i++)
            if (name_print(i, name) == header->name->length &&
                memcmp(name, header->name->text, header->name->length) == 0)
                is = i;
        assert_true(is < NAMES && values[is] != NO_VALUE);
        assert_int_equal(header->value_length, value_print(values[is], value));
        assert_memory_equal(header->value, value, header->value_length);
    }
    assert_int_equal(found, wanted);
}
