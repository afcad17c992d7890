/* The reply of an interceptor in the Java host: any bytes in the place of the entries. A wrong one changes nothing; after a good one each event can be
 * read, and is within the limits of an event. */
#include "core/stage.h"
#include "stages/lib/java/exchange/reply.h"
#include "tests/fuzz/java_events.h"

#define ROWS 4U

/* `headers`: of the last event. */
static struct ps_lease *make_lease(struct ps_bump *bump, unsigned headers)
{
    struct ps_batch *batch = ps_batch_take(bump, (struct ps_now){0});
    PS_ASSERT(batch != NULL);
    for (uint32_t i = 0; i < ROWS; i++) {
        struct ps_event *event = ps_batch_add_copy(batch, "0123456789", i);
        PS_ASSERT(event != NULL);
        for (unsigned k = 0; k < (i + 1 < ROWS ? 1 : headers); k++) {
            char name[16];
            int length = snprintf(name, sizeof name, "%u", k);
            const struct ps_name *made = ps_batch_name(batch, name, (size_t)length);
            PS_ASSERT(made != NULL && ps_batch_header_add(batch, event, made, made->text, (uint32_t)length));
        }
    }
    ps_batch_close(batch);
    return ps_batch_chain(batch);
}

/* Returns how many entries are no events that are given up. */
static uint32_t count_kept(const char *area, uint32_t bytes)
{
    struct ps_java_reader reader = {.base = area, .size = bytes};
    struct ps_java_event event;
    uint32_t kept = 0;
    while (ps_java_reader_next(&reader, &event))
        kept += (event.flags & PS_JAVA_EVENT_GIVEN_UP) == 0;
    return kept;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ps_java_reply reply;
    struct ps_counters counters = {.values = {0}};
    struct ps_port port = {.counters = &counters};
    if (size < 3 || size > (64U << 10))
        return 0;
    struct fuzz_memory *memory = fuzz_memory_begin();
    uint32_t count = data[0] | (data[1] & 7U) << 8, bytes = (uint32_t)size - 3;
    char *area = fuzz_copy(data + 3, bytes);
    struct ps_lease *lease = make_lease(&memory->bump, data[1] & 8 ? PS_EVENT_HEADERS_MAX : data[1] >> 6);
    ps_java_reply_begin(&reply, bytes, count);
    fuzz_memory_short(memory, data[2]);
    enum ps_java_put put = ps_java_reply_put(&reply, lease, &port, area);
    fuzz_memory_plenty(memory);
    if (put == PS_JAVA_PUT_MEMORY)
        put = ps_java_reply_put(&reply, lease, &port, area);
    PS_ASSERT(put == PS_JAVA_PUT_DONE || put == PS_JAVA_PUT_WRONG);
    PS_ASSERT(lease->count == (put == PS_JAVA_PUT_WRONG ? ROWS : count == 0 ? 0 : count_kept(area, bytes)));
    for (uint32_t i = 0; i < lease->count; i++)
        fuzz_check_event(lease->batch, ps_lease_event(lease, i));
    ps_batch_give(lease->batch);
    fuzz_memory_end(memory);
    free(area);
    return 0;
}
