#include "stages/lib/http/suspect.h"

#define COUNTED_MAX 3U

bool ps_http_suspect_failed(struct ps_http_suspect *suspect, const struct ps_remote_request *request,
                            uint64_t taken, bool counts)
{
    if (suspect->failures == 0 || suspect->number != request->number)
        *suspect = (struct ps_http_suspect){.number = request->number, .taken = taken};
    suspect->counted += counts && taken != suspect->taken && suspect->failures >= 2;
    suspect->taken = taken;
    suspect->failures++;
    return suspect->counted >= COUNTED_MAX;
}
