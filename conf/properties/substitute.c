/* See substitute.h. Follows org.apache.commons.text.StringSubstitutor.substitute step by step, from left to
 * right, into a growing text. */
#include "conf/properties/substitute.h"

#include "conf/properties/date.h"
#include "conf/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>
#include <unistd.h>

struct buffer {
    char *text; /* malloc'ed */
    size_t length, room;
};

enum state { STATE_RAW, STATE_BUSY, STATE_DONE, STATE_BROKEN };

struct work {
    const struct ps_substitution *how;
    struct ps_properties *properties;
    unsigned char *states;             /* one for each property */
    const struct ps_property *current; /* the property whose value is being computed, for messages */
    unsigned replacements;
    size_t scanned_bytes; /* in this load */
    bool failed;          /* the present property */
};

/* The names that are being replaced, innermost first, to detect a name that leads to itself. */
struct names {
    const char *name;
    const struct names *outer;
};

static bool buffer_add(struct work *work, struct buffer *buffer, const char *text, size_t length);
static void expand(struct work *work, const char *text, size_t length, struct buffer *out,
                   const struct names *outer, int depth);

/* ---- problems ---- */

static struct ps_place place_of(const struct work *work)
{
    return (struct ps_place){work->current->file, work->current->line, work->current->key};
}

/* Reports a limit or a cycle, only once for a property, because further problems would only follow from it. */
static void fail(struct work *work, const char *cure, const char *what, const char *name)
{
    if (!work->failed)
        ps_problem_add(work->how->problems, PS_SEVERITY_ERROR, place_of(work), cure, "${%.100s}: %s", name,
                       what);
    work->failed = true;
}

/* The same for a limit: what is behind it stays as it is, and cannot be judged. */
static void fail_at_limit(struct work *work, const char *cure, const char *what, const char *name)
{
    fail(work, cure, what, name);
    work->properties->unfinished = true;
}

static const char *cure_of_cycle(const struct work *work, const char *name)
{
    return ps_arena_format(work->how->arena, "write $${%.200s} to keep the text, or another value", name);
}

static bool of_wanted_agent(const struct work *work)
{
    const char *agent = work->how->agent;
    const char *key = work->current->key;
    const char *dot = strchr(key, '.');
    if (agent == NULL || dot == NULL)
        return true;
    return strlen(agent) == (size_t)(dot - key) && strncmp(key, agent, strlen(agent)) == 0;
}

static void warn_unresolved(struct work *work, const char *name)
{
    if (!of_wanted_agent(work) || ps_filter_reference(name, strlen(name)) > 0)
        return;
    const char *colon = strchr(name, ':');
    const char *cure = ps_arena_format(
        work->how->arena,
        "write $${%1$.200s} to keep the text, ${%1$.200s:-value} to give a default, or define it", name);
    if (colon == NULL && getenv(name) != NULL)
        cure = ps_arena_format(work->how->arena, "write ${env:%s} for the environment variable", name);
    for (size_t i = 0; i < work->how->lookup_count && colon != NULL; i++)
        if (work->how->lookups[i].lookup == PS_LOOKUP_UNSUPPORTED &&
            strlen(work->how->lookups[i].prefix) == (size_t)(colon - name) &&
            strncasecmp(work->how->lookups[i].prefix, name, (size_t)(colon - name)) == 0)
            cure = ps_arena_format(work->how->arena,
                                   "the lookup %s is not supported by penstock: use ${env:} or ${sys:}",
                                   work->how->lookups[i].java);
    ps_problem_add(work->how->problems, PS_SEVERITY_WARNING, place_of(work), cure,
                   "${%.200s} is unknown and is left unchanged", name);
}

size_t ps_filter_reference(const char *name, size_t length)
{
    if (length == 0 || length > PS_FILTER_REFERENCE_BYTES_MAX || name[length - 1] != ']')
        return 0;
    const char *open = memchr(name, '[', length);
    if (open == NULL || open == name)
        return 0;
    const char *begin = open + 1, *end = name + length - 1;
    if (begin < end && (*begin == '\'' || *begin == '"')) {
        if (end - begin < 2 || end[-1] != *begin)
            return 0;
        begin++;
        end--;
    }
    if (begin >= end)
        return 0;
    for (const char *at = begin; at < end; at++)
        if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_')
            return 0;
    return (size_t)(open - name);
}

