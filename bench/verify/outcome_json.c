/* The report for programs. */
#include "bench/verify/outcome_internal.h"
#include "bench/support/output.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *integer(uint64_t number)
{
    return json_integer(number <= INT64_MAX ? (json_int_t)number : INT64_MAX);
}

static void set(json_t *object, const char *key, uint64_t number)
{
    json_object_set_new(object, key, integer(number));
}

static double rounded(double number, double steps)
{
    return (double)(int64_t)(number * steps + (number < 0 ? -0.5 : 0.5)) / steps;
}

json_t *ps_outcome_json_progress(const struct ps_outcome_second *second)
{
    static const double percentiles[] = {0, 50, 99};
    json_t *object = json_object();
    json_object_set_new(object, "type", json_string("progress"));
    json_object_set_new(object, "t", json_real(rounded(second->t_s, 1000)));
    set(object, "received", second->tally.received);
    set(object, "duplicated", second->tally.duplicated);
    set(object, "reordered", second->tally.reordered);
    set(object, "corrupted", second->tally.changed);
    set(object, "foreign", second->foreign);
    json_object_set_new(object, "rate", json_real(rounded(second->rate, 10)));
    json_object_set_new(object, "latency_ns",
                        ps_live_percentiles(second->latency_ns, percentiles, PS_COUNT_OF(percentiles)));
    return object;
}

struct ranges {
    json_t *list;
    bool more;
};

static bool range_add(void *argument, uint64_t first, uint64_t last)
{
    struct ranges *ranges = argument;
    ranges->more = json_array_size(ranges->list) == PS_OUTCOME_RANGES_MAX;
    if (!ranges->more)
        json_array_append_new(ranges->list, json_pack("[I,I]", (json_int_t)first, (json_int_t)last));
    return !ranges->more;
}

static json_t *source_object(const struct ps_outcome *outcome, const struct ps_outcome_source *one)
{
    static const struct ps_tracker_counts nothing;
    const struct ps_source *source = one->source; /* NULL: it is in the manifest, and no event arrived */
    const struct ps_tracker_counts *tally = source != NULL ? &source->tally : &nothing;
    struct ranges ranges = {.list = json_array()};
    uint64_t end = 0, lost, not_written;
    bool known = source == NULL || ps_verdict_end(outcome->expected, source, &end);
    json_t *object = json_object();
    char run[16];
    if (source == NULL) {
        lost = ps_verdict_lost(one->entry, NULL, &not_written);
        if (lost > 0)
            range_add(&ranges, 0, one->entry->events - 1);
    } else {
        lost = ps_outcome_lost(outcome, source);
        if (lost > 0)
            ps_sequences_ranges(&source->seen, known ? end : source->seen.end, range_add, &ranges);
        ranges.more |= source->seen.forgotten > 0;
    }
    snprintf(run, sizeof run, "%06x", one->run);
    if (outcome->verdict->run_count > 1)
        json_object_set_new(object, "run", json_string(run));
    set(object, "source", source != NULL ? source->source : one->entry->source);
    set(object, "received", tally->received);
    json_object_set_new(object, "lost", known && tally->unknown == 0 ? integer(lost) : json_null());
    set(object, "duplicated", tally->duplicated);
    set(object, "reordered", tally->reordered);
    set(object, "corrupted", tally->changed);
    set(object, "cut", tally->cut);
    json_object_set_new(object, "lost_ranges", ranges.list);
    if (ranges.more)
        json_object_set_new(object, "lost_ranges_more", json_true());
    json_object_set_new(object, "end_known", json_boolean(known));
    return object;
}

struct list {
    json_t *sources;
    uint64_t omitted;
};

static void list_add(void *argument, const struct ps_outcome *outcome, const struct ps_outcome_source *one)
{
    struct list *list = argument;
    if (json_array_size(list->sources) == PS_OUTCOME_SOURCES_MAX)
        list->omitted++;
    else
        json_array_append_new(list->sources, source_object(outcome, one));
}

static uint64_t source_total(const struct ps_outcome *outcome)
{
    uint64_t total = outcome->verdict->source_count;
    for (unsigned i = 0; i < outcome->expected->manifest_count; i++)
        total += outcome->expected->manifests[i].source_count;
    return total;
}

