/* Parses a shape such as "sine:min=10k,max=100k,period=1m" into a curve. Set-up only. */
#include "bench/load/shape/internal.h"
#include "core/array.h"
#include "core/text/list.h"
#include "core/text/nearest.h"
#include "core/quantity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX 4096U
#define SINE_PIECES 1024U
#define STEPS_MAX 100000U

const struct ps_shape_form ps_shape_forms[] = {
    {"constant", "--rate, evenly", ""},
    {"poisson", "--rate on average, at random (independent arrivals)", ""},
    {"burst", "burst:on=1s,off=4s,idle=0: --rate while on, idle while off", "on off idle arrivals"},
    {"ramp", "ramp:from=0,to=RATE,over=D: linear, then `to`", "from to over arrivals"},
    {"step", "step:from=R,to=R,steps=10,over=D: a staircase, then `to`", "from to steps over arrivals"},
    {"sine", "sine:min=R,max=R,period=D: a day compressed into D; begins at min", "min max period arrivals"},
    {"replay", "replay:FILE,speed=1,unit=ns: recorded arrivals, a line each", "speed unit"},
    {"closed", "as fast as the target takes them: a closed loop, latencies count from rendering", ""},
    {NULL, NULL, NULL},
};

/* The state of the parser. */
struct parse {
    const struct ps_shape_config *config;
    struct ps_shape *shape;
    const struct ps_shape_form *form;
    const char *text; /* as given */
    char *keys;       /* the part of the copy with the keys: "on=1s,off=4s" */
    struct ps_err *err;
    double cursor_ns, cursor_events; /* the beginning of the next piece */
};

static bool form_has(const struct ps_shape_form *form, const char *key, size_t length)
{
    for (const char *at = form->keys; *at != '\0';) {
        size_t word = strcspn(at, " ");
        if (word == length && memcmp(at, key, length) == 0)
            return true;
        at += word + (at[word] == ' ');
    }
    return false;
}

static enum ps_status key_unknown(const struct parse *parse, const char *key)
{
    char words[128], *place;
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, key);
    snprintf(words, sizeof words, "%s", parse->form->keys);
    for (char *word = strtok_r(words, " ", &place); word != NULL; word = strtok_r(NULL, " ", &place))
        ps_nearest_offer(&nearest, word);
    if (parse->form->keys[0] == '\0')
        return ps_err_set(parse->err, "--shape %s: %s has no keys", parse->text, parse->form->name);
    if (nearest.word != NULL)
        return ps_err_set(parse->err, "--shape %s: there is no key `%s`; did you mean %s?", parse->text, key,
                          nearest.word);
    return ps_err_set(parse->err, "--shape %s: there is no key `%s`; %s has: %s", parse->text, key,
                      parse->form->name, parse->form->keys);
}

/* Checks that every key belongs to the shape, has a value and occurs once. */
static enum ps_status keys_check(struct parse *parse)
{
    for (char *at = parse->keys; *at != '\0';) {
        size_t length = strcspn(at, ","), name = strcspn(at, "=,");
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)name, at);
        if (at[name] != '=' || name + 1 == length || name == 0)
            return ps_err_set(parse->err, "--shape %s: at `%.*s` write key=value", parse->text, (int)length,
                              at);
        if (!form_has(parse->form, at, name))
            return key_unknown(parse, key);
        struct ps_slice before;
        for (const char *list = parse->keys; ps_list_next(&list, ",", &before) && before.data < at;) {
            if (strncmp(before.data, at, name + 1) == 0)
                return ps_err_set(parse->err, "--shape %s: `%s` is given twice", parse->text, key);
        }
        at += length + (at[length] == ',');
    }
    return PS_OK;
}

/* Returns the value of a key, or NULL when it is not given. `value` has room for TEXT_BYTES_MAX. */
static const char *key_get(const struct parse *parse, const char *key, char *value)
{
    size_t length = strlen(key);
    struct ps_slice item;
    for (const char *list = parse->keys; ps_list_next(&list, ",", &item);) {
        if (strncmp(item.data, key, length) == 0 && item.data[length] == '=') {
            memcpy(value, item.data + length + 1, item.length - length - 1);
            value[item.length - length - 1] = '\0';
            return value;
        }
    }
    return NULL;
}

