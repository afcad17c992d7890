/* penstock plan: the command line. */
#include "conf/conf.h"
#include "commands/plan.h"
#include "commands/commands.h"
#include "bench/load/load.h"
#include "bench/plan/goal.h"
#include "core/quantity.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum option_number {
    OPTION_AGENT = 'n',
    OPTION_FILE = 'f',
    OPTION_CONF = 'c',
    OPTION_SYSTEM = 'D',
    OPTION_HELP = 'h',
    OPTION_BROKERS = 256,
    OPTION_AGENT_METRICS,
    OPTION_TARGET,
    OPTION_FROM,
    OPTION_PID,
    OPTION_GOAL,
    OPTION_REQUIRE,
    OPTION_WITHIN,
    OPTION_PRECISION,
    OPTION_RATE_MIN,
    OPTION_RATE_MAX,
    OPTION_RATE_FIRST,
    OPTION_WORKERS,
    OPTION_MACHINES_FOR,
    OPTION_MACHINE_SIZE,
    OPTION_HEADROOM,
    OPTION_SPARE,
    OPTION_RETENTION,
    OPTION_REPLICATION,
    OPTION_COST,
    OPTION_COMPARE,
    OPTION_REPORT,
    OPTION_RESULT,
    OPTION_CSV,
    OPTION_HGRM,
    OPTION_HLOG,
    OPTION_RENDER,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_SEED,
    OPTION_LOAD, /* this and the following options are passed on to load */
    OPTION_FORMAT = OPTION_LOAD,
    OPTION_TEMPLATE,
    OPTION_LINES,
    OPTION_SIZE,
    OPTION_SHAPE,
    OPTION_CONNECTIONS,
    OPTION_CONNECT_OVER,
    OPTION_THREADS,
    OPTION_CPUS,
    OPTION_PACE,
};

static const struct option options[] = {
    {"name", required_argument, NULL, OPTION_AGENT},
    {"conf-file", required_argument, NULL, OPTION_FILE},
    {"conf", required_argument, NULL, OPTION_CONF},
    {"brokers", required_argument, NULL, OPTION_BROKERS},
    {"agent-metrics", required_argument, NULL, OPTION_AGENT_METRICS},
    {"target", required_argument, NULL, OPTION_TARGET},
    {"from", required_argument, NULL, OPTION_FROM},
    {"pid", required_argument, NULL, OPTION_PID},
    {"goal", required_argument, NULL, OPTION_GOAL},
    {"require", required_argument, NULL, OPTION_REQUIRE},
    {"within", required_argument, NULL, OPTION_WITHIN},
    {"precision", required_argument, NULL, OPTION_PRECISION},
    {"rate-min", required_argument, NULL, OPTION_RATE_MIN},
    {"rate-max", required_argument, NULL, OPTION_RATE_MAX},
    {"rate-first", required_argument, NULL, OPTION_RATE_FIRST},
    {"workers", required_argument, NULL, OPTION_WORKERS},
    {"machines-for", required_argument, NULL, OPTION_MACHINES_FOR},
    {"machine-size", required_argument, NULL, OPTION_MACHINE_SIZE},
    {"headroom", required_argument, NULL, OPTION_HEADROOM},
    {"spare", required_argument, NULL, OPTION_SPARE},
    {"retention", required_argument, NULL, OPTION_RETENTION},
    {"replication", required_argument, NULL, OPTION_REPLICATION},
    {"cost-per-machine", required_argument, NULL, OPTION_COST},
    {"compare", required_argument, NULL, OPTION_COMPARE},
    {"report", required_argument, NULL, OPTION_REPORT},
    {"result", required_argument, NULL, OPTION_RESULT},
    {"csv", required_argument, NULL, OPTION_CSV},
    {"hgrm", required_argument, NULL, OPTION_HGRM},
    {"hlog", required_argument, NULL, OPTION_HLOG},
    {"render", required_argument, NULL, OPTION_RENDER},
    {"json", no_argument, NULL, OPTION_JSON},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"template", required_argument, NULL, OPTION_TEMPLATE},
    {"lines", required_argument, NULL, OPTION_LINES},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"shape", required_argument, NULL, OPTION_SHAPE},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"connect-over", required_argument, NULL, OPTION_CONNECT_OVER},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"cpus", required_argument, NULL, OPTION_CPUS},
    {"pace", required_argument, NULL, OPTION_PACE},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};