/* ---- lookups ---- */

static const char *lookup_system(const struct ps_substitution *how, const char *name)
{
    const char *value = ps_pairs_get_last(how->system, name);
    if (value != NULL)
        return value;
    const char *variable = strcmp(name, "user.home") == 0   ? "HOME"
                           : strcmp(name, "user.name") == 0 ? "USER"
                                                            : NULL;
    if (variable != NULL)
        return getenv(variable);
    if (strcmp(name, "user.dir") == 0) {
        char *here = getcwd(NULL, 0);
        const char *copy = here != NULL ? ps_arena_text(how->arena, here) : NULL;
        free(here);
        return copy;
    }
    if (strcmp(name, "java.io.tmpdir") == 0)
        return "/tmp";
    if (strcmp(name, "file.separator") == 0)
        return "/";
    return strcmp(name, "line.separator") == 0 ? "\n" : NULL;
}

/* Returns a value in the form of Java's JavaPlatformStringLookup, for a machine without a JVM. */
static const char *lookup_java(const struct ps_substitution *how, const char *name)
{
    struct utsname system;
    if (uname(&system) != 0)
        return NULL;
    const char *machine = strcmp(system.machine, "x86_64") == 0 ? "amd64" : system.machine;
    if (strcmp(name, "version") == 0)
        return "Java version 0 (penstock, no JVM)";
    if (strcmp(name, "runtime") == 0)
        return "penstock (no JVM)";
    if (strcmp(name, "vm") == 0)
        return "penstock (native code)";
    if (strcmp(name, "os") == 0)
        return ps_arena_format(how->arena, "%s %s, architecture: %s-64", system.sysname, system.release,
                               machine);
    if (strcmp(name, "locale") == 0) {
        const char *locale = getenv("LC_ALL") != NULL ? getenv("LC_ALL") : getenv("LANG");
        return ps_arena_format(how->arena, "default locale: %.*s, platform encoding: UTF-8",
                               locale != NULL ? (int)strcspn(locale, ".@") : 2,
                               locale != NULL ? locale : "en");
    }
    if (strcmp(name, "hw") == 0)
        return ps_arena_format(how->arena, "processors: %ld, architecture: %s-64",
                               sysconf(_SC_NPROCESSORS_ONLN), machine);
    return NULL;
}

static const char *lookup_prefixed(const struct ps_substitution *how, enum ps_lookup lookup, const char *name)
{
    switch (lookup) {
    case PS_LOOKUP_SYS:
        return lookup_system(how, name);
    case PS_LOOKUP_ENV:
        return getenv(name);
    case PS_LOOKUP_JAVA:
        return lookup_java(how, name);
    case PS_LOOKUP_DATE:
        return ps_date_format(how->arena, name, how->now_ms);
    case PS_LOOKUP_UNSUPPORTED:
        break;
    }
    return NULL;
}

static bool lookup_find(const struct ps_substitution *how, const char *name, size_t length,
                        enum ps_lookup *lookup)
{
    static const struct ps_lookup_name builtin[] = {{"sys", PS_LOOKUP_SYS, NULL},
                                                    {"env", PS_LOOKUP_ENV, NULL},
                                                    {"java", PS_LOOKUP_JAVA, NULL},
                                                    {"date", PS_LOOKUP_DATE, NULL}};
    const struct ps_lookup_name *names = how->lookup_count > 0 ? how->lookups : builtin;
    size_t count = how->lookup_count > 0 ? how->lookup_count : PS_COUNT_OF(builtin);
    for (size_t i = 0; i < count; i++) {
        if (strlen(names[i].prefix) != length || strncasecmp(names[i].prefix, name, length) != 0)
            continue;
        *lookup = names[i].lookup;
        return true;
    }
    return false;
}

static const char *property_value(struct work *work, const char *key, const struct names *outer, int depth);

static bool is_word(const char *name)
{
    if (*name == '\0')
        return false;
    for (; *name != '\0'; name++)
        if (!isalnum((unsigned char)*name) && *name != '_')
            return false;
    return true;
}

/* Resolves a name as Java's interpolator does: first by its prefix; if this gives nothing, the part after the colon is
 * looked up as a key. Returns NULL if the name is unknown. */
