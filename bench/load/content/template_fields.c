/* The fields of a template: names, one line of help each, and the meaning of their arguments. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include "bench/load/content/template.h"
#include "core/text/nearest.h"
#include "stages/lib/date/time_zone.h"
#include "core/quantity.h"

#define WIDTH_MAX 18U
#define HEX_MAX 1024U
#define WORDS_MAX 1000
#define SIZE_MAX_BYTES (16 << 20)
#define STRFTIME_BYTES_MAX 64U

/* Reads name=COUNT, a number min..max; leaves `*count` unchanged when it is absent. */
static enum ps_status count_get(struct ps_arguments *arguments, const char *name, int64_t min, int64_t max,
                                uint32_t *count, struct ps_err *err)
{
    int64_t number;
    const char *text = ps_arguments_get(arguments, name);
    if (text == NULL)
        return PS_OK;
    if (!ps_number_whole(text, &number) || number < min || number > max)
        return ps_err_set(err, "%s=%s is not a number from %lld to %lld", name, text, (long long)min,
                          (long long)max);
    *count = (uint32_t)number;
    return PS_OK;
}

static enum ps_status int_parse(struct ps_template_part *part, struct ps_arena *arena, const char *first,
                                struct ps_arguments *arguments, struct ps_err *err)
{
    struct ps_distribution *distribution = &part->distribution;
    if (count_get(arguments, "width", 1, WIDTH_MAX, &part->width, err) != PS_OK ||
        ps_distribution_parse(distribution, arena, first, arguments, false, err) != PS_OK)
        return PS_FAIL;
    if (part->width == 0)
        return PS_OK;
    int64_t limit = 1;
    for (uint32_t i = 0; i < part->width; i++)
        limit *= 10;
    if (distribution->min < 0 || distribution->max >= limit)
        return ps_err_set(err, "width=%u cannot hold %lld", part->width,
                          (long long)(distribution->min < 0 ? distribution->min : distribution->max));
    return PS_OK;
}

static enum ps_status float_parse(struct ps_template_part *part, struct ps_arena *arena, const char *first,
                                  struct ps_arguments *arguments, struct ps_err *err)
{
    struct ps_distribution *distribution = &part->distribution;
    part->digits = 2;
    if (count_get(arguments, "digits", 0, 9, &part->digits, err) != PS_OK ||
        ps_distribution_parse(distribution, arena, first, arguments, true, err) != PS_OK)
        return PS_FAIL;
    double scale = pow(10, part->digits);
    if (distribution->low * scale < -9e17 || distribution->high * scale > 9e17)
        return ps_err_set(err, "%g with %u digits after the point is too long",
                          distribution->high > -distribution->low ? distribution->high : distribution->low,
                          part->digits);
    return PS_OK;
}

static enum ps_status seq_parse(struct ps_template_part *part, struct ps_arena *, const char *,
                                struct ps_arguments *arguments, struct ps_err *err)
{
    return count_get(arguments, "width", 1, WIDTH_MAX, &part->width, err);
}

static enum ps_status choice_parse(struct ps_template_part *part, struct ps_arena *arena, const char *,
                                   struct ps_arguments *arguments, struct ps_err *err)
{
    uint32_t count = arguments->count;
    double *weights = ps_arena_alloc(arena, (count + 1) * sizeof *weights);
    struct ps_slice *texts = ps_arena_alloc(arena, (count + 1) * sizeof *texts);
    if (count == 0)
        return ps_err_set(
            err, "there is nothing to choose from; write for example {choice:GET=70,POST=20,PUT=10}");
    for (uint32_t i = 0; i < count; i++) {
        struct ps_argument *argument = &arguments->items[i];
        const char *text = argument->name != NULL ? argument->name : argument->value;
        arguments->offset = argument->offset;
        argument->used = true;
        weights[i] = 1;
        if (argument->name != NULL && (!ps_number_real(argument->value, &weights[i]) || !(weights[i] > 0)))
            return ps_err_set(err, "the weight of %s is `%s`; it must be a number above 0", text,
                              argument->value);
        /* room after the text, so that the text can be copied in pieces of 16 bytes */
        uint32_t length = (uint32_t)strlen(text);
        char *copy = ps_arena_alloc(arena, length + 16);
        memcpy(copy, text, length);
        texts[i] = (struct ps_slice){copy, length};
    }
    part->texts = texts;
    ps_alias_make(&part->alias, arena, weights, count);
    return PS_OK;
}