const struct ps_command_options ps_options_plan = {options, "n:f:c:D:h", false};

const char plan_usage[] =
    "usage: penstock plan [-n AGENT] -f FILE [--brokers LIST] [OPTION]...\n"
    "       penstock plan --agent-metrics URL --target URL [--from URL]... [OPTION]...\n"
    "       penstock plan --target URL --from URL [--from URL]... [OPTION]...\n"
    "       penstock plan --render RESULT [--report PAGE] [--require GOAL>=RATE]... [OPTION]...\n"
    "\n"
    "Finds the highest rate a pipeline holds: offers load in trials, short ones first, longer ones near the\n"
    "answer, and repeats those that decide. Says how sure it is, what limits, and how many machines it "
    "takes.\n"
    "\n"
    "what is measured\n"
    "  -n AGENT -f FILE       an agent file: started here, on ports of its own; its Kafka sinks write to an\n"
    "                         embedded broker, or to --brokers. -f, -c and -Dkey=value as for the agent\n"
    "  --agent-metrics URL    an agent that runs with -Dflume.monitoring.type=http\n"
    "  --target URL           where load goes (see `penstock load --help`); found in the agent file "
    "otherwise\n"
    "  --from URL             where it arrives (see `penstock verify --help`), likewise; may be repeated\n"
    "  --pid PID              the process whose CPU time and memory count, where it is not ours\n"
    "\n"
    "what is asked\n"
    "  --goal GOAL            ndr: nothing is lost (default); pdr=0.1%: no more than that is lost;\n"
    "                         p99<20ms: nothing is lost and that percentile is met. May be repeated\n"
    "  --within D             time for each goal (default 2m)\n"
    "  --precision SHARE      width of the answer (default 3%)\n"
    "  --rate-min R --rate-max R --rate-first R   where to look (10 to 100M), where to begin (10k)\n"
    "  --workers 1..N         measure at 1 to N workers and fit the scalability law (agent files)\n"
    "\n"
    "what has to come out\n"
    "  --require GOAL>=RATE   that rate has to be held for the goal, else exit status 3. May be repeated; "
    "adds its\n"
    "                         goal to those of --goal. --rate-max RATE asks no more than that\n"
    "  --compare RESULT       the changes since an older --result; exit status 4 when one is worse beyond "
    "noise\n"
    "\n"
    "what it takes\n"
    "  --machines-for R       machines for so many events/s\n"
    "  --machine-size BYTES   of an event there (default: as measured)\n"
    "  --headroom SHARE       kept free on each (default 30%)\n"
    "  --spare N              may be down (default 1)\n"
    "  --retention D --replication N   disk of the brokers\n"
    "  --cost-per-machine C   what they cost: 0.34/h, '250 EUR/month' (h, day, month of 730 h, year)\n"
    "\n"
    "load, as for `penstock load`: --format --template --lines --size --shape --connections --connect-over\n"
    "  --threads --cpus --pace --seed\n"
    "\n"
    "what comes out\n"
    "  --report PAGE          one HTML page\n"
    "  --result FILE          the result as JSON; --render makes everything else here from it again, or "
    "prints its "
    "text\n"
    "  --csv FILE             a row for each trial\n"
    "  --hgrm FILE            the latencies of the first goal's result, in ms, as HdrHistogram's "
    "percentiles\n"
    "  --hlog FILE            the latencies of every trial, in ns, as HdrHistogram's log\n"
    "  --json                 JSON lines, for programs: each trial, and the result at the end (the "
    "latencies' "
    "histograms are in --result)\n"
    "  --quiet                no trials, only the end\n"
    "\n"
    "Exit status: 0 every goal has its figure or meets what is required, 1 one has none or the subject "
    "failed,\n"
    "2 wrong usage, 3 a requirement is missed or not shown, 4 worse than --compare beyond noise.\n"
    "\n"
    "examples:\n"
    "  penstock plan -n a1 -f a1.properties\n"
    "  penstock plan -n a1 -f a1.properties --goal ndr --goal 'p99<20ms' --report plan.html\n"
    "  penstock plan -n a1 -f a1.properties --workers 1..4 --machines-for 800k --headroom 30% --spare 1 \\\n"
    "      --retention 7d --replication 3 --cost-per-machine '0.34 USD/h'\n"
    "  penstock plan -n a1 -f a1.properties --require 'ndr>=50k' --require 'p99<20ms>=30k' --compare "
    "last.json \\\n"
    "      --result plan.json\n"
    "  penstock plan --render plan.json --report plan.html --csv trials.csv --hlog trials.hlog\n"
    "  penstock plan --target tcp://rsyslog:514 --from kafka://broker:9092/logs?offset=latest --goal "
    "pdr=0.1%\n";

