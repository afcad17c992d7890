/* Events from a format, rendered for one source and a run of sequence numbers. See content.h. */
#include "bench/load/content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/support/stamp.h"
#include "core/clock.h"

struct ps_content {
    struct ps_content_config config;
    bool syslog;
    uint32_t size_bytes;
};

struct ps_content_writer {
    const struct ps_content *content;
};

const struct ps_content_format ps_content_formats[] = {
    {"rfc3164", "syslog as RFC 3164 has it", NULL}, {"fixed", "a payload of --size bytes", NULL}, {NULL}};

enum ps_status ps_content_create(struct ps_content **content, const struct ps_content_config *config,
                                 struct ps_err *err)
{
    if (config->format == NULL ||
        (strcmp(config->format, "rfc3164") != 0 && strcmp(config->format, "fixed") != 0))
        return ps_err_set(err, "unknown format %s", config->format == NULL ? "" : config->format);
    struct ps_content *made = calloc(1, sizeof *made);
    PS_ASSERT(made != NULL);
    made->config = *config;
    made->syslog = config->format[0] == 'r';
    made->size_bytes = config->size_bytes == 0 ? 120 : config->size_bytes;
    if (made->size_bytes < 96) {
        free(made);
        return ps_err_set(err, "size %u is too small: 96 bytes are needed", config->size_bytes);
    }
    *content = made;
    return PS_OK;
}

void ps_content_destroy(struct ps_content *content)
{
    free(content);
}

uint32_t ps_content_event_bytes_max(const struct ps_content *content)
{
    return content->size_bytes;
}

double ps_content_event_bytes_mean(const struct ps_content *content)
{
    return content->size_bytes;
}

struct ps_content_writer *ps_content_writer_create(const struct ps_content *content)
{
    struct ps_content_writer *writer = calloc(1, sizeof *writer);
    if (writer != NULL)
        writer->content = content;
    return writer;
}

void ps_content_writer_destroy(struct ps_content_writer *writer)
{
    free(writer);
}

uint32_t ps_content_render(struct ps_content_writer *writer, const struct ps_content_order *order, char *to,
                           size_t room, uint32_t *ends)
{
    const struct ps_content *content = writer->content;
    const struct ps_content_config *config = &content->config;
    uint32_t at = 0, size = content->size_bytes, i;
    for (i = 0; i < order->count && room - at >= size; i++) {
        char *event = to + at;
        uint32_t used = 0, tail = config->framing == PS_FRAMING_NEWLINE ? 1 : 0;
        memset(event, 'x', size);
        if (config->framing == PS_FRAMING_OCTET_COUNTED)
            used += (uint32_t)sprintf(event, "%u ", size - (size < 104 ? 3 : size < 1005 ? 4 : 5));
        if (content->syslog) {
            time_t second = (time_t)(order->due_wall_ns[i] / PS_NS_PER_S);
            struct tm tm;
            gmtime_r(&second, &tm);
            used += (uint32_t)strftime(event + used, size - used, "<13>%b %e %H:%M:%S host app: ", &tm);
        }
        event[used] = ' ';
        if (config->stamp) {
            struct ps_stamp stamp = {config->run,
                                     order->source,
                                     order->first_sequence + i,
                                     order->due_wall_ns[i] / 1000,
                                     size - tail - used - PS_STAMP_BYTES,
                                     order->first_sequence + i == order->last_sequence};
            ps_stamp_write(&stamp, event + used);
        }
        if (tail)
            event[size - 1] = '\n';
        ends[i] = at += size;
    }
    return i;
}
