/* penstock plan: the command line. */
#include "conf/conf.h"
#include "commands/plan/plan.h"
#include "commands/commands.h"
#include "commands/line/line.h"
#include "bench/load/load.h"
#include "bench/verify/verify.h"
#include "bench/plan/goal.h"
#include "core/quantity.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ps_row_take take_file, take_agent_option, take_system, take_from, take_pid, take_goal,
    take_requirement, take_workers, take_machine_size, take_cost, take_load, take_seed;

#define PS_ROW_TARGET struct plan_wish

static const struct ps_command_row rows[] = {
    {"name", 'n', "AGENT", PS_ROW_TEXT(config.subject.agent),
     .help = "the agent of a file: started here, on ports of its own; its Kafka sinks write to an embedded "
             "broker, or to --brokers",
     .group = "what to measure"},
    {"conf-file", 'f', "FILE", PS_ROW_TAKE(take_file),
     .help = "its file; several are merged, as for the agent"},
    {"conf", 'c', "DIRECTORY", PS_ROW_TAKE(take_agent_option),
     .help = "configuration directory, as for the agent"},
    {NULL, 'D', "KEY=VALUE", PS_ROW_TAKE(take_system), .help = "a Java system property, as for the agent"},
    {"brokers", 0, "LIST", PS_ROW_TEXT(config.subject.brokers),
     .help = "Kafka brokers for the agent's sinks"},
    {"agent-metrics", 0, "URL", PS_ROW_TEXT(config.subject.agent_metrics),
     .help = "an agent that runs with -Dflume.monitoring.type=http"},
    {"target", 0, "URL", PS_ROW_TEXT(config.subject.target),
     .help = "where load goes (see `penstock load --help`); found in the agent file otherwise",
     .proposes = PS_PROPOSE_TARGETS},
    {"from", 0, "URL", PS_ROW_TAKE(take_from),
     .help = "where the events arrive (see `penstock verify --help`); found in the agent file otherwise; may "
             "be repeated",
     .proposes = PS_PROPOSE_FAR_ENDS},
    {"pid", 0, "PID", PS_ROW_TAKE(take_pid),
     .help = "the process whose CPU time and memory are measured, if plan does not start it"},

    {"goal", 0, "GOAL", PS_ROW_TAKE(take_goal),
     .help = "ndr: nothing is lost (default); pdr=0.1%: at most this share is lost; p99<20ms: nothing is "
             "lost and the percentile is met. May be repeated",
     .group = "goals", .proposes = PS_PROPOSE_GOALS},
    {"within", 0, "D", PS_ROW_SECONDS(within_s), .help = "time for each goal (default 2m)", .min = 1},
    {"rhythm", 0, "D", PS_ROW_SECONDS(config.search.rhythm_s),
     .help = "the longest time between two deliveries of the pipeline (a batch period, linger.ms), if you "
             "know it; "
             "found out by first looks otherwise",
     .min = 1},
    {"precision", 0, "SHARE", PS_ROW_SHARE(config.search.precision),
     .help = "width of the result's interval, 0.1% to 50% (default 3%)"},
    {"rate-min", 0, "R", PS_ROW_RATE(config.search.rate_min), .help = "the lowest rate to try (default 10)"},
    {"rate-max", 0, "R", PS_ROW_RATE(config.search.rate_max),
     .help = "the highest rate to try (default 100M)"},
    {"rate-first", 0, "R", PS_ROW_RATE(config.search.rate_first),
     .help = "the first rate to try (default 10k)"},
    {"workers", 0, "1..N", PS_ROW_TAKE(take_workers),
     .help = "measure at 1 to N workers and fit the scalability law (agent files)"},

    {"require", 0, "GOAL>=RATE", PS_ROW_TAKE(take_requirement),
     .help = "a rate that must be held for the goal, else the exit status is 3. May be repeated; adds its "
             "goal to those of --goal. With --rate-max RATE the search ends at that rate",
     .group = "required results", .proposes = PS_PROPOSE_GOALS},
    {"compare", 0, "FILE", PS_ROW_TEXT(compare),
     .help = "compares with an older --result; exit status 4 when a figure is worse beyond noise"},

    {"machines-for", 0, "R", PS_ROW_RATE(config.wish.rate), .help = "machines for this number of events/s",
     .group = "number of machines, and their cost"},
    {"machine-size", 0, "BYTES", PS_ROW_TAKE(take_machine_size),
     .help = "size of an event on these machines (default: as measured)"},
    {"headroom", 0, "SHARE", PS_ROW_SHARE(config.wish.headroom),
     .help = "share of each machine that is kept free (default 30%)"},
    {"spare", 0, "N", PS_ROW_COUNT32(config.wish.spare),
     .help = "number of machines that may be down (default 1)", .max = 1000},
    {"retention", 0, "D", PS_ROW_SECONDS(config.wish.retention_s),
     .help = "time for which brokers keep records: with --replication gives the disk space of the brokers",
     .min = 1},
    {"replication", 0, "N", PS_ROW_COUNT32(config.wish.replication), .help = "copies of a record",
     .max = 100},
    {"cost-per-machine", 0, "C", PS_ROW_TAKE(take_cost),
     .help = "cost of a machine: 0.34/h, '250 EUR/month' (h, day, month of 730 h, year)"},

    {"format", 0, "NAME", PS_ROW_TAKE(take_load), .help = "format of the events",
     .group = "load, as for `penstock load`", .proposes = PS_PROPOSE_FORMATS},
    {"template", 0, "TEXT", PS_ROW_TAKE(take_load), .help = "text with fields"},
    {"lines", 0, "FILE", PS_ROW_TAKE(take_load), .help = "the lines of a file"},
    {"size", 0, "BYTES", PS_ROW_TAKE(take_load), .help = "size of an event"},
    {"shape", 0, "SHAPE", PS_ROW_TAKE(take_load), .help = "how the rate changes",
     .proposes = PS_PROPOSE_SHAPES},
    {"connections", 0, "N", PS_ROW_TAKE(take_load), .help = "sources with a sequence of their own"},
    {"connect-over", 0, "D", PS_ROW_TAKE(take_load), .help = "time in which the connections are opened"},
    {"threads", 0, "N", PS_ROW_TAKE(take_load), .help = "number of threads of the load"},
    {"cpus", 0, "LIST", PS_ROW_TAKE(take_load), .help = "CPUs that the threads are pinned to"},
    {"pace", 0, "spin|sleep", PS_ROW_TAKE(take_load), .help = "how load waits for due times: spin or sleep"},
    {"seed", 0, "N", PS_ROW_TAKE(take_seed), .help = "seed of the events and of random arrivals (default 1)"},

    {"report", 0, "FILE", PS_ROW_TEXT(report), .help = "one HTML page", .group = "output"},
    {"result", 0, "FILE", PS_ROW_TEXT(result), .help = "the result as JSON"},
    {"render", 0, "FILE", PS_ROW_TEXT(render),
     .help = "a file of --result: makes the other outputs from it again, or prints its text; nothing is "
             "measured"},
    {"csv", 0, "FILE", PS_ROW_TEXT(csv), .help = "a row for each trial"},
    {"hgrm", 0, "FILE", PS_ROW_TEXT(hgrm),
     .help = "the latencies of the first goal's result, in ms, as HdrHistogram's percentiles"},
    {"hlog", 0, "FILE", PS_ROW_TEXT(hlog),
     .help = "the latencies of every trial, in ns, as HdrHistogram's log"},
    {"json", 0, NULL, PS_ROW_FLAG(json),
     .help = "JSON lines, for programs: each trial, and the result at the end (the latencies' histograms are "
             "in --result)"},
    {"quiet", 0, NULL, PS_ROW_FLAG(quiet), .help = "no lines of trials, only the result"},
    {.help = NULL},
};