/* ---- values ---- */

static enum ps_status add(const char **list, unsigned *count, unsigned room, const char *text,
                          const char *what, struct ps_err *err)
{
    if (*count >= room)
        return ps_err_set(err, "%s: more than %u", what, room);
    list[(*count)++] = text;
    return PS_OK;
}

static enum ps_status add_agent(struct ps_subject_config *subject, const char *option, const char *value,
                                struct ps_err *err)
{
    /* Room for the options that the plan adds. */
    unsigned room = PS_SUBJECT_ARGUMENTS_MAX - 8;
    if (add(subject->agent_arguments, &subject->agent_argument_count, room, option, option, err) != PS_OK)
        return PS_FAIL;
    return value == NULL
               ? PS_OK
               : add(subject->agent_arguments, &subject->agent_argument_count, room, value, option, err);
}

static enum ps_status add_system(struct ps_subject_config *subject, const char *text, struct ps_err *err)
{
    char *whole;
    if (asprintf(&whole, "-D%s", text) < 0) /* lives to the end of the program */
        return ps_err_set(err, "no memory");
    return add_agent(subject, whole, NULL, err);
}

static enum ps_status seconds_of(const char *what, const char *text, double *seconds, struct ps_err *err)
{
    uint64_t ns;
    if (ps_quantity_duration(what, text, &ns, err) != PS_OK)
        return PS_FAIL;
    *seconds = (double)ns / 1e9;
    return ns > 0 ? PS_OK : ps_err_set(err, "%s: 0 is too short", what);
}

static enum ps_status workers_of(struct ps_planning_config *config, const char *text, struct ps_err *err)
{
    unsigned first, last;
    char rest;
    if (sscanf(text, "%u..%u%c", &first, &last, &rest) != 2) {
        if (sscanf(text, "%u%c", &last, &rest) != 1)
            return ps_err_set(err, "--workers: 1..4 is how it is written, not `%s`", text);
        first = last;
    }
    if (first < 1 || last < first || last >= PS_SCALING_POINTS_MAX)
        return ps_err_set(err, "--workers: from 1 to %u, not `%s`", PS_SCALING_POINTS_MAX - 1, text);
    config->workers_min = first;
    config->workers_max = last;
    return PS_OK;
}

static enum ps_status count_of(const char *what, const char *text, unsigned max, unsigned *count,
                               struct ps_err *err)
{
    uint64_t wide;
    if (ps_quantity_count(what, text, 0, max, &wide, err) != PS_OK)
        return PS_FAIL;
    *count = (unsigned)wide;
    return PS_OK;
}

