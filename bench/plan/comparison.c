#include "bench/plan/comparison.h"
#include "bench/plan/result.h"
#include "core/quantity.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Sizes in bytes that differ by at most this share count as equal: running numbers change the mean size of events a
 * little, and machines of one kind differ a little in their memory. */
#define BYTES_TOLERANCE 0.02

const char *ps_comparison_verdict_text(enum ps_comparison_verdict verdict)
{
    static const char *const texts[] = {
        [PS_COMPARED_NONE] = "same",
        [PS_COMPARED_BETTER] = "better",
        [PS_COMPARED_WORSE] = "worse",
        [PS_COMPARED_UNKNOWN] = "unknown",
    };
    return texts[verdict];
}

enum ps_comparison_verdict ps_compare_rates(const struct ps_compared *before, const struct ps_compared *now,
                                            double *change, double *low, double *high)
{
    *change = *low = *high = 0;
    if (!(before->rate > 0 && now->rate > 0))
        return PS_COMPARED_UNKNOWN;
    *change = now->rate / before->rate - 1;
    if (!(before->low > 0 && now->low > 0 && before->high > 0 && now->high > 0))
        return PS_COMPARED_UNKNOWN;
    double middle = log(now->rate / before->rate);
    double down = hypot(log(now->rate / now->low), log(before->high / before->rate));
    double up = hypot(log(now->high / now->rate), log(before->rate / before->low));
    *low = exp(middle - down) - 1;
    *high = exp(middle + up) - 1;
    return *high < 0                                 ? PS_COMPARED_WORSE
           : *low > 0                                ? PS_COMPARED_BETTER
           : isinf(before->high) || isinf(now->high) ? PS_COMPARED_UNKNOWN
                                                     : PS_COMPARED_NONE;
}

/* ---- figures ---- */

static json_t *known(double number, bool is_known)
{
    return is_known && isfinite(number) ? json_real(number) : json_null();
}

static const char *rate_text(const struct ps_compared *rate, char *text, size_t room)
{
    if (!(rate->rate > 0))
        snprintf(text, room, "no rate");
    else
        snprintf(text, room, "%s%s",
                 isinf(rate->high)      ? "at least "
                 : rate->low == DBL_MIN ? "less than "
                                        : "",
                 ps_quantity_print_count((uint64_t)(rate->rate + 0.5)).text);
    return text;
}

/* Adds one figure; returns whether it is worse. */
static bool figure_add(json_t *figures, const char *name, const struct ps_compared *before,
                       const struct ps_compared *now)
{
    static const char *const meanings[] = {
        [PS_COMPARED_NONE] = "no change beyond noise",
        [PS_COMPARED_BETTER] = "better",
        [PS_COMPARED_WORSE] = "worse beyond noise",
        [PS_COMPARED_UNKNOWN] = "not comparable",
    };
    char old_text[64], new_text[64], interval[96] = "", text[256];
    double change, low, high;
    enum ps_comparison_verdict verdict = ps_compare_rates(before, now, &change, &low, &high);
    if (verdict != PS_COMPARED_UNKNOWN && isfinite(high))
        snprintf(interval, sizeof interval, "%+.1f %% (95 %%: %+.1f to %+.1f %%), ", change * 100, low * 100,
                 high * 100);
    else if (verdict != PS_COMPARED_UNKNOWN)
        snprintf(interval, sizeof interval, "%+.1f %% (95 %%: at least %+.1f %%), ", change * 100, low * 100);
    snprintf(text, sizeof text, "%s before, %s events/s now: %s%s",
             rate_text(before, old_text, sizeof old_text), rate_text(now, new_text, sizeof new_text),
             interval, meanings[verdict]);
    json_t *object = json_object();
    json_object_set_new(object, "figure", json_string(name));
    json_object_set_new(object, "before", known(before->rate, before->rate > 0));
    json_object_set_new(object, "now", known(now->rate, now->rate > 0));
    json_object_set_new(object, "change", known(change, verdict != PS_COMPARED_UNKNOWN));
    json_object_set_new(object, "low95", known(low, verdict != PS_COMPARED_UNKNOWN));
    json_object_set_new(object, "high95", known(high, verdict != PS_COMPARED_UNKNOWN));
    json_object_set_new(object, "verdict", json_string(ps_comparison_verdict_text(verdict)));
    json_object_set_new(object, "text", json_string(text));
    json_array_append_new(figures, object);
    return verdict == PS_COMPARED_WORSE;
}

/* An interval without an upper end belongs to an "at least" figure; if the lower end is missing, no interval was
 * computed. */
static struct ps_compared compared_of(double rate, double low95, double high95)
{
    return (struct ps_compared){rate, low95, low95 > 0 && !(high95 > 0) ? (double)INFINITY : high95};
}

static struct ps_compared of_goal(const struct ps_result_goal *figure)
{
    /* the answer is somewhere below the rates that were tried */
    if (figure->status == PS_SEARCH_BELOW_RANGE && figure->upper > 0)
        return (struct ps_compared){figure->upper, DBL_MIN, figure->upper};
    bool at_least = figure->status == PS_SEARCH_ABOVE_RANGE || figure->status == PS_SEARCH_GENERATOR_LIMITED;
    return at_least ? compared_of(figure->rate, figure->low95 > 0 ? figure->low95 : figure->lower, 0)
                    : compared_of(figure->rate, figure->low95, figure->high95);
}