/* Reads a rate in events per second; the key is required when `otherwise` is below 0. */
static enum ps_status key_rate(const struct parse *parse, const char *key, double otherwise, double *rate)
{
    char value[TEXT_BYTES_MAX], what[64];
    snprintf(what, sizeof what, "--shape %s: %s", parse->form->name, key);
    *rate = otherwise;
    if (key_get(parse, key, value) == NULL) {
        if (otherwise < 0)
            return ps_err_set(parse->err, "--shape %s: needs %s=RATE, or --rate", parse->text, key);
        return PS_OK;
    }
    if (strcmp(value, "0") == 0) {
        *rate = 0;
        return PS_OK;
    }
    return ps_quantity_rate(what, value, rate, parse->err);
}

/* Reads a duration; the key is required when `otherwise` is 0. */
static enum ps_status key_duration(const struct parse *parse, const char *key, uint64_t otherwise, double *ns)
{
    char value[TEXT_BYTES_MAX], what[64];
    uint64_t whole = otherwise;
    snprintf(what, sizeof what, "--shape %s: %s", parse->form->name, key);
    if (key_get(parse, key, value) == NULL) {
        if (otherwise == 0)
            return ps_err_set(parse->err, "--shape %s: needs %s=DURATION%s", parse->text, key,
                              strcmp(key, "on") == 0 || strcmp(key, "off") == 0 ? "" : ", or --duration");
    } else if (ps_quantity_duration(what, value, &whole, parse->err) != PS_OK) {
        return PS_FAIL;
    }
    if (whole < 1000)
        return ps_err_set(parse->err, "--shape %s: %s is shorter than a microsecond", parse->text, key);
    *ns = (double)whole;
    return PS_OK;
}

/* Returns the default rate of the shapes: --rate, or below 0 when it is not given. */
static double asked_rate(const struct parse *parse)
{
    return parse->config->rate > 0 ? parse->config->rate : -1;
}

/* ---- pieces ---- */

/* Adds a piece from one rate (events per second) to another; `ns` 0: for ever. */
static void piece_add(struct parse *parse, double from, double to, double ns)
{
    struct ps_shape *shape = parse->shape;
    PS_ARRAY_GROW(shape->pieces, shape->piece_count, shape->piece_room, "a shape");
    struct ps_shape_piece *piece = &shape->pieces[shape->piece_count++];
    *piece = (struct ps_shape_piece){
        .start_ns = parse->cursor_ns, .start_events = parse->cursor_events, .rate = from / 1e9};
    piece->event_ns = from > 0 ? 1e9 / from : INFINITY;
    piece->slope = ns > 0 ? (to - from) / 1e9 / ns : 0;
    parse->cursor_ns += ns;
    parse->cursor_events += (from + to) / 2e9 * ns;
}

static void pieces_repeat(struct parse *parse)
{
    parse->shape->cycle_ns = parse->cursor_ns;
    parse->shape->cycle_events = parse->cursor_events;
}

static enum ps_status parse_constant(struct parse *parse)
{
    if (parse->config->rate <= 0)
        return ps_err_set(parse->err, "--shape %s: needs --rate", parse->text);
    piece_add(parse, parse->config->rate, parse->config->rate, 0);
    return PS_OK;
}

static enum ps_status parse_burst(struct parse *parse)
{
    double on_ns, off_ns, idle;
    if (parse->config->rate <= 0)
        return ps_err_set(parse->err, "--shape %s: --rate is missing: it is the rate during a burst",
                          parse->text);
    if (key_duration(parse, "on", 0, &on_ns) != PS_OK || key_duration(parse, "off", 0, &off_ns) != PS_OK ||
        key_rate(parse, "idle", 0, &idle) != PS_OK)
        return PS_FAIL;
    piece_add(parse, parse->config->rate, parse->config->rate, on_ns);
    piece_add(parse, idle, idle, off_ns);
    pieces_repeat(parse);
    return PS_OK;
}

