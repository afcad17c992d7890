/* Compares counts with the number of events sent. This number comes from a manifest, the user or the marks; when the
 * events that arrived contradict this number, the result is "unknown", never a figure. */
#include "bench/verify/verdict.h"
#include "core/quantity.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *ps_known_name(enum ps_known known)
{
    static const char *const names[] = {NULL, "manifest", "events", "last marks"};
    return names[known];
}

static const struct ps_manifest *manifest_find(const struct ps_expected *expected, uint32_t run)
{
    for (unsigned i = 0; i < expected->manifest_count; i++)
        if (expected->manifests[i].run == run)
            return &expected->manifests[i];
    return NULL;
}

bool ps_verdict_looks_at(const struct ps_expected *expected, uint32_t run)
{
    return expected->manifest_count == 0 || manifest_find(expected, run) != NULL;
}

const struct ps_manifest_source *ps_verdict_entry(const struct ps_expected *expected,
                                                  const struct ps_source *source)
{
    const struct ps_manifest *manifest = manifest_find(expected, source->run);
    return manifest != NULL ? ps_manifest_find(manifest, source->source) : NULL;
}

struct tail {
    uint64_t from, missing; /* missing numbers that are not below `from` */
};

static bool tail_add(void *argument, uint64_t first, uint64_t last)
{
    struct tail *tail = argument;
    uint64_t from = first > tail->from ? first : tail->from;
    tail->missing += last >= from ? last - from + 1 : 0;
    return true;
}

/* A missing event below the first unfinished number was completed, unless it was refused. A missing event from that number on may be
 * one that was not completed. */
uint64_t ps_verdict_lost(const struct ps_manifest_source *entry, const struct ps_source *source,
                         uint64_t *not_written)
{
    struct tail tail = {.from = entry->unfinished_from};
    uint64_t missing = entry->events, unfinished = entry->events - entry->completed - entry->failed;
    *not_written = 0;
    if (source != NULL && source->seen.end > entry->events)
        return 0; /* a contradiction, which the report names */
    if (source != NULL)
        missing = ps_sequences_missing(&source->seen, entry->events);
    if (missing == 0 || entry->completed == entry->events)
        return missing;
    if (source == NULL)
        tail.missing = entry->events - tail.from;
    else
        ps_sequences_ranges(&source->seen, entry->events, tail_add, &tail);
    uint64_t below = missing - tail.missing;
    uint64_t refused = below < entry->failed ? below : entry->failed;
    uint64_t open = unfinished + entry->failed - refused;
    *not_written = refused + (tail.missing < open ? tail.missing : open);
    return missing - *not_written;
}

bool ps_verdict_end(const struct ps_expected *expected, const struct ps_source *source, uint64_t *end)
{
    const struct ps_manifest *manifest = manifest_find(expected, source->run);
    if (manifest != NULL) {
        const struct ps_manifest_source *entry = ps_manifest_find(manifest, source->source);
        *end = entry != NULL ? entry->events : 0;
    } else
        *end = source->last_contradicts ? 0 : source->last_end;
    return *end > 0 && *end >= source->seen.end;
}

static void tally_add(struct ps_tracker_counts *to, const struct ps_tracker_counts *from)
{
    to->received += from->received;
    to->duplicated += from->duplicated;
    to->reordered += from->reordered;
    to->changed += from->changed;
    to->cut += from->cut;
    to->unknown += from->unknown;
}

bool ps_verdict_progress(const struct ps_account *account, const struct ps_expected *expected,
                         struct ps_tracker_counts *tally, uint64_t *sent)
{
    struct ps_run *run;
    memset(tally, 0, sizeof *tally);
    for (unsigned at = 0; (run = ps_tracker_each_run(account->tracker, &at)) != NULL;)
        if (ps_verdict_looks_at(expected, run->run))
            tally_add(tally, &run->tally);
    *sent = expected->events;
    for (unsigned i = 0; i < expected->manifest_count; i++)
        *sent = (i > 0 ? *sent : 0) + expected->manifests[i].completed;
    return expected->manifest_missing == 0 && expected->manifest_running == 0 &&
           (expected->manifest_count > 0 || expected->events_known);
}