static const char *resolve(struct work *work, const char *name, const struct names *outer, int depth)
{
    const char *colon = strchr(name, ':');
    enum ps_lookup lookup;
    if (colon != NULL) {
        const char *value = NULL;
        if (lookup_find(work->how, name, (size_t)(colon - name), &lookup))
            value = lookup_prefixed(work->how, lookup, colon + 1);
        if (value != NULL)
            return value;
        name = colon + 1;
    }
    const char *value = property_value(work, name, outer, depth);
    if (value == NULL && work->how->environment_mode) {
        value = getenv(name);
        if (value == NULL && colon == NULL && is_word(name))
            value = "";
    }
    return value;
}

/* ---- replacing ---- */

static bool buffer_add(struct work *work, struct buffer *buffer, const char *text, size_t length)
{
    if (buffer->length + length > PS_SUBSTITUTE_BYTES_MAX) {
        fail_at_limit(work, NULL, "the value with its replacements is longer than the limit", "...");
        return false;
    }
    if (buffer->length + length + 1 > buffer->room) {
        buffer->room = (buffer->length + length + 1) * 2;
        buffer->text = ps_must_realloc(buffer->text, buffer->room, "substituted text");
    }
    if (length > 0)
        memcpy(buffer->text + buffer->length, text, length);
    buffer->length += length;
    buffer->text[buffer->length] = '\0';
    return true;
}

/* Returns the offset of the '}' of a variable whose content begins at `at`, or `length` if it is never closed. Every
 * scan counts towards PS_SUBSTITUTE_SCAN_BYTES_MAX: in one value, a scan of the whole rest may begin at every second
 * byte. */
static size_t closing_brace(struct work *work, const char *text, size_t at, size_t length)
{
    size_t nested = 0;
    const size_t begin = at;
    while (at < length) {
        if (text[at] == '$' && at + 1 < length && text[at + 1] == '{') {
            nested++;
            at += 2;
        } else if (text[at] == '}' && nested > 0) {
            nested--;
            at++;
        } else if (text[at] == '}') {
            break;
        } else {
            at++;
        }
    }
    work->scanned_bytes += at - begin;
    if (work->scanned_bytes > PS_SUBSTITUTE_SCAN_BYTES_MAX)
        fail_at_limit(work, NULL, "the references of the file take too long to resolve", "...");
    return at;
}

/* Replaces one ${inside}. Returns false if it stays unchanged. Checks the depth before it descends: the
 * recursion must not use up the stack. */
static bool replace(struct work *work, const char *inside, size_t length, struct buffer *out,
                    const struct names *outer, int depth)
{
    struct buffer name = {0};
    if (depth > PS_SUBSTITUTE_DEPTH_MAX) {
        fail_at_limit(
            work,
            ps_arena_format(work->how->arena, "references can be nested %d deep", PS_SUBSTITUTE_DEPTH_MAX),
            "nested too deeply", ps_arena_copy(work->how->arena, inside, length < 100 ? length : 100));
        return false;
    }
    expand(work, inside, length, &name, NULL, depth + 1);
    bool replaced = false;
    if (name.text == NULL || work->failed)
        goto out;
    char *fallback = strstr(name.text, ":-");
    if (fallback != NULL) {
        *fallback = '\0';
        fallback += 2;
    }
    for (const struct names *at = outer; at != NULL; at = at->outer)
        if (strcmp(at->name, name.text) == 0) {
            fail(work, cure_of_cycle(work, name.text), "the value refers to itself", name.text);
            goto out;
        }
    if (++work->replacements > PS_SUBSTITUTE_COUNT_MAX) {
        fail_at_limit(work, NULL, "too many references", name.text);
        goto out;
    }
    struct names names = {name.text, outer};
    const char *value = resolve(work, name.text, &names, depth);
    if (value == NULL)
        value = fallback;
    if (value == NULL) {
        if (!work->failed)
            warn_unresolved(work, name.text);
        goto out;
    }
    expand(work, value, strlen(value), out, &names, depth + 1);
    replaced = true;
out:
    free(name.text);
    return replaced;
}

