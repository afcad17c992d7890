#include "bench/suite/rule_agent.h"

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

static void add_source(struct text *text, const struct ps_rule_agent *wanted, const char *name, unsigned port,
                       bool ack)
{
    add(text,
        "\na.sources.%s.channels = " PLACES "\na.sources.%s.type = netcat\na.sources.%s.bind = 127.0.0.1\n"
        "a.sources.%s.port = %u\na.sources.%s.ack-every-event = %s\n",
        name, name, name, name, port, name, ack ? "true" : "false");
    if (wanted->rules != NULL)
        add(text,
            "a.sources.%s.selector.type = rules\na.sources.%s.selector.rules.file = %s\n"
            "a.sources.%s.selector.rules.cache = none\n",
            name, name, wanted->rules, name);
    else
        add(text,
            "a.sources.%s.selector.type = multiplexing\na.sources.%s.selector.header = none\n"
            "a.sources.%s.selector.default = rest\n",
            name, name, name);
}

struct ps_agent *ps_rule_agent_start(const struct ps_rule_agent *wanted)
{
    struct text text = {.length = 0};
    add(&text,
        "a.sources = s%s\na.channels = " PLACES "\na.penstock.workers = 1\na.penstock.cpus = %d\n"
        "a.penstock.idle = park\na.sinks =",
        wanted->probe_port != 0 ? " p" : "", wanted->cpu);
    for (size_t i = 0; i < PS_COUNT_OF(places); i++)
        add(&text, " k-%s", places[i]);
    add_source(&text, wanted, "s", wanted->port, false);
    if (wanted->probe_port != 0)
        add_source(&text, wanted, "p", wanted->probe_port, true);
    for (size_t i = 0; i < PS_COUNT_OF(places); i++) {
        const char *place = places[i];
        add(&text,
            "\na.channels.%s.type = memory\na.channels.%s.capacity = 100000\n"
            "a.channels.%s.transactionCapacity = 10000\na.sinks.k-%s.type = null\n"
            "a.sinks.k-%s.channel = %s\na.sinks.k-%s.logEveryNEvents = 2000000000",
            place, place, place, place, place, place, place);
    }
    add(&text, "\n");
    return ps_bench_agent_start_with(text.bytes, wanted->program);
}
