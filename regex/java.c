/* Java's regular expressions in the words of PCRE2 and Hyperscan. Called by the control thread and by
 * helpers' threads; pure. */
#include "regex/java.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_literal(const char *pattern)
{
    for (const char *p = pattern; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || strchr("\\^$.|?*+()[]{}", *p) != NULL)
            return false;
    return *pattern != '\0';
}

static char *escape(const char *pattern)
{
    char *out = malloc(4 * strlen(pattern) + 1), *to = out;
    PS_ASSERT(out != NULL);
    for (const unsigned char *p = (const unsigned char *)pattern; *p != '\0'; p++)
        to += sprintf(to, isascii(*p) && isalnum(*p) ? "%c" : "\\x%02X", *p);
    *to = '\0';
    return out;
}

static char *with_flags(const char *pattern, unsigned flags)
{
    char *out = malloc(strlen(pattern) + 16);
    PS_ASSERT(out != NULL);
    sprintf(out, "%s%s%s%s%s", flags & PS_REGEX_CASE_INSENSITIVE ? "(?i)" : "",
            flags & PS_REGEX_MULTILINE ? "(?m)" : "", flags & PS_REGEX_DOTALL ? "(?s)" : "",
            flags & PS_REGEX_COMMENTS ? "(?x)" : "", pattern);
    return out;
}

static void names(const pcre2_code *code, struct ps_java_regex *regex)
{
    uint32_t groups = 0, count = 0, size = 0;
    PCRE2_SPTR table = NULL;
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
    pcre2_pattern_info(code, PCRE2_INFO_NAMECOUNT, &count);
    pcre2_pattern_info(code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    pcre2_pattern_info(code, PCRE2_INFO_NAMETABLE, &table);
    regex->group_count = groups;
    regex->group_names = calloc(groups + 1, sizeof *regex->group_names);
    PS_ASSERT(regex->group_names != NULL);
    for (uint32_t i = 0; i < count; i++, table += size)
        regex->group_names[table[0] << 8 | table[1]] = strdup((const char *)table + 2);
}

enum ps_status ps_java_regex_translate(const char *pattern, unsigned flags, struct ps_java_regex *regex,
                                       struct ps_err *err)
{
    int error;
    PCRE2_SIZE at;
    *regex = (struct ps_java_regex){.exactness = PS_REGEX_NONE};
    if (strlen(pattern) > PS_REGEX_PATTERN_BYTES_MAX)
        return ps_err_set(err, "the expression is longer than %u bytes", PS_REGEX_PATTERN_BYTES_MAX);
    regex->pcre2 = with_flags(pattern, flags);
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)regex->pcre2, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &error, &at, NULL);
    if (code == NULL) {
        PCRE2_UCHAR message[256];
        pcre2_get_error_message(error, message, sizeof message);
        ps_err_set(err, "\"%s\" is no valid expression: %s at offset %zu", pattern, (char *)message,
                   (size_t)at);
        ps_java_regex_fini(regex);
        return PS_FAIL;
    }
    names(code, regex);
    pcre2_code_free(code);
    if (is_literal(pattern) && flags == 0) {
        regex->exactness = PS_REGEX_EXACT;
        regex->hyperscan = escape(pattern);
        regex->length_min = (uint32_t)strlen(pattern);
    } else if (strcmp(pattern, ".*") == 0) {
        regex->exactness = PS_REGEX_ALWAYS;
    } else {
        snprintf(regex->why, sizeof regex->why, "not a plain text");
    }
    return PS_OK;
}

void ps_java_regex_fini(struct ps_java_regex *regex)
{
    for (unsigned i = 0; regex->group_names != NULL && i <= regex->group_count; i++)
        free(regex->group_names[i]);
    free(regex->group_names);
    free(regex->pcre2);
    free(regex->hyperscan);
    *regex = (struct ps_java_regex){0};
}
