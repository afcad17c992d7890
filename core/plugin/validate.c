#include "core/plugin/validate.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdalign.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TEXT_BYTES_MAX 65536U /* of a help, summary, default or unit */
#define NAMES_MAX 256U        /* aliases and words of one list */
#define ROWS_MAX 1000U
#define COUNTERS_MAX (PS_COUNTER_COUNT - PS_COUNTER_extra)
#define ALL_FLAGS (2U * PS_OPTION_HEADER - 1U) /* PS_OPTION_HEADER is the highest flag */
#define AREA_BYTES_MAX ((size_t)64 << 20)      /* of a plan, or of a state */

static const char correct[] = "correct the plug-in; docs/CONTRACT.md says what each kind must have";

/* ---- memory that may not be there ---- */

/* Returns whether the 8 bytes around `at` can be read. The kernel copies them before it looks at the first argument of
 * the system call, which is invalid. */
static bool is_mapped(uintptr_t at)
{
    return syscall(SYS_rt_sigprocmask, -1, at & ~(uintptr_t)7, NULL, (size_t)8) == 0 || errno != EFAULT;
}

/* Returns whether `bytes` bytes can be read. Each page is tried once; `at` may be any number. */
static bool is_readable(const void *at, size_t bytes)
{
    uintptr_t first = (uintptr_t)at, end;
    if (first < 4096U ||
        __builtin_add_overflow(first, bytes,
                               &end)) /* the first page is never mapped, so address 0 is not tried */
        return false;
    for (uintptr_t page = first; page < end; page = (page | 4095U) + 1U) {
        if (!is_mapped(page))
            return false;
        if ((page | 4095U) == UINTPTR_MAX)
            break;
    }
    return true;
}

/* Returns whether `text` is a text that ends within `limit` bytes. */
static bool is_text(const char *text, size_t limit)
{
    for (size_t i = 0; i < limit; i++) {
        if ((i == 0 || ((uintptr_t)(text + i) & 7U) == 0) && !is_readable(text + i, 1))
            return false;
        if (text[i] == '\0')
            return true;
    }
    return false;
}

static bool is_absent_or_text(const char *text)
{
    return text == NULL || is_text(text, TEXT_BYTES_MAX);
}

/* Returns whether `list` is NULL, or a list of texts that ends with NULL. */
static bool is_absent_or_list(const char *const *list)
{
    if (list == NULL)
        return true;
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (!is_readable(list + i, sizeof *list))
            return false;
        if (list[i] == NULL)
            return true;
        if (!is_text(list[i], TEXT_BYTES_MAX))
            return false;
    }
    return false;
}

static size_t list_length(const char *const *list)
{
    size_t length = 0;
    while (list != NULL && list[length] != NULL)
        length++;
    return length;
}

static bool name_is_good(const char *name)
{
    if (name == NULL || !is_text(name, PS_PLUGIN_NAME_BYTES_MAX + 1) || *name == '\0')
        return false;
    for (; *name != '\0'; name++)
        if (!isalnum((unsigned char)*name) && strchr("._-$", *name) == NULL)
            return false;
    return true;
}

/* ---- keys ---- */

struct place {
    size_t bytes, alignment;
};

#define PLACE(type)                                                                                          \
    {                                                                                                        \
        sizeof(type), alignof(type)                                                                          \
    }

/* Size and alignment in the plan of a value of each type. */
static const struct place places[] = {
    [PS_OPTION_TEXT] = PLACE(const char *),
    [PS_OPTION_INT] = PLACE(int64_t),
    [PS_OPTION_DOUBLE] = PLACE(double),
    [PS_OPTION_BOOL] = PLACE(bool),
    [PS_OPTION_ENUM] = PLACE(int),
    [PS_OPTION_LIST] = PLACE(struct ps_texts),
    [PS_OPTION_COMMAS] = PLACE(struct ps_texts),
    [PS_OPTION_MAP] = PLACE(struct ps_pairs),
    [PS_OPTION_SIZE] = PLACE(int64_t),
};

