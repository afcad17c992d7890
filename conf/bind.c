/* See bind.h. All conversions of text to typed values are here. */
#include "conf/bind.h"

#include "conf/doubts/hosts.h"
#include "conf/number.h"
#include "conf/text.h"
#include "core/flow/limits.h"
#include "core/text/nearest.h"
#include "core/probe.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

const struct ps_pair *ps_pairs_find(const struct ps_pairs *pairs, const char *key)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (strcmp(pairs->items[i].key, key) == 0)
            return &pairs->items[i];
    return NULL;
}

struct ps_pairs ps_pairs_below(struct ps_arena *arena, const struct ps_pairs *pairs, const char *prefix)
{
    size_t count = 0, skip = strlen(prefix);
    for (size_t i = 0; i < pairs->count; i++)
        count += ps_text_begins(pairs->items[i].key, prefix);
    struct ps_pair *items = ps_arena_alloc(arena, (count + 1) * sizeof *items);
    struct ps_pairs below = {0, items};
    for (size_t i = 0; i < pairs->count; i++) {
        if (!ps_text_begins(pairs->items[i].key, prefix))
            continue;
        items[below.count] = pairs->items[i];
        items[below.count++].key += skip;
    }
    return below;
}

static bool parse_double(const char *text, double *value)
{
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    while (*end != '\0' && (unsigned char)*end <= ' ')
        end++;
    return end != text && *end == '\0' && errno == 0 && isfinite(*value);
}

static bool is_alias(const struct ps_option *option, const char *key)
{
    if (option->aliases == NULL)
        return false;
    for (const char *const *alias = option->aliases; *alias != NULL; alias++)
        if (strcmp(*alias, key) == 0)
            return true;
    return false;
}

const struct ps_option *ps_option_named(const struct ps_option *options, const char *key)
{
    if (options == NULL)
        return NULL;
    for (const struct ps_option *option = options; option->key != NULL; option++)
        if (option->type != PS_OPTION_MAP && strcmp(option->key, key) == 0)
            return option;
    for (const struct ps_option *option = options; option->key != NULL; option++)
        if (option->type != PS_OPTION_MAP && is_alias(option, key))
            return option;
    return NULL;
}

/* Returns the prefix to strip when a map's key, or one of its aliases, is a prefix of `key`; else NULL. */
static const char *map_prefix(const struct ps_option *option, const char *key)
{
    if (option->type != PS_OPTION_MAP)
        return NULL;
    if (ps_text_begins(key, option->key) && key[strlen(option->key)] != '\0')
        return option->key;
    for (const char *const *alias = option->aliases; alias != NULL && *alias != NULL; alias++)
        if (ps_text_begins(key, *alias) && key[strlen(*alias)] != '\0')
            return *alias;
    return NULL;
}

const struct ps_option *ps_option_find(const struct ps_option *options, const char *key)
{
    const struct ps_option *named = ps_option_named(options, key);
    if (named != NULL || options == NULL)
        return named;
    const struct ps_option *best = NULL; /* the longest prefix */
    for (const struct ps_option *option = options; option->key != NULL; option++)
        if (map_prefix(option, key) != NULL && (best == NULL || strlen(option->key) > strlen(best->key)))
            best = option;
    return best;
}

static struct ps_place place_of(const struct ps_bind *bind, const struct ps_pair *pair)
{
    return (struct ps_place){pair->file, pair->line,
                             ps_arena_format(bind->arena, "%s%s", bind->prefix, pair->key)};
}

/* ---- one value ---- */

static enum ps_status value_refuse(const struct ps_bind *bind, const struct ps_option *option,
                                   const struct ps_pair *pair, const char *want)
{
    bool secret = (option->flags & PS_OPTION_SECRET) != 0;
    ps_problem_add(bind->problems, bind->refuse ? PS_SEVERITY_ERROR : PS_SEVERITY_DROPPED,
                   place_of(bind, pair), want, "\"%s\" is not a %s", secret ? "(hidden)" : pair->value,
                   option->type == PS_OPTION_ENUM     ? "valid word"
                   : option->type == PS_OPTION_DOUBLE ? "number"
                   : option->type == PS_OPTION_SIZE   ? "size"
                                                      : "whole number");
    return PS_FAIL;
}

