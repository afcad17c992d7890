/* Java's replacement texts (Matcher.appendReplacement, Matcher.replaceAll). Created by the control thread and
 * used by workers, which never allocate here. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "regex/regex_internal.h"

/* Literal text, followed by a group's text; `group` is -1 if there is none. */
struct piece {
    char *text;
    size_t length;
    int group;
};

struct ps_regex_replacement {
    struct piece *pieces;
    size_t count;
    unsigned groups; /* number of groups that a match must return for this text */
};

void ps_regex_replacement_destroy(struct ps_regex_replacement *replacement)
{
    if (replacement == NULL)
        return;
    for (size_t i = 0; i < replacement->count; i++)
        free(replacement->pieces[i].text);
    free(replacement->pieces);
    free(replacement);
}

/* "$12" is group 12 if it exists, else group 1 and the text "2". Returns the end of the reference, or NULL
 * with `err` set. */
static const char *read_number(const struct ps_regex *regex, const char *text, const char *p, int *group,
                               struct ps_err *err)
{
    unsigned count = ps_regex_group_count(regex);
    *group = *p++ - '0';
    if (*group > (int)count) {
        ps_err_set(err, "replacement \"%s\": at %zu: there is no group %d, the expression has %u", text,
                   (size_t)(p - text) - 2, *group, count);
        return NULL;
    }
    while (*p >= '0' && *p <= '9' && (unsigned)(*group * 10 + (*p - '0')) <= count)
        *group = *group * 10 + (*p++ - '0');
    return p;
}

/* Reads "${name}": ASCII letters and digits, the first not a digit. */
static const char *read_name(const struct ps_regex *regex, const char *text, const char *p, int *group,
                             struct ps_err *err)
{
    const char *end = p;
    while (isascii((unsigned char)*end) && isalnum((unsigned char)*end))
        end++;
    size_t length = (size_t)(end - p), at = (size_t)(p - text) - 2;
    if (*end != '}' || length == 0 || isdigit((unsigned char)*p)) {
        ps_err_set(err,
                   "replacement \"%s\": at %zu: a group's name is letters and digits, a letter first, "
                   "between braces: ${name}",
                   text, at);
        return NULL;
    }
    char *name = ps_must_alloc(1, length + 1, "a replacement");
    memcpy(name, p, length);
    *group = ps_regex_group_number(regex, name);
    free(name);
    if (*group < 0) {
        ps_err_set(err, "replacement \"%s\": at %zu: there is no group named \"%.*s\"", text, at, (int)length,
                   p);
        return NULL;
    }
    return end + 1;
}

static const char *read_reference(const struct ps_regex *regex, const char *text, const char *p, int *group,
                                  struct ps_err *err)
{
    if (*p >= '0' && *p <= '9')
        return read_number(regex, text, p, group, err);
    if (*p == '{')
        return read_name(regex, text, p + 1, group, err);
    ps_err_set(err,
               "replacement \"%s\": at %zu: \"$\" must be followed by the number or {name} of a group; "
               "write \\$ for a dollar sign",
               text, (size_t)(p - text) - 1);
    return NULL;
}

struct ps_regex_replacement *ps_regex_replacement_create(const struct ps_regex *regex, const char *text,
                                                         struct ps_err *err)
{
    struct ps_regex_replacement *made = ps_must_alloc(1, sizeof *made, "a replacement");
    size_t room = strlen(text) + 1, pieces = 1;
    for (const char *p = text; *p != '\0'; p++)
        pieces += *p == '$';
    made->pieces = ps_must_alloc(pieces, sizeof *made->pieces, "a replacement");
    for (const char *p = text; *p != '\0';) {
        struct piece *piece = &made->pieces[made->count++];
        *piece = (struct piece){.text = ps_must_alloc(1, room, "a replacement"), .group = -1};
        for (; *p != '\0' && *p != '$'; p++) {
            if (*p == '\\' && *++p == '\0') {
                ps_err_set(err, "replacement \"%s\" ends with a lone backslash; write \\\\ for one", text);
                goto failed;
            }
            piece->text[piece->length++] = *p;
        }
        if (*p == '\0')
            break;
        p = read_reference(regex, text, p + 1, &piece->group, err);
        if (p == NULL)
            goto failed;
        if (piece->group >= (int)PS_REGEX_GROUPS_MAX) {
            ps_err_set(err, "replacement \"%s\": groups above %u are not supported", text,
                       PS_REGEX_GROUPS_MAX - 1);
            goto failed;
        }
        if ((unsigned)piece->group >= made->groups)
            made->groups = (unsigned)piece->group + 1;
    }
    if (made->groups == 0)
        made->groups = 1;
    return made;
failed:
    ps_regex_replacement_destroy(made);
    return NULL;
}

struct output {
    char *to;
    size_t used, room;
};

static bool put(struct output *out, const char *data, size_t length)
{
    if (length > out->room - out->used)
        return false;
    if (length > 0)
        memcpy(out->to + out->used, data, length);
    out->used += length;
    return true;
}

static bool put_replacement(struct output *out, const struct ps_regex_replacement *replacement,
                            const struct ps_slice *groups)
{
    for (size_t i = 0; i < replacement->count; i++) {
        const struct piece *piece = &replacement->pieces[i];
        if (!put(out, piece->text, piece->length))
            return false;
        if (piece->group >= 0 && !put(out, groups[piece->group].data, groups[piece->group].length))
            return false;
    }
    return true;
}

size_t ps_regex_replace_all(const struct ps_regex *regex, struct ps_regex_scratch *scratch,
                            const struct ps_regex_replacement *replacement, const char *subject,
                            size_t length, char *out, size_t room, uint32_t *count)
{
    struct ps_slice groups[PS_REGEX_GROUPS_MAX];
    struct output output = {.to = out, .room = room};
    size_t done = 0, from = 0;
    uint32_t replaced = 0;
    bool was_empty = false;
    struct ps_slice text = ps_regex_well_formed(scratch, subject, length, &from);
    if (PS_UNLIKELY(text.data == NULL)) { /* the subject stays as it is */
        ps_regex_give_up(scratch);
        text = (struct ps_slice){subject, (uint32_t)length};
        from = length + 1;
    }
    while (from <= text.length &&
           ps_regex_find_well_formed(regex, scratch, text, from, was_empty, groups, replacement->groups)) {
        size_t start = (size_t)(groups[0].data - text.data), end = start + groups[0].length;
        if (!put(&output, text.data + done, start - done) || !put_replacement(&output, replacement, groups))
            return SIZE_MAX;
        replaced++;
        done = from = end;
        was_empty = start == end;
        if (was_empty) { /* after an empty match the next search begins one character later */
            from++;
            while (from < text.length && ((uint8_t)text.data[from] & 0xC0) == 0x80)
                from++;
        }
    }
    if (count != NULL)
        *count = replaced;
    return put(&output, text.data + done, text.length - done) ? output.used : SIZE_MAX;
}
