/* The names in every request to the metastore, and the counting of a failed request. */
#include "stages/sinks/hive/internal.h"

#define AGENT "penstock"

struct ps_hive_request ps_hive_request_of(const struct ps_hive_sink *sink)
{
    return (struct ps_hive_request){.database = sink->settings->database,
                                    .table = sink->settings->table,
                                    .user = sink->settings->user,
                                    .host = sink->settings->host,
                                    .agent = AGENT};
}

void ps_hive_count_failure(struct ps_hive_sink *sink, const struct ps_hive_answer *answer)
{
    if (answer->error == PS_HIVE_UNREACHABLE || answer->error == PS_HIVE_TIMEOUT ||
        answer->error == PS_HIVE_GARBAGE)
        ps_count(sink->port->counters, PS_COUNTER_ConnectionFailedCount, 1);
}
