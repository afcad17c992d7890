/* Computes the result of a run. */
#include "bench/load/lane/lane.h"
#include "bench/load/load_internal.h"

#include <stdlib.h>
#include <string.h>

static void outages_collect(const struct ps_load *load, struct ps_load_result *result)
{
    for (uint32_t i = 0; i < load->thread_count; i++) {
        const struct ps_sender *sender = load->senders[i];
        for (uint32_t k = 0;
             k < sender->outage_count && k < PS_SENDER_OUTAGES && result->outage_count < PS_SENDER_OUTAGES;
             k++) {
            const struct ps_outage *outage = &sender->outages[k];
            struct ps_load_outage *to = &result->outages[result->outage_count++];
            uint64_t to_ns = outage->to_ns != 0 ? outage->to_ns : ps_pacer_now();
            uint64_t from_ns = outage->from_ns > load->start_ns ? outage->from_ns : load->start_ns;
            to->t = (double)(from_ns - load->start_ns) / 1e9;
            to->seconds = to_ns > from_ns ? (double)(to_ns - from_ns) / 1e9 : 0;
            memcpy(to->reason, outage->reason, sizeof to->reason);
        }
        for (uint32_t k = 0; k < PS_SENDER_REASONS && sender->reasons[k].count > 0; k++) {
            if (result->reason_count < PS_SENDER_REASONS)
                result->reasons[result->reason_count++] = sender->reasons[k];
        }
    }
}

void ps_load_sources_read(const struct ps_sender *sender, struct ps_load_source *sources)
{
    for (uint32_t i = 0; i < sender->lane_count; i++) {
        const struct ps_lane *lane = &sender->lanes[i];
        struct ps_load_source *source = &sources[lane->number];
        /* what is done is read before what was given, so that it is never more */
        source->completed = ps_statistics_read(&lane->completed);
        source->failed = ps_statistics_read(&lane->failed);
        source->events = ps_statistics_read(&lane->sequence);
        source->unfinished_from = source->events;
    }
}

/* Sets unfinished_from by the blocks that the targets still hold. */
static void unfinished_find(const struct ps_sender *sender, struct ps_load_result *result)
{
    for (uint64_t i = 0; i < ps_sender_block_count(sender); i++) {
        const struct ps_load_block *block = ps_sender_block(sender, i);
        if (block->completed >= block->count)
            continue;
        struct ps_load_source *source = &result->sources[sender->lanes[block->lane].number];
        uint64_t first = block->first_sequence + block->completed;
        if (first < source->unfinished_from)
            source->unfinished_from = first;
    }
}

static void sources_collect(const struct ps_load *load, struct ps_load_result *result, uint64_t *last_due_ns,
                            uint64_t *last_completed_ns)
{
    result->source_count = load->config->connections;
    result->sources = ps_must_alloc(result->source_count, sizeof *result->sources, "the result");
    for (uint32_t i = 0; i < load->thread_count; i++) {
        const struct ps_sender *sender = load->senders[i];
        ps_statistics_merge(&result->total, &sender->statistics);
        ps_load_sources_read(sender, result->sources);
        for (uint32_t k = 0; k < sender->lane_count; k++) {
            const struct ps_lane *lane = &sender->lanes[k];
            if (lane->last_due_ns > *last_due_ns)
                *last_due_ns = lane->last_due_ns;
            if (lane->last_completed_ns > *last_completed_ns)
                *last_completed_ns = lane->last_completed_ns;
        }
        unfinished_find(sender, result);
    }
}

void ps_load_result_make(const struct ps_load *load, struct ps_load_watch *watch,
                         struct ps_load_result *result)
{
    uint64_t last_due_ns = 0, last_completed_ns = load->start_ns;
    sources_collect(load, result, &last_due_ns, &last_completed_ns);
    outages_collect(load, result);
    const struct ps_statistics *total = &result->total;
    uint64_t end_ns = watch->end_ns, growth = 0;
    result->closed_loop = load->shape->closed;
    if (load->shape->closed)
        end_ns = last_completed_ns - load->start_ns;
    else if (end_ns == PS_NEVER || (load->shape->poisson && load->config->event_max > 0))
        end_ns = last_due_ns + 1;
    result->due = load->shape->closed ? total->sent : ps_load_watch_due(watch, end_ns - (end_ns > 0));
    if (!load->shape->closed)
        growth = ps_load_watch_growth(watch);
    result->seconds = (double)end_ns / 1e9;
    uint64_t kept = result->due > growth + total->failed ? result->due - growth - total->failed : 0;
    if (load->shape->closed || kept > total->completed)
        kept = total->completed;
    if (end_ns > 0) {
        result->asked_rate = load->shape->closed ? 0 : (double)result->due / result->seconds;
        result->achieved_rate = (double)kept / result->seconds;
    }
    result->held = load->shape->closed || (double)kept >= (double)result->due * (1 - load->config->tolerance);
    result->backlog_max = watch->backlog_max;
}

uint64_t ps_load_result_undelivered(const struct ps_load_result *result)
{
    uint64_t done = result->total.completed + result->total.failed;
    return result->due > done ? result->due - done : 0;
}

int ps_load_result_code(const struct ps_load_result *result)
{
    if (result->total.failed > 0 || ps_load_result_undelivered(result) > 0)
        return 1;
    return result->held ? 0 : 3;
}

void ps_load_result_fini(struct ps_load_result *result)
{
    free(result->sources);
}
