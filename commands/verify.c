/* penstock verify: the far end of penstock load. Only its options; bench/verify does the work. */
#include "bench/support/live.h"
#include "core/quantity.h"
#include "bench/verify/verify.h"
#include "commands/commands.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum {
    OPTION_FROM = 256,
    OPTION_MANIFEST,
    OPTION_RUN,
    OPTION_EVENTS,
    OPTION_SOURCES,
    OPTION_IDLE,
    OPTION_DURATION,
    OPTION_MEMORY,
    OPTION_EVERY,
    OPTION_ARRIVALS,
    OPTION_JSON,
    OPTION_HISTOGRAM,
    OPTION_QUIET
};

static const struct option options[] = {
    {"from", required_argument, NULL, OPTION_FROM},
    {"manifest", required_argument, NULL, OPTION_MANIFEST},
    {"run", required_argument, NULL, OPTION_RUN},
    {"events", required_argument, NULL, OPTION_EVENTS},
    {"sources", required_argument, NULL, OPTION_SOURCES},
    {"idle", required_argument, NULL, OPTION_IDLE},
    {"duration", required_argument, NULL, OPTION_DURATION},
    {"memory", required_argument, NULL, OPTION_MEMORY},
    {"every", required_argument, NULL, OPTION_EVERY},
    {"arrivals", required_argument, NULL, OPTION_ARRIVALS},
    {"json", no_argument, NULL, OPTION_JSON},
    {"histogram", no_argument, NULL, OPTION_HISTOGRAM},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};
const struct ps_command_options ps_options_verify = {options, "h", false};

static void usage(FILE *to)
{
    fputs(
        "usage: penstock verify --from URL [--from URL]... [OPTION]...\n\n"
        "Reads what a pipeline delivered, finds the stamps that penstock load put into every event, and says "
        "what was\nlost, duplicated, reordered or corrupted, and how late it came.\n\n"
        "where to read (--from, up to 16 of them):\n",
        to);
    for (const struct ps_far_end_ops *const *ops = ps_far_ends; *ops != NULL; ops++)
        fprintf(to, "  %s\n", (*ops)->summary);
    fputs("\nwhat was sent:\n"
          "  --manifest FILE    what load wrote (load --manifest FILE); may not be there yet; several for "
          "several loads\n"
          "  --events N         so many in all, when there is no manifest\n"
          "  --sources N        so many sources, each ended by its mark, when there is neither\n"
          "  --run HEX6         only this run; others are counted and left alone\n"
          "\nwhen to end (the first of them; or SIGINT, SIGTERM; the report comes in any case):\n"
          "  --idle D           nothing came for so long (default 5s; before the first event 30s)\n"
          "  --duration D       after so long\n"
          "  all there          the manifest's or --events' number came, and a second of silence\n"
          "\n"
          "  --memory BYTES     limit for what is remembered (default 512MiB); beyond it the oldest is "
          "forgotten, and said\n"
          "  --json             JSON lines, for programs\n"
          "  --histogram        with --json: every latency at the end, as pairs of nanoseconds and how many "
          "events\n"
          "  --every D          progress so often, 100ms to 1h (default 1s)\n"
          "  --arrivals D       with --json: count the arrivals of each source in steps of D, 10ms to 1h\n"
          "  --quiet            no progress\n"
          "\nexamples:\n"
          "  penstock verify --from kafka://127.0.0.1:9092/logs --manifest run.json\n"
          "  penstock verify --from tcp://0.0.0.0:5514 --events 1M --idle 10s\n"
          "  penstock verify --from '/var/flume/out/*' --run 3fa9c2 --json | tail -n 1\n"
          "\nExit code: 0 nothing lost, duplicated, reordered or corrupted; 1 something was; 2 usage, or it "
          "cannot be told\n(nobody knows how much was sent, or the far end itself lost some).\n",
          to);
}

