/* Parses distributions as users write them in a template: "uniform:1..100", "zipf:1..1000000,s=1.1",
 * "normal:mean=120,sd=30,min=0", "choice:200=90,404=8,500=2", or short "5" and "1..100". Set-up only. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/content/distribution_internal.h"
#include "core/text/nearest.h"

#define CHOICES_MAX 4096U

const char *ps_arguments_get(struct ps_arguments *arguments, const char *name)
{
    for (uint32_t i = 0; i < arguments->count; i++) {
        struct ps_argument *argument = &arguments->items[i];
        if (!argument->used && argument->name != NULL && strcmp(argument->name, name) == 0) {
            argument->used = true;
            arguments->offset = argument->offset;
            return argument->value;
        }
    }
    return NULL;
}

const char *ps_arguments_next(struct ps_arguments *arguments)
{
    for (uint32_t i = 0; i < arguments->count; i++) {
        struct ps_argument *argument = &arguments->items[i];
        if (!argument->used && argument->name == NULL) {
            argument->used = true;
            arguments->offset = argument->offset;
            return argument->value;
        }
    }
    return NULL;
}

bool ps_number_whole(const char *text, int64_t *number)
{
    char *stop;
    if (text[strspn(text, "+-0123456789")] != '\0')
        return false;
    errno = 0;
    long long value = strtoll(text, &stop, 10);
    *number = value;
    return errno == 0 && stop != text && *stop == '\0';
}

bool ps_number_real(const char *text, double *number)
{
    char *stop;
    if (text[strspn(text, "+-.0123456789eE")] != '\0')
        return false; /* rejects "inf", "nan" and hexadecimal numbers */
    errno = 0;
    *number = strtod(text, &stop);
    return errno == 0 && stop != text && *stop == '\0' && fabs(*number) <= PS_NUMBER_MAX;
}

/* Sets the bounds of whole and real draws. */
static void bounds(struct ps_distribution *distribution, double low, double high)
{
    distribution->low = low;
    distribution->high = high;
    distribution->min = (int64_t)rint(low);
    distribution->max = (int64_t)rint(high);
    distribution->span = (uint64_t)distribution->max - (uint64_t)distribution->min + 1;
}

/* "5" or "1..100". */
static enum ps_status range_parse(struct ps_distribution *distribution, const char *text, bool real,
                                  struct ps_err *err)
{
    const char *dots = text == NULL ? NULL : strstr(text, "..");
    char low[64];
    size_t length = text == NULL ? 0 : dots != NULL ? (size_t)(dots - text) : strlen(text);
    if (length == 0 || length >= sizeof low)
        return ps_err_set(err, "write a number or a range LOW..HIGH");
    memcpy(low, text, length);
    low[length] = '\0';
    const char *high = dots != NULL ? dots + 2 : low;
    if (real) {
        double from, to;
        if (!ps_number_real(low, &from) || !ps_number_real(high, &to))
            return ps_err_set(err, "`%s` is neither a number nor a range LOW..HIGH", text);
        if (from > to)
            return ps_err_set(err, "the range %s is reversed", text);
        bounds(distribution, from, to);
        return PS_OK;
    }
    int64_t from, to;
    if (!ps_number_whole(low, &from) || !ps_number_whole(high, &to))
        return ps_err_set(err, "`%s` is neither a whole number nor a range LOW..HIGH", text);
    if (from > to)
        return ps_err_set(err, "the range %s is reversed", text);
    distribution->min = from;
    distribution->max = to;
    distribution->low = (double)from;
    distribution->high = (double)to;
    distribution->span = (uint64_t)to - (uint64_t)from + 1;
    return PS_OK;
}

static enum ps_status zipf_parse(struct ps_distribution *distribution, struct ps_arena *arena,
                                 struct ps_arguments *arguments, struct ps_err *err)
{
    if (range_parse(distribution, ps_arguments_next(arguments), false, err) != PS_OK)
        return PS_FAIL;
    double s = 1;
    const char *text = ps_arguments_get(arguments, "s");
    if (text != NULL && (!ps_number_real(text, &s) || !(s > 0) || s > PS_ZIPF_S_MAX))
        return ps_err_set(err, "s=%s must be above 0 and at most %g", text, PS_ZIPF_S_MAX);
    if (distribution->span == 0 || distribution->span > PS_ZIPF_RANKS_MAX)
        return ps_err_set(err, "more than 2^48 ranks");
    ps_zipf_make(distribution, arena, distribution->span, s);
    return PS_OK;
}

/* Reads name=NUMBER. A missing number is an error if `wanted`. */
static enum ps_status number_get(struct ps_arguments *arguments, const char *name, bool wanted,
                                 double *number, struct ps_err *err)
{
    const char *text = ps_arguments_get(arguments, name);
    if (text == NULL)
        return wanted ? ps_err_set(err, "%s= is missing", name) : PS_OK;
    return ps_number_real(text, number) ? PS_OK : ps_err_set(err, "%s=%s is not a number", name, text);
}

