/* penstock load: the options of the open-loop load generator (bench/load). */
#include "bench/load/content/content.h"
#include "bench/load/load.h"
#include "bench/load/shape/internal.h"
#include "bench/load/shape/shape.h"
#include "bench/load/summary.h"
#include "bench/load/target/target.h"
#include "bench/support/changes.h"
#include "bench/load/content/template.h"
#include "core/quantity.h"
#include "bench/support/stamp.h"
#include "core/clock.h"
#include "commands/commands.h"
#include "commands/interrupts.h"
#include "commands/line/line.h"
#include "stages/lib/random.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DESCRIPTORS_OTHER 100U /* descriptors needed besides those of the connections */

struct wish {
    struct ps_load_config config;
    bool json, quiet, wait, no_stamp;
    uint64_t size_bytes;
    const char *pace; /* "spin", "sleep" */
    const char *compare;
};

/* ---- the help ---- */

static void list_shapes(FILE *to)
{
    for (const struct ps_shape_form *form = ps_shape_forms; form->name != NULL; form++)
        fprintf(to, "          %-10s %s\n", form->name, form->summary);
}

/* Prints a URL and its description on two lines, because URLs with all their keys are long. */
static void target_print(FILE *to, const char *summary)
{
    const char *colon = strstr(summary, ": ");
    if (colon == NULL)
        fprintf(to, "          %s\n", summary);
    else
        fprintf(to, "          %.*s\n              %s\n", (int)(colon - summary), summary, colon + 2);
}

static void list_targets(FILE *to)
{
    for (const struct ps_target_ops *const *target = ps_targets; *target != NULL; target++)
        target_print(to, (*target)->summary);
}

static void list_formats(FILE *to)
{
    for (const struct ps_content_format *format = ps_content_formats; format->name != NULL; format++)
        fprintf(to, "          %-10s %s\n", format->name, format->summary);
}

static void list_fields(FILE *to)
{
    for (const struct ps_template_field *field = ps_template_fields; field->name != NULL; field++)
        fprintf(to, "          {%s%s}\n              %s\n", field->name, field->arguments, field->summary);
}

static ps_row_take take_start_time, take_target, take_cpus, take_run;

#define PS_ROW_TARGET struct wish