/* The plan reads these options too. */
static enum ps_status load_option(struct plan_wish *wish, int option, const char *text, struct ps_err *err)
{
    static char names[PS_COUNT_OF(options)][24];
    struct ps_planning_config *config = &wish->config;
    unsigned index = 0;
    uint64_t bytes;
    while (options[index].val != option)
        index++;
    snprintf(names[index], sizeof names[index], "--%s", options[index].name);
    wish->pace_given = wish->pace_given || option == OPTION_PACE;
    if (option == OPTION_FORMAT)
        config->format = text;
    else if (option == OPTION_TEMPLATE)
        config->format = "template";
    else if (option == OPTION_LINES)
        config->format = "lines";
    else if (option == OPTION_SHAPE)
        config->shape = text;
    else if (option == OPTION_CONNECTIONS &&
             count_of("--connections", text, 65536, &config->connections, err) != PS_OK)
        return PS_FAIL;
    if (option == OPTION_SIZE) {
        if (ps_quantity_bytes("--size", text, &bytes, err) != PS_OK)
            return PS_FAIL;
        config->size_bytes = bytes;
    }
    if (add(config->load_options, &config->load_option_count, PS_TRIAL_OPTIONS_MAX - 8, names[index],
            names[index], err) != PS_OK)
        return PS_FAIL;
    return add(config->load_options, &config->load_option_count, PS_TRIAL_OPTIONS_MAX - 8, text, names[index],
               err);
}

static enum ps_status set_subject(struct plan_wish *wish, int option, const char *text, struct ps_err *err)
{
    struct ps_subject_config *subject = &wish->config.subject;
    unsigned pid;
    switch (option) {
    case OPTION_AGENT:
        subject->agent = text;
        return PS_OK;
    case OPTION_FILE:
        if (subject->file == NULL)
            subject->file = text;
        return add_agent(subject, "-f", text, err);
    case OPTION_CONF:
        return add_agent(subject, "-c", text, err);
    case OPTION_SYSTEM:
        return add_system(subject, text, err);
    case OPTION_BROKERS:
        subject->brokers = text;
        return PS_OK;
    case OPTION_AGENT_METRICS:
        subject->agent_metrics = text;
        return PS_OK;
    case OPTION_TARGET:
        subject->target = text;
        return PS_OK;
    case OPTION_FROM:
        return add(subject->from, &subject->from_count, PS_TRIAL_FROM_MAX, text, "--from", err);
    default:
        if (count_of("--pid", text, 1U << 30, &pid, err) != PS_OK)
            return PS_FAIL;
        subject->pid = (int)pid;
        return kill(subject->pid, 0) == 0 ? PS_OK : ps_err_set(err, "--pid: there is no process %u", pid);
    }
}

static enum ps_status set_search(struct plan_wish *wish, int option, const char *text, struct ps_err *err)
{
    struct ps_search_config *search = &wish->config.search;
    switch (option) {
    case OPTION_GOAL:
        if (search->goal_count == PS_GOALS_MAX)
            return ps_err_set(err, "--goal: more than %u", PS_GOALS_MAX);
        return ps_goal_parse(&search->goals[search->goal_count++], "--goal", text, err);
    case OPTION_REQUIRE:
        if (wish->requirement_count == PS_REQUIREMENTS_MAX)
            return ps_err_set(err, "--require: more than %u", PS_REQUIREMENTS_MAX);
        return ps_requirement_parse(&wish->requirements[wish->requirement_count++], text, err);
    case OPTION_WITHIN:
        return seconds_of("--within", text, &wish->within_s, err);
    case OPTION_PRECISION:
        if (ps_quantity_share("--precision", text, &search->precision, err) != PS_OK)
            return PS_FAIL;
        return search->precision >= 0.001 && search->precision <= 0.5
                   ? PS_OK
                   : ps_err_set(err, "--precision: from 0.1%% to 50%%, not `%s`", text);
    case OPTION_RATE_MIN:
        return ps_quantity_rate("--rate-min", text, &search->rate_min, err);
    case OPTION_RATE_MAX:
        return ps_quantity_rate("--rate-max", text, &search->rate_max, err);
    case OPTION_RATE_FIRST:
        return ps_quantity_rate("--rate-first", text, &search->rate_first, err);
    default:
        return workers_of(&wish->config, text, err);
    }
}