/* Returns a value that the option takes, for a cure; NULL: only the user knows one. */
static const char *example_of(const struct ps_bind *bind, const struct ps_option *option)
{
    static const struct {
        const char *key, *value;
    } known[] = {{"bind", "0.0.0.0"},
                 {"host", "0.0.0.0"},
                 {"hostname", "localhost"},
                 {"port", "44444"},
                 {"ports", "44444"},
                 {"kafka.bootstrap.servers", "localhost:9092"},
                 {"kafka.topics", "flume"},
                 {"endpoint", "http://localhost:8080/"},
                 {"spoolDir", "/var/spool/flume"},
                 {"sink.directory", "/var/log/flume"},
                 {"filegroups", "f1"},
                 {"command", "tail -F /var/log/syslog"},
                 {"hdfs.path", "hdfs://namenode/flume"}};
    for (size_t i = 0; i < PS_COUNT_OF(known); i++)
        if (strcmp(option->key, known[i].key) == 0)
            return known[i].value;
    if (option->fallback != NULL)
        return option->fallback;
    bool is_int = option->type == PS_OPTION_INT || option->type == PS_OPTION_SIZE;
    return is_int ? ps_arena_format(bind->arena, "%" PRId64, option->min > 0 ? option->min : 1) : NULL;
}

static enum ps_status int_write(const struct ps_bind *bind, const struct ps_option *option,
                                const struct ps_pair *pair, int64_t *to)
{
    bool fits = ps_number_read(bind->arena, option, pair->value, to);
    if (!fits && !ps_number_is_digits(pair->value))
        return value_refuse(bind, option, pair,
                            ps_arena_format(bind->arena, "%s, such as %s",
                                            ps_number_cure(bind->arena, option), example_of(bind, option)));
    bool has_range = option->min != 0 || option->max != 0;
    if (fits && (!has_range || (*to >= option->min && *to <= option->max)))
        return PS_OK;
    const char *unit = option->unit != NULL ? option->unit : "";
    int64_t min = has_range ? option->min : INT64_MIN, max = has_range ? option->max : INT64_MAX;
    const char *cure =
        max == INT64_MAX && fits
            ? ps_arena_format(bind->arena, "at least %" PRId64 "%s%s", min, *unit ? " " : "", unit)
            : ps_arena_format(bind->arena, "%" PRId64 " to %" PRId64 "%s%s", min, max, *unit ? " " : "",
                              unit);
    ps_problem_add(bind->problems, bind->refuse ? PS_SEVERITY_ERROR : PS_SEVERITY_DROPPED,
                   place_of(bind, pair), cure, "%s is out of range",
                   fits                               ? ps_arena_format(bind->arena, "%" PRId64, *to)
                   : option->flags & PS_OPTION_SECRET ? "(hidden)"
                                                      : ps_text_trim(bind->arena, pair->value));
    return PS_FAIL;
}

static enum ps_status enum_write(const struct ps_bind *bind, const struct ps_option *option,
                                 const struct ps_pair *pair, int *to)
{
    const char *word = ps_text_trim(bind->arena, pair->value);
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, word);
    struct ps_texts words = {0, option->words};
    for (; words.items[words.count] != NULL; words.count++) {
        if (strcasecmp(words.items[words.count], word) == 0) {
            *to = (int)words.count;
            return PS_OK;
        }
        ps_nearest_offer(&nearest, words.items[words.count]);
    }
    const char *cure = nearest.word != NULL
                           ? ps_arena_format(bind->arena, "did you mean %s?", nearest.word)
                           : ps_arena_format(bind->arena, "one of: %s", ps_texts_join(bind->arena, &words));
    return value_refuse(bind, option, pair, cure);
}

static bool bool_parse(const struct ps_bind *bind, const struct ps_pair *pair)
{
    const char *word = ps_text_trim(bind->arena, pair->value);
    bool truth = strcasecmp(word, "true") == 0;
    if (!truth && strcasecmp(word, "false") != 0) {
        ps_problem_add(bind->problems, PS_SEVERITY_WARNING, place_of(bind, pair), "write true or false",
                       "\"%s\" is neither true nor false and counts as false", word);
        ps_problem_mistake(bind->problems, PS_MISTAKE_CAUSE);
    }
    return truth;
}