static unsigned goals_add(json_t *figures, const json_t *document, const json_t *old)
{
    struct ps_result_goal now, before;
    unsigned worse = 0;
    for (size_t i = 0; ps_result_goal(document, i, &now); i++) {
        if (!ps_result_goal_find(old, &now.goal, &before))
            continue;
        struct ps_compared first = of_goal(&before), second = of_goal(&now);
        worse += figure_add(figures, now.goal.name, &first, &second);
    }
    return worse;
}

static struct ps_compared of_point(const json_t *point)
{
    return compared_of(json_number_value(json_object_get(point, "rate")),
                       json_number_value(json_object_get(point, "low95")),
                       json_number_value(json_object_get(point, "high95")));
}

static unsigned points_add(json_t *figures, const json_t *document, const json_t *old)
{
    const json_t *now = json_object_get(json_object_get(document, "scaling"), "points"),
                 *before = json_object_get(json_object_get(old, "scaling"), "points");
    /* The point with the most workers is left out: it is the first goal's figure. */
    json_int_t most = json_integer_value(json_object_get(json_object_get(document, "subject"), "workers"));
    unsigned worse = 0;
    for (size_t i = 0; i < json_array_size(now); i++) {
        for (size_t k = 0; k < json_array_size(before); k++) {
            const json_t *one = json_array_get(now, i), *other = json_array_get(before, k);
            json_int_t workers = json_integer_value(json_object_get(one, "workers"));
            if (workers != json_integer_value(json_object_get(other, "workers")) || workers == most)
                continue;
            char name[64];
            snprintf(name, sizeof name, "%lld worker%s", (long long)workers, workers == 1 ? "" : "s");
            struct ps_compared first = of_point(other), second = of_point(one);
            worse += figure_add(figures, name, &first, &second);
        }
    }
    return worse;
}

/* ---- differences between the measurements ---- */

static void value_text(const json_t *value, char *text, size_t room)
{
    if (json_is_string(value))
        snprintf(text, room, "%s", json_string_value(value));
    else if (json_is_number(value))
        snprintf(text, room, "%.9g", json_number_value(value));
    else
        snprintf(text, room, "unknown");
}

static bool is_same(const char *key, const json_t *one, const json_t *other)
{
    if (strstr(key, "_bytes") != NULL && json_is_number(one) && json_is_number(other))
        return fabs(json_number_value(one) - json_number_value(other)) <=
               BYTES_TOLERANCE * json_number_value(other);
    if (json_is_number(one) && json_is_number(other))
        return json_number_value(one) == json_number_value(other);
    bool none = one == NULL || json_is_null(one), other_none = other == NULL || json_is_null(other);
    return none || other_none ? none == other_none : json_equal(one, other);
}

static void differences_add(json_t *differences, const json_t *document, const json_t *old)
{
    static const struct {
        const char *part, *key, *words;
    } conditions[] = {
        {"machine", "cpu", "CPU"},
        {"machine", "cpus", "number of CPUs"},
        {"machine", "memory_bytes", "bytes of memory"},
        {"machine", "kernel", "kernel"},
        {"machine", "librdkafka", "librdkafka"},
        {"subject", "kind", "kind of subject"},
        {"subject", "name", "agent"},
        {"subject", "workers", "workers"},
        {"subject", "brokers", "brokers"},
        {"load", "format", "format"},
        {"load", "size_bytes", "bytes an event"},
        {"load", "connections", "connections"},
        {"load", "shape", "shape of the load"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(conditions); i++) {
        const json_t *now = json_object_get(json_object_get(document, conditions[i].part), conditions[i].key),
                     *before = json_object_get(json_object_get(old, conditions[i].part), conditions[i].key);
        char text[256], first[96], second[96];
        if (is_same(conditions[i].key, now, before))
            continue;
        value_text(before, first, sizeof first);
        value_text(now, second, sizeof second);
        snprintf(text, sizeof text, "%s: %s before, %s now", conditions[i].words, first, second);
        json_array_append_new(differences, json_string(text));
    }
}

static json_t *copied_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? json_string(text) : json_null();
}

unsigned ps_comparison_make(json_t *document, const json_t *old, const char *path)
{
    json_t *comparison = json_object(), *figures = json_array(), *differences = json_array();
    unsigned worse = goals_add(figures, document, old);
    worse += points_add(figures, document, old);
    differences_add(differences, document, old);
    json_object_set_new(comparison, "with", json_string(path));
    json_object_set_new(comparison, "penstock", copied_text(old, "penstock"));
    json_object_set_new(comparison, "started", copied_text(old, "started"));
    json_object_set_new(comparison, "figures", figures);
    json_object_set_new(comparison, "worse", json_integer(worse));
    json_object_set_new(comparison, "differences", differences);
    json_object_set_new(document, "comparison", comparison);
    return worse;
}
