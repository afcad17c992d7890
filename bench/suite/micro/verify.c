/* The cost of verify for an event of 120 bytes: finding the stamp, and the whole accounting; and the CRC-32C of 256 bytes,
 * with which it checks the stamp. One iteration is one event. */
#include <string.h>

#include "bench/suite/micro/micro.h"
#include "bench/support/stamp.h"
#include "bench/verify/account.h"
#include "core/crc32c.h"

#define EVENTS 1000U
#define EVENT_BYTES 120U
#define BEFORE 38U /* length of a syslog header */
#define SOURCES 8U
#define CRC_BYTES 256U

static char events[EVENTS][EVENT_BYTES];

static void event_write(unsigned at, uint64_t sequence)
{
    struct ps_stamp stamp = {1, at % SOURCES, sequence, UINT64_C(1795165362859000), 0, false};
    stamp.covered = EVENT_BYTES - BEFORE - PS_STAMP_BYTES;
    ps_stamp_write(&stamp, events[at] + BEFORE);
}

static void bench_find(struct ps_micro *micro)
{
    struct ps_stamp stamp;
    memset(events, 'x', sizeof events);
    for (unsigned i = 0; i < EVENTS; i++)
        event_write(i, i);
    while (ps_micro_batch(micro, EVENTS))
        for (unsigned i = 0; i < EVENTS; i++)
            PS_ASSERT(ps_stamp_find(events[i], EVENT_BYTES, &stamp, NULL) == PS_STAMP_GOOD);
    ps_micro_bytes(micro, EVENT_BYTES);
}

/* Measures the whole accounting, with records as a far end hands them over. For each batch of 1,000 records the stamps
 * are written again, which is measured too. */
static void bench_account(struct ps_micro *micro)
{
    struct ps_account *account = ps_account_create(UINT64_C(256) << 20, false, 0);
    uint64_t sequence = 0;
    PS_ASSERT(account != NULL);
    memset(events, 'x', sizeof events);
    while (ps_micro_batch(micro, EVENTS)) {
        for (unsigned i = 0; i < EVENTS; i++)
            event_write(i, sequence + i / SOURCES);
        for (unsigned i = 0; i < EVENTS; i++) {
            const struct ps_far_record record = {events[i], EVENT_BYTES, i % 3, account->start_mono_ns};
            ps_account_take(account, &record, i % 3);
        }
        sequence += EVENTS / SOURCES;
    }
    PS_ASSERT(ps_tracker_find(account->tracker, 1)->tally.duplicated == 0);
    ps_micro_bytes(micro, EVENT_BYTES);
    ps_account_destroy(account);
}

static void bench_crc32c(struct ps_micro *micro)
{
    static const char bytes[CRC_BYTES];
    uint32_t crc = 0;
    while (ps_micro_batch(micro, EVENTS)) {
        for (unsigned i = 0; i < EVENTS; i++)
            crc = ps_crc32c(crc, bytes, sizeof bytes);
        __asm__ volatile("" : : "r"(crc));
    }
    ps_micro_bytes(micro, CRC_BYTES);
}

void ps_micro_verify(void)
{
    ps_micro_add("verify/find_120", bench_find);
    ps_micro_add("verify/crc32c_256", bench_crc32c);
    ps_micro_add("verify/write_and_account", bench_account);
}
