/* The segments of a log: their order, their names, and messages about them. */
#include <stdarg.h>
#include <string.h>

#include "core/array.h"
#include "stages/lib/queue/segment/log_internal.h"

#define DIGITS_MIN 12U
#define DIGITS_MAX 18U /* digits of PS_SEGMENT_NUMBER_MAX */

struct ps_segment *ps_segment_add(struct ps_segment_log *log, const struct ps_segment *segment)
{
    PS_ARRAY_GROW(log->segments, log->count, log->room, "segments of a log");
    log->segments[log->count] = *segment;
    return &log->segments[log->count++];
}

size_t ps_segment_with(const struct ps_segment_log *log, uint64_t number)
{
    size_t at = log->count;
    while (at > 1 && log->segments[at - 1].head.first > number)
        at--;
    return at > 0 ? at - 1 : 0;
}

void ps_segment_report(const struct ps_segment_log *log, const struct ps_segment *segment, const char *format,
                       ...)
{
    char path[PS_SEGMENT_PATH_BYTES], text[PS_SEGMENT_PATH_BYTES + 256];
    va_list arguments;
    ps_segment_path(path, segment->directory, segment->head.segment);
    int length = snprintf(text, sizeof text, "%s: ", path);
    va_start(arguments, format);
    vsnprintf(text + length, sizeof text - (size_t)length, format, arguments);
    va_end(arguments);
    if (log->options.report != NULL)
        log->options.report(log->options.argument, text);
}

void ps_segment_path(char *to, const char *directory, uint64_t number)
{
    snprintf(to, PS_SEGMENT_PATH_BYTES, "%s/%012llu" PS_SEGMENT_SUFFIX, directory,
             (unsigned long long)number);
}

uint64_t ps_segment_number(const char *name)
{
    uint64_t number = 0;
    size_t digits = strspn(name, "0123456789");
    if (digits < DIGITS_MIN || digits > DIGITS_MAX || (digits > DIGITS_MIN && name[0] == '0') ||
        strcmp(name + digits, PS_SEGMENT_SUFFIX) != 0)
        return 0;
    for (size_t i = 0; i < digits; i++)
        number = 10 * number + (uint64_t)(name[i] - '0');
    return number;
}