static json_t *histogram_array(const struct ps_histogram *histogram)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < PS_HISTOGRAM_BUCKETS; i++) {
        if (histogram->counts[i] == 0)
            continue;
        uint64_t value = ps_histogram_bucket_max(i);
        value = value < histogram->max ? value : histogram->max;
        json_array_append_new(list, json_pack("[I,I]", (json_int_t)value, (json_int_t)histogram->counts[i]));
    }
    return list;
}

static void counts_set(json_t *object, const struct ps_outcome *outcome)
{
    const struct ps_verdict *verdict = outcome->verdict;
    const struct ps_tracker_counts *tally = &verdict->tally;
    set(object, "received", tally->received);
    set(object, "records", outcome->account->records);
    json_object_set_new(object, "lost", verdict->complete ? integer(verdict->lost) : json_null());
    set(object, "lost_at_least", verdict->lost_at_least);
    json_object_set_new(object, "complete", json_boolean(verdict->complete));
    json_object_set_new(object, "incomplete_because", ps_output_json_text(verdict->why));
    json_object_set_new(object, "known_by", ps_output_json_text(ps_known_name(verdict->known)));
    json_object_set_new(object, "sent",
                        verdict->known == PS_KNOWN_MANIFEST || verdict->known == PS_KNOWN_EVENTS
                            ? integer(verdict->sent)
                            : json_null());
    set(object, "failed_at_load", verdict->failed);
    set(object, "not_written", verdict->not_written);
    set(object, "half_written", verdict->half_written);
    set(object, "duplicated", tally->duplicated);
    set(object, "reordered", tally->reordered);
    set(object, "corrupted", tally->changed);
    set(object, "cut", tally->cut);
    set(object, "broken", verdict->broken);
    set(object, "foreign", outcome->account->foreign);
    set(object, "other_runs", verdict->other_runs);
    set(object, "unknown", tally->unknown);
    set(object, "untracked", outcome->account->untracked);
    set(object, "order_unknown", verdict->facts.order_blind);
    json_object_set_new(object, "lossy_far_end",
                        outcome->lossy ? ps_output_json_text(outcome->remark) : json_null());
    json_object_set_new(object, "remark",
                        outcome->lossy ? json_null() : ps_output_json_text(outcome->remark));
}

json_t *ps_outcome_json_summary(const struct ps_outcome *outcome, const struct ps_histogram *latency)
{
    static const double percentiles[] = {50, 90, 99, 99.9, 99.99};
    const struct ps_verdict *verdict = outcome->verdict;
    struct list list = {.sources = json_array()};
    json_t *object = json_object();
    char run[16];
    snprintf(run, sizeof run, "%06x", verdict->run);
    json_object_set_new(object, "type", json_string("summary"));
    json_object_set_new(object, "run", verdict->run_known ? json_string(run) : json_null());
    set(object, "runs", verdict->run_count);
    json_object_set_new(object, "ended", json_string(outcome->ended));
    json_object_set_new(object, "seconds", json_real(rounded(outcome->seconds, 1000)));
    json_object_set_new(object, "last_arrival",
                        outcome->last_s >= 0 ? json_real(rounded(outcome->last_s, 1000)) : json_null());
    counts_set(object, outcome);
    json_object_set_new(object, "latency_ns",
                        ps_live_percentiles(latency, percentiles, PS_COUNT_OF(percentiles)));
    if (outcome->histogram)
        json_object_set_new(object, "histogram", histogram_array(latency));
    set(object, "early", verdict->early);
    set(object, "due_before_start", verdict->due_before);
    json_object_set_new(object, "clock_step_ms",
                        json_real(rounded((double)outcome->account->clock_step_ns / 1e6, 1000)));
    set(object, "memory_bytes", verdict->facts.memory_bytes_max);
    ps_outcome_sources(outcome, source_total(outcome) > PS_OUTCOME_SOURCES_MAX, list_add, &list);
    if (outcome->account->arrivals != NULL)
        json_object_set_new(object, "arrivals",
                            ps_arrivals_json(outcome->account->arrivals, outcome->account->start_wall_ns));
    json_object_set_new(object, "sources", list.sources);
    set(object, "sources_omitted", list.omitted);
    set(object, "exit_code", (uint64_t)verdict->exit_code);
    return object;
}
