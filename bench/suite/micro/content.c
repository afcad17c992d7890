/* The cost of rendering an event of 256 bytes with a stamp, as load sends it over TCP: each format; and a template of
 * static text with a sequence, a time stamp, a number and a choice. One iteration is one event. */
#include <stdlib.h>

#include "bench/load/content/content.h"
#include "bench/suite/micro/micro.h"

#define EVENTS 1000U
#define EVENT_BYTES 256U
#define START_NS UINT64_C(1795165362000000000)

static void run(struct ps_micro *micro, const char *format, const char *template)
{
    const struct ps_content_config config = {.format = format,
                                             .template = template,
                                             .size_bytes = EVENT_BYTES,
                                             .stamp = true,
                                             .seed = 1,
                                             .framing = PS_FRAMING_NEWLINE};
    struct ps_content *content = NULL;
    struct ps_err err = {0};
    if (ps_content_create(&content, &config, &err) != PS_OK)
        abort();
    struct ps_content_writer *writer = ps_content_writer_create(content);
    size_t room = (size_t)ps_content_event_bytes_max(content) * EVENTS;
    char *bytes = ps_must_alloc(1, room, "rendered content");
    uint64_t *due_ns = ps_must_alloc(EVENTS, sizeof *due_ns, "rendered content");
    uint32_t *ends = ps_must_alloc(EVENTS, sizeof *ends, "rendered content");
    PS_ASSERT(writer != NULL);
    struct ps_content_order order = {1, 0, UINT64_MAX, due_ns, EVENTS};
    for (uint32_t i = 0; i < EVENTS; i++) /* a million per second */
        due_ns[i] = START_NS + (uint64_t)i * 1000;
    while (ps_micro_batch(micro, EVENTS)) {
        PS_ASSERT(ps_content_render(writer, &order, bytes, room, ends) == EVENTS);
        order.first_sequence += EVENTS;
        for (uint32_t i = 0; i < EVENTS; i++)
            due_ns[i] += EVENTS * 1000;
    }
    ps_micro_bytes(micro, (uint64_t)ps_content_event_bytes_mean(content));
    free(bytes);
    free(due_ns);
    free(ends);
    ps_content_writer_destroy(writer);
    ps_content_destroy(content);
}

static const char several_fields[] =
    "{time:rfc3339} web-01 shop[812]: seq={seq:width=10} status={int:100..999} "
    "method={choice:GET=70,PUT=20,POS=10} "
    "an order was taken, checked against the stock and handed to the warehouse {stamp}{pad}";

static void bench_template(struct ps_micro *micro)
{
    run(micro, NULL, several_fields);
}

#define FORMAT(name)                                                                                         \
    static void bench_##name(struct ps_micro *micro)                                                         \
    {                                                                                                        \
        run(micro, #name, NULL);                                                                             \
    }
FORMAT(rfc3164)
FORMAT(rfc5424)
FORMAT(combined)
FORMAT(json)
FORMAT(keyvalue)
FORMAT(fixed)

void ps_micro_content(void)
{
    ps_micro_add("content/template_256", bench_template);
    ps_micro_add("content/rfc3164_256", bench_rfc3164);
    ps_micro_add("content/rfc5424_256", bench_rfc5424);
    ps_micro_add("content/combined_256", bench_combined);
    ps_micro_add("content/json_256", bench_json);
    ps_micro_add("content/keyvalue_256", bench_keyvalue);
    ps_micro_add("content/fixed_256", bench_fixed);
}