/* Collects the pairs of a map: the pairs that no other row takes by name or by a longer prefix. */
static struct ps_pairs map_collect(const struct ps_bind *bind, const struct ps_option *options,
                                   const struct ps_option *map, const struct ps_pairs *pairs)
{
    struct ps_pair *items = ps_arena_alloc(bind->arena, (pairs->count + 1) * sizeof *items);
    struct ps_pairs found = {0, items};
    for (size_t i = 0; i < pairs->count; i++) {
        const struct ps_pair *pair = &pairs->items[i];
        if (!ps_text_begins(pair->key, map->key) && map->aliases == NULL)
            continue;
        if (ps_option_find(options, pair->key) != map)
            continue;
        items[found.count] = *pair;
        items[found.count++].key += strlen(map_prefix(map, pair->key));
    }
    return found;
}

/* Finds the file of a relative path: first in the working directory, as Flume does; then in the agent file's
 * directory, so that two files that were copied together find each other. */
static enum ps_status file_write(const struct ps_bind *bind, const struct ps_pair *pair, const char **to)
{
    *to = pair->value;
    int failed = ps_file_unreadable(pair->value);
    if (failed == 0)
        return PS_OK;
    if (pair->value[0] == '/') {
        ps_problem_add(bind->problems, PS_SEVERITY_ERROR, place_of(bind, pair),
                       "name a file that this user can read", "cannot read %s: %s", pair->value,
                       strerror(failed));
        return PS_FAIL;
    }
    const char *slash =
        pair->file != NULL && strstr(pair->file, "://") == NULL ? strrchr(pair->file, '/') : NULL;
    int length = slash != NULL ? (int)(slash - pair->file) : 0;
    if (slash != NULL) {
        const char *beside = ps_arena_format(bind->arena, "%.*s/%s", length, pair->file, pair->value);
        if (ps_file_unreadable(beside) == 0) {
            *to = beside;
            return PS_OK;
        }
    }
    char *working = getcwd(NULL, 0);
    ps_problem_add(bind->problems, PS_SEVERITY_ERROR, place_of(bind, pair), "write the whole path",
                   "cannot read %s: %s; it was looked for in the working directory (%s)%s%.*s%s", pair->value,
                   strerror(failed), working != NULL ? working : "?",
                   slash != NULL ? " and beside the agent file (" : "",
                   slash != NULL && length == 0 ? 1 : length, slash != NULL ? pair->file : "",
                   slash != NULL ? ")" : "");
    free(working);
    return PS_FAIL;
}

static bool header_name_fits(const struct ps_bind *bind, const struct ps_pair *pair, const char *name)
{
    size_t length = strlen(name);
    if (length <= PS_HEADER_NAME_BYTES_MAX)
        return true;
    ps_problem_add(bind->problems, PS_SEVERITY_ERROR, place_of(bind, pair), "write a shorter name",
                   "this name has %zu bytes; the name of a header has at most %u", length,
                   PS_HEADER_NAME_BYTES_MAX);
    return false;
}

/* Refuses what cannot be a host. */
static enum ps_status host_write(const struct ps_bind *bind, const struct ps_pair *pair, const char **to)
{
    const char *cure, *what = NULL;
    bool listens = bind->prefix != NULL && strstr(bind->prefix, ".sources.") != NULL;
    if (!ps_problems_is_unknown(bind->problems, pair->value))
        what = ps_doubt_host(bind->arena, pair->value, listens, &cure);
    *to = pair->value;
    if (what == NULL)
        return PS_OK;
    ps_problem_add(bind->problems, bind->refuse ? PS_SEVERITY_ERROR : PS_SEVERITY_DROPPED,
                   place_of(bind, pair), cure, "%s: %s", pair->value, what);
    return PS_FAIL;
}

static enum ps_status texts_write(const struct ps_bind *bind, const struct ps_option *option,
                                  const struct ps_pair *pair, struct ps_texts *to)
{
    *to = option->type == PS_OPTION_LIST ? ps_text_split_blanks(bind->arena, pair->value)
                                         : ps_text_split_commas(bind->arena, pair->value);
    for (size_t i = 0; (option->flags & PS_OPTION_HEADER) && i < to->count; i++) {
        if (!header_name_fits(bind, pair, to->items[i]))
            return PS_FAIL;
    }
    return PS_OK;
}

