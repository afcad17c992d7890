/* Any pattern, any header values: ps_escape_compile and ps_escape_expand stay within their buffers, and
 * give the same result from the cache as without it. Input: one byte of options, pattern, NUL, timestamp,
 * NUL, header. */
#include "core/flow/bump.h"
#include "stages/lib/text/escape.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Header names are never freed: the fuzzer may create only a few. */
static void tame_names(char *pattern)
{
    for (char *at = strstr(pattern, "%{"); at != NULL; at = strstr(at + 2, "%{")) {
        size_t length = strcspn(at + 2, "}");
        for (size_t i = 0; i < length; i++) {
            if (i >= 8 && at[2 + i] != '\0')
                at[2 + i] = '!';
            else if ((at[2 + i] >= 'a' && at[2 + i] <= 'z') || (at[2 + i] >= 'A' && at[2 + i] <= 'Z'))
                at[2 + i] = "ab"[at[2 + i] & 1];
        }
    }
}

static struct ps_batch *batch_make(struct ps_bump *bump, const char *timestamp, const char *header,
                                   size_t length)
{
    struct ps_batch *batch = ps_batch_take(bump, (struct ps_now){.wall_ms = 1700000000000});
    PS_ASSERT(batch != NULL);
    char body[] = "body";
    struct ps_event *event = ps_batch_add_copy(batch, body, 4);
    PS_ASSERT(event != NULL);
    if (timestamp[0] != '\0')
        PS_ASSERT(ps_batch_header_add(batch, event, ps_name_intern("timestamp"), timestamp,
                                      (uint32_t)strlen(timestamp)));
    PS_ASSERT(ps_batch_header_add(batch, event, ps_name_intern("a"), header, (uint32_t)length));
    return batch;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const zones[] = {NULL, "UTC", "Europe/Berlin", "GMT+05:45"};
    static struct ps_depot *depot;
    static struct ps_pool *pool;
    struct ps_err err = {.length = 0};
    if (size < 1 || size > 4096)
        return 0;
    if (pool == NULL) {
        ps_log_set_level(PS_LOG_OFF);
        depot = ps_depot_create(16 << 20, &err);
        pool = ps_pool_create(depot, 0);
    }
    struct ps_arena *arena = ps_arena_create();
    char *text = ps_arena_copy(arena, (const char *)data + 1, size - 1); /* terminated */
    char *timestamp = text + strlen(text) + (strlen(text) < size - 1);
    char *header = timestamp + strlen(timestamp);
    header += header < text + size - 1;
    tame_names(text);
    struct ps_escape_options options = {
        .round = data[0] & 1,
        .unit = (enum ps_escape_unit)((data[0] >> 1) % 3),
        .value = (data[0] >> 3) % 25,
        .time_zone = zones[(data[0] >> 4) % 4],
        .local_time = data[0] >> 7,
    };
    const struct ps_escape *escape = ps_escape_compile(arena, text, &options, &err);
    if (escape != NULL) {
        struct ps_bump bump;
        ps_bump_init(&bump, pool);
        struct ps_batch *batch = batch_make(&bump, timestamp, header, (size_t)(text + size - 1 - header));
        struct ps_escape_cache cache = {.valid = false};
        char out[2][256];
        uint32_t lengths[2] = {0, 0};
        enum ps_escape_result results[2];
        for (int i = 0; i < 2; i++)
            results[i] = ps_escape_expand(escape, &cache, batch, &batch->events[0], &batch->opened, out[i],
                                          sizeof out[i], &lengths[i]);
        PS_ASSERT(results[0] == results[1] && lengths[0] == lengths[1]);
        PS_ASSERT(memcmp(out[0], out[1], lengths[0]) == 0);
        ps_batch_give(batch);
        ps_bump_fini(&bump);
    }
    ps_arena_destroy(arena);
    return 0;
}
