/* The table of trials. */
#include "bench/plan/export/export.h"
#include "bench/support/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A column: a key of the trial, or a key of one of its objects. */
static const struct column {
    const char *name, *object, *key;
} columns[] = {
    {"number", NULL, "number"},
    {"goal", NULL, "goal"},
    {"rate", NULL, "rate"},
    {"seconds", NULL, "seconds"},
    {"verdict", NULL, "verdict"},
    {"offered", NULL, "offered"},
    {"sent", NULL, "sent"},
    {"achieved_rate", NULL, "achieved_rate"},
    {"received", NULL, "received"},
    {"lost", NULL, "lost"},
    {"duplicated", NULL, "duplicated"},
    {"reordered", NULL, "reordered"},
    {"corrupted", NULL, "corrupted"},
    {"loss", NULL, "loss"},
    {"delay_growth_s", NULL, "delay_growth_s"},
    {"on_its_way", NULL, "on_its_way"},
    {"starved_connection", NULL, "starved_connection"},
    {"p50_ns", "latency_ns", "p50"},
    {"p90_ns", "latency_ns", "p90"},
    {"p99_ns", "latency_ns", "p99"},
    {"p99.9_ns", "latency_ns", "p99.9"},
    {"p99.99_ns", "latency_ns", "p99.99"},
    {"max_ns", "latency_ns", "max"},
    {"cpu_seconds", NULL, "cpu_seconds"},
    {"rss_bytes", NULL, "rss_bytes"},
    {"foreign_cpu", NULL, "foreign_cpu"},
    {"note", NULL, "note"},
};

/* Writes a text; in quotes if it has a character that would end the field. */
static void text_write(FILE *file, const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

static void value_write(FILE *file, const json_t *value)
{
    if (json_is_string(value))
        text_write(file, json_string_value(value));
    else if (json_is_integer(value))
        fprintf(file, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        fprintf(file, "%.12g", json_real_value(value));
}

enum ps_status ps_export_csv(const json_t *document, const char *path, struct ps_err *err)
{
    char *text;
    size_t length, index;
    const json_t *trial;
    FILE *file = ps_must_open_text(&text, &length, "the table of trials");
    for (size_t i = 0; i < PS_COUNT_OF(columns); i++)
        fprintf(file, "%s%s", columns[i].name, i + 1 < PS_COUNT_OF(columns) ? "," : "\r\n");
    json_array_foreach(json_object_get(document, "trials"), index, trial)
    {
        for (size_t i = 0; i < PS_COUNT_OF(columns); i++) {
            const json_t *object =
                columns[i].object != NULL ? json_object_get(trial, columns[i].object) : trial;
            value_write(file, json_object_get(object, columns[i].key));
            fputs(i + 1 < PS_COUNT_OF(columns) ? "," : "\r\n", file);
        }
    }
    fclose(file);
    enum ps_status status = ps_output_write(path, text, length, err);
    if (status != PS_OK)
        ps_err_append(err, "writing --csv");
    free(text);
    return status;
}