static enum ps_status value_write(const struct ps_bind *bind, const struct ps_option *option,
                                  const struct ps_pair *pair, void *to)
{
    switch (option->type) {
    case PS_OPTION_TEXT:
        if (option->flags & PS_OPTION_FILE)
            return file_write(bind, pair, to);
        if ((option->flags & PS_OPTION_HEADER) && !header_name_fits(bind, pair, pair->value))
            return PS_FAIL;
        if (ps_doubt_names_host(option))
            return host_write(bind, pair, to);
        *(const char **)to = pair->value;
        return PS_OK;
    case PS_OPTION_INT:
    case PS_OPTION_SIZE:
        return int_write(bind, option, pair, to);
    case PS_OPTION_DOUBLE:
        return parse_double(pair->value, to) ? PS_OK
                                             : value_refuse(bind, option, pair, "write a number such as 0.5");
    case PS_OPTION_BOOL:
        *(bool *)to = bool_parse(bind, pair);
        return PS_OK;
    case PS_OPTION_ENUM:
        return enum_write(bind, option, pair, to);
    case PS_OPTION_LIST:
    case PS_OPTION_COMMAS:
        return texts_write(bind, option, pair, to);
    case PS_OPTION_MAP:
        break; /* handled by row_bind */
    }
    return PS_OK;
}

/* ---- a row ---- */

/* Returns the pair that applies to a row: the pair with the row's own name, else the pair with its first alias that has
 * one. */
static const struct ps_pair *row_pair(const struct ps_option *option, const struct ps_pairs *pairs)
{
    const struct ps_pair *pair = ps_pairs_find(pairs, option->key);
    for (const char *const *alias = option->aliases; pair == NULL && alias != NULL && *alias != NULL; alias++)
        pair = ps_pairs_find(pairs, *alias);
    return pair;
}

/* Returns whether an unsupported key is harmless, because its value asks for behaviour that penstock always has. */
static bool is_harmless(const struct ps_option *option, const char *value)
{
    if (option->fallback != NULL && strcasecmp(option->fallback, value) == 0)
        return true;
    return option->type == PS_OPTION_BOOL && option->fallback == NULL && strcasecmp(value, "true") != 0;
}

static void report_no_effect(const struct ps_bind *bind, const struct ps_option *option,
                             struct ps_place place)
{
    ps_problem_add(bind->problems, PS_SEVERITY_NOTE, place, option->help, "has no effect");
    ps_problem_no_effect(bind->problems);
}

/* Reports notes and warnings about the use of this row. Returns false when the key must not be bound. */
static bool row_allowed(const struct ps_bind *bind, const struct ps_option *option,
                        const struct ps_pair *pair)
{
    struct ps_place place = place_of(bind, pair);
    if ((option->flags & PS_OPTION_UNSUPPORTED) && is_harmless(option, pair->value))
        return false;
    if (option->flags & PS_OPTION_UNSUPPORTED) {
        ps_problem_add(
            bind->problems, bind->allow_unsupported ? PS_SEVERITY_WARNING : PS_SEVERITY_ERROR, place,
            bind->allow_unsupported ? NULL
                                    : "remove it, or set penstock.allow.unsupported = true to run without it",
            "Flume has this key, penstock does not support it yet%s",
            bind->allow_unsupported ? "; it is left out (penstock.allow.unsupported)" : "");
        return false;
    }
    if (option->flags & PS_OPTION_DEPRECATED)
        ps_problem_add(bind->problems, PS_SEVERITY_WARNING, place, option->help, "is deprecated");
    else if (option->flags & PS_OPTION_NO_EFFECT)
        report_no_effect(bind, option, place);
    if (strcmp(pair->key, option->key) != 0 && option->type != PS_OPTION_MAP)
        ps_problem_add(bind->problems, PS_SEVERITY_NOTE, place, NULL, "is another spelling of %s",
                       option->key);
    return true;
}

/* Writes a row's default, which must be valid. */
static enum ps_status fallback_write(const struct ps_bind *bind, const struct ps_option *option, void *to)
{
    struct ps_pair fallback = {.key = option->key, .value = option->fallback};
    if (option->fallback == NULL || (option->flags & PS_OPTION_UNSUPPORTED))
        return PS_OK;
    enum ps_status status = value_write(bind, option, &fallback, to);
    PS_ASSERT(status == PS_OK);
    return status;
}

