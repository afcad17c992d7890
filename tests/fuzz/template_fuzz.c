/* Templates: any text is refused with a message, or renders the same events in one batch and in many,
 * within the buffer and the announced size, with a stamp if one was requested. Input: stamp, framing and
 * size (1 byte), seed (1), then the template. */
#include <stdlib.h>
#include <string.h>

#include "bench/load/content/content.h"
#include "bench/support/stamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EVENTS 12U
#define EVENT_BYTES_MAX 100000U /* larger events only take time */

static const uint64_t due_ns[EVENTS] = {0,
                                        1,
                                        1795165362000000000,
                                        1795165362000000001,
                                        1795165362999999999,
                                        1795165363000000000,
                                        1795165361000000000,
                                        1795200000000000000,
                                        1774745999999999999,
                                        1774746000000000000,
                                        4102444799000000000,
                                        1795165362000000000};

static uint32_t render(const struct ps_content *content, uint32_t from, uint32_t count, char *to, size_t room,
                       uint32_t *ends)
{
    struct ps_content_writer *writer = ps_content_writer_create(content);
    PS_ASSERT(writer != NULL);
    struct ps_content_order order = {3, UINT64_C(1000) + from, 1000 + EVENTS - 1, due_ns + from, count};
    uint32_t done = ps_content_render(writer, &order, to, room, ends);
    ps_content_writer_destroy(writer);
    return done;
}

static void check(const struct ps_content *content, bool stamped)
{
    uint32_t max = ps_content_event_bytes_max(content), ends[EVENTS], end;
    char *whole = malloc((size_t)max * EVENTS);
    PS_ASSERT(whole != NULL && render(content, 0, EVENTS, whole, (size_t)max * EVENTS, ends) == EVENTS);
    for (uint32_t i = 0, start = 0; i < EVENTS; start = ends[i++]) {
        uint32_t length = ends[i] - start;
        char *alone = malloc(length);
        struct ps_stamp stamp;
        PS_ASSERT(ends[i] > start && length <= max);
        PS_ASSERT(alone != NULL && render(content, i, 1, alone, length, &end) == 1 && end == length);
        PS_ASSERT(memcmp(alone, whole + start, length) == 0);
        PS_ASSERT(render(content, i, 1, alone, length - 1, &end) == 0);
        PS_ASSERT(!stamped || ps_stamp_find(alone, length, &stamp, NULL) != PS_STAMP_NONE);
        free(alone);
    }
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t sizes[4] = {0, 64, 300, 1500};
    struct ps_content *content;
    struct ps_err err = {0};
    char text[4096];
    if (size < 2 || size - 2 >= sizeof text)
        return 0;
    memcpy(text, data + 2, size - 2);
    text[size - 2] = '\0';
    const struct ps_content_config config = {
        .template = text,
        .stamp = data[0] & 1,
        .framing = (enum ps_framing)((data[0] >> 1 & 3) % 3),
        .size_bytes = sizes[data[0] >> 3 & 3],
        .run = 7,
        .seed = data[1],
    };
    if (ps_content_create(&content, &config, &err) != PS_OK) {
        PS_ASSERT(err.length > 0);
        return 0;
    }
    PS_ASSERT(ps_content_event_bytes_mean(content) <= ps_content_event_bytes_max(content));
    if (ps_content_event_bytes_max(content) <= EVENT_BYTES_MAX)
        check(content, config.stamp);
    ps_content_destroy(content);
    return 0;
}
