/* The cost of the stamp of load and verify: writing it into an event, finding it. One iteration is one event
 * of 256 bytes. */
#include <string.h>

#include "bench/suite/micro/micro.h"
#include "bench/support/stamp.h"
#include "core/crc32c.h"

#define EVENTS 256
#define EVENT_BYTES 256
#define STAMP_AT 60

static char events[EVENTS][EVENT_BYTES];

static void write_all(uint64_t first)
{
    struct ps_stamp stamp = {
        .run = 0x3fa9c2, .source = 1, .covered = EVENT_BYTES - STAMP_AT - PS_STAMP_BYTES, .due_us = first};
    for (uint64_t i = 0; i < EVENTS; i++) {
        stamp.sequence = first + i;
        ps_stamp_write(&stamp, events[i] + STAMP_AT);
    }
}

static void bench_write(struct ps_micro *micro)
{
    uint64_t first = 0;
    memset(events, 'x', sizeof events);
    for (; ps_micro_batch(micro, EVENTS); first += EVENTS)
        write_all(first);
    ps_micro_bytes(micro, EVENT_BYTES);
}

static void bench_find(struct ps_micro *micro)
{
    struct ps_stamp stamp;
    memset(events, 'x', sizeof events);
    write_all(0);
    while (ps_micro_batch(micro, EVENTS)) {
        for (uint64_t i = 0; i < EVENTS; i++)
            PS_ASSERT(ps_stamp_find(events[i], EVENT_BYTES, &stamp, NULL) == PS_STAMP_GOOD &&
                      stamp.sequence == i);
    }
    ps_micro_bytes(micro, EVENT_BYTES);
}

static void bench_crc32c(struct ps_micro *micro)
{
    uint32_t crc = 0;
    while (ps_micro_batch(micro, EVENTS)) {
        for (int i = 0; i < EVENTS; i++)
            crc = ps_crc32c(crc, events[i], EVENT_BYTES);
        __asm__ volatile("" : : "r"(crc));
    }
    ps_micro_bytes(micro, EVENT_BYTES);
}

void ps_micro_stamp(void)
{
    ps_micro_add("stamp/write", bench_write);
    ps_micro_add("stamp/find", bench_find);
    ps_micro_add("stamp/crc32c", bench_crc32c);
}
