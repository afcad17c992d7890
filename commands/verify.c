/* `penstock verify`: the far end of `penstock load`. This file has its options only; bench/verify does the
 * work. */
#include "bench/support/live.h"
#include "bench/verify/verify.h"
#include "commands/commands.h"
#include "commands/line/line.h"

#include <stdio.h>

static ps_row_take take_from, take_manifest, take_run;

static void list_far_ends(FILE *to)
{
    for (const struct ps_far_end_ops *const *ops = ps_far_ends; *ops != NULL; ops++)
        fprintf(to, "      %s\n", (*ops)->summary);
}

#define PS_ROW_TARGET struct ps_verify_options

static const struct ps_command_row rows[] = {
    {"from", 0, "URL", PS_ROW_TAKE(take_from), .help = "the place to read; up to 16 of them",
     .proposes = PS_PROPOSE_FAR_ENDS, .list = list_far_ends},
    {"manifest", 0, "FILE", PS_ROW_TAKE(take_manifest),
     .help = "the file of load --manifest; it may be missing at first; one for each load",
     .group = "what was sent"},
    {"events", 0, "N", PS_ROW_COUNT(events), .help = "number of events in all, when there is no manifest",
     .min = 1, .max = PS_STAMP_SEQUENCE_MAX},
    {"sources", 0, "N", PS_ROW_COUNT32(sources),
     .help =
         "number of sources, each of which sends an end mark, when there is neither a manifest nor --events",
     .min = 1, .max = PS_STAMP_SOURCE_MAX + UINT64_C(1)},
    {"run", 0, "HEX6", PS_ROW_TAKE(take_run), .help = "only this run; others are counted and left alone"},
    {"idle", 0, "D", PS_ROW_DURATION(idle_ns),
     .help = "end when no event has come for this time (default 5s; before the first event 30s)", .min = 1,
     .group = "when to end (the first of them; or SIGINT, SIGTERM; the report comes in any case)"},
    {"duration", 0, "D", PS_ROW_DURATION(duration_ns), .help = "after this time", .min = 1},
    {NULL, 0, "all there", PS_ROW_NOTE, 0,
     .help =
         "end when as many events have come as the manifest or --events says, after a second without events"},
    {"memory", 0, "BYTES", PS_ROW_BYTES(memory_bytes),
     .help = "limit of the memory for the numbers of events (default 512MiB); beyond it the oldest are "
             "forgotten, and the report tells it",
     .min = PS_VERIFY_MEMORY_BYTES_MIN, .group = "how"},
    {"compare", 0, "FILE", PS_ROW_TEXT(compare),
     .help = "compares with an older run, whose --json output is in this file; exit status 4 when a figure "
             "is worse"},
    {"json", 0, NULL, PS_ROW_FLAG(json), .help = "JSON lines, for programs"},
    {"histogram", 0, NULL, PS_ROW_FLAG(histogram),
     .help = "with --json: all latencies at the end, as pairs: nanoseconds, number of events"},
    {"every", 0, "D", PS_ROW_DURATION(every_ns),
     .help = "time between lines of progress, 100ms to 1h (default 1s)", .min = PS_LIVE_EVERY_NS_MIN,
     .max = PS_LIVE_EVERY_NS_MAX},
    {"arrivals", 0, "D", PS_ROW_DURATION(arrivals_ns),
     .help = "with --json: count the arrivals of each source in steps of D, 10ms to 1h",
     .min = 10 * PS_NS_PER_MS, .max = 3600 * PS_NS_PER_S},
    {"quiet", 0, NULL, PS_ROW_FLAG(quiet), .help = "no progress"},
    {.help = NULL},
};

const struct ps_command_line ps_line_verify = {
    .name = "verify",
    .usage =
        "Usage: penstock verify --from URL [--from URL]... [OPTION]...\n"
        "Reads the events that a pipeline delivered, finds the stamps that penstock load put into them, and "
        "reports the\nevents that were lost, duplicated, reordered or corrupted, and their latencies.\n",
    .rows = rows,
    .ends = "Exit status: 0 nothing lost, duplicated, reordered or corrupted; 1 something was; 2 wrong "
            "usage, or the result is not known\n(the number of events sent is not known, or the far end "
            "itself lost some); 4 nothing was, but a figure is worse than that of --compare.\n"
            "\nExamples:\n"
            "  penstock verify --from kafka://127.0.0.1:9092/logs --manifest run.json\n"
            "  penstock verify --from tcp://0.0.0.0:5514 --events 1M --idle 10s\n"
            "  penstock verify --from '/var/flume/out/*' --run 3fa9c2 --json | tail -n 1\n",
};

static enum ps_status take_from(void *target, const struct ps_command_row *row, const char *text,
                                struct ps_err *err)
{
    struct ps_verify_options *to = target;
    if (to->from_count == PS_VERIFY_FROM_MAX)
        return ps_err_set(err, "--%s %s: at most %u of them", row->name, text, PS_VERIFY_FROM_MAX);
    to->from[to->from_count++] = text;
    return PS_OK;
}

static enum ps_status take_manifest(void *target, const struct ps_command_row *row, const char *text,
                                    struct ps_err *err)
{
    struct ps_verify_options *to = target;
    if (to->manifest_count == PS_VERDICT_MANIFESTS_MAX)
        return ps_err_set(err, "--%s %s: at most %u of them", row->name, text, PS_VERDICT_MANIFESTS_MAX);
    to->manifests[to->manifest_count++] = text;
    return PS_OK;
}

static enum ps_status take_run(void *target, const struct ps_command_row *, const char *text,
                               struct ps_err *err)
{
    struct ps_verify_options *to = target;
    to->run_only = true;
    return ps_manifest_run("--run", text, &to->run, err);
}

static enum ps_status options_check(const struct ps_verify_options *to, struct ps_err *err)
{
    if (to->from_count == 0)
        return ps_err_set(
            err, "--from is missing: name where to read, for example --from kafka://127.0.0.1:9092/logs");
    if (to->run_only && to->manifest_count > 1)
        return ps_err_set(err,
                          "--run and several --manifest: each manifest names a run of its own; omit --run");
    if (to->events_known && to->manifest_count > 0)
        return ps_err_set(err, "--events and --manifest: a manifest has the number; omit --events");
    return PS_OK;
}

int ps_main_verify(int argc, char **argv)
{
    struct ps_verify_options to = {
        .idle_ns = PS_VERIFY_IDLE_NS, .memory_bytes = PS_VERIFY_MEMORY_BYTES, .every_ns = PS_LIVE_EVERY_NS};
    struct ps_err err = {.length = 0};
    int operands, code = ps_command_line_parse(&ps_line_verify, &to, argc, argv, &operands);
    if (code >= 0)
        return code;
    to.events_known = to.events > 0;
    enum ps_status status =
        operands == 0
            ? options_check(&to, &err)
            : ps_err_set(&err, "%s: there is no option before it; did you mean --from %s?", argv[1], argv[1]);
    if (status == PS_OK)
        return ps_verify_run(&to);
    fprintf(stderr, "penstock verify: %s\n`penstock verify --help` tells more.\n", err.text);
    return 2;
}
