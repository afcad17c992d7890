#include "tests/support/syslog.h"

#include <stdio.h>

#include "stages/lib/syslog/multi.h"
#include "stages/lib/syslog/single.h"

static void print_escaped(FILE *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] >= ' ' && text[i] < 127 && text[i] != '\\')
            fputc(text[i], out);
        else
            fprintf(out, "\\x%02x", (uint8_t)text[i]);
    }
}

static int by_name(const void *a, const void *b)
{
    const struct ps_header *const *one = a, *const *two = b;
    return strcmp((*one)->name->text, (*two)->name->text);
}

static void print_event(FILE *out, const struct ps_batch *batch, const struct ps_event *event)
{
    const struct ps_header *headers[16];
    size_t count = 0;
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    while (count < PS_COUNT_OF(headers) && (headers[count] = ps_headers_next(&cursor)) != NULL)
        count++;
    qsort(headers, count, sizeof headers[0], by_name);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s=", headers[i]->name->text);
        print_escaped(out, headers[i]->value, headers[i]->value_length);
        fputc(' ', out);
    }
    fputs("| ", out);
    print_escaped(out, event->body, event->body_length);
    fputc('\n', out);
}

static void run(const struct ps_test_syslog *how, const struct ps_pairs *format, struct ps_test_stage *stage,
                char *data, uint32_t length, FILE *out)
{
    bool known, multi = strcmp(how->mode, "multi") == 0, datagrams = strcmp(how->mode, "udp") == 0;
    const struct ps_time_zone *zone = ps_time_zone_load(stage->arena, how->zone, &known);
    struct ps_err err = {.length = 0};
    struct ps_syslog_single_rules single = {.zone = zone,
                                            .keep = ps_keep_parse(how->keep_fields),
                                            .size_max = how->size_max,
                                            .datagrams = datagrams};
    struct ps_syslog_multi_rules several = {
        .zone = zone, .keep = ps_keep_parse(how->keep_fields), .size_max = how->size_max};
    struct ps_syslog_single parser;
    struct ps_syslog_multi other;
    struct ps_charset charset;
    struct ps_transcoder transcoder;
    struct ps_syslog_format *made = NULL;
    ps_syslog_names_init(&single.names, false);
    ps_syslog_names_init(&several.names, true);
    for (unsigned i = 0; how->structured && i < PS_SYSLOG_STRUCTURED; i++)
        single.structured[i] = several.structured[i] = ps_name_intern((char[]){'f', (char)('0' + i), 0});
    if (format != NULL) {
        made = ps_syslog_format_create(format, NULL, &err);
        if (made == NULL)
            fail_msg("%s", err.text);
        single.format = made;
    }
    assert_true(ps_syslog_single_init(&parser, &single));
    ps_syslog_multi_init(&other, &several);
    assert_int_equal(ps_charset_find("UTF-8", &charset, &err), PS_OK);
    assert_int_equal(ps_transcoder_open(&transcoder, &charset, &err), PS_OK);
    ps_syslog_time_now(&parser.time, how->now_ms);
    ps_syslog_time_now(&other.time, how->now_ms);
    struct ps_batch *batch = ps_batch_take(&stage->bump, stage->now);
    for (uint32_t at = 0; at < length || (at == 0 && length == 0);) {
        if (how->batch_events > 0 && batch->count == how->batch_events) {
            ps_batch_give(batch);
            batch = ps_batch_take(&stage->bump, stage->now);
        }
        uint32_t used = 0, rows = batch->count;
        uint64_t failed = 0;
        enum ps_parsed parsed =
            multi ? ps_syslog_multi_next(&other, batch, &transcoder, data + at, length - at, NULL, &used,
                                         &failed)
                  : ps_syslog_single_next(&parser, batch, data + at, length - at, NULL, &used);
        assert_true(used <= length - at);
        at += used;
        if (batch->count > rows)
            print_event(out, batch, &batch->events[rows]);
        if (parsed == PS_PARSED_PARTIAL)
            fputs("(none)\n", out);
        if (parsed == PS_PARSED_DROPPED)
            fputs("(dropped)\n", out);
        assert_true(parsed != PS_PARSED_FULL && parsed != PS_PARSED_MEMORY);
        if (parsed == PS_PARSED_PARTIAL || datagrams || length == 0)
            break;
    }
    ps_batch_give(batch);
    ps_syslog_single_fini(&parser);
    ps_transcoder_close(&transcoder);
    ps_syslog_format_destroy(made);
}

char *ps_test_syslog_run(const struct ps_test_syslog *how, const struct ps_pairs *format, const char *data,
                         size_t length)
{
    static const struct ps_stage_ops none = {.name = "none"};
    struct ps_test_stage stage;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    char *copy = malloc(length + 1); /* a sanitizer detects reads past the end */
    assert_non_null(out);
    assert_non_null(copy);
    memcpy(copy, data, length);
    ps_test_stage_init(&stage, &none);
    run(how, format, &stage, copy, (uint32_t)length, out);
    ps_test_stage_fini(&stage);
    free(copy);
    fclose(out);
    return text;
}
