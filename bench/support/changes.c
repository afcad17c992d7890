/* Implements changes.h. */
#include "bench/support/changes.h"
#include "core/quantity.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOISE_SHARE 0.1
#define NOISE_NS 1e6
#define LINE_BYTES_MAX (256U << 20)

/* ---- the older summary ---- */

static bool is_summary(const json_t *object, const char *mark)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    return type != NULL && strcmp(type, "summary") == 0 && json_object_get(object, mark) != NULL;
}

enum ps_status ps_changes_read(json_t **old, const char *path, const char *mark, struct ps_err *err)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    FILE *file = fopen(path, "re");
    *old = NULL;
    if (file == NULL)
        return ps_err_set(err, "--compare %s: %s", path, strerror(errno));
    while ((length = getline(&line, &room, file)) > 0) {
        json_t *object = line[0] == '{' && length < (ssize_t)LINE_BYTES_MAX
                             ? json_loadb(line, (size_t)length, 0, NULL)
                             : NULL;
        if (is_summary(object, mark)) {
            json_decref(*old);
            *old = json_incref(object);
        }
        json_decref(object);
    }
    free(line);
    fclose(file);
    return *old != NULL
               ? PS_OK
               : ps_err_set(err, "--compare %s: it has no summary of this command; write one with --json",
                            path);
}

/* ---- the comparison ---- */

static const json_t *value_of(const json_t *summary, const struct ps_change_figure *figure)
{
    const json_t *from = figure->group != NULL ? json_object_get(summary, figure->group) : summary;
    return json_object_get(from, figure->key);
}

static const char *verdict_of(const struct ps_change_figure *figure, double before, double now)
{
    double more = now - before;
    bool noise = figure->kind == PS_CHANGE_FAULTS    ? more == 0
                 : figure->kind == PS_CHANGE_LATENCY ? fabs(more) <= fmax(NOISE_SHARE * before, NOISE_NS)
                                                     : fabs(more) <= NOISE_SHARE * before;
    if (noise)
        return "same";
    return (more > 0) == (figure->kind == PS_CHANGE_RATE) ? "better" : "worse";
}

static struct ps_quantity_text shown(enum ps_change_kind kind, double value)
{
    return kind == PS_CHANGE_RATE      ? ps_quantity_print_event_rate(value)
           : kind == PS_CHANGE_LATENCY ? ps_quantity_print_ns((uint64_t)value)
                                       : ps_quantity_print_count((uint64_t)value);
}

static json_t *figure_object(const struct ps_change_figure *figure, double before, double now)
{
    char text[192], change[32] = "";
    if (before > 0 && figure->kind != PS_CHANGE_FAULTS)
        snprintf(change, sizeof change, " (%+.1f %%)", (now / before - 1) * 100);
    snprintf(text, sizeof text, "%s before, %s now%s", shown(figure->kind, before).text,
             shown(figure->kind, now).text, change);
    return json_pack("{s:s,s:f,s:f,s:s,s:s}", "figure", figure->name, "before", before, "now", now, "verdict",
                     verdict_of(figure, before, now), "text", text);
}

unsigned ps_changes_make(json_t *summary, const json_t *old, const char *path,
                         const struct ps_change_figure *figures, size_t count, const char *const *same)
{
    json_t *list = json_array(), *differences = json_array();
    unsigned worse = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *before = value_of(old, &figures[i]), *now = value_of(summary, &figures[i]);
        if (!json_is_number(before) || !json_is_number(now))
            continue; /* not known in one of them */
        double old_value = json_number_value(before), new_value = json_number_value(now);
        worse += strcmp(verdict_of(&figures[i], old_value, new_value), "worse") == 0;
        json_array_append_new(list, figure_object(&figures[i], old_value, new_value));
    }
    for (; *same != NULL; same++) {
        double before = json_number_value(json_object_get(old, *same)),
               now = json_number_value(json_object_get(summary, *same));
        char text[160];
        if (fabs(now - before) <= 0.01 * fabs(before))
            continue;
        snprintf(text, sizeof text, "%s: %.6g before, %.6g now", *same, before, now);
        json_array_append_new(differences, json_string(text));
    }
    json_object_set_new(summary, "comparison",
                        json_pack("{s:s,s:o,s:o,s:i}", "with", path, "figures", list, "differences",
                                  differences, "worse", (int)worse));
    return worse;
}

void ps_changes_print(struct ps_live *live, const json_t *summary)
{
    const json_t *comparison = json_object_get(summary, "comparison"), *item;
    size_t index;
    if (comparison == NULL)
        return;
    ps_live_print(live, "\ncompared with %s\n", json_string_value(json_object_get(comparison, "with")));
    json_array_foreach(json_object_get(comparison, "figures"), index, item)
    {
        const char *verdict = json_string_value(json_object_get(item, "verdict"));
        enum ps_live_style style = strcmp(verdict, "worse") == 0    ? PS_LIVE_BAD
                                   : strcmp(verdict, "better") == 0 ? PS_LIVE_GOOD
                                                                    : PS_LIVE_PLAIN;
        ps_live_print(live, "  %-12s %s%-7s%s %s\n", json_string_value(json_object_get(item, "figure")),
                      ps_live_style(live, style), verdict, ps_live_style(live, PS_LIVE_PLAIN),
                      json_string_value(json_object_get(item, "text")));
    }
    json_array_foreach(json_object_get(comparison, "differences"), index, item)
        ps_live_print(live, "  not the same: %s\n", json_string_value(item));
}
