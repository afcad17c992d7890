#include "regex/pcre2.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 1000000U

struct ps_pcre2 {
    pcre2_code *code;
    pcre2_match_context *context;
    unsigned group_count;
};

struct ps_pcre2_scratch {
    pcre2_match_data *data;
};

struct ps_pcre2 *ps_pcre2_create(const char *pattern, enum ps_pcre2_how how, struct ps_err *err)
{
    struct ps_pcre2 *regex = calloc(1, sizeof *regex);
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    PS_ASSERT(regex != NULL && context != NULL);
    pcre2_set_newline(context, PCRE2_NEWLINE_ANY);
    uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY;
    if (how == PS_PCRE2_WHOLE)
        options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED;
    int error;
    PCRE2_SIZE at;
    regex->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error, &at, context);
    pcre2_compile_context_free(context);
    if (regex->code == NULL) {
        PCRE2_UCHAR message[256];
        pcre2_get_error_message(error, message, sizeof message);
        ps_err_set(err, "\"%s\" is no valid expression: %s at offset %zu", pattern, (char *)message,
                   (size_t)at);
        free(regex);
        return NULL;
    }
    (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* without it matching is slower, not wrong */
    uint32_t groups = 0;
    pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    regex->group_count = groups;
    regex->context = pcre2_match_context_create(NULL);
    PS_ASSERT(regex->context != NULL);
    pcre2_set_match_limit(regex->context, STEPS_MAX);
    return regex;
}

void ps_pcre2_destroy(struct ps_pcre2 *regex)
{
    if (regex == NULL)
        return;
    pcre2_match_context_free(regex->context);
    pcre2_code_free(regex->code);
    free(regex);
}

unsigned ps_pcre2_group_count(const struct ps_pcre2 *regex)
{
    return regex->group_count;
}

struct ps_pcre2_scratch *ps_pcre2_scratch_create(const struct ps_pcre2 *regex)
{
    struct ps_pcre2_scratch *scratch = calloc(1, sizeof *scratch);
    if (scratch == NULL)
        return NULL;
    scratch->data = pcre2_match_data_create_from_pattern(regex->code, NULL);
    if (scratch->data == NULL) {
        free(scratch);
        return NULL;
    }
    return scratch;
}

void ps_pcre2_scratch_destroy(struct ps_pcre2_scratch *scratch)
{
    if (scratch == NULL)
        return;
    pcre2_match_data_free(scratch->data);
    free(scratch);
}

bool ps_pcre2_match(const struct ps_pcre2 *regex, struct ps_pcre2_scratch *scratch, const char *subject,
                    size_t length, size_t start, struct ps_slice *groups, unsigned count)
{
    int found = pcre2_match(regex->code, (PCRE2_SPTR)subject, length, start, PCRE2_NO_UTF_CHECK,
                            scratch->data, regex->context);
    if (found < 0)
        return false;
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(scratch->data);
    for (unsigned i = 0; i < count; i++) {
        groups[i] = (struct ps_slice){0};
        if (i <= regex->group_count && (int)i < found && ends[2 * i] != PCRE2_UNSET &&
            ends[2 * i] <= ends[2 * i + 1]) /* \K can turn them round */
            groups[i] = (struct ps_slice){subject + ends[2 * i], (uint32_t)(ends[2 * i + 1] - ends[2 * i])};
    }
    return true;
}

/* ---- replacing ---- */

/* Text and group references in turn; `group` 0 .. or -1 for the last piece. */
struct piece {
    char *text;
    size_t length;
    int group;
};

struct ps_pcre2_replacement {
    struct piece *pieces;
    size_t count;
};

void ps_pcre2_replacement_destroy(struct ps_pcre2_replacement *replacement)
{
    if (replacement == NULL)
        return;
    for (size_t i = 0; i < replacement->count; i++)
        free(replacement->pieces[i].text);
    free(replacement->pieces);
    free(replacement);
}