/* Writes a valid value in place of a bad one, so that the stage's check can look for further problems. */
static void substitute_write(const struct ps_bind *bind, const struct ps_option *option, void *to)
{
    bool is_int = option->type == PS_OPTION_INT || option->type == PS_OPTION_SIZE;
    if (option->fallback != NULL)
        fallback_write(bind, option, to);
    else if (is_int)
        *(int64_t *)to = option->flags & PS_OPTION_REQUIRED ? option->min : 0;
    else if (option->type == PS_OPTION_DOUBLE)
        *(double *)to = 0;
    /* for an enum the first word is a valid value */
    else if (option->type != PS_OPTION_ENUM && bind->incomplete != NULL)
        *bind->incomplete = true;
}

/* Writes a value in place of one that is required and missing, so that the stage's check can look for further problems; what it
 * says of this key does not count (conf/validate/component.c). */
static void missing_write(const struct ps_bind *bind, const struct ps_option *option, void *to)
{
    if (option->type != PS_OPTION_TEXT || (option->flags & PS_OPTION_FILE) || bind->unsound == NULL) {
        substitute_write(bind, option, to);
        return;
    }
    *(const char **)to = "localhost:1";
    *bind->unsound = true;
}

/* Binds a key whose bad values Flume ignores: uses the default in their place. */
static enum ps_status lenient_write(const struct ps_bind *bind, const struct ps_option *option,
                                    const struct ps_pair *pair, void *to)
{
    struct ps_problems aside;
    struct ps_bind quiet = *bind;
    ps_problems_init(&aside, bind->arena);
    quiet.problems = &aside;
    enum ps_status status = value_write(&quiet, option, pair, to);
    if (status != PS_OK) {
        const char *instead = option->fallback == NULL
                                  ? "the key counts as not set"
                                  : ps_arena_format(bind->arena, "the default %s is used", option->fallback);
        ps_problem_add(bind->problems, PS_SEVERITY_WARNING, place_of(bind, pair), aside.items[0].cure,
                       "%s: %s", aside.items[0].what, instead);
        ps_problem_mistake(bind->problems, PS_MISTAKE_CAUSE);
        status = fallback_write(bind, option, to);
    }
    ps_problems_fini(&aside);
    return status;
}

static enum ps_status row_bind(const struct ps_bind *bind, const struct ps_option *options,
                               const struct ps_option *option, const struct ps_pairs *pairs, void *plan)
{
    void *to = (char *)plan + option->offset;
    if (option->type == PS_OPTION_MAP) {
        struct ps_pairs found = map_collect(bind, options, option, pairs);
        for (size_t i = 0; (option->flags & PS_OPTION_UNSUPPORTED) && i < found.count; i++)
            row_allowed(bind, option, &found.items[i]);
        for (size_t i = 0; (option->flags & PS_OPTION_HEADER) && i < found.count; i++) {
            if (!header_name_fits(bind, &found.items[i], found.items[i].key))
                return PS_FAIL;
        }
        if (!(option->flags & PS_OPTION_UNSUPPORTED))
            *(struct ps_pairs *)to = found;
        return PS_OK;
    }
    const struct ps_pair *pair = row_pair(option, pairs);
    if (pair != NULL && row_allowed(bind, option, pair)) {
        bool is_text = option->type == PS_OPTION_TEXT && !(option->flags & PS_OPTION_FILE);
        if (!is_text && ps_problems_is_unknown(bind->problems, pair->value)) {
            substitute_write(bind, option, to);
            return PS_OK;
        }
        if (option->flags & PS_OPTION_LENIENT)
            return lenient_write(bind, option, pair, to);
        enum ps_status status = value_write(bind, option, pair, to);
        if (status != PS_OK)
            substitute_write(bind, option, to);
        return status;
    }
    if (pair == NULL && (option->flags & PS_OPTION_REQUIRED)) {
        const char *example = example_of(bind, option);
        missing_write(bind, option, to);
        ps_problem_add(bind->problems, bind->refuse ? PS_SEVERITY_ERROR : PS_SEVERITY_DROPPED,
                       (struct ps_place){bind->file, bind->line,
                                         ps_arena_format(bind->arena, "%s%s", bind->prefix, option->key)},
                       ps_arena_format(bind->arena, "add the line %s%s = %s (%s)", bind->prefix, option->key,
                                       example != NULL ? example : "...", option->help),
                       "is required and missing");
        ps_problem_missing(bind->problems);
        return PS_FAIL;
    }
    return fallback_write(bind, option, to);
}

