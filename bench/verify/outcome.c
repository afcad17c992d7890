/* The report for people. */
#include "bench/support/changes.h"
#include "core/quantity.h"
#include "bench/verify/outcome_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_SOURCES_MAX 16U /* of more sources, only those with problems are shown */
#define TABLE_ROWS_MAX 50U
#define RANGES_SHOWN 6U

static struct ps_quantity_text count(uint64_t number)
{
    return ps_quantity_print_count(number);
}

void ps_outcome_progress(struct ps_live *live, const struct ps_outcome_second *second)
{
    const struct ps_tracker_counts *tally = &second->tally;
    ps_live_object(live, live->json ? ps_outcome_json_progress(second) : NULL, true);
    if (live->json)
        return;
    bool wrong = tally->duplicated + tally->reordered + tally->changed + tally->cut > 0;
    ps_live_status(live, "%4.0f s  %s%s%s  %s  %sdup %s  reord %s  corr %s%s  p50 %s  p99 %s", second->t_s,
                   count(tally->received).text, second->sent > 0 ? " of " : "",
                   second->sent > 0 ? count(second->sent).text : "",
                   ps_quantity_print_rate(second->rate).text, wrong ? ps_live_style(live, PS_LIVE_BAD) : "",
                   count(tally->duplicated).text, count(tally->reordered).text,
                   count(tally->changed + tally->cut).text, ps_live_style(live, PS_LIVE_PLAIN),
                   ps_quantity_print_ns(ps_histogram_percentile(second->latency_ns, 50)).text,
                   ps_quantity_print_ns(ps_histogram_percentile(second->latency_ns, 99)).text);
}

/* ---- the sources ---- */

uint64_t ps_outcome_lost(const struct ps_outcome *outcome, const struct ps_source *source)
{
    uint64_t end, not_written;
    const struct ps_manifest_source *entry = ps_verdict_entry(outcome->expected, source);
    bool known = ps_verdict_end(outcome->expected, source, &end);
    if (known && entry != NULL)
        return ps_verdict_lost(entry, source, &not_written);
    return ps_sequences_missing(&source->seen, known ? end : source->seen.end);
}

static bool source_wrong(const struct ps_outcome *outcome, const struct ps_source *source)
{
    const struct ps_tracker_counts *tally = &source->tally;
    return ps_outcome_lost(outcome, source) + tally->duplicated + tally->reordered + tally->changed +
               tally->cut + tally->unknown >
           0;
}

static void absent_sources(const struct ps_outcome *outcome, ps_outcome_source_taker *taker, void *argument,
                           bool all, bool wrong)
{
    const struct ps_expected *expected = outcome->expected;
    for (unsigned i = 0; i < expected->manifest_count; i++) {
        const struct ps_manifest *manifest = &expected->manifests[i];
        struct ps_run *run = ps_tracker_find(outcome->account->tracker, manifest->run);
        for (uint32_t k = 0; k < manifest->source_count; k++) {
            const struct ps_manifest_source *entry = &manifest->sources[k];
            uint64_t not_written, lost = ps_verdict_lost(entry, NULL, &not_written);
            struct ps_outcome_source one = {.run = manifest->run, .entry = entry, .wrong = lost > 0};
            if ((all || one.wrong == wrong) && (run == NULL || !ps_run_has(run, entry->source)))
                taker(argument, outcome, &one);
        }
    }
}

/* Calls `taker` for the sources with the given `wrong`, or for all of them. */
static void sources_pass(const struct ps_outcome *outcome, ps_outcome_source_taker *taker, void *argument,
                         bool all, bool wrong)
{
    struct ps_run *run;
    struct ps_source *source;
    for (unsigned at = 0; (run = ps_tracker_each_run(outcome->account->tracker, &at)) != NULL;) {
        if (!ps_verdict_looks_at(outcome->expected, run->run))
            continue;
        for (uint32_t from = 0; (source = ps_tracker_each_source(run, &from)) != NULL;) {
            struct ps_outcome_source one = {.run = run->run, .source = source};
            one.wrong = source_wrong(outcome, source);
            if (all || one.wrong == wrong)
                taker(argument, outcome, &one);
        }
    }
    absent_sources(outcome, taker, argument, all, wrong);
}

void ps_outcome_sources(const struct ps_outcome *outcome, bool wrong_first, ps_outcome_source_taker *taker,
                        void *argument)
{
    sources_pass(outcome, taker, argument, !wrong_first, true);
    if (wrong_first)
        sources_pass(outcome, taker, argument, false, false);
}