static enum ps_status normal_parse(struct ps_distribution *distribution, struct ps_arena *arena,
                                   struct ps_arguments *arguments, struct ps_err *err)
{
    double *mean = &distribution->mean, *deviation = &distribution->deviation;
    if (number_get(arguments, "mean", true, mean, err) != PS_OK ||
        number_get(arguments, "sd", true, deviation, err) != PS_OK)
        return PS_FAIL;
    if (!(*deviation >= 0))
        return ps_err_set(err, "sd= is below 0");
    double low = *mean - PS_NORMAL_REACH * *deviation, high = *mean + PS_NORMAL_REACH * *deviation;
    if (number_get(arguments, "min", false, &low, err) != PS_OK ||
        number_get(arguments, "max", false, &high, err) != PS_OK)
        return PS_FAIL;
    if (low > high || low < -PS_NUMBER_MAX || high > PS_NUMBER_MAX)
        return ps_err_set(err, "%s", low > high ? "min= is above max=" : "its numbers are too large");
    bounds(distribution, low, high);
    distribution->ziggurat = ps_ziggurat_make(arena);
    return PS_OK;
}

/* Parses VALUE=WEIGHT,VALUE=WEIGHT,... or VALUE,VALUE, in which the name of an argument is the value. Arguments whose
 * names are not numbers (width=, digits=) are left for other functions. */
static enum ps_status choice_parse(struct ps_distribution *distribution, struct ps_arena *arena,
                                   struct ps_arguments *arguments, bool real, struct ps_err *err)
{
    double weights[CHOICES_MAX], low = 0, high = 0;
    double *values = ps_arena_alloc(arena, (arguments->count + 1) * sizeof *values);
    uint32_t count = 0;
    for (uint32_t i = 0; i < arguments->count; i++) {
        struct ps_argument *argument = &arguments->items[i];
        const char *text = argument->name != NULL ? argument->name : argument->value;
        double value;
        if (argument->used || (argument->name != NULL && !ps_number_real(text, &value)))
            continue;
        arguments->offset = argument->offset;
        argument->used = true;
        if (count == CHOICES_MAX)
            return ps_err_set(err, "more than %u values", CHOICES_MAX);
        if (!ps_number_real(text, &value) || (!real && value != rint(value)))
            return ps_err_set(err, "`%s` is not a %snumber", text, real ? "" : "whole ");
        weights[count] = 1;
        if (argument->name != NULL &&
            (!ps_number_real(argument->value, &weights[count]) || !(weights[count] > 0)))
            return ps_err_set(err, "the weight of %s is `%s`; it must be a number above 0", text,
                              argument->value);
        low = count == 0 || value < low ? value : low;
        high = count == 0 || value > high ? value : high;
        values[count++] = value;
    }
    if (count == 0)
        return ps_err_set(err, "there is nothing to choose from; write VALUE=WEIGHT,VALUE=WEIGHT");
    bounds(distribution, low, high);
    distribution->values = values;
    ps_alias_make(&distribution->alias, arena, weights, count);
    return PS_OK;
}

static const char *const kinds[] = {"uniform", "zipf", "normal", "choice"};

enum ps_status ps_distribution_parse(struct ps_distribution *distribution, struct ps_arena *arena,
                                     const char *name, struct ps_arguments *arguments, bool real,
                                     struct ps_err *err)
{
    unsigned kind = 0;
    *distribution = (struct ps_distribution){.kind = PS_DISTRIBUTION_UNIFORM};
    while (name != NULL && kind < PS_COUNT_OF(kinds) && strcmp(name, kinds[kind]) != 0)
        kind++;
    if (kind == PS_COUNT_OF(kinds)) {
        struct ps_nearest nearest;
        ps_nearest_init(&nearest, name);
        for (unsigned i = 0; i < PS_COUNT_OF(kinds); i++)
            ps_nearest_offer(&nearest, kinds[i]);
        return ps_err_set(err, "there is no distribution %s%s%s%s; use uniform, zipf, normal or choice", name,
                          nearest.word != NULL ? ", did you mean " : "",
                          nearest.word != NULL ? nearest.word : "", nearest.word != NULL ? "?" : "");
    }
    distribution->kind = (enum ps_distribution_kind)kind;
    switch (distribution->kind) {
    case PS_DISTRIBUTION_UNIFORM:
        return range_parse(distribution, ps_arguments_next(arguments), real, err);
    case PS_DISTRIBUTION_ZIPF:
        return real ? ps_err_set(err, "zipf draws whole numbers; use it in {int}")
                    : zipf_parse(distribution, arena, arguments, err);
    case PS_DISTRIBUTION_NORMAL:
        return normal_parse(distribution, arena, arguments, err);
    case PS_DISTRIBUTION_CHOICE:
        break;
    }
    return choice_parse(distribution, arena, arguments, real, err);
}
