/* The cost of rendering an event: each format at 256 bytes with a stamp, as load sends it over TCP; a
 * template of static text with a sequence, a time stamp, a number, a choice and verify's stamp; and single
 * fields. One iteration is one event. */
#include <stdlib.h>

#include "bench/load/content/content.h"
#include "bench/suite/micro/micro.h"

#define EVENTS 1000U
#define EVENT_BYTES 256U
#define START_NS UINT64_C(1795165362000000000)

static void run(struct ps_micro *micro, const struct ps_content_config *config)
{
    struct ps_content *content = NULL;
    struct ps_err err = {0};
    if (ps_content_create(&content, config, &err) != PS_OK)
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

static void run_format(struct ps_micro *micro, const char *format, uint32_t size_bytes, bool stamp)
{
    run(micro, &(struct ps_content_config){.format = format,
                                           .size_bytes = size_bytes,
                                           .stamp = stamp,
                                           .seed = 1,
                                           .framing = PS_FRAMING_NEWLINE});
}

static void run_template(struct ps_micro *micro, const char *template, uint32_t size_bytes, bool stamp)
{
    run(micro, &(struct ps_content_config){.template = template,
                                           .size_bytes = size_bytes,
                                           .stamp = stamp,
                                           .seed = 1,
                                           .framing = PS_FRAMING_NEWLINE});
}

static const char several_fields[] =
    "{time:rfc3339} web-01 shop[812]: seq={seq:width=10} status={int:100..999} "
    "method={choice:GET=70,PUT=20,POS=10} "
    "an order was taken, checked against the stock and handed to the warehouse {stamp}{pad}";

static void bench_template(struct ps_micro *micro)
{
    run_template(micro, several_fields, EVENT_BYTES, true);
}

static void bench_template_plain(struct ps_micro *micro)
{
    run_template(micro, several_fields, EVENT_BYTES, false);
}

#define FORMAT(name)                                                                                         \
    static void bench_##name(struct ps_micro *micro)                                                         \
    {                                                                                                        \
        run_format(micro, #name, EVENT_BYTES, true);                                                         \
    }
FORMAT(rfc3164)
FORMAT(rfc5424)
FORMAT(combined)
FORMAT(json)
FORMAT(keyvalue)
FORMAT(fixed)

static void bench_rfc3164_64(struct ps_micro *micro)
{
    run_format(micro, "rfc3164", 64, true);
}

static void bench_words(struct ps_micro *micro)
{
    run_template(micro, "{words:40}", 0, false);
}

static void bench_zipf(struct ps_micro *micro)
{
    run_template(micro, "{int:zipf:1..1000000,s=1.1}", 0, false);
}

static void bench_normal(struct ps_micro *micro)
{
    run_template(micro, "{float:normal:mean=120,sd=30}", 0, false);
}

void ps_micro_content(void)
{
    ps_micro_add("content/template_256", bench_template);
    ps_micro_add("content/template_256_no_stamp", bench_template_plain);
    ps_micro_add("content/rfc3164_256", bench_rfc3164);
    ps_micro_add("content/rfc5424_256", bench_rfc5424);
    ps_micro_add("content/combined_256", bench_combined);
    ps_micro_add("content/json_256", bench_json);
    ps_micro_add("content/keyvalue_256", bench_keyvalue);
    ps_micro_add("content/fixed_256", bench_fixed);
    ps_micro_add("content/rfc3164_64", bench_rfc3164_64);
    ps_micro_add("content/words_40", bench_words);
    ps_micro_add("content/zipf", bench_zipf);
    ps_micro_add("content/normal", bench_normal);
}
