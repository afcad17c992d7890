#include "bench/support/rule_agent.h"

#include <stdarg.h>
#include <stdio.h>

#define PLACES "status path exception program user host between anchored rest"

static const char *const places[] = {"status", "path", "exception", "program", "user",
                                     "host",   "rest", "between",   "anchored"};

struct text {
    char bytes[8192];
    size_t length;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text->bytes + text->length, sizeof text->bytes - text->length, format, arguments);
    va_end(arguments);
    PS_ASSERT(length >= 0 && (size_t)length < sizeof text->bytes - text->length);
    text->length += (size_t)length;
}

struct ps_agent *ps_rule_agent_start(const struct ps_rule_agent *wanted)
{
    struct text text = {.length = 0};
    add(&text,
        "a.sources = s\na.channels = " PLACES "\na.sources.s.channels = " PLACES "\n"
        "a.penstock.workers = 1\na.penstock.cpus = %d\n"
        "a.sources.s.type = netcat\na.sources.s.bind = 127.0.0.1\na.sources.s.port = %u\n"
        "a.sources.s.ack-every-event = %s\na.sinks =",
        wanted->cpu, wanted->port, wanted->ack ? "true" : "false");
    for (size_t i = 0; i < PS_COUNT_OF(places); i++)
        add(&text, " k-%s", places[i]);
    for (size_t i = 0; i < PS_COUNT_OF(places); i++) {
        const char *place = places[i];
        add(&text,
            "\na.channels.%s.type = memory\na.channels.%s.capacity = 100000\n"
            "a.channels.%s.transactionCapacity = 10000\na.sinks.k-%s.type = null\n"
            "a.sinks.k-%s.channel = %s\na.sinks.k-%s.logEveryNEvents = 2000000000",
            place, place, place, place, place, place, place);
    }
    if (wanted->rules != NULL)
        add(&text,
            "\na.sources.s.selector.type = rules\na.sources.s.selector.rules.file = %s\n"
            "a.sources.s.selector.rules.cache = none\n",
            wanted->rules);
    else
        add(&text, "\na.sources.s.selector.type = multiplexing\na.sources.s.selector.header = none\n"
                   "a.sources.s.selector.default = rest\n");
    return ps_bench_agent_start_with(text.bytes, wanted->program);
}
