/* Joda-Time patterns and dates: the first line is the pattern, the rest the text. Reading the text again
 * must give the same time, and reading it as UTC a time that is at most two hours later than in Central
 * Europe. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stages/lib/date/joda/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    if (end == NULL || memchr(data, '\0', (size_t)(end - data)) != NULL)
        return 0;
    setenv("TZDIR", "/nonexistent", 1); /* this target does not test reading hundreds of zones */
    struct ps_arena *arena = ps_arena_create();
    struct ps_err err = {.length = 0};
    const char *pattern = ps_arena_copy(arena, (const char *)data, (size_t)(end - data));
    const char *text = (const char *)end + 1;
    size_t length = size - (size_t)(end + 1 - data);
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    const struct ps_joda_date *date = ps_joda_date_create(arena, pattern, 1790000000000, &err);
    setenv("TZ", "UTC0", 1);
    const struct ps_joda_date *utc = ps_joda_date_create(arena, pattern, 1790000000000, &err);
    PS_ASSERT((date == NULL) == (utc == NULL));
    PS_ASSERT(date != NULL || err.length > 0);
    int64_t ms, again, utc_ms;
    if (date != NULL && ps_joda_date_parse(date, text, length, &ms)) {
        PS_ASSERT(ps_joda_date_parse(date, text, length, &again) && again == ms);
        PS_ASSERT(ps_joda_date_parse(utc, text, length, &utc_ms));
        int64_t difference = (int64_t)((uint64_t)utc_ms - (uint64_t)ms);
        PS_ASSERT(difference >= 0 && difference <= 7200000);
    }
    ps_arena_destroy(arena);
    return 0;
}