static void expand(struct work *work, const char *text, size_t length, struct buffer *out,
                   const struct names *outer, int depth)
{
    /* where this text's result begins; escapes before this offset belong to another text */
    size_t begin = out->length;
    buffer_add(work, out, NULL, 0);
    for (size_t at = 0; at < length && !work->failed;) {
        if (text[at] != '$' || at + 1 == length || text[at + 1] != '{') {
            size_t run = at + 1;
            while (run < length && text[run] != '$')
                run++;
            buffer_add(work, out, text + at, run - at);
            at = run;
            continue;
        }
        size_t end = closing_brace(work, text, at + 2, length);
        if (end == length) {
            /* The variable is never closed: the rest stays unchanged, including escapes. */
            buffer_add(work, out, text + at, length - at);
            return;
        }
        if (out->length > begin && out->text[out->length - 1] == '$') {
            buffer_add(work, out, text + at + 1, 1); /* $${x} becomes ${x} */
            at += 2;
            continue;
        }
        if (!replace(work, text + at + 2, end - at - 2, out, outer, depth))
            buffer_add(work, out, text + at, end + 1 - at);
        at = end + 1;
    }
}

/* Returns the final value of a property. */
static const char *property_finish(struct work *work, size_t number, const struct names *outer, int depth)
{
    struct ps_property *property = &work->properties->items[number];
    if (work->states[number] == STATE_DONE || strstr(property->value, "${") == NULL)
        return property->value;
    if (work->states[number] == STATE_BROKEN) { /* reported where it was found */
        work->failed = true;
        return NULL;
    }
    if (work->states[number] == STATE_BUSY) {
        fail(work, cure_of_cycle(work, property->key), "the value refers to itself", property->key);
        return NULL;
    }
    const struct ps_property *before = work->current;
    work->current = property;
    work->states[number] = STATE_BUSY;
    struct buffer out = {0};
    expand(work, property->value, strlen(property->value), &out, outer, depth);
    property->value = work->failed ? ps_arena_text(work->how->arena, property->value)
                                   : ps_arena_copy(work->how->arena, out.text, out.length);
    if (work->failed)
        ps_problems_note_unknown(work->how->problems, property->value);
    free(out.text);
    work->states[number] = work->failed ? STATE_BROKEN : STATE_DONE;
    work->current = before;
    return property->value;
}

static const char *property_value(struct work *work, const char *key, const struct names *outer, int depth)
{
    const struct ps_property *property = ps_properties_find(work->properties, key);
    if (property == NULL)
        return NULL;
    work->properties->items[property - work->properties->items].used = true;
    return property_finish(work, (size_t)(property - work->properties->items), outer, depth + 1);
}

enum ps_status ps_substitute(struct ps_properties *properties, const struct ps_substitution *how)
{
    struct work work = {.how = how, .properties = properties};
    work.states = ps_must_alloc(properties->count + 1, 1, "substituted text");
    enum ps_status status = PS_OK;
    for (size_t i = 0; i < properties->count && !properties->unfinished; i++) {
        work.failed = false;
        property_finish(&work, i, NULL, 0);
        if (work.failed)
            status = PS_FAIL;
    }
    free(work.states);
    return status;
}

void ps_substitute_lookups(struct ps_substitution *how, const struct ps_properties *lookups)
{
    static const struct {
        const char *word;
        enum ps_lookup lookup;
    } known[] = {{"SYSTEM_PROPERTIES", PS_LOOKUP_SYS},
                 {"ENVIRONMENT", PS_LOOKUP_ENV},
                 {"JAVA", PS_LOOKUP_JAVA},
                 {"DATE", PS_LOOKUP_DATE}};
    static const char prefix[] = "org.apache.commons.text.lookup.DefaultStringLookup.";
    for (size_t i = 0; i < lookups->count && how->lookup_count < PS_LOOKUP_MAX; i++) {
        const struct ps_property *property = &lookups->items[i];
        const char *word = ps_text_trim(how->arena, property->value);
        if (ps_text_begins(word, prefix))
            word += strlen(prefix);
        struct ps_lookup_name *name = &how->lookups[how->lookup_count++];
        *name = (struct ps_lookup_name){ps_text_trim(how->arena, property->key), PS_LOOKUP_UNSUPPORTED, word};
        for (size_t j = 0; j < PS_COUNT_OF(known); j++)
            if (strcmp(known[j].word, word) == 0)
                name->lookup = known[j].lookup;
        if (name->lookup == PS_LOOKUP_UNSUPPORTED)
            ps_problem_add(how->problems, PS_SEVERITY_WARNING,
                           (struct ps_place){property->file, property->line, property->key},
                           "penstock has sys, env, java and date", "the lookup %s is not supported", word);
    }
}
