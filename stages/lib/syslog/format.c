#include "stages/lib/syslog/format.h"

#include <stdlib.h>
#include <string.h>

#include "regex/regex.h"
#include "stages/lib/date/java.h"

#define STAMP_BYTES_MAX 1024 /* a time stamp that is longer after `search` and `replace` gives no time */

struct ps_syslog_format {
    struct ps_regex *regex, *search;
    struct ps_regex_replacement *replacement;
    struct ps_java_date *date;
};

struct ps_syslog_matcher {
    const struct ps_syslog_format *format;
    struct ps_regex_scratch *scratch;
};

struct ps_syslog_format *ps_syslog_format_create(const struct ps_pairs *pairs, const char **bad_key,
                                                 struct ps_err *err)
{
    const char *regex = ps_pairs_get(pairs, "regex"), *search = ps_pairs_get(pairs, "search");
    const char *replace = ps_pairs_get(pairs, "replace"), *date = ps_pairs_get(pairs, "dateFormat");
    struct ps_syslog_format *format = ps_must_alloc(1, sizeof *format, "a syslog format");
    const char *key = "format.regex";
    if (regex == NULL) {
        ps_err_set(err, "it is missing; without it the other format keys have no effect");
        goto failed;
    }
    format->regex = ps_regex_create(regex, 0, PS_REGEX_WHOLE, err);
    if (format->regex == NULL)
        goto failed;
    if (search != NULL) {
        key = "format.search";
        format->search = ps_regex_create(search, 0, PS_REGEX_FIND, err);
        if (format->search == NULL)
            goto failed;
        key = "format.replace";
        if (replace == NULL) {
            ps_err_set(err, "it is missing; format.search needs it");
            goto failed;
        }
        format->replacement = ps_regex_replacement_create(format->search, replace, err);
        if (format->replacement == NULL)
            goto failed;
    }
    key = "format.dateFormat";
    if (date != NULL && (format->date = ps_java_date_create(date, err)) == NULL)
        goto failed;
    return format;
failed:
    if (bad_key != NULL)
        *bad_key = key;
    ps_syslog_format_destroy(format);
    return NULL;
}

void ps_syslog_format_destroy(struct ps_syslog_format *format)
{
    if (format == NULL)
        return;
    ps_java_date_destroy(format->date);
    ps_regex_replacement_destroy(format->replacement);
    ps_regex_destroy(format->search);
    ps_regex_destroy(format->regex);
    free(format);
}

struct ps_syslog_matcher *ps_syslog_matcher_create(const struct ps_syslog_format *format)
{
    struct ps_syslog_matcher *matcher = calloc(1, sizeof *matcher);
    if (matcher == NULL)
        return NULL;
    matcher->format = format;
    matcher->scratch = ps_regex_scratch_create();
    return matcher;
}

void ps_syslog_matcher_destroy(struct ps_syslog_matcher *matcher)
{
    if (matcher == NULL)
        return;
    ps_regex_scratch_destroy(matcher->scratch);
    free(matcher);
}

bool ps_syslog_matcher_match(struct ps_syslog_matcher *matcher, struct ps_syslog_time *time, const char *text,
                             uint32_t length, struct ps_syslog_match *match)
{
    const struct ps_syslog_format *format = matcher->format;
    *match = (struct ps_syslog_match){0};
    if (!ps_regex_find(format->regex, matcher->scratch, text, length, 0, match->group,
                       PS_COUNT_OF(match->group)))
        return false;
    unsigned groups = ps_regex_group_count(format->regex);
    match->group_count = groups < 5 ? groups : 5;
    struct ps_slice stamp = match->group[3];
    char replaced[STAMP_BYTES_MAX];
    if (stamp.data != NULL && format->search != NULL) {
        size_t used = ps_regex_replace_all(format->search, matcher->scratch, format->replacement, stamp.data,
                                           stamp.length, replaced, sizeof replaced, NULL);
        if (used == SIZE_MAX)
            return true;
        stamp = (struct ps_slice){replaced, (uint32_t)used};
    }
    if (stamp.data != NULL && format->date != NULL)
        match->has_time =
            ps_java_date_parse(format->date, time->zone, time->now_ms, stamp.data, stamp.length, &match->ms);
    return true;
}