static const char *const times[] = {"rfc3339",  "rfc3339_us", "rfc3164",  "clf", "epoch_s",
                                    "epoch_ms", "epoch_us",   "epoch_ns", NULL};

static enum ps_status time_unknown(const char *name, struct ps_err *err)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, name);
    for (unsigned i = 0; times[i] != NULL; i++)
        ps_nearest_offer(&nearest, times[i]);
    if (nearest.word != NULL)
        return ps_err_set(err, "there is no time format %s; did you mean %s?", name, nearest.word);
    return ps_err_set(err,
                      "there is no time format %s; use rfc3339, rfc3339_us, rfc3164, clf, epoch_s, epoch_ms, "
                      "epoch_us, epoch_ns or a format of strftime(3), beginning with %%",
                      name);
}

static enum ps_status time_parse(struct ps_template_part *part, struct ps_arena *arena, const char *,
                                 struct ps_arguments *arguments, struct ps_err *err)
{
    unsigned format = 0;
    bool known = true;
    const char *zone = ps_arguments_get(arguments, "zone");
    if (zone != NULL)
        part->zone = ps_time_zone_load(arena, strcmp(zone, "local") == 0 ? NULL : zone, &known);
    if (!known)
        return ps_err_set(
            err, "there is no time zone %s; write for example local, UTC, Europe/Berlin or GMT+02:00", zone);
    const char *name = ps_arguments_next(arguments);
    if (name == NULL)
        return PS_OK;
    while (times[format] != NULL && strcmp(times[format], name) != 0)
        format++;
    if (times[format] == NULL && strchr(name, '%') == NULL)
        return time_unknown(name, err);
    part->time = (enum ps_template_time)format;
    part->text = name;
    part->length = (uint32_t)strlen(name);
    if (part->time == PS_TIME_STRFTIME && part->length > STRFTIME_BYTES_MAX)
        return ps_err_set(err, "the format has %u bytes, and the limit is %u", part->length,
                          STRFTIME_BYTES_MAX);
    /* the result of %s would depend on the process's time zone */
    if (part->time == PS_TIME_STRFTIME && strstr(name, "%s") != NULL)
        return ps_err_set(err, "for seconds since the epoch write {time:epoch_s}, not %%s");
    return PS_OK;
}

static enum ps_status hex_parse(struct ps_template_part *part, struct ps_arena *, const char *,
                                struct ps_arguments *arguments, struct ps_err *err)
{
    int64_t digits = 16;
    const char *text = ps_arguments_next(arguments);
    if (text != NULL && (!ps_number_whole(text, &digits) || digits < 1 || digits > HEX_MAX))
        return ps_err_set(err, "`%s` is not a number of digits from 1 to %u", text, HEX_MAX);
    part->width = (uint32_t)digits;
    return PS_OK;
}

static enum ps_status ip_parse(struct ps_template_part *part, struct ps_arena *, const char *,
                               struct ps_arguments *arguments, struct ps_err *err)
{
    struct in_addr address;
    int64_t bits = 32;
    const char *text = ps_arguments_next(arguments);
    if (text == NULL)
        text = "10.0.0.0/8";
    char copy[64] = {0};
    strncpy(copy, text, sizeof copy - 1);
    char *slash = strchr(copy, '/');
    if (slash != NULL)
        *slash = '\0';
    if (inet_pton(AF_INET, copy, &address) != 1 ||
        (slash != NULL && (!isdigit((unsigned char)slash[1]) || !ps_number_whole(slash + 1, &bits))) ||
        bits > 32)
        return ps_err_set(err, "`%s` is not an IPv4 network such as 10.0.0.0/8", text);
    part->host_bits = 32 - (uint32_t)bits;
    part->network = ntohl(address.s_addr);
    if (part->host_bits > 0)
        part->network &= (uint32_t)(UINT64_MAX << part->host_bits);
    return PS_OK;
}

