/* Any text as a line of a recorded trace: it is an arrival or refused, and the time of an accepted one can be
 * written and read again. */
#include "bench/load/shape/internal.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    for (int unit = PS_TRACE_NS; unit <= PS_TRACE_S; unit++) {
        int64_t ns = INT64_MIN, again = INT64_MIN;
        enum ps_trace_line kind = ps_trace_line_read(text, size, (enum ps_trace_unit)unit, &ns);
        if (kind != PS_TRACE_LINE_OFFSET)
            continue;
        char line[32];
        int length = snprintf(line, sizeof line, "%lld", (long long)ns);
        PS_ASSERT(ps_trace_line_read(line, (size_t)length, PS_TRACE_NS, &again) == PS_TRACE_LINE_OFFSET);
        PS_ASSERT(again == ns);
    }
    return 0;
}