/* Returns what is wrong with a row whose key is a text, or NULL. */
static const char *fault_of_row(const struct ps_option *row)
{
    if ((unsigned)row->type >= PS_COUNT_OF(places))
        return "has an unknown type";
    if (row->key[0] == '\0' && row->type != PS_OPTION_MAP) /* such a map has all keys */
        return "has an empty name";
    if ((row->flags & ~ALL_FLAGS) != 0)
        return "has unknown flags";
    if (row->reload != PS_RELOAD_STAGE && row->reload != PS_RELOAD_AGENT)
        return "has an unknown reload";
    if (!is_absent_or_text(row->fallback) || !is_absent_or_text(row->unit) || !is_absent_or_text(row->help))
        return "has a default, unit or help that is no text";
    if (!is_absent_or_list(row->aliases) || !is_absent_or_list(row->words))
        return "has aliases or words that do not end with NULL";
    if (row->type == PS_OPTION_ENUM && (row->words == NULL || row->words[0] == NULL))
        return "is an ENUM without words";
    if (row->type == PS_OPTION_MAP && row->key[0] != '\0' && row->key[strlen(row->key) - 1] != '.')
        return "is a MAP, and its name does not end in '.'";
    if (row->min > row->max)
        return "has a min above its max";
    return NULL;
}

static enum ps_status check_rows(const struct ps_stage_ops *ops, struct ps_err *err)
{
    const struct ps_option *row = ops->options;
    static const char ending[] = "is PS_OPTION_END missing?";
    for (size_t i = 0; row != NULL; i++, row++) {
        if (i == ROWS_MAX || !is_readable(row, sizeof *row))
            return ps_err_set(err, "has a stage %s whose option rows do not end after %zu; %s", ops->name, i,
                              ending);
        if (row->key == NULL)
            break;
        if (!is_text(row->key, PS_PLUGIN_NAME_BYTES_MAX + 1))
            return ps_err_set(err, "has a stage %s whose option row %zu has a key that is no text; %s",
                              ops->name, i + 1, ending);
        const char *fault = fault_of_row(row);
        if (fault != NULL)
            return ps_err_set(err,
                              "has a stage %s whose option row %zu, `%s`, %s; if it is no row of yours, %s",
                              ops->name, i + 1, row->key, fault, ending);
        const struct place *place = &places[row->type];
        if (row->offset > ops->plan_size || place->bytes > ops->plan_size - row->offset)
            return ps_err_set(
                err,
                "has a stage %s whose plan_size is %zu, and the value of option `%s` has %zu bytes "
                "from %zu on",
                ops->name, ops->plan_size, row->key, place->bytes, row->offset);
        if (row->offset % place->alignment != 0)
            return ps_err_set(
                err, "has a stage %s whose option `%s` has the offset %zu, which its type cannot have",
                ops->name, row->key, row->offset);
    }
    return PS_OK;
}

/* ---- functions ---- */

/* Returns the name of a function that the stage lacks although the engine always calls it, or NULL. */
static const char *lacks(const struct ps_stage_ops *ops)
{
    if (!is_readable(ops->source, PS_KIND_BYTES(ops->kind)))
        return "the functions of its kind";
    switch (ops->kind) {
    case PS_KIND_SOURCE:
        return ops->source->work == NULL ? "work" : NULL;
    case PS_KIND_INTERCEPTOR:
        return ops->interceptor->work == NULL ? "work" : NULL;
    case PS_KIND_SELECTOR:
        return ops->selector->work == NULL ? "work" : NULL;
    case PS_KIND_SINK:
        return ops->sink->work == NULL ? "work" : NULL;
    case PS_KIND_SERIALIZER:
        return ops->serializer->event == NULL ? "event" : NULL;
    case PS_KIND_DESERIALIZER:
        return ops->deserializer->begin == NULL ? "begin" : ops->deserializer->work == NULL ? "work" : NULL;
    case PS_KIND_CHANNEL:
        return ops->channel->put == NULL      ? "put"
               : ops->channel->take == NULL   ? "take"
               : ops->channel->done == NULL   ? "done"
               : ops->channel->untake == NULL ? "untake"
               : ops->channel->hungry == NULL ? "hungry"
               : ops->channel->fill == NULL   ? "fill"
                                              : NULL;
    default:
        return NULL;
    }
}

