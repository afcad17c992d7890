/* Derives target and far ends from an agent file: which source to load and how, where its sinks write, and
 * which settings to override so that a measurement disturbs no other system. */
#include "bench/plan/subject.h"
#include "bench/plan/outline.h"
#include "bench/support/port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The ways of sending events to a type of source. */
struct entry {
    const char *type, *scheme;
    const char *host_key, *port_key; /* overridden with 127.0.0.1 and a free port; NULL: no port */
    bool datagrams;
};

static const struct entry entries[] = {
    {"syslogtcp", "tcp", "host", "port", false}, {"multiport_syslogtcp", "tcp", "host", "ports", false},
    {"syslogudp", "udp", "host", "port", true},  {"netcat", "netcat", "bind", "port", false},
    {"netcatudp", "udp", "bind", "port", true},  {"avro", "avro", "bind", "port", false},
    {"http", "http", "bind", "port", false},     {"kafka", "kafka", NULL, NULL, false},
};

static const struct entry *entry_of(const char *type)
{
    for (size_t i = 0; i < PS_COUNT_OF(entries); i++)
        if (strcmp(entries[i].type, type) == 0)
            return &entries[i];
    return NULL;
}

struct deriving {
    struct ps_subject *subject;
    struct ps_outline outline;
    FILE *file;                           /* plan.properties */
    const struct ps_outline_part *source; /* the source to load */
};