static enum ps_status parse_ramp(struct parse *parse)
{
    double from, to, over_ns;
    if (key_rate(parse, "from", 0, &from) != PS_OK ||
        key_rate(parse, "to", asked_rate(parse), &to) != PS_OK ||
        key_duration(parse, "over", parse->config->duration_ns, &over_ns) != PS_OK)
        return PS_FAIL;
    if (from + to <= 0)
        return ps_err_set(parse->err, "--shape %s: from 0 to 0 sends nothing", parse->text);
    piece_add(parse, from, to, over_ns);
    piece_add(parse, to, to, 0);
    return PS_OK;
}

static enum ps_status parse_step(struct parse *parse)
{
    double from, to, over_ns;
    uint64_t steps = 10;
    char value[TEXT_BYTES_MAX];
    if (key_rate(parse, "to", asked_rate(parse), &to) != PS_OK ||
        key_rate(parse, "from", -1, &from) != PS_OK ||
        key_duration(parse, "over", parse->config->duration_ns, &over_ns) != PS_OK)
        return PS_FAIL;
    if (key_get(parse, "steps", value) != NULL &&
        ps_quantity_count("--shape step: steps", value, 2, STEPS_MAX, &steps, parse->err) != PS_OK)
        return PS_FAIL;
    if (from + to <= 0)
        return ps_err_set(parse->err, "--shape %s: from 0 to 0 sends nothing", parse->text);
    for (uint64_t i = 0; i < steps; i++) {
        double rate = from + (to - from) * (double)i / (double)(steps - 1);
        piece_add(parse, rate, rate, over_ns / (double)steps);
    }
    piece_add(parse, to, to, 0);
    return PS_OK;
}

/* A curve of straight pieces through points of the sine: the area of a whole period is exactly the sine's,
 * and in between it differs by at most 1e-6. */
static enum ps_status parse_sine(struct parse *parse)
{
    double min, max, period_ns;
    if (key_rate(parse, "min", 0, &min) != PS_OK ||
        key_rate(parse, "max", asked_rate(parse), &max) != PS_OK ||
        key_duration(parse, "period", parse->config->duration_ns, &period_ns) != PS_OK)
        return PS_FAIL;
    if (max <= 0 || min > max)
        return ps_err_set(parse->err, "--shape %s: min must not be above max, and max above 0", parse->text);
    double middle = (min + max) / 2, half = (max - min) / 2, turn = 2 * M_PI / SINE_PIECES;
    for (unsigned i = 0; i < SINE_PIECES; i++) {
        double from = middle - half * cos(turn * i), to = middle - half * cos(turn * (i + 1));
        piece_add(parse, from > 0 ? from : 0, to > 0 ? to : 0, period_ns / SINE_PIECES);
    }
    pieces_repeat(parse);
    return PS_OK;
}

static enum ps_status parse_replay(struct parse *parse, const char *path)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    char value[TEXT_BYTES_MAX];
    double speed = 1;
    unsigned unit = 0;
    if (*path == '\0')
        return ps_err_set(parse->err, "--shape %s: needs a file: replay:arrivals.txt", parse->text);
    if (key_get(parse, "speed", value) != NULL &&
        ps_quantity_rate("--shape replay: speed", value, &speed, parse->err) != PS_OK)
        return PS_FAIL;
    if (key_get(parse, "unit", value) != NULL) {
        while (unit < PS_COUNT_OF(units) && strcmp(units[unit], value) != 0)
            unit++;
        if (unit == PS_COUNT_OF(units))
            return ps_err_set(parse->err, "--shape %s: unit is ns, us, ms or s, not `%s`", parse->text,
                              value);
    }
    if (ps_trace_read(path, (enum ps_trace_unit)unit, speed, &parse->shape->trace_ns,
                      &parse->shape->trace_count, parse->err) != PS_OK)
        return ps_err_append(parse->err, "--shape %s", parse->text);
    return PS_OK;
}

/* ---- the whole text ---- */

