/* penstock load: the options of the open-loop load generator (bench/load). */
#include "bench/load/load.h"
#include "bench/load/shape/internal.h"
#include "bench/load/summary.h"
#include "core/nearest.h"
#include "core/quantity.h"
#include "bench/support/stamp.h"
#include "core/clock.h"
#include "commands/commands.h"
#include "commands/interrupts.h"
#include "commands/load.h"
#include "stages/lib/random.h"

#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DESCRIPTORS_OTHER 100U /* beside the descriptors of the connections */

enum option_number {
    OPTION_TARGET = 256,
    OPTION_RATE,
    OPTION_DURATION,
    OPTION_EVENTS,
    OPTION_SHAPE,
    OPTION_FORMAT,
    OPTION_TEMPLATE,
    OPTION_LINES,
    OPTION_SIZE,
    OPTION_CONNECTIONS,
    OPTION_CONNECT_OVER,
    OPTION_THREADS,
    OPTION_CPUS,
    OPTION_PACE,
    OPTION_SEED,
    OPTION_START_TIME,
    OPTION_RUN,
    OPTION_FIRST_SOURCE,
    OPTION_NO_STAMP,
    OPTION_MANIFEST,
    OPTION_SETTLE,
    OPTION_EVERY,
    OPTION_TOLERANCE,
    OPTION_WAIT,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_HELP,
};

static const struct option options[] = {
    {"target", required_argument, NULL, OPTION_TARGET},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"duration", required_argument, NULL, OPTION_DURATION},
    {"events", required_argument, NULL, OPTION_EVENTS},
    {"shape", required_argument, NULL, OPTION_SHAPE},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"template", required_argument, NULL, OPTION_TEMPLATE},
    {"lines", required_argument, NULL, OPTION_LINES},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"connect-over", required_argument, NULL, OPTION_CONNECT_OVER},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"cpus", required_argument, NULL, OPTION_CPUS},
    {"pace", required_argument, NULL, OPTION_PACE},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"start-time", required_argument, NULL, OPTION_START_TIME},
    {"run", required_argument, NULL, OPTION_RUN},
    {"first-source", required_argument, NULL, OPTION_FIRST_SOURCE},
    {"no-stamp", no_argument, NULL, OPTION_NO_STAMP},
    {"manifest", required_argument, NULL, OPTION_MANIFEST},
    {"settle", required_argument, NULL, OPTION_SETTLE},
    {"every", required_argument, NULL, OPTION_EVERY},
    {"tolerance", required_argument, NULL, OPTION_TOLERANCE},
    {"wait", no_argument, NULL, OPTION_WAIT},
    {"json", no_argument, NULL, OPTION_JSON},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};
const struct ps_command_options ps_options_load = {options, ":h", false};

/* ---- values ---- */

static enum ps_status target_check(const char *text, struct ps_err *err)
{
    return text[0] != '\0' ? PS_OK
                           : ps_err_set(err, "--target: a URL is wanted, such as tcp://127.0.0.1:5140");
}

