/* The events of a call of a source in the Java host: any bytes in the place of the entries. Each event that comes into a batch can be read, and is
 * within the limits of an event; no more come than were announced. */
#include "stages/lib/java/exchange/entries.h"
#include "tests/fuzz/java_events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ps_event_headers headers;
    if (size < 4 || size > (512U << 10))
        return 0;
    /* The entries may stand in larger memory, so that they are copied to a block of their own. */
    uint32_t count = 1 + (data[0] | (data[1] & 3U) << 8), said = (uint32_t)size - 3,
             bytes = said + (data[1] & 128 ? PS_BLOCK_BYTES : 0), taken = 0;
    char *area = calloc(1, bytes);
    PS_ASSERT(area != NULL);
    memcpy(area, data + 3, said);
    struct fuzz_memory *memory = fuzz_memory_begin();
    struct ps_java_entries entries = {.memory = area, .bytes = bytes, .count = count};
    enum ps_java_read read = PS_JAVA_READ_PART;
    for (unsigned tries = 0; read == PS_JAVA_READ_PART || read == PS_JAVA_READ_NO_MEMORY; tries++) {
        PS_ASSERT(tries < PS_BATCH_EVENTS_MAX + 8);
        struct ps_batch *batch = ps_batch_take(&memory->bump, (struct ps_now){0});
        PS_ASSERT(batch != NULL);
        ps_event_headers_begin(&headers);
        for (unsigned rows = tries == 0 && data[1] & 4 ? PS_BATCH_EVENTS_MAX - 1 : 0; rows > 0; rows--)
            PS_ASSERT(ps_batch_add_copy(batch, "", 0) != NULL);
        uint32_t before = batch->count;
        fuzz_memory_short(memory, tries == 0 ? data[2] : 0);
        read = ps_java_entries_read(&entries, batch, &memory->cache, &headers, 7);
        fuzz_memory_plenty(memory);
        taken += batch->count - before;
        PS_ASSERT(entries.taken == taken && taken <= count && entries.at <= bytes);
        PS_ASSERT((batch->tickets != NULL ? batch->tickets->events : 0) == batch->count - before);
        PS_ASSERT(read != PS_JAVA_READ_ALL || (taken == count && entries.at == bytes));
        for (uint32_t i = before; i < batch->count; i++)
            fuzz_check_event(batch, &batch->events[i]);
        ps_batch_give(batch);
    }
    ps_java_entries_drop(&entries, &memory->cache);
    fuzz_memory_end(memory);
    free(area);
    return 0;
}