struct table {
    struct ps_live *live;
    uint64_t rows, wrong, all, omitted;
};

struct shown {
    char text[256];
    size_t length;
    unsigned count;
};

static bool range_show(void *argument, uint64_t first, uint64_t last)
{
    struct shown *shown = argument;
    if (shown->count++ == RANGES_SHOWN) {
        shown->length +=
            (size_t)snprintf(shown->text + shown->length, sizeof shown->text - shown->length, ", ...");
        return false;
    }
    shown->length += (size_t)snprintf(shown->text + shown->length, sizeof shown->text - shown->length,
                                      "%s%llu", shown->count > 1 ? ", " : "", (unsigned long long)first);
    if (last > first)
        shown->length += (size_t)snprintf(shown->text + shown->length, sizeof shown->text - shown->length,
                                          "-%llu", (unsigned long long)last);
    return true;
}

static void source_count(void *argument, const struct ps_outcome *, const struct ps_outcome_source *one)
{
    struct table *table = argument;
    table->all++;
    table->wrong += one->wrong;
}

static void source_row(void *argument, const struct ps_outcome *outcome, const struct ps_outcome_source *one)
{
    static const struct ps_tracker_counts nothing;
    struct table *table = argument;
    struct shown shown = {.length = 0};
    struct ps_quantity_text lost = {"?"};
    if (table->all > TABLE_SOURCES_MAX && !one->wrong)
        return;
    if (table->rows++ >= TABLE_ROWS_MAX) {
        table->omitted++;
        return;
    }
    const struct ps_tracker_counts *tally = one->source != NULL ? &one->source->tally : &nothing;
    uint64_t end;
    if (one->source == NULL) {
        uint64_t not_written, lost_count = ps_verdict_lost(one->entry, NULL, &not_written);
        lost = count(lost_count);
        if (lost_count > 0)
            range_show(&shown, 0, one->entry->events - 1);
    } else {
        bool known = ps_verdict_end(outcome->expected, one->source, &end);
        if (known && tally->unknown == 0)
            lost = count(ps_outcome_lost(outcome, one->source));
        if (ps_outcome_lost(outcome, one->source) > 0)
            ps_sequences_ranges(&one->source->seen, known ? end : one->source->seen.end, range_show, &shown);
    }
    char run[16] = "";
    if (outcome->verdict->run_count > 1)
        snprintf(run, sizeof run, "%06x ", one->run);
    ps_live_print(table->live, "  %s%s%6u %15s %12s %12s %12s %12s%s%s%s\n",
                  one->wrong ? ps_live_style(table->live, PS_LIVE_BAD) : "", run,
                  one->source != NULL ? one->source->source : one->entry->source, count(tally->received).text,
                  lost.text, count(tally->duplicated).text, count(tally->reordered).text,
                  count(tally->changed + tally->cut).text, shown.length > 0 ? "  lost: " : "", shown.text,
                  ps_live_style(table->live, PS_LIVE_PLAIN));
}

static void sources_print(struct ps_live *live, const struct ps_outcome *outcome)
{
    struct table table = {.live = live};
    ps_outcome_sources(outcome, false, source_count, &table);
    if (table.all == 0 || (table.wrong == 0 && table.all > TABLE_SOURCES_MAX))
        return;
    ps_live_print(live, "\n  %s%s%6s %15s %12s %12s %12s %12s%s\n", ps_live_style(live, PS_LIVE_DIM),
                  outcome->verdict->run_count > 1 ? "run    " : "", "source", "received", "lost",
                  "duplicated", "reordered", "corrupted", ps_live_style(live, PS_LIVE_PLAIN));
    ps_outcome_sources(outcome, true, source_row, &table);
    if (table.omitted > 0)
        ps_live_print(live, "  and %s more %s\n", count(table.omitted).text,
                      ps_quantity_word(table.omitted, "source", "sources"));
}

/* ---- the whole report ---- */

