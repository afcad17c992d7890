/* Names of segments, and messages about them. */
#include <stdarg.h>

#include "stages/lib/queue/segment/log_internal.h"

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
    snprintf(to, PS_SEGMENT_PATH_BYTES, "%s/%012llu.segment", directory, (unsigned long long)number);
}