static enum ps_status words_parse(struct ps_template_part *part, struct ps_arena *arena, const char *first,
                                  struct ps_arguments *arguments, struct ps_err *err)
{
    struct ps_distribution *distribution = &part->distribution;
    if (first == NULL && arguments->count == 0) {
        *distribution = (struct ps_distribution){.min = 3, .max = 8, .span = 6};
        return PS_OK;
    }
    if (ps_distribution_parse(distribution, arena, first, arguments, false, err) != PS_OK)
        return PS_FAIL;
    if (distribution->min < 1 || distribution->max > WORDS_MAX)
        return ps_err_set(err, "from %lld to %lld words; they can be from 1 to %d",
                          (long long)distribution->min, (long long)distribution->max, WORDS_MAX);
    return PS_OK;
}

static enum ps_status size_parse(struct ps_template_part *part, struct ps_arena *arena, const char *first,
                                 struct ps_arguments *arguments, struct ps_err *err)
{
    struct ps_distribution *distribution = &part->distribution;
    if (ps_distribution_parse(distribution, arena, first, arguments, false, err) != PS_OK)
        return PS_FAIL;
    if (distribution->kind == PS_DISTRIBUTION_NORMAL && distribution->min < 1)
        distribution->min = 1; /* cuts off the tail below 1; the fields need more than 1 byte anyway */
    if (distribution->min < 1 || distribution->max > SIZE_MAX_BYTES || distribution->max < 1)
        return ps_err_set(err, "from %lld to %lld bytes; an event can have from 1 to %s",
                          (long long)distribution->min, (long long)distribution->max,
                          ps_quantity_print_count(SIZE_MAX_BYTES).text);
    return PS_OK;
}

const struct ps_template_field ps_template_fields[] = {
    {"int", ":DISTRIBUTION[,width=DIGITS]",
     "a whole number; width: zeros in front. 1..100, uniform:1..100, zipf:1..1000000,s=1.1, "
     "normal:mean=120,sd=30,min=0,max=999, choice:200=90,404=8,500=2",
     PS_TEMPLATE_INT, int_parse},
    {"float", ":DISTRIBUTION[,digits=COUNT]",
     "a number with 2 digits after the point, or as many as given; the distributions of int except zipf",
     PS_TEMPLATE_FLOAT, float_parse},
    {"choice", ":TEXT=WEIGHT,TEXT=WEIGHT,...", "one of the texts; a weight that is not given is 1",
     PS_TEMPLATE_CHOICE, choice_parse},
    {"seq", "[:width=DIGITS]", "the event's number within its source, from 0; width: its last digits",
     PS_TEMPLATE_SEQ, seq_parse},
    {"source", "[:width=DIGITS]", "the number of the source", PS_TEMPLATE_SOURCE, seq_parse},
    {"host", "", "host- and the number of the source with 6 digits", PS_TEMPLATE_HOST, NULL},
    {"time", "[:FORMAT][,zone=ZONE]",
     "when the event was due: rfc3339 (default), rfc3339_us, rfc3164, clf, epoch_s, epoch_ms, epoch_us, "
     "epoch_ns, or a format of strftime(3); zone: UTC (default), local, Europe/Berlin, GMT+02:00",
     PS_TEMPLATE_TIME, time_parse},
    {"uuid", "", "a random UUID (RFC 4122, version 4)", PS_TEMPLATE_UUID, NULL},
    {"hex", "[:DIGITS]", "random hexadecimal digits, 16 or as many as given", PS_TEMPLATE_HEX, hex_parse},
    {"ip", "[:NETWORK/BITS]", "a random IPv4 address out of a network (10.0.0.0/8)", PS_TEMPLATE_IP,
     ip_parse},
    {"words", "[:COUNT]", "COUNT English words, 3..8 or any distribution of int", PS_TEMPLATE_WORDS,
     words_parse},
    {"line", "", "the next line of --lines FILE", PS_TEMPLATE_LINE, NULL},
    {"stamp", "",
     "the place of verify's stamp; it covers the text behind it, up to the next \" of the template",
     PS_TEMPLATE_STAMP, NULL},
    {"pad", "", "text that brings the event to its size; without {pad} it is added at the end",
     PS_TEMPLATE_PAD, NULL},
    {"size", ":DISTRIBUTION",
     "writes nothing: the sizes of the events in bytes, framing included, as a distribution of int",
     PS_TEMPLATE_SIZE, size_parse},
    {NULL},
};