static const struct ps_command_row rows[] = {
    {"rate", 0, "R", PS_ROW_RATE(config.shape.rate), .help = "events a second: 100000, 50k, 1.5M",
     .group = "when"},
    {"duration", 0, "D", PS_ROW_DURATION(config.shape.duration_ns), .help = "10s, 1m30s", .min = 1},
    {"events", 0, "N", PS_ROW_COUNT(config.event_max), .help = "the number of events after which it stops",
     .min = 1, .max = PS_STAMP_SEQUENCE_MAX},
    {"shape", 0, "SHAPE", PS_ROW_TEXT(config.shape.text),
     .help = "how the rate changes:", .proposes = PS_PROPOSE_SHAPES, .list = list_shapes},
    {"pace", 0, "spin|sleep", PS_ROW_WORD(pace),
     .help = "spin before each due time (default), or sleep in steps of 1 ms"},
    {"target", 0, "URL", PS_ROW_TAKE(take_target), .help = "one of", .group = "where",
     .proposes = PS_PROPOSE_TARGETS, .list = list_targets},
    {"connections", 0, "N", PS_ROW_COUNT32(config.connections),
     .help = "each is a source with a sequence of its own (default 1)", .min = 1,
     .max = PS_LOAD_CONNECTIONS_MAX},
    {"connect-over", 0, "D", PS_ROW_DURATION(config.connect_over_ns),
     .help = "time over which the connections are opened, before the load starts"},
    {"wait", 0, NULL, PS_ROW_FLAG(wait), .help = "wait for the target without a limit, not for 10 s"},
    {"format", 0, "NAME", PS_ROW_TEXT(config.content.format),
     .help = "the format of the events (default rfc3164); one of", .group = "what",
     .proposes = PS_PROPOSE_FORMATS, .list = list_formats},
    {"template", 0, "TEXT", PS_ROW_TEXT(config.content.template),
     .help = "the template of the events: text with fields; {{ is a brace", .list = list_fields},
    {"lines", 0, "FILE", PS_ROW_TEXT(config.content.lines),
     .help = "the lines of a file in turn; with --template: its {line}"},
    {"size", 0, "BYTES", PS_ROW_BYTES(size_bytes),
     .help = "size of an event, framing included; at most 1 GiB", .min = 1, .max = UINT32_MAX / 4},
    {"seed", 0, "N", PS_ROW_COUNT(config.seed),
     .help =
         "seed of the random numbers (default 1): the same seed gives the same events and random arrivals",
     .max = UINT64_C(1) << 53},
    {"start-time", 0, "ISO8601", PS_ROW_TAKE(take_start_time),
     .help = "the clock that events show and due times count from (default: now); with it, --seed, --run and "
             "--rate (or --shape) the same bytes are sent again"},
    {"run", 0, "HEX6", PS_ROW_TAKE(take_run), .help = "the run's name in the stamps, or auto"},
    {"first-source", 0, "N", PS_ROW_COUNT32(config.source_first),
     .help = "the first connection's number in the stamps", .max = PS_STAMP_SOURCE_MAX},
    {"no-stamp", 0, NULL, PS_ROW_FLAG(no_stamp),
     .help = "no stamp in the events: `penstock verify` finds nothing"},
    {"threads", 0, "N", PS_ROW_COUNT32(config.threads),
     .help = "number of threads (default: as many as the rate needs)", .min = 1, .max = PS_LOAD_THREADS_MAX,
     .group = "how"},
    {"cpus", 0, "LIST", PS_ROW_TAKE(take_cpus), .help = "pin the threads: 1 or 0,2-3"},
    {"settle", 0, "D", PS_ROW_DURATION(config.settle_ns),
     .help = "wait for completions after the last event (default 10s)"},
    {"tolerance", 0, "SHARE", PS_ROW_SHARE(config.tolerance),
     .help = "share of the asked rate that may be missing (default 0.1%)"},
    {"manifest", 0, "FILE", PS_ROW_TEXT(config.manifest),
     .help = "writes the numbers of events sent, for `penstock verify --manifest`"},
    {"compare", 0, "FILE", PS_ROW_TEXT(compare),
     .help = "compares with an older run, whose --json output is in this file; exit status 4 when a figure "
             "is worse"},
    {"json", 0, NULL, PS_ROW_FLAG(json), .help = "JSON lines, for programs"},
    {"every", 0, "D", PS_ROW_DURATION(config.every_ns),
     .help = "time between lines of progress, 100ms to 1h (default 1s)", .min = PS_LIVE_EVERY_NS_MIN,
     .max = PS_LIVE_EVERY_NS_MAX},
    {"quiet", 0, NULL, PS_ROW_FLAG(quiet), .help = "no progress, only the result"},
    {.help = NULL},
};

const struct ps_command_line ps_line_load = {
    .name = "load",
    .usage = "Usage: penstock load --target URL [--rate R] [--duration D | --events N] [OPTION]...\n"
             "Sends events on a schedule that does not wait for the target: each has a due time, and its "
             "latency counts\nfrom that time. Without --rate it sends as fast as the target takes events "
             "(closed loop). Without an end it goes on\nuntil interrupted.\n",
    .rows = rows,
    .ends =
        "Exit status: 0: the rate was held; 1: events failed or were not delivered; 2: it could not start; "
        "3: the rate was not held;\n"
        "4: worse than --compare, by more than 10 %, or with more failures.\n"
        "\n"
        "Examples:\n"
        "  penstock load --rate 100000 --duration 10s --format rfc3164 --target tcp://127.0.0.1:5140\n"
        "  penstock load --rate 1M --shape sine:min=100k,period=1m --duration 5m --connections 8 "
        "--target tcp://collector:514\n"
        "  penstock load --events 1M --target - > events.txt\n",
};

/* ---- values ---- */