__attribute__((format(printf, 5, 6))) static void
set(struct deriving *deriving, const char *kind, const char *name, const char *key, const char *format, ...)
{
    char value[PS_SUBJECT_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    fprintf(deriving->file, "%s.%s.%s.%s = %s\n", deriving->subject->config->agent, kind, name, key, value);
}

/* ---- sources ---- */

/* Chooses the source to load: the first whose type is in `entries`. */
static enum ps_status choose_source(struct deriving *deriving, struct ps_err *err)
{
    const struct ps_outline *outline = &deriving->outline;
    for (unsigned i = 0; i < outline->source_count; i++) {
        if (entry_of(outline->sources[i].type) == NULL)
            continue;
        if (deriving->source == NULL)
            deriving->source = &outline->sources[i];
        else
            ps_subject_note(deriving->subject,
                            "load is sent to source %s, and none to %s (--target chooses another)",
                            deriving->source->name, outline->sources[i].name);
    }
    if (deriving->source != NULL || deriving->subject->config->target != NULL)
        return PS_OK;
    if (outline->source_count == 0) {
        ps_err_set(err, "the agent has no source: there is nothing to send events to");
        return outline->dropped.length > 0 ? ps_err_append(err, "%s", outline->dropped.text) : PS_FAIL;
    }
    return ps_err_set(
        err,
        "this command cannot send events to source %s (%s): give the address with --target, for example "
        "--target file:///PATH for an exec source that follows PATH",
        outline->sources[0].name, outline->sources[0].type);
}

static enum ps_status derive_kafka_source(struct deriving *deriving, const struct ps_outline_part *source,
                                          struct ps_err *err)
{
    struct ps_subject *subject = deriving->subject;
    const char *topics = ps_outline_get(source, "kafka.topics", ps_outline_get(source, "topic", ""));
    set(deriving, "sources", source->name, "kafka.bootstrap.servers", "%s", subject->brokers);
    if (source != deriving->source)
        return PS_OK;
    return ps_subject_text(subject->target, err, "kafka://%s/%.*s", subject->brokers,
                           (int)strcspn(topics, ", "), topics);
}

/* Gives each listening source a port of its own, so that it cannot conflict with a running agent. */
static enum ps_status derive_source(struct deriving *deriving, const struct ps_outline_part *source,
                                    struct ps_err *err)
{
    struct ps_subject *subject = deriving->subject;
    const struct entry *entry = entry_of(source->type);
    if (subject->config->workers > 0)
        set(deriving, "sources", source->name, "penstock.workers", "%u", subject->config->workers);
    if (entry == NULL || subject->config->target != NULL)
        return PS_OK;
    if (entry->port_key == NULL)
        return derive_kafka_source(deriving, source, err);
    unsigned port = ps_unused_port(entry->datagrams ? SOCK_DGRAM : SOCK_STREAM);
    if (port == 0)
        return ps_err_set(err, "no free port for source %s: %s", source->name, strerror(errno));
    set(deriving, "sources", source->name, entry->host_key, "127.0.0.1");
    set(deriving, "sources", source->name, entry->port_key, "%u", port);
    if (source != deriving->source)
        return PS_OK;
    bool silent = strcmp(ps_outline_get(source, "ack-every-event", "true"), "true") != 0;
    snprintf(subject->target, sizeof subject->target, "%s://127.0.0.1:%u%s", entry->scheme, port,
             strcmp(entry->type, "netcat") == 0 && silent ? "?ack=false" : "");
    return PS_OK;
}

/* ---- sinks ---- */

static bool reads_channel(const struct ps_outline_part *sink, const char *channel)
{
    return sink->channel_count > 0 && strcmp(sink->channels[0], channel) == 0;
}

/* Returns whether the events of this sink are counted: it must take from a channel of the loaded source; when every
 * channel gets every event, from the first one. */
static bool is_counted(const struct deriving *deriving, const struct ps_outline_part *sink)
{
    const struct ps_outline_part *source = deriving->source;
    if (source == NULL)
        return true;
    unsigned channels =
        strcmp(source->selector, "replicating") == 0 && source->channel_count > 0 ? 1 : source->channel_count;
    for (unsigned i = 0; i < channels; i++)
        if (reads_channel(sink, source->channels[i]))
            return true;
    return false;
}

static enum ps_status add_from(struct ps_subject *subject, const char *text, struct ps_err *err)
{
    for (unsigned i = 0; i < subject->from_count; i++)
        if (strcmp(subject->from[i], text) == 0)
            return PS_OK;
    if (subject->from_count == PS_TRIAL_FROM_MAX)
        return ps_err_set(err, "more than %u far ends: use --from to name those that count",
                          PS_TRIAL_FROM_MAX);
    snprintf(subject->from[subject->from_count++], PS_SUBJECT_TEXT_BYTES, "%s", text);
    return PS_OK;
}

static enum ps_status derive_kafka_sink(struct deriving *deriving, const struct ps_outline_part *sink,
                                        bool counted, struct ps_err *err)
{
    struct ps_subject *subject = deriving->subject;
    char text[PS_SUBJECT_TEXT_BYTES];
    set(deriving, "sinks", sink->name, "kafka.bootstrap.servers", "%s", subject->brokers);
    set(deriving, "sinks", sink->name, "kafka.producer.statistics.interval.ms", "1000");
    if (subject->embedded_broker && ps_outline_get(sink, "kafka.producer.security.protocol", NULL) != NULL) {
        set(deriving, "sinks", sink->name, "kafka.producer.security.protocol", "PLAINTEXT");
        ps_subject_note(subject, "sink %s is measured without TLS and SASL: the embedded broker has none",
                        sink->name);
    }
    if (!counted)
        return PS_OK;
    const char *topic =
        ps_outline_get(sink, "kafka.topic", ps_outline_get(sink, "topic", "default-flume-topic"));
    if (ps_subject_text(text, err, "kafka://%s/%s?offset=latest", subject->brokers, topic) != PS_OK)
        return PS_FAIL;
    return add_from(subject, text, err);
}

/* Uses a new directory below the sink's own: it is on the same disk, and no other program reads it. */
static enum ps_status derive_file_roll(struct deriving *deriving, const struct ps_outline_part *sink,
                                       bool counted, struct ps_err *err)
{
    struct ps_subject *subject = deriving->subject;
    char text[PS_SUBJECT_TEXT_BYTES];
    const char *directory = ps_outline_get(sink, "sink.directory", "");
    if (!counted || subject->roll_directory[0] != '\0')
        return PS_OK;
    if (ps_subject_text(subject->roll_directory, err, "%s/penstock-plan-%d", directory, (int)getpid()) !=
        PS_OK)
        return PS_FAIL;
    if (mkdir(subject->roll_directory, 0700) != 0 && errno != EEXIST) {
        ps_err_set(err, "sink %s: cannot make %s: %s", sink->name, subject->roll_directory, strerror(errno));
        subject->roll_directory[0] = '\0';
        return PS_FAIL;
    }
    set(deriving, "sinks", sink->name, "sink.directory", "%s", subject->roll_directory);
    if (ps_subject_text(text, err, "file://%s?follow=true", subject->roll_directory) != PS_OK)
        return PS_FAIL;
    return add_from(subject, text, err);
}

static enum ps_status derive_sink(struct deriving *deriving, const struct ps_outline_part *sink,
                                  bool *by_counters, struct ps_err *err)
{
    bool counted = is_counted(deriving, sink) && deriving->subject->config->from_count == 0;
    if (strcmp(sink->type, "kafka") == 0)
        return derive_kafka_sink(deriving, sink, counted, err);
    if (strcmp(sink->type, "file_roll") == 0)
        return derive_file_roll(deriving, sink, counted, err);
    if (!counted)
        return PS_OK;
    if (strcmp(sink->type, "null") != 0 && strcmp(sink->type, "logger") != 0)
        return ps_err_set(
            err,
            "the output of sink %s (%s) cannot be read by this command: give the far end with --from, "
            "for example --from tcp://127.0.0.1:PORT, where verify listens",
            sink->name, sink->type);
    *by_counters = true;
    return PS_OK;
}

/* ---- the whole file ---- */

static enum ps_status derive_parts(struct deriving *deriving, struct ps_err *err)
{
    struct ps_subject *subject = deriving->subject;
    bool by_counters = false;
    if (subject->config->workers > 0)
        fprintf(deriving->file, "%s.penstock.workers = %u\n", subject->config->agent,
                subject->config->workers);
    if (choose_source(deriving, err) != PS_OK)
        return PS_FAIL;
    for (unsigned i = 0; i < deriving->outline.source_count; i++)
        if (derive_source(deriving, &deriving->outline.sources[i], err) != PS_OK)
            return PS_FAIL;
    for (unsigned i = 0; i < deriving->outline.sink_count; i++)
        if (derive_sink(deriving, &deriving->outline.sinks[i], &by_counters, err) != PS_OK)
            return PS_FAIL;
    if (deriving->source != NULL && deriving->source->channel_count > 1 &&
        strcmp(deriving->source->selector, "replicating") == 0 && subject->config->from_count == 0)
        ps_subject_note(subject,
                        "every channel gets every event; the events that arrive through %s are counted",
                        deriving->source->channels[0]);
    if (by_counters && subject->from_count > 0)
        return ps_err_set(
            err, "some sinks have a far end and some have none: use --from to name those that count");
    if (by_counters)
        ps_subject_note(subject, "the sinks keep nothing: the events that arrived are counted by the agent's "
                                 "own counters, and latency is not known");
    if (!by_counters && subject->from_count == 0 && subject->config->from_count == 0)
        return ps_err_set(err, "no sink takes from source %s: name the far end with --from",
                          deriving->source != NULL ? deriving->source->name : "that is loaded");
    return PS_OK;
}

static enum ps_status outline_of(const struct ps_subject_config *config, struct ps_outline *outline,
                                 struct ps_err *err)
{
    const char *arguments[PS_SUBJECT_ARGUMENTS_MAX + 2] = {"-n", config->agent};
    for (unsigned i = 0; i < config->agent_argument_count; i++)
        arguments[i + 2] = config->agent_arguments[i];
    return ps_outline_read(outline, arguments, config->agent_argument_count + 2, err);
}

enum ps_status ps_subject_wants_broker(const struct ps_subject_config *config, bool *wants,
                                       struct ps_err *err)
{
    struct ps_outline outline;
    enum ps_status status = outline_of(config, &outline, err);
    *wants = false;
    for (unsigned i = 0; i < outline.source_count; i++)
        *wants = *wants || strcmp(outline.sources[i].type, "kafka") == 0;
    for (unsigned i = 0; i < outline.sink_count; i++)
        *wants = *wants || strcmp(outline.sinks[i].type, "kafka") == 0;
    ps_outline_fini(&outline);
    return status;
}

enum ps_status ps_subject_derive(struct ps_subject *subject, struct ps_err *err)
{
    struct deriving deriving = {.subject = subject};
    char path[PS_SUBJECT_TEXT_BYTES + 32];
    snprintf(path, sizeof path, "%s/plan.properties", subject->directory);
    enum ps_status status = outline_of(subject->config, &deriving.outline, err);
    if (status == PS_OK) {
        deriving.file = fopen(path, "we");
        if (deriving.file == NULL)
            status = ps_err_set(err, "cannot write %s: %s", path, strerror(errno));
    }
    if (status == PS_OK)
        status = derive_parts(&deriving, err);
    if (deriving.file != NULL && fclose(deriving.file) != 0 && status == PS_OK)
        status = ps_err_set(err, "cannot write %s: %s", path, strerror(errno));
    ps_outline_fini(&deriving.outline);
    return status;
}
