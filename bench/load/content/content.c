/* Creates a content: chooses the template, opens its lines, creates writers. compile.c compiles the
 * template, render.c renders events. */
#include <stdlib.h>
#include <string.h>

#include "bench/load/content/internal.h"
#include "core/text/nearest.h"
#include "core/clock.h"
#include "core/quantity.h"

#define SAMPLE_EVENTS 1000U
#define SAMPLE_START_S UINT64_C(1767225600)

static enum ps_status format_unknown(const char *name, struct ps_err *err)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, name);
    for (const struct ps_content_format *format = ps_content_formats; format->name != NULL; format++)
        ps_nearest_offer(&nearest, format->name);
    return ps_err_set(err,
                      "there is no format %s%s%s%s; use rfc3164, rfc5424, combined, json, keyvalue or fixed",
                      name, nearest.word != NULL ? ", did you mean " : "",
                      nearest.word != NULL ? nearest.word : "", nearest.word != NULL ? "?" : "");
}

/* Compiles the content from template text `text`; `what` is its name in messages. May be called again with
 * another text: the arena and the opened lines are kept. */
static enum ps_status try(struct ps_content *content, const struct ps_content_config *config,
                          const char *what, const char *text, struct ps_err *err)
{
    struct ps_arena *arena = content->arena;
    struct ps_lines lines = content->lines;
    memset(content, 0, sizeof *content);
    content->arena = arena;
    content->lines = lines;
    content->stamp = config->stamp;
    content->framing = config->framing;
    content->run = config->run;
    content->seed = config->seed;
    ps_words_make(&content->words);
    content->template.lines = config->lines != NULL ? &content->lines : NULL;
    if (ps_template_parse(&content->template, arena, text, err) != PS_OK)
        return PS_FAIL;
    if (config->lines != NULL && ps_template_find(&content->template, PS_TEMPLATE_LINE) < 0)
        return ps_err_set(err, "template: {line} is missing; write it where the lines of %s belong",
                          config->lines);
    if (ps_content_compile(content, config->size_bytes, what, err) == PS_OK)
        return PS_OK;
    if (config->lines != NULL && config->size_bytes > 0)
        ps_err_append(err, "the longest line is line %llu of %s, %s bytes",
                      (unsigned long long)content->lines.longest, config->lines,
                      ps_quantity_print_count(content->lines.length_max).text);
    return PS_FAIL;
}

static enum ps_status format_try(struct ps_content *content, const struct ps_content_config *config,
                                 struct ps_err *err)
{
    const struct ps_content_format *format = ps_content_formats;
    while (format->name != NULL && strcmp(format->name, config->format) != 0)
        format++;
    if (format->name == NULL)
        return format_unknown(config->format, err);
    if (config->size_bytes == 0)
        return try(content, config, format->name, format->template, err);
    for (unsigned i = 0; i < PS_COUNT_OF(format->sized) && format->sized[i] != NULL; i++) {
        if (try(content, config, format->name, format->sized[i], err) == PS_OK)
            return PS_OK; /* if all variants fail, the error of the smallest remains */
    }
    return PS_FAIL;
}

static enum ps_status source_choose(struct ps_content *content, const struct ps_content_config *config,
                                    struct ps_err *err)
{
    if (config->format != NULL && (config->template != NULL || config->lines != NULL))
        return ps_err_set(err, "both a format and %s are given; give only one of them",
                          config->template != NULL ? "a template" : "lines of a file");
    if (config->format != NULL)
        return format_try(content, config, err);
    if (config->template == NULL && config->lines == NULL)
        return ps_err_set(err, "there is nothing to send: give a format, a template or a file of lines");
    if (config->lines != NULL && ps_lines_open(&content->lines, config->lines, err) != PS_OK)
        return PS_FAIL;
    if (config->template != NULL)
        return try(content, config, "template", config->template, err);
    return try(content, config, config->lines, "{line} {stamp}", err);
}

/* Measures the mean size of some events. */
static void sample(struct ps_content *content)
{
    struct ps_content_writer *writer = ps_content_writer_create(content);
    size_t room = (size_t)content->event_max + PS_CONTENT_SLACK;
    char *bytes = ps_must_alloc(1, room, "an event");
    uint64_t sum = 0;
    for (uint64_t i = 0; i < SAMPLE_EVENTS; i++) {
        uint32_t end = 0;
        uint64_t due_wall_ns = SAMPLE_START_S * PS_NS_PER_S + i;
        struct ps_content_order order = {0, i, UINT64_MAX, &due_wall_ns, 1};
        ps_content_render(writer, &order, bytes, room, &end);
        sum += end;
    }
    content->event_mean = (double)sum / SAMPLE_EVENTS;
    free(bytes);
    ps_content_writer_destroy(writer);
}

enum ps_status ps_content_create(struct ps_content **content, const struct ps_content_config *config,
                                 struct ps_err *err)
{
    struct ps_content *made = ps_must_alloc(1, sizeof *made, "events");
    made->arena = ps_arena_create();
    if (source_choose(made, config, err) != PS_OK) {
        ps_content_destroy(made);
        return PS_FAIL;
    }
    sample(made);
    *content = made;
    return PS_OK;
}

void ps_content_destroy(struct ps_content *content)
{
    if (content == NULL)
        return;
    ps_lines_close(&content->lines);
    ps_arena_destroy(content->arena);
    free(content);
}

uint32_t ps_content_event_bytes_max(const struct ps_content *content)
{
    return content->event_max;
}

double ps_content_event_bytes_mean(const struct ps_content *content)
{
    return content->event_mean;
}

struct ps_content_writer *ps_content_writer_create(const struct ps_content *content)
{
    struct ps_content_writer *writer = ps_must_alloc(1, sizeof *writer, "events");
    writer->content = content;
    writer->source = UINT32_MAX;
    writer->prefix = ps_content_framing(PS_FRAMING_OCTET_COUNTED, content->need_min) - 1;
    writer->skeleton = ps_must_alloc(1, content->skeleton_length + PS_CONTENT_SLACK, "an event");
    writer->scratch = ps_must_alloc(1, (size_t)content->event_max + PS_CONTENT_SLACK, "an event");
    writer->strftime_lengths =
        ps_must_alloc(content->strftime_count + 1U, sizeof *writer->strftime_lengths, "times of events");
    writer->strftime_texts =
        ps_must_alloc(content->strftime_count + 1U, sizeof *writer->strftime_texts, "times of events");
    memcpy(writer->skeleton, content->skeleton, content->skeleton_length);
    ps_content_clock_set(writer, 0);
    return writer;
}

void ps_content_writer_destroy(struct ps_content_writer *writer)
{
    if (writer == NULL)
        return;
    free(writer->skeleton);
    free(writer->scratch);
    free(writer->strftime_lengths);
    free(writer->strftime_texts);
    free(writer);
}