static enum ps_status take_target(void *target, const struct ps_command_row *row, const char *text,
                                  struct ps_err *err)
{
    ((struct wish *)target)->config.target = text;
    return text[0] != '\0' ? PS_OK
                           : ps_err_set(err, "--%s: expected a URL such as tcp://127.0.0.1:5140", row->name);
}

static enum ps_status take_cpus(void *target, const struct ps_command_row *, const char *text,
                                struct ps_err *err)
{
    struct ps_load_config *config = &((struct wish *)target)->config;
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    sched_getaffinity(0, sizeof allowed, &allowed);
    config->cpu_count = 0;
    for (const char *at = text; *at != '\0' || at == text;) {
        char *end;
        unsigned long first = strtoul(at, &end, 10), last = first;
        bool good = *at >= '0' && *at <= '9';
        if (good && *end == '-') {
            at = end + 1;
            last = strtoul(at, &end, 10);
            good = *at >= '0' && *at <= '9' && last >= first;
        }
        if (!good || (*end != ',' && *end != '\0') || (*end == ',' && end[1] == '\0') || last >= CPU_SETSIZE)
            return ps_err_set(err, "--cpus: `%s` is not a list of CPUs; write for example 1 or 0,2-3", text);
        for (unsigned long cpu = first; cpu <= last; cpu++) {
            if (!CPU_ISSET(cpu, &allowed))
                return ps_err_set(err, "--cpus: there is no CPU %lu for this process", cpu);
            if (config->cpu_count == PS_LOAD_CPUS_MAX)
                return ps_err_set(err, "--cpus: more than %u", PS_LOAD_CPUS_MAX);
            config->cpus[config->cpu_count++] = (int)cpu;
        }
        at = *end == ',' ? end + 1 : end;
    }
    return PS_OK;
}

static enum ps_status take_run(void *target, const struct ps_command_row *, const char *text,
                               struct ps_err *err)
{
    struct ps_load_config *config = &((struct wish *)target)->config;
    char *end;
    if (strcmp(text, "auto") == 0)
        return PS_OK;
    if (strlen(text) != 6 || strspn(text, "0123456789abcdefABCDEF") != 6)
        return ps_err_set(err, "--run: `%s` is not six hexadecimal digits, such as 3fa9c2, nor auto", text);
    config->run = (uint32_t)strtoul(text, &end, 16);
    return PS_OK;
}

static enum ps_status take_start_time(void *target, const struct ps_command_row *, const char *text,
                                      struct ps_err *err)
{
    struct ps_load_config *config = &((struct wish *)target)->config;
    if (ps_trace_line_read(text, strlen(text), PS_TRACE_S, &config->start_wall_ns) != PS_TRACE_LINE_TIME)
        return ps_err_set(err, "--start-time: `%s` is not a time; write for example 2026-11-20T11:38:16.5Z",
                          text);
    return PS_OK;
}

/* ---- options ---- */

static enum ps_status check(struct ps_load_config *config, struct ps_err *err)
{
    struct ps_content_config *content = &config->content;
    if (config->target == NULL)
        return ps_err_set(
            err,
            "--target is missing: name where to send the events, for example --target tcp://127.0.0.1:5140");
    if (content->format != NULL && (content->template != NULL || content->lines != NULL))
        return ps_err_set(
            err,
            "give only one of --format, --template and --lines; only --template and --lines can be combined");
    if (content->format == NULL && content->template == NULL && content->lines == NULL)
        content->format = "rfc3164";
    if (config->threads > config->connections)
        return ps_err_set(err, "--threads %u: each thread needs a connection; give --connections %u or more",
                          config->threads, config->threads);
    return PS_OK;
}

/* Raises the limit of descriptors for all connections, up to the hard limit. */
static enum ps_status descriptors_raise(const struct ps_load_config *config, struct ps_err *err)
{
    struct rlimit limit;
    rlim_t wanted = config->connections + DESCRIPTORS_OTHER;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return PS_OK;
    if (limit.rlim_max < wanted)
        return ps_err_set(
            err, "--connections %u: this process may open only %s files; raise the limit (ulimit -Hn)",
            config->connections, ps_quantity_print_count(limit.rlim_max).text);
    limit.rlim_cur = wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
    return PS_OK;
}