static enum ps_status set_projection(struct plan_wish *wish, int option, const char *text, struct ps_err *err)
{
    struct ps_projection_wish *projection = &wish->config.wish;
    uint64_t bytes;
    switch (option) {
    case OPTION_MACHINES_FOR:
        wish->config.project = true;
        return ps_quantity_rate("--machines-for", text, &projection->rate, err);
    case OPTION_MACHINE_SIZE:
        if (ps_quantity_bytes("--machine-size", text, &bytes, err) != PS_OK)
            return PS_FAIL;
        projection->size_bytes = (double)bytes;
        return PS_OK;
    case OPTION_HEADROOM:
        if (ps_quantity_share("--headroom", text, &projection->headroom, err) != PS_OK)
            return PS_FAIL;
        return projection->headroom < 1 ? PS_OK : ps_err_set(err, "--headroom: less than 100%%");
    case OPTION_SPARE:
        return count_of("--spare", text, 1000, &projection->spare, err);
    case OPTION_RETENTION:
        return seconds_of("--retention", text, &projection->retention_s, err);
    case OPTION_COST:
        return ps_cost_parse(&projection->cost, "--cost-per-machine", text, err);
    default:
        return count_of("--replication", text, 100, &projection->replication, err);
    }
}

static enum ps_status set_file(struct plan_wish *wish, int option, const char *text)
{
    const char **files[] = {
        [OPTION_COMPARE - OPTION_COMPARE] = &wish->compare, [OPTION_REPORT - OPTION_COMPARE] = &wish->report,
        [OPTION_RESULT - OPTION_COMPARE] = &wish->result,   [OPTION_CSV - OPTION_COMPARE] = &wish->csv,
        [OPTION_HGRM - OPTION_COMPARE] = &wish->hgrm,       [OPTION_HLOG - OPTION_COMPARE] = &wish->hlog,
        [OPTION_RENDER - OPTION_COMPARE] = &wish->render,
    };
    *files[option - OPTION_COMPARE] = text;
    return PS_OK;
}

static enum ps_status set_option(struct plan_wish *wish, int option, const char *text, struct ps_err *err)
{
    if (option >= OPTION_LOAD)
        return load_option(wish, option, text, err);
    switch (option) {
    case OPTION_HELP:
        wish->help = true;
        return PS_OK;
    case OPTION_JSON:
        wish->json = true;
        return PS_OK;
    case OPTION_QUIET:
        wish->quiet = true;
        return PS_OK;
    case OPTION_SEED:
        snprintf(wish->seed, sizeof wish->seed, "%s", text);
        return ps_quantity_count("--seed", text, 0, UINT64_MAX / 2, &wish->config.seed, err);
    default:
        if (option >= OPTION_COMPARE)
            return set_file(wish, option, text);
        if (option >= OPTION_MACHINES_FOR)
            return set_projection(wish, option, text, err);
        return option >= OPTION_GOAL ? set_search(wish, option, text, err)
                                     : set_subject(wish, option, text, err);
    }
}

/* ---- combinations of options ---- */

/* The name stays in memory until the program ends, as argv does. */
static void find_agent(struct ps_subject_config *subject)
{
    static struct ps_arena *arena;
    const struct ps_texts files = {1, &subject->file};
    if (subject->agent != NULL || subject->file == NULL)
        return;
    if (arena == NULL)
        arena = ps_arena_create();
    subject->agent = ps_conf_only_agent(arena, &files);
}

