/* For taildir_schedule_test.c: the lines that are written, what is known of each, the random numbers of the schedule, and what happened. */
#pragma once

#include "core/base.h"
#include "tests/support/support.h"

#include <stdio.h>

#define LINES_MAX 20000U

struct line {
    unsigned seed; /* of its random text */
    unsigned came; /* how often it came */
    unsigned
        twice; /* it may come again if it has come no more often than this: it may be read from two files */
    bool may_repeat;    /* it came after the positions that a crash went back to */
    bool since_saved;   /* it came after the positions were copied */
    bool is_copied;     /* a copy of it may be read */
    bool is_renumbered; /* its copy may not be recognised: nothing of the original was saved */
    bool is_cut;        /* its file was cut, or is gone, before it came again: another may be taken for it */
    char identity[48];
    unsigned log;
};

static struct line lines[LINES_MAX];
static unsigned line_count;
static uint64_t random_state;

static inline unsigned draw(unsigned limit)
{
    return (unsigned)(ps_test_random(&random_state) % limit);
}

/* Makes the text of a line, which contains its number. Returns its length. */
static inline size_t line_text(unsigned number, char *text)
{
    uint64_t state = lines[number].seed;
    size_t length = (size_t)snprintf(text, 32, "%u:", number);
    size_t filler = ps_test_random(&state) % 200;
    if (ps_test_random(&state) % 300 == 0)
        filler = 300000;
    for (size_t i = 0; i < filler; i++)
        text[length++] = (char)('a' + ps_test_random(&state) % 26);
    return length;
}

/* Returns how many lines have not come yet. */
static inline unsigned missing(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < line_count; i++)
        count += lines[i].came == 0;
    return count;
}

/* ---- what happened ---- */

static char trace[1U << 16];

/* Prints what happened, and fails the test. */
#define FAIL(...)                                                                                            \
    do {                                                                                                     \
        fprintf(stderr, "%s\n", trace);                                                                      \
        fail_msg(__VA_ARGS__);                                                                               \
    } while (0)

static inline void note(const char *format, unsigned a, unsigned b)
{
    size_t used = strlen(trace);
    if (used + 100 < sizeof trace)
        snprintf(trace + used, sizeof trace - used, format, a, b);
}