static void line(struct ps_live *live, const char *name, uint64_t number, bool bad, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
static void line(struct ps_live *live, const char *name, uint64_t number, bool bad, const char *format, ...)
{
    char note[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(note, sizeof note, format, arguments);
    va_end(arguments);
    ps_live_print(live, "  %-12s %s%15s%s%s%s\n", name, bad ? ps_live_style(live, PS_LIVE_BAD) : "",
                  count(number).text, bad ? ps_live_style(live, PS_LIVE_PLAIN) : "",
                  note[0] != '\0' ? "  " : "", note);
}

/* Returns the number of events that load wrote. */
static uint64_t written(const struct ps_verdict *verdict)
{
    return verdict->sent > verdict->not_written ? verdict->sent - verdict->not_written : 0;
}

static void counts_print(struct ps_live *live, const struct ps_outcome *outcome)
{
    const struct ps_verdict *verdict = outcome->verdict;
    const struct ps_tracker_counts *tally = &verdict->tally;
    const struct ps_account *account = outcome->account;
    const char *by = verdict->known == PS_KNOWN_MANIFEST ? "the manifest" : "--events";
    char known[80] = "";
    if (verdict->known == PS_KNOWN_MANIFEST || verdict->known == PS_KNOWN_EVENTS)
        snprintf(known, sizeof known,
                 verdict->not_written > 0 ? "of %s that load wrote, by %s" : "of %s sent, by %s",
                 count(written(verdict)).text, by);
    line(live, "received", tally->received, false, "%s", known);
    if (verdict->complete)
        line(live, "lost", verdict->lost, verdict->lost > 0, "%s", "");
    else
        ps_live_print(live, "  %-12s %s%15s%s  at least %s\n", "lost", ps_live_style(live, PS_LIVE_WARN),
                      "unknown", ps_live_style(live, PS_LIVE_PLAIN), count(verdict->lost_at_least).text);
    if (verdict->not_written > 0)
        line(live, "not written", verdict->not_written, false,
             "by load: the target refused them, or took no more; the pipeline did not lose them");
    if (verdict->half_written > 0)
        line(live, "half written", verdict->half_written, false, "by load, when it ended");
    line(live, "duplicated", tally->duplicated, tally->duplicated > 0, "%s", "");
    line(live, "reordered", tally->reordered, tally->reordered > 0, "%s", "");
    line(live, "corrupted", tally->changed, tally->changed > 0, "%s", "");
    if (tally->cut + verdict->broken > 0) {
        line(live, "cut", tally->cut, tally->cut > 0, "the ends of these events are missing");
        line(live, "broken", verdict->broken, verdict->broken > 0, "the stamp itself is damaged or cut");
    }
    if (account->foreign > 0)
        line(live, "foreign", account->foreign, false, "without a stamp");
    if (verdict->other_runs > 0)
        line(live, "other runs", verdict->other_runs, false, "%s",
             tally->received == 0
                 ? "and none of the expected run: does the manifest or --run belong to another run?"
                 : "");
    if (tally->unknown > 0)
        line(live, "unknown", tally->unknown, true, "it is no longer known whether they had arrived before");
}

static void latency_print(struct ps_live *live, const struct ps_outcome *outcome,
                          const struct ps_histogram *latency)
{
    static const double percentiles[] = {50, 90, 99, 99.9, 99.99};
    if (latency->count == 0)
        return;
    ps_live_print(live, "\n  latency from due time  ");
    for (size_t i = 0; i < PS_COUNT_OF(percentiles); i++)
        ps_live_print(live, " p%.15g %s ", percentiles[i],
                      ps_quantity_print_ns(ps_histogram_percentile(latency, percentiles[i])).text);
    ps_live_print(live, " max %s\n", ps_quantity_print_ns(latency->max).text);
    if (outcome->verdict->early > 0)
        ps_live_print(live,
                      "  %s events arrived before they were due: the clocks of sender and verifier differ\n",
                      count(outcome->verdict->early).text);
    if (outcome->verdict->due_before > 0)
        ps_live_print(live,
                      "  %s events were due before verify began: their latency counts until they were read\n",
                      count(outcome->verdict->due_before).text);
}

static void verdict_print(struct ps_live *live, const struct ps_outcome *outcome)
{
    const struct ps_verdict *verdict = outcome->verdict;
    const struct ps_tracker_counts *tally = &verdict->tally;
    if (!verdict->complete)
        ps_live_print(live, "\n%sthe number of lost events is not known:%s %s\n",
                      ps_live_style(live, PS_LIVE_WARN), ps_live_style(live, PS_LIVE_PLAIN), verdict->why);
    if (outcome->remark != NULL)
        ps_live_print(live, "\n%sthe far end:%s %s\n", ps_live_style(live, PS_LIVE_WARN),
                      ps_live_style(live, PS_LIVE_PLAIN), outcome->remark);
    if (verdict->facts.order_blind > 0)
        ps_live_print(live, "\nthe order of %s events could not be judged: give more --memory\n",
                      count(verdict->facts.order_blind).text);
    if (verdict->exit_code == 0 && verdict->not_written > 0 && written(verdict) == 0)
        ps_live_print(live, "\n%sload wrote nothing: there was nothing to verify%s\n",
                      ps_live_style(live, PS_LIVE_WARN), ps_live_style(live, PS_LIVE_PLAIN));
    else if (verdict->exit_code == 0)
        ps_live_print(live, "\n%s%s, once, in order and whole%s\n", ps_live_style(live, PS_LIVE_GOOD),
                      verdict->not_written > 0 ? "all that load wrote is there" : "all there",
                      ps_live_style(live, PS_LIVE_PLAIN));
    else if (verdict->exit_code == 1)
        ps_live_print(live, "\n%s%s%s lost, %s duplicated, %s reordered, %s corrupted%s\n",
                      ps_live_style(live, PS_LIVE_BAD), verdict->complete ? "" : "at least ",
                      count(verdict->lost_at_least).text, count(tally->duplicated).text,
                      count(tally->reordered).text, count(tally->changed + tally->cut + verdict->broken).text,
                      ps_live_style(live, PS_LIVE_PLAIN));
    else
        ps_live_print(live, "\n%sit is not known whether events were lost%s\n",
                      ps_live_style(live, PS_LIVE_WARN), ps_live_style(live, PS_LIVE_PLAIN));
}

/* Returns whether latencies of this run or of the older one count until verify read the events: they say nothing about the pipeline. */
static bool read_late(const struct ps_outcome *outcome)
{
    return outcome->verdict->due_before > 0 ||
           json_integer_value(json_object_get(outcome->old, "due_before_start")) > 0;
}

/* Makes the summary's object, with the comparison when there is an older run. */
static json_t *summary_make(const struct ps_outcome *outcome, const struct ps_histogram *latency,
                            unsigned *worse)
{
    enum { LATENCIES = 3 }; /* at the end */
    static const struct ps_change_figure figures[] = {
        {"lost", NULL, "lost", PS_CHANGE_FAULTS},
        {"duplicated", NULL, "duplicated", PS_CHANGE_FAULTS},
        {"reordered", NULL, "reordered", PS_CHANGE_FAULTS},
        {"corrupted", NULL, "corrupted", PS_CHANGE_FAULTS},
        {"cut", NULL, "cut", PS_CHANGE_FAULTS},
        {"broken", NULL, "broken", PS_CHANGE_FAULTS},
        {"p50", "latency_ns", "p50", PS_CHANGE_LATENCY},
        {"p99", "latency_ns", "p99", PS_CHANGE_LATENCY},
        {"p99.9", "latency_ns", "p99.9", PS_CHANGE_LATENCY},
    };
    static const char *const same[] = {"sent", NULL};
    json_t *summary = ps_outcome_json_summary(outcome, latency);
    if (outcome->old != NULL)
        *worse = ps_changes_make(summary, outcome->old, outcome->compare, figures,
                                 PS_COUNT_OF(figures) - (read_late(outcome) ? LATENCIES : 0), same);
    return summary;
}

unsigned ps_outcome_summary(struct ps_live *live, const struct ps_outcome *outcome)
{
    struct ps_histogram *latency = ps_must_alloc(1, sizeof *latency, "a latency histogram");
    struct ps_run *run;
    for (unsigned at = 0; (run = ps_tracker_each_run(outcome->account->tracker, &at)) != NULL;)
        if (ps_verdict_looks_at(outcome->expected, run->run))
            ps_histogram_add(latency, &run->latency_ns);
    ps_live_clear(live);
    unsigned worse = 0;
    if (live->json) {
        ps_live_object(live, summary_make(outcome, latency, &worse), false);
        free(latency);
        return worse;
    }
    if (outcome->verdict->run_known)
        ps_live_print(live, "%srun %06x%s, ", ps_live_style(live, PS_LIVE_BOLD), outcome->verdict->run,
                      ps_live_style(live, PS_LIVE_PLAIN));
    else
        ps_live_print(live, "%u %s, ", outcome->verdict->run_count,
                      ps_quantity_word(outcome->verdict->run_count, "run", "runs"));
    ps_live_print(live, "%s, ended: %s\n\n", ps_quantity_print_s(outcome->seconds).text, outcome->ended);
    counts_print(live, outcome);
    latency_print(live, outcome, latency);
    sources_print(live, outcome);
    verdict_print(live, outcome);
    if (outcome->old != NULL) {
        json_t *summary = summary_make(outcome, latency, &worse);
        ps_changes_print(live, summary);
        if (read_late(outcome))
            ps_live_print(live, "  latencies are not compared: events were due before verify began\n");
        json_decref(summary);
    }
    free(latency);
    return worse;
}