const struct ps_command_line ps_line_plan = {
    .name = "plan",
    .usage = "Usage: penstock plan [-n AGENT] -f FILE [--brokers LIST] [OPTION]...\n"
             "       penstock plan --agent-metrics URL --target URL [--from URL]... [OPTION]...\n"
             "       penstock plan --target URL --from URL [--from URL]... [OPTION]...\n"
             "       penstock plan --render RESULT [--report PAGE] [--require GOAL>=RATE]... [OPTION]...\n"
             "Finds the highest rate a pipeline holds: offers load in trials, short ones first, longer ones "
             "near the\n"
             "answer, and repeats those that decide. Prints the confidence, the bottleneck, and the number "
             "of machines.\n",
    .rows = rows,
    .ends = "Exit status: 0 every goal has its figure or meets what is required, 1 one has none, the subject "
            "failed,\n"
            "or the plan was interrupted, 2 wrong usage or nothing listens at the target, 3 a requirement is "
            "missed\n"
            "or not shown, 4 worse than --compare beyond noise.\n"
            "\n"
            "Examples:\n"
            "  penstock plan -n a1 -f a1.properties\n"
            "  penstock plan -n a1 -f a1.properties --goal ndr --goal 'p99<20ms' --report plan.html\n"
            "  penstock plan -n a1 -f a1.properties --workers 1..4 --machines-for 800k --headroom 30% "
            "--spare 1 \\\n"
            "      --retention 7d --replication 3 --cost-per-machine '0.34 USD/h'\n"
            "  penstock plan -n a1 -f a1.properties --require 'ndr>=50k' --require 'p99<20ms>=30k' --compare "
            "last.json \\\n"
            "      --result plan.json\n"
            "  penstock plan --render plan.json --report plan.html --csv trials.csv --hlog trials.hlog\n"
            "  penstock plan --target tcp://rsyslog:514 --from kafka://broker:9092/logs?offset=latest --goal "
            "pdr=0.1%\n",
};