static enum ps_status check_subject(struct ps_subject_config *subject, struct ps_err *err)
{
    find_agent(subject);
    if (subject->agent == NULL && subject->file != NULL)
        return ps_err_set(err, "-f names a file; -n has to name the agent in it");
    if (subject->agent != NULL && subject->file == NULL)
        return ps_err_set(err, "-n names an agent; -f has to name its file");
    if (subject->agent != NULL && subject->agent_metrics != NULL)
        return ps_err_set(err, "an agent file (-n, -f) or a running agent (--agent-metrics), not both");
    if (subject->agent == NULL && subject->target == NULL)
        return ps_err_set(err, "what is to be measured? An agent file (-n, -f), or --target and --from");
    if (subject->target != NULL && ps_load_target_check(subject->target, err) != PS_OK)
        return PS_FAIL;
    if (subject->agent == NULL && subject->agent_metrics == NULL && subject->from_count == 0)
        return ps_err_set(err, "--target %s: where does it arrive? --from is missing", subject->target);
    return PS_OK;
}

/* Makes the goals of the requirements goals of the search. */
static enum ps_status add_goals(struct plan_wish *wish, struct ps_err *err)
{
    struct ps_search_config *search = &wish->config.search;
    for (unsigned i = 0; i < wish->requirement_count; i++) {
        const struct ps_goal *goal = &wish->requirements[i].goal;
        unsigned known = 0;
        while (known < search->goal_count && !ps_goal_equal(&search->goals[known], goal))
            known++;
        if (known < search->goal_count)
            continue;
        if (search->goal_count == PS_GOALS_MAX)
            return ps_err_set(err, "--goal and --require: more than %u goals", PS_GOALS_MAX);
        search->goals[search->goal_count++] = *goal;
    }
    if (search->goal_count == 0)
        ps_goal_parse(&search->goals[search->goal_count++], "--goal", "ndr", err);
    return PS_OK;
}

static enum ps_status check(struct plan_wish *wish, struct ps_err *err)
{
    struct ps_planning_config *config = &wish->config;
    struct ps_search_config *search = &config->search;
    if (check_subject(&config->subject, err) != PS_OK)
        return PS_FAIL;
    if (search->rate_min > search->rate_max)
        return ps_err_set(err, "--rate-min is above --rate-max");
    if (config->workers_max > 0 && config->subject.agent == NULL)
        return ps_err_set(err, "--workers: only an agent file (-n, -f) can be started with more of them");
    if (config->wish.cost.per_hour > 0 && !config->project)
        return ps_err_set(err, "--cost-per-machine: how many machines? --machines-for is missing");
    if (add_goals(wish, err) != PS_OK)
        return PS_FAIL;
    search->budget_s = wish->within_s * search->goal_count;
    if (wish->seed[0] != '\0') {
        config->load_options[config->load_option_count++] = "--seed";
        config->load_options[config->load_option_count++] = wish->seed;
    }
    if (!wish->pace_given && sysconf(_SC_NPROCESSORS_ONLN) <= 2) {
        config->paced_by_sleep = true;
        config->load_options[config->load_option_count++] = "--pace";
        config->load_options[config->load_option_count++] = "sleep";
    }
    return PS_OK;
}

enum ps_status plan_parse(struct plan_wish *wish, int argc, char **argv, struct ps_err *err)
{
    int option;
    *wish = (struct plan_wish){
        .within_s = 120,
        .config = {.search = {.rate_min = 10, .rate_max = 100e6, .rate_first = 10000, .precision = 0.03},
                   .wish = {.headroom = 0.3, .spare = 1},
                   .format = "rfc3164",
                   .shape = "constant",
                   .connections = 1,
                   .seed = 1}};
    optind = 1;
    while ((option = getopt_long(argc, argv, ps_options_plan.letters, options, NULL)) != -1) {
        if (option == '?')
            return ps_err_set(err, "`penstock plan --help` tells all options");
        if (set_option(wish, option, optarg, err) != PS_OK)
            return PS_FAIL;
    }
    if (optind < argc)
        return ps_err_set(err, "`%s` is no option", argv[optind]);
    if (wish->help)
        return PS_OK;
    return wish->render != NULL ? PS_OK : check(wish, err); /* --render measures nothing */
}