/* Returns -1 to continue, else the exit code. */
static int options_parse(struct wish *wish, int argc, char **argv)
{
    struct ps_load_config *config = &wish->config;
    struct ps_err err = {0};
    int operands, code = ps_command_line_parse(&ps_line_load, wish, argc, argv, &operands);
    if (code >= 0)
        return code;
    config->content.size_bytes = (uint32_t)wish->size_bytes;
    config->content.stamp = !wish->no_stamp;
    config->spin = strcmp(wish->pace, "spin") == 0;
    if (wish->wait)
        config->connect_ns = PS_NEVER;
    if (operands > 0)
        ps_err_set(&err, "`%s` is not an option; a target is given as --target %s", argv[1], argv[1]);
    else if (check(config, &err) == PS_OK && descriptors_raise(config, &err) == PS_OK)
        return -1;
    fprintf(stderr, "penstock load: %s\n", err.text);
    return 2;
}

/* Prints the summary, with the comparison when there is an older one. Returns how many figures are worse. */
static unsigned summary_write(struct ps_live *live, const struct wish *wish,
                              const struct ps_load_result *result, const json_t *old)
{
    static const struct ps_change_figure figures[] = {
        {"rate", NULL, "achieved_rate", PS_CHANGE_RATE},
        {"p50", "latency_ns", "p50", PS_CHANGE_LATENCY},
        {"p99", "latency_ns", "p99", PS_CHANGE_LATENCY},
        {"p99.9", "latency_ns", "p99.9", PS_CHANGE_LATENCY},
        {"failed", NULL, "failed", PS_CHANGE_FAULTS},
        {"undelivered", NULL, "undelivered", PS_CHANGE_FAULTS},
    };
    static const char *const same[] = {"asked_rate", "sources", NULL};
    if (old == NULL) {
        ps_summary_write(live, &wish->config, result);
        return 0;
    }
    json_t *summary = ps_summary_object(result);
    unsigned worse = ps_changes_make(summary, old, wish->compare, figures, PS_COUNT_OF(figures), same);
    if (!live->json)
        ps_summary_write(live, &wish->config, result);
    ps_changes_print(live, summary);
    ps_live_object(live, summary, false);
    return worse;
}

int ps_main_load(int argc, char **argv)
{
    struct wish wish = {
        .pace = "spin",
        .config = {.connections = 1,
                   .seed = 1,
                   .settle_ns = 10 * PS_NS_PER_S,
                   .every_ns = PS_LIVE_EVERY_NS,
                   .connect_ns = 10 * PS_NS_PER_S,
                   .tolerance = 0.001},
    };
    struct ps_load_config *config = &wish.config;
    struct ps_random random;
    ps_random_init(&random);
    config->run = (uint32_t)ps_random_next(&random) & PS_STAMP_RUN_MAX;
    int code = options_parse(&wish, argc, argv);
    if (code >= 0)
        return code;
    bool on_stdout = strcmp(config->target, "-") == 0 || strncasecmp(config->target, "stdout:", 7) == 0;
    struct ps_live live;
    struct ps_load_result *result = calloc(1, sizeof *result);
    struct ps_err err = {0};
    json_t *old = NULL;
    unsigned worse = 0;
    if (result == NULL)
        return 2;
    if (wish.compare != NULL && ps_changes_read(&old, wish.compare, "achieved_rate", &err) != PS_OK) {
        fprintf(stderr, "penstock load: %s\n", err.text);
        free(result);
        return 2;
    }
    ps_live_init(&live, on_stdout ? stderr : stdout, wish.json, wish.quiet);
    config->interrupts = ps_interrupts_catch();
    enum ps_status status = ps_load_run(config, &live, result, &err);
    ps_live_clear(&live);
    if (result->sources != NULL)
        worse = summary_write(&live, &wish, result, old);
    if (status != PS_OK)
        fprintf(stderr, "penstock load: %s\n", err.text);
    code = status == PS_OK ? ps_load_result_code(result) : 2;
    if (code == 0 && worse > 0)
        code = 4;
    json_decref(old);
    ps_load_result_fini(result);
    free(result);
    return code;
}