static enum ps_status cpus_parse(struct ps_load_config *config, const char *text, struct ps_err *err)
{
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
            return ps_err_set(err, "--cpus: `%s` is no list of CPUs; 1 and 0,2-3 are", text);
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

static enum ps_status run_parse(struct ps_load_config *config, const char *text, struct ps_err *err)
{
    char *end;
    if (strcmp(text, "auto") == 0)
        return PS_OK;
    if (strlen(text) != 6 || strspn(text, "0123456789abcdefABCDEF") != 6)
        return ps_err_set(err, "--run: `%s` is not six hexadecimal digits, such as 3fa9c2, nor auto", text);
    config->run = (uint32_t)strtoul(text, &end, 16);
    return PS_OK;
}

static enum ps_status start_time_parse(struct ps_load_config *config, const char *text, struct ps_err *err)
{
    if (ps_trace_line_read(text, strlen(text), PS_TRACE_S, &config->start_wall_ns) != PS_TRACE_LINE_TIME)
        return ps_err_set(err, "--start-time: `%s` is not a time; 2026-11-20T11:38:16.5Z is", text);
    return PS_OK;
}

static enum ps_status pace_parse(struct ps_load_config *config, const char *text, struct ps_err *err)
{
    config->spin = strcmp(text, "spin") == 0;
    if (!config->spin && strcmp(text, "sleep") != 0)
        return ps_err_set(err, "--pace: spin or sleep, not `%s`", text);
    return PS_OK;
}

static enum ps_status count32(const char *what, const char *text, uint64_t min, uint64_t max, uint32_t *count,
                              struct ps_err *err)
{
    uint64_t wide;
    if (ps_quantity_count(what, text, min, max, &wide, err) != PS_OK)
        return PS_FAIL;
    *count = (uint32_t)wide;
    return PS_OK;
}

static enum ps_status size_parse(struct ps_load_config *config, const char *text, struct ps_err *err)
{
    uint64_t bytes;
    if (ps_quantity_bytes("--size", text, &bytes, err) != PS_OK)
        return PS_FAIL;
    if (bytes == 0 || bytes > UINT32_MAX / 4)
        return ps_err_set(err, "--size: %s is not from 1 B to 1 GiB", text);
    config->content.size_bytes = (uint32_t)bytes;
    return PS_OK;
}

static enum ps_status when_set(struct ps_load_config *config, int option, const char *text,
                               struct ps_err *err)
{
    switch (option) {
    case OPTION_RATE:
        return ps_quantity_rate("--rate", text, &config->shape.rate, err);
    case OPTION_DURATION:
        if (ps_quantity_duration("--duration", text, &config->shape.duration_ns, err) != PS_OK)
            return PS_FAIL;
        return config->shape.duration_ns > 0 ? PS_OK : ps_err_set(err, "--duration: 0 is too short");
    case OPTION_EVENTS:
        return ps_quantity_count("--events", text, 1, PS_STAMP_SEQUENCE_MAX, &config->event_max, err);
    case OPTION_SHAPE:
        config->shape.text = text;
        return PS_OK;
    case OPTION_PACE:
        return pace_parse(config, text, err);
    case OPTION_CONNECT_OVER:
        return ps_quantity_duration("--connect-over", text, &config->connect_over_ns, err);
    case OPTION_EVERY:
        return ps_live_every_parse(text, &config->every_ns, err);
    case OPTION_SETTLE:
        return ps_quantity_duration("--settle", text, &config->settle_ns, err);
    default:
        return start_time_parse(config, text, err);
    }
}

static enum ps_status value_set(struct ps_load_config *config, int option, const char *text,
                                struct ps_err *err)
{
    switch (option) {
    case OPTION_TARGET:
        config->target = text;
        return target_check(text, err);
    case OPTION_FORMAT:
        config->content.format = text;
        return PS_OK;
    case OPTION_TEMPLATE:
        config->content.template = text;
        return PS_OK;
    case OPTION_LINES:
        config->content.lines = text;
        return PS_OK;
    case OPTION_SIZE:
        return size_parse(config, text, err);
    case OPTION_CONNECTIONS:
        return count32("--connections", text, 1, PS_LOAD_CONNECTIONS_MAX, &config->connections, err);
    case OPTION_THREADS:
        return count32("--threads", text, 1, PS_LOAD_THREADS_MAX, &config->threads, err);
    case OPTION_CPUS:
        return cpus_parse(config, text, err);
    case OPTION_SEED:
        return ps_quantity_count("--seed", text, 0, UINT64_C(1) << 53, &config->seed, err);
    case OPTION_RUN:
        return run_parse(config, text, err);
    case OPTION_FIRST_SOURCE:
        return count32("--first-source", text, 0, PS_STAMP_SOURCE_MAX, &config->source_first, err);
    case OPTION_MANIFEST:
        config->manifest = text;
        return PS_OK;
    case OPTION_TOLERANCE:
        return ps_quantity_share("--tolerance", text, &config->tolerance, err);
    default:
        return when_set(config, option, text, err);
    }
}

/* ---- options ---- */

struct outer {
    bool json, quiet;
};

static void unknown(const char *word)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, word);
    for (const struct option *option = options; option->name != NULL; option++)
        ps_nearest_offer(&nearest, option->name);
    if (nearest.word != NULL)
        fprintf(stderr, "penstock load: there is no option --%s; did you mean --%s?\n", word, nearest.word);
    else
        fprintf(stderr, "penstock load: there is no option --%s; `penstock load --help` lists them\n", word);
}