/* "$12" is group 12 if there is one, else group 1 and the text "2". Returns the end of the reference. */
static const char *read_number(const struct ps_pcre2 *regex, const char *p, int *group)
{
    *group = *p++ - '0';
    while (*p >= '0' && *p <= '9' && (unsigned)(*group * 10 + (*p - '0')) <= regex->group_count)
        *group = *group * 10 + (*p++ - '0');
    return p;
}

static const char *read_name(const struct ps_pcre2 *regex, const char *p, int *group)
{
    char name[64];
    const char *end = strchr(p, '}');
    *group = -1;
    if (end == NULL || end == p || (size_t)(end - p) >= sizeof name)
        return NULL;
    memcpy(name, p, (size_t)(end - p));
    name[end - p] = '\0';
    int number = pcre2_substring_number_from_name(regex->code, (PCRE2_SPTR)name);
    if (number < 0)
        return NULL;
    *group = number;
    return end + 1;
}

struct ps_pcre2_replacement *ps_pcre2_replacement_create(const struct ps_pcre2 *regex, const char *text,
                                                         struct ps_err *err)
{
    struct ps_pcre2_replacement *made = calloc(1, sizeof *made);
    size_t room = strlen(text) + 1;
    PS_ASSERT(made != NULL);
    made->pieces = calloc(room, sizeof *made->pieces);
    PS_ASSERT(made->pieces != NULL);
    for (const char *p = text; p != NULL;) {
        struct piece *piece = &made->pieces[made->count++];
        *piece = (struct piece){.text = malloc(room), .group = -1};
        PS_ASSERT(piece->text != NULL);
        for (; *p != '\0' && *p != '$'; p++) {
            if (*p == '\\' && *++p == '\0') {
                ps_err_set(err, "replacement \"%s\" ends with a lone backslash", text);
                goto failed;
            }
            piece->text[piece->length++] = *p;
        }
        if (*p == '\0')
            break;
        p++;
        if (*p >= '0' && *p <= '9')
            p = read_number(regex, p, &piece->group);
        else
            p = *p == '{' ? read_name(regex, p + 1, &piece->group) : NULL;
        if (p == NULL || piece->group > (int)regex->group_count) {
            ps_err_set(err,
                       "replacement \"%s\": \"$\" must be followed by the number or {name} of a group; "
                       "write \\$ for a dollar sign",
                       text);
            goto failed;
        }
    }
    return made;
failed:
    ps_pcre2_replacement_destroy(made);
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

size_t ps_pcre2_replace_all(const struct ps_pcre2 *regex, struct ps_pcre2_scratch *scratch,
                            const struct ps_pcre2_replacement *replacement, const char *subject,
                            size_t length, char *out, size_t room)
{
    struct ps_slice groups[PS_PCRE2_GROUPS_MAX];
    struct output output = {.to = out, .room = room};
    size_t done = 0, from = 0;
    while (from <= length &&
           ps_pcre2_match(regex, scratch, subject, length, from, groups, PS_PCRE2_GROUPS_MAX)) {
        if (groups[0].data == NULL)
            break;
        size_t start = (size_t)(groups[0].data - subject), end = start + groups[0].length;
        if (start < done || !put(&output, subject + done, start - done))
            return start < done ? output.used : SIZE_MAX;
        for (size_t i = 0; i < replacement->count; i++) {
            const struct piece *piece = &replacement->pieces[i];
            if (!put(&output, piece->text, piece->length))
                return SIZE_MAX;
            if (piece->group >= 0 && piece->group < PS_PCRE2_GROUPS_MAX &&
                !put(&output, groups[piece->group].data, groups[piece->group].length))
                return SIZE_MAX;
        }
        done = from = end;
        if (start == end) { /* an empty match: the next one begins a character later */
            from++;
            while (from < length && ((uint8_t)subject[from] & 0xC0) == 0x80)
                from++;
        }
    }
    return put(&output, subject + done, length - done) ? output.used : SIZE_MAX;
}