/* Makes the verdict incomplete for a reason; only the first reason is kept. */
__attribute__((format(printf, 2, 3))) static void doubt(struct ps_verdict *verdict, const char *format, ...)
{
    va_list arguments;
    verdict->complete = false;
    if (verdict->why[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(verdict->why, sizeof verdict->why, format, arguments);
    va_end(arguments);
}

/* An event that load had begun to write when it ended arrives cut: the pipeline did not cut it. A source has at most one, and
 * it is not among those that were completed. */
static void excuse_cut(struct ps_verdict *verdict, const struct ps_manifest_source *entry,
                       const struct ps_source *source)
{
    bool open = entry != NULL && entry->completed + entry->failed < entry->events;
    if (open && source->tally.cut > 0 && source->seen.count > entry->completed)
        verdict->half_written++;
}

/* The same for an event that was cut within its stamp, so that its source is not known. */
static void excuse_broken(struct ps_verdict *verdict, const struct ps_expected *expected)
{
    uint64_t open = 0;
    for (unsigned i = 0; i < expected->manifest_count; i++)
        for (uint32_t k = 0; k < expected->manifests[i].source_count; k++) {
            const struct ps_manifest_source *entry = &expected->manifests[i].sources[k];
            open += entry->completed + entry->failed < entry->events;
        }
    uint64_t most = open > verdict->half_written ? open - verdict->half_written : 0;
    uint64_t excused = verdict->broken < most ? verdict->broken : most;
    verdict->broken -= excused;
    verdict->half_written += excused;
}

/* Checks by a manifest: the sources that it names, seen or not, and no others. */
static void check_manifest(struct ps_verdict *verdict, const struct ps_account *account,
                           const struct ps_manifest *manifest)
{
    struct ps_run *run = ps_tracker_find(account->tracker, manifest->run);
    struct ps_source *source;
    uint64_t not_written;
    verdict->sent += manifest->events;
    verdict->failed += manifest->failed;
    for (uint32_t at = 0; run != NULL && (source = ps_tracker_each_source(run, &at)) != NULL;) {
        const struct ps_manifest_source *entry = ps_manifest_find(manifest, source->source);
        if (entry == NULL)
            doubt(verdict, "events of source %u came, which is not in the manifest of run %06x",
                  source->source, run->run);
        else if (source->seen.end > entry->events)
            doubt(verdict, "event %llu of source %u came, but by the manifest of run %06x the source sent %s",
                  (unsigned long long)source->seen.end - 1, source->source, run->run,
                  ps_quantity_print_count(entry->events).text);
        excuse_cut(verdict, entry, source);
    }
    for (uint32_t i = 0; i < manifest->source_count; i++) {
        const struct ps_manifest_source *entry = &manifest->sources[i];
        verdict->lost +=
            ps_verdict_lost(entry, run != NULL ? ps_run_source(run, entry->source) : NULL, &not_written);
        verdict->not_written += not_written;
    }
}

/* Checks by the manifest of a load that did not end, or goes on: what it had completed then and did not arrive is lost; of
 * what it did afterwards nothing is known. */
static void check_running(struct ps_verdict *verdict, const struct ps_account *account,
                          const struct ps_manifest *manifest)
{
    struct ps_run *run = ps_tracker_find(account->tracker, manifest->run);
    verdict->sent += manifest->completed;
    verdict->failed += manifest->failed;
    for (uint32_t i = 0; i < manifest->source_count; i++) {
        const struct ps_manifest_source *entry = &manifest->sources[i];
        struct ps_source *source = run != NULL ? ps_run_source(run, entry->source) : NULL;
        uint64_t received = source != NULL ? source->seen.count : 0;
        verdict->lost += entry->completed > received ? entry->completed - received : 0;
        if (source != NULL)
            excuse_cut(verdict, entry, source);
    }
    doubt(verdict,
          "load goes on or was killed: its manifest is of %s after its start, and what it wrote later is not "
          "known",
          ps_quantity_print_s(manifest->seconds).text);
}

/* Checks by the total number of events. */
static void check_events(struct ps_verdict *verdict, const struct ps_expected *expected, uint64_t holes)
{
    uint64_t received = verdict->tally.received;
    verdict->sent = expected->events;
    if (verdict->run_count > 1)
        doubt(verdict, "events of %u runs came, and --events does not name the run: give --run",
              verdict->run_count);
    else if (received > expected->events || holes > expected->events - received)
        doubt(verdict, "more was sent than --events says: %s events came and %s below them are missing",
              ps_quantity_print_count(received).text, ps_quantity_print_count(holes).text);
    else
        verdict->lost = expected->events - received;
}

/* Checks by the marks on the last events of one run's sources, and by the number of sources. */
static void check_marks(struct ps_verdict *verdict, const struct ps_expected *expected,
                        const struct ps_run *run)
{
    struct ps_source *source;
    uint64_t end, next = UINT64_MAX;
    for (uint32_t at = 0; (source = ps_tracker_each_source(run, &at)) != NULL;) {
        if (!ps_verdict_end(expected, source, &end))
            doubt(verdict,
                  source->last_end == 0
                      ? "the last event of source %u of run %06x did not come (or has not been sent yet), so "
                        "the number of events that it sent is not known: give --manifest or --events"
                      : "source %u of run %06x: the marks of its last event contradict each other or the "
                        "events that came: give --manifest or --events",
                  source->source, run->run);
        else
            verdict->lost += ps_sequences_missing(&source->seen, end);
        if (next != UINT64_MAX && source->source != next)
            doubt(verdict,
                  "nothing of sources %llu to %u of run %06x came: if they sent events, all of those are "
                  "lost: give --manifest or --events",
                  (unsigned long long)next, source->source - 1, run->run);
        next = source->source + 1U;
    }
    if (expected->sources == 0)
        doubt(verdict, "a source of which nothing came would not be noticed: give --manifest, --events or "
                       "--sources");
    else if (run->source_count != expected->sources)
        doubt(verdict,
              "events of %u sources of run %06x came, and --sources says %u: give --manifest or --events",
              run->source_count, run->run, expected->sources);
}

/* Adds up the runs that count. Returns how many events are missing below the highest numbers seen. */
static uint64_t runs_add(struct ps_verdict *verdict, const struct ps_account *account,
                         const struct ps_expected *expected)
{
    struct ps_run *run;
    struct ps_source *source;
    uint64_t holes = 0;
    for (unsigned at = 0; (run = ps_tracker_each_run(account->tracker, &at)) != NULL;) {
        const struct ps_tracker_counts *tally = &run->tally;
        if (!ps_verdict_looks_at(expected, run->run)) {
            verdict->other_runs += tally->received + tally->duplicated + tally->unknown;
            continue;
        }
        tally_add(&verdict->tally, tally);
        if (verdict->run_count++ == 0)
            verdict->run = run->run;
        verdict->early += run->early;
        verdict->due_before += run->due_before;
        verdict->source_count += run->source_count;
        for (uint32_t from = 0; (source = ps_tracker_each_source(run, &from)) != NULL;) {
            uint64_t missing = ps_sequences_missing(&source->seen, source->seen.end);
            holes += missing > source->tally.unknown ? missing - source->tally.unknown : 0;
        }
    }
    return holes;
}

static void check_completeness(struct ps_verdict *verdict, const struct ps_account *account,
                               const struct ps_expected *expected, uint64_t holes)
{
    struct ps_run *run;
    verdict->complete = true;
    if (expected->manifest_missing > 0) {
        doubt(verdict,
              "the manifest was not there when verify ended, so the number of events sent is not known");
    } else if (expected->manifest_count > 0) {
        verdict->known = PS_KNOWN_MANIFEST;
        for (unsigned i = 0; i < expected->manifest_count; i++)
            if (expected->manifests[i].running)
                check_running(verdict, account, &expected->manifests[i]);
            else
                check_manifest(verdict, account, &expected->manifests[i]);
    } else if (expected->events_known) {
        verdict->known = PS_KNOWN_EVENTS;
        check_events(verdict, expected, holes);
    } else if (verdict->run_count == 0) {
        doubt(verdict,
              "nothing with a stamp came, and the number of events sent is not known: give --manifest or "
              "--events");
    } else {
        verdict->known = PS_KNOWN_MARKS;
        for (unsigned at = 0; (run = ps_tracker_each_run(account->tracker, &at)) != NULL;)
            check_marks(verdict, expected, run);
    }
    if (verdict->tally.unknown > 0)
        doubt(verdict,
              "for %s events it was no longer known whether they had come before: give more --memory",
              ps_quantity_print_count(verdict->tally.unknown).text);
    if (account->untracked > 0)
        doubt(
            verdict,
            "%llu stamped records could not be tracked: more than %u runs, or too little memory: give --run "
            "or more --memory",
            (unsigned long long)account->untracked, PS_TRACKER_RUNS_MAX);
}

static int exit_code(const struct ps_verdict *verdict, bool lossy)
{
    const struct ps_tracker_counts *tally = &verdict->tally;
    if (tally->duplicated + tally->reordered + tally->changed + tally->cut + verdict->broken > 0)
        return 1;
    if (verdict->lost_at_least > 0 && !lossy)
        return 1;
    return !verdict->complete || lossy || verdict->facts.order_blind > 0 ? 2 : 0;
}

void ps_verdict_make(struct ps_verdict *verdict, const struct ps_account *account,
                     const struct ps_expected *expected, bool lossy)
{
    memset(verdict, 0, sizeof *verdict);
    verdict->other_runs = account->other;
    uint64_t holes = runs_add(verdict, account, expected);
    if (account->run_only)
        verdict->run = account->run;
    else if (verdict->run_count == 0 && expected->manifest_count == 1)
        verdict->run = expected->manifests[0].run;
    verdict->run_known = account->run_only || verdict->run_count == 1 || expected->manifest_count == 1;
    ps_tracker_facts(account->tracker, &verdict->facts);
    check_completeness(verdict, account, expected, holes);
    verdict->tally.cut -= verdict->half_written;
    verdict->broken = account->broken;
    excuse_broken(verdict, expected);
    bool by_manifest = verdict->complete || expected->manifest_running > 0;
    verdict->lost_at_least = by_manifest ? verdict->lost : holes;
    if (!verdict->complete)
        verdict->lost = 0;
    verdict->exit_code = exit_code(verdict, lossy);
}