/* ---- a stage ---- */

/* Checks the members that are at the same place in every version of the contract. */
static enum ps_status check_head(const struct ps_stage_ops *ops, const char **cure, struct ps_err *err)
{
    struct ps_err reason = {.length = 0};
    if (!is_readable(ops, offsetof(struct ps_stage_ops, name) + sizeof ops->name))
        return ps_err_set(err, "has a stage that is no memory (%p)", (const void *)ops);
    if (ops->contract.version == 0)
        return ps_err_set(err, "has a stage without PS_STAGE(kind)");
    if (!name_is_good(ops->name))
        return ps_err_set(err,
                          "has a stage without a name of letters, digits, '.', '_', '-' and '$' that has "
                          "less than 128 bytes");
    if (ps_stage_fits(ops, &reason) != PS_OK) {
        *cure = "build it again with the headers of this penstock";
        return ps_err_set(err, "does not fit: %s", reason.text);
    }
    return PS_OK;
}

static enum ps_status check_stage(const struct ps_stage_ops *ops, const char **cure, struct ps_err *err)
{
    *cure = correct;
    if (check_head(ops, cure, err) != PS_OK)
        return PS_FAIL;
    if (!is_readable(ops, sizeof *ops))
        return ps_err_set(err, "has a stage %s that ends too early", ops->name);
    if (lacks(ops) != NULL)
        return ps_err_set(err, "has a stage %s that lacks %s", ops->name, lacks(ops));
    if (ops->summary == NULL || !is_absent_or_text(ops->summary))
        return ps_err_set(err, "has a stage %s that lacks a summary", ops->name);
    if (!is_absent_or_list(ops->aliases) || !is_absent_or_list(ops->counters) ||
        !is_absent_or_list(ops->counter_helps))
        return ps_err_set(err, "has a stage %s whose aliases or counters do not end with NULL", ops->name);
    if (list_length(ops->counters) > COUNTERS_MAX)
        return ps_err_set(err, "has a stage %s with %zu counters of its own; it may have %u", ops->name,
                          list_length(ops->counters), COUNTERS_MAX);
    if (ops->plan_size > AREA_BYTES_MAX || ops->state_size > AREA_BYTES_MAX)
        return ps_err_set(err,
                          "has a stage %s whose plan_size or state_size is more than %zu bytes (%zu and %zu)",
                          ops->name, AREA_BYTES_MAX, ops->plan_size, ops->state_size);
    return check_rows(ops, err);
}

/* Returns a name that both stages have, or NULL. */
static const char *name_of_both(const struct ps_stage_ops *first, const struct ps_stage_ops *second)
{
    const struct ps_stage_ops *const one[] = {first, NULL};
    if (ps_stage_find(one, second->kind, second->name) != NULL)
        return second->name;
    for (const char *const *alias = second->aliases; alias != NULL && *alias != NULL; alias++) {
        if (ps_stage_find(one, second->kind, *alias) != NULL)
            return *alias;
    }
    return NULL;
}

enum ps_status ps_plugin_validate(const struct ps_stage_ops *const *stages, size_t count, const char **cure,
                                  struct ps_err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (check_stage(stages[i], cure, err) != PS_OK)
            return PS_FAIL;
        for (size_t k = 0; k < i; k++) {
            const char *name = name_of_both(stages[k], stages[i]);
            if (name == NULL)
                continue;
            *cure = "name each stage once in PS_PLUGIN, and give each a name of its own";
            return ps_err_set(err, "has %s `%s` twice", ps_stage_kind_word(stages[i]->kind), name);
        }
    }
    return PS_OK;
}
