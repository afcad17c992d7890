/* Aborts transactions in Hive, with one call at a time; aborts that are requested meanwhile go into the next call. */
#include "stages/sinks/hive/internal.h"

#include "core/quantity.h"

#include <stdlib.h>

#define AT_ONCE 10000U /* maximum number of transactions in one call */

static void go_on(struct ps_hive_sink *sink);

static void aborted(void *sink_, const struct ps_hive_answer *answer)
{
    struct ps_hive_sink *sink = sink_;
    size_t count = sink->aborts.under_way;
    sink->aborts.under_way = 0;
    if (answer->error != PS_HIVE_OK) {
        ps_hive_count_failure(sink, answer);
        ps_log(PS_LOG_WARN, sink->port->component,
               "the sink cannot abort %zu unused %s until Hive's time-out: %s", count,
               ps_quantity_word(count, "transaction, which stays open", "transactions, which stay open"),
               answer->reason);
    }
    go_on(sink);
}

static void go_on(struct ps_hive_sink *sink)
{
    struct ps_hive_request request = ps_hive_request_of(sink);
    const int64_t *waiting = (const int64_t *)(const void *)sink->aborts.waiting.data;
    size_t waiting_count = sink->aborts.waiting.length / sizeof *waiting;
    if (sink->aborts.under_way > 0 || waiting_count == 0)
        return;
    sink->aborts.under_way = waiting_count < AT_ONCE ? waiting_count : AT_ONCE;
    request.txns = waiting;
    request.txns_count = sink->aborts.under_way;
    /* The call copies the list. */
    ps_metastore_call(sink->metastore, PS_HIVE_ABORT_TXNS, &request, aborted, sink);
    sink->aborts.waiting.length -= sink->aborts.under_way * sizeof *waiting;
    memmove(sink->aborts.waiting.data, sink->aborts.waiting.data + sink->aborts.under_way * sizeof *waiting,
            sink->aborts.waiting.length);
}

void ps_hive_abort(struct ps_hive_sink *sink, const int64_t *txns, size_t count)
{
    ps_count(sink->port->counters, (enum ps_counter)PS_HIVE_TXNS_ABORTED, count);
    if (ps_byte_buffer_append(&sink->aborts.waiting, txns, count * sizeof *txns))
        go_on(sink);
}

size_t ps_hive_aborts_left(const struct ps_hive_sink *sink)
{
    return sink->aborts.under_way + sink->aborts.waiting.length / sizeof(int64_t);
}