static void offer_rows(struct ps_nearest *nearest, const struct ps_option *options)
{
    for (const struct ps_option *option = options; option != NULL && option->key != NULL; option++)
        ps_nearest_offer(nearest, option->key);
}

static const char *without_prefix(const char *key)
{
    const char *dot = strchr(key, '.');
    return dot != NULL && dot[1] != '\0' ? dot + 1 : NULL;
}

/* Returns the row's key if the written key lacks its prefix: "hdfs.rollSize" for "rollSize" or "rolSize". NULL: none.
 */
static const char *with_prefix(const struct ps_option *options, const char *key)
{
    struct ps_nearest nearest;
    const char *found = NULL;
    ps_nearest_init(&nearest, key);
    for (const struct ps_option *option = options; option != NULL && option->key != NULL; option++) {
        const char *rest = without_prefix(option->key), *before = nearest.word;
        if (rest == NULL || strncmp(option->key, "penstock.", 9) == 0)
            continue;
        ps_nearest_offer(&nearest, rest);
        if (nearest.word != before)
            found = option->key;
    }
    return found;
}

/* Returns the row's key if the written key has a superfluous prefix: "autoCreatePartitions" for
 * "hive.autoCreatePartitions". NULL: none. */
static const char *without_its_prefix(const struct ps_option *options, const char *key)
{
    struct ps_nearest nearest;
    const char *rest = without_prefix(key);
    if (rest == NULL)
        return NULL;
    ps_nearest_init(&nearest, rest);
    offer_rows(&nearest, options);
    return nearest.word;
}

/* Warns about an unknown key. Also recognizes a misspelt prefix of a map ("kafka.producerr.acks"). */
static void warn_unknown(const struct ps_bind *bind, const struct ps_option *options,
                         const struct ps_option *const *common, const struct ps_pair *pair)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, pair->key);
    offer_rows(&nearest, options);
    for (const struct ps_option *const *set = common; set != NULL && *set != NULL; set++)
        offer_rows(&nearest, *set);
    const char *cure = NULL;
    if (nearest.word != NULL && nearest.distance == 0)
        cure = ps_arena_format(bind->arena, "keys are case-sensitive: write %s", nearest.word);
    else if (nearest.word != NULL)
        cure = ps_arena_format(bind->arena, "did you mean %s?", nearest.word);
    const char *whole = cure == NULL ? with_prefix(options, pair->key) : NULL;
    if (cure == NULL && whole == NULL)
        whole = without_its_prefix(options, pair->key);
    if (whole != NULL)
        cure = ps_arena_format(bind->arena, "did you mean %s?", whole);
    for (const struct ps_option *option = options; cure == NULL && option != NULL && option->key != NULL;
         option++) {
        if (option->type != PS_OPTION_MAP)
            continue;
        char head[128];
        size_t length = strlen(option->key);
        const char *dot = strrchr(pair->key, '.');
        if (dot == NULL || length >= sizeof head || (size_t)(dot - pair->key) >= sizeof head - 1)
            continue;
        memcpy(head, pair->key, (size_t)(dot - pair->key) + 1);
        head[dot - pair->key + 1] = '\0';
        ps_nearest_init(&nearest, head);
        ps_nearest_offer(&nearest, option->key);
        if (nearest.word != NULL)
            cure = ps_arena_format(bind->arena, "did you mean %s%s?", option->key, dot + 1);
    }
    ps_problem_add(bind->problems, PS_SEVERITY_WARNING, place_of(bind, pair), cure, "unknown key, ignored");
}

enum ps_status ps_bind_options(const struct ps_bind *bind, const struct ps_option *options,
                               const struct ps_option *const *common, const struct ps_pairs *pairs,
                               void *plan)
{
    enum ps_status status = PS_OK;
    for (const struct ps_option *option = options; option != NULL && option->key != NULL; option++)
        if (row_bind(bind, options, option, pairs, plan) != PS_OK)
            status = PS_FAIL; /* continue, to report every problem at once */
    for (size_t i = 0; i < pairs->count && !bind->quiet_unknown; i++) {
        const struct ps_pair *pair = &pairs->items[i];
        bool known = ps_option_find(options, pair->key) != NULL;
        for (const struct ps_option *const *set = common; set != NULL && *set != NULL; set++)
            known |= ps_option_find(*set, pair->key) != NULL;
        if (!known)
            warn_unknown(bind, options, common, pair);
    }
    return status;
}