static enum ps_status number_take(struct ps_verify_options *to, int option, const char *text,
                                  struct ps_err *err)
{
    uint64_t number = 0;
    enum ps_status status = PS_OK;
    switch (option) {
    case OPTION_EVENTS:
        to->events_known = true;
        return ps_quantity_count("--events", text, 1, PS_STAMP_SEQUENCE_MAX, &to->events, err);
    case OPTION_SOURCES:
        status = ps_quantity_count("--sources", text, 1, PS_STAMP_SOURCE_MAX + 1U, &number, err);
        to->sources = (uint32_t)number;
        return status;
    case OPTION_IDLE:
        status = ps_quantity_duration("--idle", text, &to->idle_ns, err);
        if (status == PS_OK && to->idle_ns == 0)
            return ps_err_set(err, "--idle: 0 would end it before anything comes; 1s is short");
        return status;
    case OPTION_DURATION:
        status = ps_quantity_duration("--duration", text, &to->duration_ns, err);
        if (status == PS_OK && to->duration_ns == 0)
            return ps_err_set(err, "--duration: 0 would end it before it begins; leave it out to go on until "
                                   "--idle ends it");
        return status;
    case OPTION_EVERY:
        return ps_live_every_parse(text, &to->every_ns, err);
    case OPTION_ARRIVALS:
        status = ps_quantity_duration("--arrivals", text, &to->arrivals_ns, err);
        if (status == PS_OK && (to->arrivals_ns < 10 * PS_NS_PER_MS || to->arrivals_ns > 3600 * PS_NS_PER_S))
            return ps_err_set(err, "--arrivals %s: must be 10ms to 1h", text);
        return status;
    default:
        status = ps_quantity_bytes("--memory", text, &to->memory_bytes, err);
        if (status == PS_OK && to->memory_bytes < PS_VERIFY_MEMORY_BYTES_MIN)
            return ps_err_set(err, "--memory: %s is less than 1 MiB, too little to remember anything", text);
        return status;
    }
}

/* Applies the option `option` with its value. */
static enum ps_status option_take(struct ps_verify_options *to, int option, const char *text,
                                  struct ps_err *err)
{
    switch (option) {
    case OPTION_FROM:
        if (to->from_count == PS_VERIFY_FROM_MAX)
            return ps_err_set(err, "--from %s: at most %u of them", text, PS_VERIFY_FROM_MAX);
        to->from[to->from_count++] = text;
        return PS_OK;
    case OPTION_MANIFEST:
        if (to->manifest_count == PS_VERDICT_MANIFESTS_MAX)
            return ps_err_set(err, "--manifest %s: at most %u of them", text, PS_VERDICT_MANIFESTS_MAX);
        to->manifests[to->manifest_count++] = text;
        return PS_OK;
    case OPTION_RUN:
        to->run_only = true;
        return ps_manifest_run("--run", text, &to->run, err);
    case OPTION_JSON:
        to->json = true;
        return PS_OK;
    case OPTION_HISTOGRAM:
        to->histogram = true;
        return PS_OK;
    case OPTION_QUIET:
        to->quiet = true;
        return PS_OK;
    default:
        return number_take(to, option, text, err);
    }
}

static enum ps_status options_check(const struct ps_verify_options *to, struct ps_err *err)
{
    if (to->from_count == 0)
        return ps_err_set(err,
                          "--from is missing: where to read, for example --from kafka://127.0.0.1:9092/logs");
    if (to->run_only && to->manifest_count > 0)
        return ps_err_set(err, "--run and --manifest: a manifest names its run; leave --run out");
    if (to->events_known && to->manifest_count > 0)
        return ps_err_set(err, "--events and --manifest: a manifest says how many; leave --events out");
    return PS_OK;
}

int ps_main_verify(int argc, char **argv)
{
    struct ps_verify_options to = {
        .idle_ns = PS_VERIFY_IDLE_NS, .memory_bytes = PS_VERIFY_MEMORY_BYTES, .every_ns = PS_LIVE_EVERY_NS};
    struct ps_err err = {.length = 0};
    enum ps_status status = PS_OK;
    int option;
    optind = 0;
    while (status == PS_OK &&
           (option = getopt_long(argc, argv, ps_options_verify.letters, options, NULL)) != -1) {
        if (option == 'h') {
            usage(stdout);
            return 0;
        }
        if (option == '?') {
            fputs("`penstock verify --help` lists the options.\n", stderr);
            return 2;
        }
        status = option_take(&to, option, optarg, &err);
    }
    if (status == PS_OK && optind < argc)
        status = ps_err_set(&err, "%s: an option is missing before it; --from %s perhaps", argv[optind],
                            argv[optind]);
    if (status == PS_OK)
        status = options_check(&to, &err);
    if (status != PS_OK) {
        fprintf(stderr, "penstock verify: %s\n`penstock verify --help` tells more.\n", err.text);
        return 2;
    }
    return ps_verify_run(&to);
}