static enum ps_status form_find(struct parse *parse, const char *name)
{
    struct ps_nearest nearest;
    char all[256];
    size_t at = 0;
    ps_nearest_init(&nearest, name);
    for (const struct ps_shape_form *form = ps_shape_forms; form->name != NULL; form++) {
        if (strcmp(form->name, name) == 0) {
            parse->form = form;
            return PS_OK;
        }
        ps_nearest_offer(&nearest, form->name);
        at += (size_t)snprintf(all + at, sizeof all - at, "%s%s", at > 0 ? ", " : "", form->name);
        PS_ASSERT(at < sizeof all);
    }
    if (nearest.word != NULL)
        return ps_err_set(parse->err, "--shape %s: there is no shape `%s`; did you mean %s?", parse->text,
                          name, nearest.word);
    return ps_err_set(parse->err, "--shape %s: there is no shape `%s`; there are %s", parse->text, name, all);
}

/* replay:FILE,speed=2: a file's name may contain commas and equals signs, so only the keys at the end count.
 * Returns the keys and cuts them off `file`. */
static char *keys_cut(char *file)
{
    char *keys = file + strlen(file), *comma;
    while ((comma = memrchr(file, ',', (size_t)(keys - file))) != NULL &&
           (strncmp(comma + 1, "speed=", 6) == 0 || strncmp(comma + 1, "unit=", 5) == 0))
        keys = comma;
    if (*keys == ',')
        *keys++ = '\0';
    return keys;
}

static enum ps_status arrivals_read(struct parse *parse)
{
    char value[TEXT_BYTES_MAX];
    parse->shape->poisson = strcmp(parse->form->name, "poisson") == 0;
    if (!form_has(parse->form, "arrivals", 8) || key_get(parse, "arrivals", value) == NULL)
        return PS_OK;
    parse->shape->poisson = strcmp(value, "poisson") == 0;
    if (!parse->shape->poisson && strcmp(value, "even") != 0)
        return ps_err_set(parse->err, "--shape %s: arrivals is even or poisson, not `%s`", parse->text,
                          value);
    return PS_OK;
}

static enum ps_status parse_text(struct parse *parse, char *copy)
{
    char *colon = strchr(copy, ':'), *file = copy + strlen(copy);
    parse->keys = file;
    if (colon != NULL) {
        *colon = '\0';
        parse->keys = file = colon + 1;
    }
    if (form_find(parse, copy) != PS_OK)
        return PS_FAIL;
    const char *name = parse->shape->name = parse->form->name;
    if (strcmp(name, "replay") == 0)
        parse->keys = keys_cut(file);
    if (keys_check(parse) != PS_OK || arrivals_read(parse) != PS_OK)
        return PS_FAIL;
    if (strcmp(name, "burst") == 0)
        return parse_burst(parse);
    if (strcmp(name, "ramp") == 0)
        return parse_ramp(parse);
    if (strcmp(name, "step") == 0)
        return parse_step(parse);
    if (strcmp(name, "sine") == 0)
        return parse_sine(parse);
    if (strcmp(name, "replay") == 0)
        return parse_replay(parse, file);
    parse->shape->closed = strcmp(name, "closed") == 0;
    if (!parse->shape->closed)
        return parse_constant(parse);
    if (parse->config->rate > 0)
        return ps_err_set(parse->err, "--shape closed has no rate: remove --rate or --shape");
    return PS_OK;
}

enum ps_status ps_shape_create(struct ps_shape **shape, const struct ps_shape_config *config,
                               struct ps_err *err)
{
    const char *text = config->text != NULL ? config->text : config->rate > 0 ? "constant" : "closed";
    char copy[TEXT_BYTES_MAX];
    if (strlen(text) >= sizeof copy)
        return ps_err_set(err, "--shape: longer than %u bytes", TEXT_BYTES_MAX);
    memcpy(copy, text, strlen(text) + 1);
    struct parse parse = {.config = config, .text = text, .err = err};
    parse.shape = ps_must_alloc(1, sizeof *parse.shape, "a shape");
    if (parse_text(&parse, copy) != PS_OK) {
        ps_shape_destroy(parse.shape);
        return PS_FAIL;
    }
    *shape = parse.shape;
    return PS_OK;
}