static enum ps_status check(struct ps_load_config *config, struct ps_err *err)
{
    struct ps_content_config *content = &config->content;
    if (config->target == NULL)
        return ps_err_set(err, "--target is missing: where to, such as --target tcp://127.0.0.1:5140");
    if (content->format != NULL && (content->template != NULL || content->lines != NULL))
        return ps_err_set(err, "--format or --template or --lines; only --template and --lines go together");
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
        return ps_err_set(err, "--connections %u: this process may open %s files (ulimit -Hn)",
                          config->connections, ps_quantity_print_count(limit.rlim_max).text);
    limit.rlim_cur = wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
    return PS_OK;
}

/* Returns 0 to go on, else the exit code plus 1. */
static int options_parse(struct ps_load_config *config, struct outer *outer, int argc, char **argv)
{
    struct ps_err err = {0};
    int option;
    optind = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ps_options_load.letters, options, NULL)) != -1) {
        enum ps_status status = PS_OK;
        if (option == OPTION_HELP || option == 'h')
            return load_usage(stdout), 1;
        if (option == '?' || option == ':') {
            const char *word = argv[optind - 1];
            if (option == ':')
                fprintf(stderr, "penstock load: %s needs a value\n", word);
            else
                unknown(word + strspn(word, "-"));
            return 3;
        }
        if (option == OPTION_JSON)
            outer->json = true;
        else if (option == OPTION_QUIET)
            outer->quiet = true;
        else if (option == OPTION_WAIT)
            config->connect_ns = PS_NEVER;
        else if (option == OPTION_NO_STAMP)
            config->content.stamp = false;
        else
            status = value_set(config, option, optarg, &err);
        if (status != PS_OK) {
            fprintf(stderr, "penstock load: %s\n", err.text);
            return 3;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "penstock load: `%s` is no option; a target is given as --target %s\n", argv[optind],
                argv[optind]);
        return 3;
    }
    if (check(config, &err) != PS_OK || descriptors_raise(config, &err) != PS_OK) {
        fprintf(stderr, "penstock load: %s\n", err.text);
        return 3;
    }
    return 0;
}

int ps_main_load(int argc, char **argv)
{
    struct ps_load_config config = {
        .connections = 1,
        .spin = true,
        .seed = 1,
        .settle_ns = 10 * PS_NS_PER_S,
        .every_ns = PS_LIVE_EVERY_NS,
        .connect_ns = 10 * PS_NS_PER_S,
        .tolerance = 0.001,
        .content.stamp = true,
    };
    struct outer outer = {0};
    struct ps_random random;
    ps_random_init(&random);
    config.run = (uint32_t)ps_random_next(&random) & PS_STAMP_RUN_MAX;
    int code = options_parse(&config, &outer, argc, argv);
    if (code != 0)
        return code - 1;
    bool on_stdout = strcmp(config.target, "-") == 0 || strncasecmp(config.target, "stdout:", 7) == 0;
    struct ps_live live;
    struct ps_load_result *result = calloc(1, sizeof *result);
    struct ps_err err = {0};
    if (result == NULL)
        return 2;
    ps_live_init(&live, on_stdout ? stderr : stdout, outer.json, outer.quiet);
    config.interrupts = ps_interrupts_catch();
    enum ps_status status = ps_load_run(&config, &live, result, &err);
    ps_live_clear(&live);
    if (result->sources != NULL)
        ps_summary_write(&live, &config, result);
    if (status != PS_OK)
        fprintf(stderr, "penstock load: %s\n", err.text);
    code = status == PS_OK ? ps_load_result_code(result) : 2;
    ps_load_result_fini(result);
    free(result);
    return code;
}
