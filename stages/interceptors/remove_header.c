/* Interceptor remove_header (Flume's RemoveHeaderInterceptor): takes headers away by name, from the whole
 * batch at once. Thread: the source's worker.
 *
 * `fromListSeparator` is a regular expression in Flume. What people write there is a plain text with optional
 * blanks around it, and that is what is understood here: literal characters, backslash-escaped ones, and
 * `\s*` or
 * `\s+` before and after. */
#include "core/stage.h"

#include <ctype.h>
#include <string.h>

struct remove_header_plan {
    const char *with_name, *from_list, *separator, *matching;
    size_t name_count;
    const struct ps_name **names;
};

#define FIELD(name) offsetof(struct remove_header_plan, name)

static const struct ps_option options[] = {
    {.key = "withName",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(with_name),
     .help = "name of one header to remove"},
    {.key = "fromList",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(from_list),
     .help = "names of headers to remove"},
    {.key = "fromListSeparator",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(separator),
     .fallback = "\\s*,\\s*",
     .help = "what stands between the names of fromList: a plain text, \\s* or \\s+ around it"},
    {.key = "matching",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(matching),
     .flags = PS_OPTION_UNSUPPORTED,
     .help = "a regular expression over header names; comes with the rule engine"},
    PS_OPTION_END,
};

/* A separator understood: blanks (at least `before`), a text, blanks (at least `after`). -1: no blanks there.
 */
struct separator {
    int before, after;
    size_t length;
    char text[64];
};

/* `\s*` or `\s+` at `*at`: the least number of blanks; -1 when neither stands there. */
static int blanks_read(const char **at)
{
    if (strncmp(*at, "\\s", 2) != 0)
        return -1;
    char many = (*at)[2];
    *at += many == '*' || many == '+' ? 3 : 2;
    return many == '*' ? 0 : 1;
}

static bool separator_read(const char *pattern, struct separator *separator)
{
    const char *at = pattern;
    *separator = (struct separator){.before = blanks_read(&at), .after = -1};
    while (*at != '\0' && strncmp(at, "\\s", 2) != 0) {
        if (*at == '\\') {
            at++;
            if (!ispunct((unsigned char)*at)) /* \d, \w, \t, ..: a class, or the end */
                return false;
        } else if (strchr(".[]{}()*+?^$|", *at) != NULL) {
            return false;
        }
        if (separator->length == sizeof separator->text)
            return false;
        separator->text[separator->length++] = *at++;
    }
    separator->after = blanks_read(&at);
    bool bare = pattern[0] == '\\' && pattern[1] == 's' && pattern[2] != '*' && pattern[2] != '+' &&
                separator->length == 0 && *at == '\0';
    /* "\s" alone is one blank, which differs from "\s+" only by empty names, which no header has. */
    return *at == '\0' && (separator->length > 0 || separator->before == 1 || bare);
}

/* Whether the separator stands at `at`: its length, or 0. */
static size_t separator_match(const struct separator *separator, const char *at)
{
    const char *start = at;
    size_t blanks = 0;
    if (separator->before >= 0) {
        blanks = strspn(at, " \t\n\v\f\r");
        if (blanks < (size_t)separator->before)
            return 0;
        at += blanks;
    }
    if (strncmp(at, separator->text, separator->length) != 0)
        return 0;
    at += separator->length;
    if (separator->after >= 0) {
        blanks = strspn(at, " \t\n\v\f\r");
        if (blanks < (size_t)separator->after)
            return 0;
        at += blanks;
    }
    return (size_t)(at - start);
}

static enum ps_status remove_header_check(const void *plan_, const struct ps_context *context)
{
    const struct remove_header_plan *plan = plan_;
    struct separator separator;
    if (plan->from_list != NULL && !separator_read(plan->separator, &separator)) {
        ps_report(
            context, PS_LOG_ERROR, "fromListSeparator",
            "only a plain text is understood as a separator, with \\s* or \\s+ around it, not the regular "
            "expression \"%s\"",
            plan->separator);
        return PS_FAIL;
    }
    if (plan->with_name == NULL && plan->from_list == NULL)
        ps_report(context, PS_LOG_WARN, "withName",
                  "neither withName nor fromList is set: nothing is removed");
    return PS_OK;
}

static void names_add(struct remove_header_plan *plan, const char *text, size_t length)
{
    if (length > 0 && length <= 65536)
        plan->names[plan->name_count++] = ps_name_intern_bytes(text, length);
}

static enum ps_status remove_header_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct remove_header_plan *plan = plan_;
    size_t most = 2 + (plan->from_list != NULL ? strlen(plan->from_list) : 0);
    plan->names = ps_arena_alloc(context->arena, most * sizeof(struct ps_name *));
    if (plan->with_name != NULL)
        names_add(plan, plan->with_name, strlen(plan->with_name));
    if (plan->from_list == NULL)
        return PS_OK;
    struct separator separator;
    if (!separator_read(plan->separator, &separator))
        return ps_err_set(err, "fromListSeparator \"%s\" is not understood", plan->separator);
    const char *start = plan->from_list, *at = start;
    while (*at != '\0') {
        size_t matched = separator_match(&separator, at);
        if (matched == 0) {
            at++;
            continue;
        }
        names_add(plan, start, (size_t)(at - start));
        at += matched;
        start = at;
    }
    names_add(plan, start, (size_t)(at - start));
    return PS_OK;
}

static enum ps_result remove_header_work(const void *plan_, void *state, struct ps_lease *lease,
                                         const struct ps_now *now)
{
    (void)state;
    (void)now;
    const struct remove_header_plan *plan = plan_;
    for (size_t i = 0; i < plan->name_count; i++)
        ps_batch_shared_remove(lease->batch, plan->names[i]);
    return PS_DONE;
}

static const struct ps_interceptor_ops interceptor = {.work = remove_header_work};

const struct ps_stage_ops ps_interceptor_remove_header = {
    .kind = PS_KIND_INTERCEPTOR,
    .name = "remove_header",
    .aliases = PS_WORDS("org.apache.flume.interceptor.RemoveHeaderInterceptor$Builder"),
    .summary = "removes headers by name",
    .options = options,
    .plan_size = sizeof(struct remove_header_plan),
    .check = remove_header_check,
    .build = remove_header_build,
    .interceptor = &interceptor,
};