/* ---- values ---- */

static enum ps_status add(const char **list, unsigned *count, unsigned room, const char *text,
                          const char *what, struct ps_err *err)
{
    if (*count >= room)
        return ps_err_set(err, "%s: more than %u values", what, room);
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

static enum ps_status take_agent_option(void *target, const struct ps_command_row *row, const char *text,
                                        struct ps_err *err)
{
    return add_agent(&((struct plan_wish *)target)->config.subject, row->letter == 'f' ? "-f" : "-c", text,
                     err);
}

static enum ps_status take_file(void *target, const struct ps_command_row *row, const char *text,
                                struct ps_err *err)
{
    struct plan_wish *wish = target;
    if (wish->config.subject.file == NULL)
        wish->config.subject.file = text;
    return take_agent_option(target, row, text, err);
}

/* Returns the prefix and the text as one text, which lives to the end of the program; NULL after setting the error. */
static const char *joined(const char *prefix, const char *text, struct ps_err *err)
{
    char *whole;
    if (asprintf(&whole, "%s%s", prefix, text) >= 0)
        return whole;
    ps_err_set(err, "no memory");
    return NULL;
}

static enum ps_status take_system(void *target, const struct ps_command_row *, const char *text,
                                  struct ps_err *err)
{
    const char *whole = joined("-D", text, err);
    return whole != NULL ? add_agent(&((struct plan_wish *)target)->config.subject, whole, NULL, err)
                         : PS_FAIL;
}

static enum ps_status take_from(void *target, const struct ps_command_row *, const char *text,
                                struct ps_err *err)
{
    struct ps_subject_config *subject = &((struct plan_wish *)target)->config.subject;
    return add(subject->from, &subject->from_count, PS_TRIAL_FROM_MAX, text, "--from", err);
}

static enum ps_status take_pid(void *target, const struct ps_command_row *, const char *text,
                               struct ps_err *err)
{
    uint64_t pid;
    if (ps_quantity_count("--pid", text, 0, 1U << 30, &pid, err) != PS_OK)
        return PS_FAIL;
    ((struct plan_wish *)target)->config.subject.pid = (int)pid;
    return kill((pid_t)pid, 0) == 0 ? PS_OK : ps_err_set(err, "--pid: there is no process %u", (unsigned)pid);
}

static enum ps_status take_workers(void *target, const struct ps_command_row *, const char *text,
                                   struct ps_err *err)
{
    struct ps_planning_config *config = &((struct plan_wish *)target)->config;
    unsigned first, last;
    char rest;
    if (sscanf(text, "%u..%u%c", &first, &last, &rest) != 2) {
        if (sscanf(text, "%u%c", &last, &rest) != 1)
            return ps_err_set(err, "--workers: write a number or a range such as 1..4, not `%s`", text);
        first = last;
    }
    if (first < 1 || last < first || last >= PS_SCALING_POINTS_MAX)
        return ps_err_set(err, "--workers: from 1 to %u, not `%s`", PS_SCALING_POINTS_MAX - 1, text);
    config->workers_min = first;
    config->workers_max = last;
    return PS_OK;
}

static enum ps_status take_goal(void *target, const struct ps_command_row *, const char *text,
                                struct ps_err *err)
{
    struct ps_search_config *search = &((struct plan_wish *)target)->config.search;
    if (search->goal_count == PS_GOALS_MAX)
        return ps_err_set(err, "--goal: more than %u goals", PS_GOALS_MAX);
    return ps_goal_parse(&search->goals[search->goal_count++], "--goal", text, err);
}

static enum ps_status take_requirement(void *target, const struct ps_command_row *, const char *text,
                                       struct ps_err *err)
{
    struct plan_wish *wish = target;
    if (wish->requirement_count == PS_REQUIREMENTS_MAX)
        return ps_err_set(err, "--require: more than %u requirements", PS_REQUIREMENTS_MAX);
    return ps_requirement_parse(&wish->requirements[wish->requirement_count++], text, err);
}

static enum ps_status take_machine_size(void *target, const struct ps_command_row *, const char *text,
                                        struct ps_err *err)
{
    uint64_t bytes;
    if (ps_quantity_bytes("--machine-size", text, &bytes, err) != PS_OK)
        return PS_FAIL;
    ((struct plan_wish *)target)->config.wish.size_bytes = (double)bytes;
    return PS_OK;
}

static enum ps_status take_cost(void *target, const struct ps_command_row *, const char *text,
                                struct ps_err *err)
{
    return ps_cost_parse(&((struct plan_wish *)target)->config.wish.cost, "--cost-per-machine", text, err);
}

static enum ps_status take_seed(void *target, const struct ps_command_row *, const char *text,
                                struct ps_err *err)
{
    struct plan_wish *wish = target;
    snprintf(wish->seed, sizeof wish->seed, "%s", text);
    return ps_quantity_count("--seed", text, 0, UINT64_MAX / 2, &wish->config.seed, err);
}

/* Notes the options of load that the plan itself uses. */
static enum ps_status load_note(struct plan_wish *wish, const char *name, const char *text,
                                struct ps_err *err)
{
    struct ps_planning_config *config = &wish->config;
    uint64_t connections;
    if (strcmp(name, "pace") == 0)
        wish->pace_given = true;
    else if (strcmp(name, "format") == 0)
        config->format = text;
    else if (strcmp(name, "template") == 0 || strcmp(name, "lines") == 0)
        config->format = name;
    else if (strcmp(name, "shape") == 0)
        config->shape = text;
    else if (strcmp(name, "size") == 0)
        return ps_quantity_bytes("--size", text, &config->size_bytes, err);
    if (strcmp(name, "connections") != 0)
        return PS_OK;
    if (ps_quantity_count("--connections", text, 0, 65536, &connections, err) != PS_OK)
        return PS_FAIL;
    config->connections = (unsigned)connections;
    return PS_OK;
}

/* Takes an option that is passed on to load. */
static enum ps_status take_load(void *target, const struct ps_command_row *row, const char *text,
                                struct ps_err *err)
{
    struct plan_wish *wish = target;
    struct ps_planning_config *config = &wish->config;
    const unsigned room = PS_TRIAL_OPTIONS_MAX - 8;
    const char *name = joined("--", row->name, err);
    if (name == NULL || load_note(wish, row->name, text, err) != PS_OK ||
        add(config->load_options, &config->load_option_count, room, name, name, err) != PS_OK)
        return PS_FAIL;
    return add(config->load_options, &config->load_option_count, room, text, name, err);
}

/* ---- combinations of options ---- */

/* Sets the name of the file's only agent. It stays in memory until the program ends, like argv. */
static enum ps_status find_agent(struct ps_subject_config *subject, struct ps_err *err)
{
    static struct ps_arena *arena;
    const struct ps_texts files = {1, &subject->file};
    if (subject->agent != NULL || subject->file == NULL)
        return PS_OK;
    if (arena == NULL)
        arena = ps_arena_create();
    subject->agent = ps_conf_only_agent(arena, &files, "-n NAME", err);
    return subject->agent != NULL ? PS_OK : PS_FAIL;
}

static enum ps_status check_subject(struct ps_subject_config *subject, struct ps_err *err)
{
    if (find_agent(subject, err) != PS_OK)
        return PS_FAIL;
    if (subject->agent != NULL && subject->file == NULL)
        return ps_err_set(err, "-n names an agent; -f has to name its file");
    if (subject->agent != NULL && subject->agent_metrics != NULL)
        return ps_err_set(err, "give an agent file (-n, -f) or a running agent (--agent-metrics), not both");
    if (subject->agent == NULL && subject->target == NULL)
        return ps_err_set(err, "name the subject: an agent file (-n, -f), or --target and --from");
    if (subject->target != NULL && ps_load_target_check(subject->target, err) != PS_OK)
        return strstr(err->text, subject->target) != NULL
                   ? PS_FAIL
                   : ps_err_append(err, "--target %s", subject->target);
    for (unsigned i = 0; i < subject->from_count; i++)
        if (ps_verify_from_check(subject->from[i], err) != PS_OK)
            return PS_FAIL;
    if (subject->agent == NULL && subject->agent_metrics == NULL && subject->from_count == 0)
        return ps_err_set(err, "--target %s: --from is missing: the place where the events arrive",
                          subject->target);
    return PS_OK;
}

/* Adds the goals that the requirements name to the goals of the search. */
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
    if (search->precision < 0.001 || search->precision > 0.5)
        return ps_err_set(err, "--precision: from 0.1%% to 50%%, not %g%%", search->precision * 100);
    if (config->wish.headroom >= 1)
        return ps_err_set(err, "--headroom: less than 100%%");
    if (search->rate_min > search->rate_max)
        return ps_err_set(err, "--rate-min is above --rate-max");
    if (config->workers_max > 0 && config->subject.agent == NULL)
        return ps_err_set(
            err, "--workers: give an agent file (-n, -f), because plan starts the agent with each number");
    if (config->wish.cost.per_hour > 0 && !config->project)
        return ps_err_set(err, "--cost-per-machine: --machines-for is missing");
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
    int operands;
    *wish = (struct plan_wish){.within_s = 120,
                               .config = {.search = {.rate_min = 10,
                                                     .rate_max = 100e6,
                                                     .rate_first = 10000,
                                                     .precision = 0.03,
                                                     .looks = true},
                                          .wish = {.headroom = 0.3, .spare = 1},
                                          .format = "rfc3164",
                                          .shape = "constant",
                                          .connections = 1,
                                          .seed = 1}};
    if (ps_command_line_read(&ps_line_plan, wish, argc, argv, &operands, &wish->help, err) != PS_OK)
        return PS_FAIL;
    if (wish->help)
        return PS_OK;
    wish->config.project = wish->config.wish.rate > 0;
    if (operands > 0)
        return ps_err_set(err, "`%s` is not an option", argv[1]);
    return wish->render != NULL ? PS_OK : check(wish, err); /* --render measures nothing */
}
