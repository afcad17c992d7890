/* Checks that a translation for Hyperscan keeps the guarantees of regex/java/java.h. For the property test
 * and the fuzz target: one expression, compiled once, and many subjects. */
#pragma once

#include <hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text/utf8.h"
#include "regex/regex.h"

struct check {
    struct ps_regex *regex;
    struct ps_regex_scratch *regex_scratch;
    hs_database_t *database;
    hs_scratch_t *scratch;
};

/* Returns false if Hyperscan refuses the expression; `why` has the reason. */
static inline bool check_open(struct check *check, struct ps_regex *regex, char *why, size_t room)
{
    const struct ps_java_regex *java = ps_regex_java(regex);
    *check = (struct check){.regex = regex, .regex_scratch = ps_regex_scratch_create()};
    PS_ASSERT((java->hyperscan == NULL) ==
              (java->exactness == PS_REGEX_ALWAYS || java->exactness == PS_REGEX_NONE));
    if (java->hyperscan == NULL)
        return true;
    const char *expression = java->hyperscan;
    unsigned id = 0, flags = HS_FLAG_MULTILINE | HS_FLAG_ALLOWEMPTY |
                             (java->exactness == PS_REGEX_CONFIRM ? HS_FLAG_PREFILTER : 0);
    hs_compile_error_t *error;
    if (hs_compile_multi(&expression, &flags, &id, 1, HS_MODE_BLOCK, NULL, &check->database, &error) !=
        HS_SUCCESS) {
        snprintf(why, room, "%s", error->message);
        hs_free_compile_error(error);
        return false;
    }
    PS_ASSERT(hs_alloc_scratch(check->database, &check->scratch) == HS_SUCCESS);
    return true;
}

static inline void check_close(struct check *check)
{
    hs_free_scratch(check->scratch);
    hs_free_database(check->database);
    ps_regex_scratch_destroy(check->regex_scratch);
}

/* Which of three adjacent subjects are reported. A match that ends between two subjects is not a report. */
struct check_reports {
    size_t length, gap;
    bool reported[3];
};

static inline int check_report(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                               void *argument)
{
    struct check_reports *reports = argument;
    size_t subject = (size_t)to / (reports->length + reports->gap);
    if (subject < 3 && to - subject * (reports->length + reports->gap) <= reports->length)
        reports->reported[subject] = true;
    return 0;
}

static inline bool check_scan(struct check *check, const char *text, size_t length)
{
    struct check_reports reports = {.length = length, .gap = 1};
    PS_ASSERT(hs_scan(check->database, text, (unsigned)length, 0, check->scratch, check_report, &reports) ==
              HS_SUCCESS);
    return reports.reported[0];
}

static inline bool check_is_plain(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((uint8_t)text[i] >= 0x80 || text[i] == '\n' || text[i] == '\r')
            return false;
    return true;
}

/* Scans three copies with the matcher's bytes between them. Returns whether each gives the same report as one
 * alone: `reported`. */
static inline bool check_batch(struct check *check, const char *text, size_t length, const char *between,
                               bool reported)
{
    size_t gap = strlen(between);
    char *all = malloc(3 * (length + gap) + 1);
    PS_ASSERT(all != NULL);
    struct check_reports reports = {.length = length, .gap = gap};
    for (size_t i = 0; i < 3; i++) {
        if (length > 0)
            memcpy(all + i * (length + gap), text, length);
        memcpy(all + i * (length + gap) + length, between, gap);
    }
    PS_ASSERT(hs_scan(check->database, all, (unsigned)(3 * (length + gap)), 0, check->scratch, check_report,
                      &reports) == HS_SUCCESS);
    free(all);
    return reports.reported[0] == reported && reports.reported[1] == reported &&
           reports.reported[2] == reported;
}

/* Returns NULL if the guarantees hold, else what is wrong. */
static inline const char *check_subject(struct check *check, const char *text, size_t length)
{
    const struct ps_java_regex *java = ps_regex_java(check->regex);
    uint64_t given_up = ps_regex_scratch_given_up(check->regex_scratch);
    struct ps_slice group;
    bool found = ps_regex_find(check->regex, check->regex_scratch, text, length, 0, &group, 1);
    if (ps_regex_scratch_given_up(check->regex_scratch) != given_up)
        return NULL;
    if (found && ps_utf8_valid_length(text, length) == length && group.length < java->length_min)
        return "a match is shorter than length_min";
    if (java->exactness == PS_REGEX_ALWAYS && !found)
        return "it does not always match";
    if (java->hyperscan == NULL)
        return NULL;
    char *repaired = NULL;
    bool plain = check_is_plain(text, length);
    if (java->repair && length > 0 && memchr(text, 0xFF, length) != NULL) {
        repaired = malloc(3 * length);
        PS_ASSERT(repaired != NULL);
        length = ps_utf8_repair(text, length, repaired);
        text = repaired;
    }
    bool reported = check_scan(check, text, length);
    const char *broken = NULL;
    if (found && !reported)
        broken = "Hyperscan misses a match";
    else if (!found && reported &&
             (java->exactness == PS_REGEX_EXACT || (java->exactness == PS_REGEX_PLAIN && plain)))
        broken = "it is less exact than declared";
    else if (length == 0 || memchr(text, 0xFF, length) == NULL) {
        if (!java->crosses_newline && (reported || plain || !java->anchored) &&
            !check_batch(check, text, length, "\n", reported))
            broken = "newlines between subjects change the answer";
        if (!java->anchored && !check_batch(check, text, length, "\xFF", reported))
            broken = "0xFF between subjects changes the answer";
        if (reported && !check_batch(check, text, length, "\n\xFF\n", reported))
            broken = "newlines and 0xFF between subjects hide a match";
    }
    free(repaired);
    return broken;
}
