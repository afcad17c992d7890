/* Takes the steps of a script, one after the other. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/disk.h"
#include "tests/world/fault.h"
#include "tests/world/ledger.h"
#include "tests/world/life.h"
#include "tests/world/scenario/scenario.h"
#include "tests/world/turn.h"

#define DESCRIPTORS 3 /* input, output and errors */
#define REST_BYTES_MAX (INT64_C(1) << 20)
#define LOOK_NS_MIN UINT64_C(1000000)
#define LOOK_NS_MAX UINT64_C(64000000)

static const struct scenario_verb verbs[] = {
    {"agent", "TEXT", 0, 0, NEEDS_TEXT, step_agent, NULL},
    {"flow", "SOURCE CHANNEL SINK [TEXT]", 3, 3, MAY_HAVE_TEXT, step_flow, NULL},
    {"edit", "\"OLD\" \"NEW\" ...", 2, SCENARIO_WORDS_MAX, NO_TEXT, step_edit, NULL},
    {"start", "[OPTION...]", 0, SCENARIO_WORDS_MAX, NO_TEXT, step_start, NULL},
    {"signal", "NAME", 1, 1, NO_TEXT, step_signal, NULL},
    {"stop", "[EXIT-CODE]", 0, 1, NO_TEXT, step_stop, NULL},
    {"exit", "EXIT-CODE", 1, 1, NO_TEXT, step_exit, NULL},
    {"kill", "", 0, 0, NO_TEXT, step_kill, NULL},
    {"power-cut", "", 0, 0, NO_TEXT, step_power_cut, NULL},
    {"pass", "TIME", 1, 1, NO_TEXT, step_pass, NULL},
    {"wait", "[no] CONDITION", 0, 0, NO_TEXT, step_wait, NULL},
    {"expect", "[no] CONDITION", 0, 0, NO_TEXT, step_expect, NULL},
    {"write", "PATH TEXT", 1, 1, NEEDS_TEXT, step_write, NULL},
    {"append", "PATH TEXT", 1, 1, NEEDS_TEXT, step_append, NULL},
    {"overwrite", "PATH OFFSET TEXT", 2, 2, NEEDS_TEXT, step_overwrite, NULL},
    {"reuse", "PATH NEW-PATH TEXT", 2, 2, NEEDS_TEXT, step_reuse, NULL},
    {"hardlink", "PATH NEW-PATH", 2, 2, NO_TEXT, step_hardlink, NULL},
    {"mkdir", "PATH", 1, 1, NO_TEXT, step_mkdir, NULL},
    {"remove", "PATH", 1, 1, NO_TEXT, step_remove, NULL},
    {"rename", "PATH NEW-PATH", 2, 2, NO_TEXT, step_rename, NULL},
    {"truncate", "PATH BYTES", 2, 2, NO_TEXT, step_truncate, NULL},
    {"damage", "PATH BYTE [COUNT]", 2, 3, NO_TEXT, step_damage, NULL},
    {"copy", "PATH NEW-PATH", 2, 2, NO_TEXT, step_copy, NULL},
    {"chmod", "MODE PATH", 2, 2, NO_TEXT, step_chmod, NULL},
    {"touch", "PATH SECONDS", 2, 2, NO_TEXT, step_touch, NULL},
    {"link", "PATH TARGET", 2, 2, NO_TEXT, step_link, NULL},
    {"disk", "full|free|BYTES|births|no-births|renumbered|warm|cold|blocking|unnoticed", 1, 1, NO_TEXT,
     step_disk, NULL},
    {"fail", "read|write|sync|resize|close|name ERROR PATH [TIMES [AFTER]]", 3, 5, NO_TEXT, step_fail, NULL},
    {"mend", "", 0, 0, NO_TEXT, step_mend, NULL},
    {"connect", "CLIENT PORT", 2, 2, NO_TEXT, step_connect, NULL},
    {"send", "CLIENT TEXT", 1, 1, NEEDS_TEXT, step_send, NULL},
    {"receive", "CLIENT [like|until] TEXT", 1, 2, NEEDS_TEXT, step_receive, NULL},
    {"ask", "PORT STATUS[,STATUS...] open|closed TEXT", 3, 3, NEEDS_TEXT, step_ask, NULL},
    {"network", "pieces|whole", 1, 1, NO_TEXT, step_network, NULL},
    {"listen", "PORT [stop|udp]", 1, 2, NO_TEXT, step_listen, NULL},
    {"name", "NAME ADDRESS|gone", 2, 2, NO_TEXT, step_name, NULL},
    {"accept", "CLIENT PORT", 2, 2, NO_TEXT, step_accept, NULL},
    {"call", "PORT avro|thrift|compact OK|FAILED|ERROR|closed [NAME=VALUE...] TEXT", 3, SCENARIO_WORDS_MAX,
     NEEDS_TEXT, step_call, NULL},
    {"shut", "CLIENT", 1, 1, NO_TEXT, step_shut, NULL},
    {"close", "CLIENT", 1, 1, NO_TEXT, step_close, NULL},
    {"reset", "CLIENT", 1, 1, NO_TEXT, step_reset, NULL},
    {"closed", "CLIENT", 1, 1, NO_TEXT, step_closed, NULL},
    {"datagram", "PORT TEXT", 1, 1, NEEDS_TEXT, step_datagram, NULL},
    {"post", "PORT PATH STATUS TEXT", 3, 3, NEEDS_TEXT, step_post, NULL},
    {"server", "PORT [stop|avro|thrift|elastic|solr [headers]|zookeeper [own|none]]", 1, 3, NO_TEXT,
     step_server, NULL},
    {"answer", "PORT STATUS|hang|close|reset|lose [TIMES] [PATTERN]", 2, 3, MAY_HAVE_TEXT, step_answer, NULL},
    {"kafka", "[VERSION|topic|delete|broker|leader|coordinator|fail|heal|throttle|limit|refuse|write ...]", 0,
     5, MAY_HAVE_TEXT, step_kafka, NULL},
    {"hdfs", "[WORD...]", 0, 4, MAY_HAVE_TEXT, step_hdfs, NULL},
    {"hive", "[WORD...]", 0, 4, MAY_HAVE_TEXT, step_hive, NULL},
    {"hbase", "[SERVERS|WORD...]", 0, 3, MAY_HAVE_TEXT, step_hbase, NULL},
    {"kudu", "[SERVERS|WORD...]", 0, 3, MAY_HAVE_TEXT, step_kudu, NULL},
};

static const struct scenario_verb conditions[] = {
    {"log", "[TIMES] PATTERN", 0, 1, NEEDS_TEXT, NULL, holds_log},
    {"file", "PATH [sorted|first|unique|has] [TEXT]", 1, 2, MAY_HAVE_TEXT, NULL, holds_file},
    {"files", "PATH [sorted|first|unique|has] TEXT", 1, 2, NEEDS_TEXT, NULL, holds_files},
    {"names", "PATH [sorted|first|unique|has] TEXT", 1, 2, MAY_HAVE_TEXT, NULL, holds_names},
    {"arrived", "[sorted|first|unique|has] TEXT", 0, 1, NEEDS_TEXT, NULL, holds_arrived},
    {"topic", "TOPIC[:PARTITION] [sorted|first|unique|has] TEXT", 1, 2, NEEDS_TEXT, NULL, holds_topic},
    {"records", "TOPIC[:PARTITION] [sorted|first|unique|has] TEXT", 1, 2, NEEDS_TEXT, NULL, holds_records},
    {"committed", "TOPIC[:PARTITION] OFFSET", 2, 2, NO_TEXT, NULL, holds_committed},
    {"rows", "TABLE [sorted|first|unique|has] TEXT", 1, 2, NEEDS_TEXT, NULL, holds_rows},
    {"cell", "ROW COLUMN TEXT", 2, 3, NEEDS_TEXT, NULL, holds_cell},
    {"cells", "NUMBER", 1, 1, NO_TEXT, NULL, holds_cells},
    {"stored", "NUMBER [repeats]", 1, 2, NO_TEXT, NULL, holds_stored},
    {"stored_any", "TEXT", 0, 0, NEEDS_TEXT, NULL, holds_stored_any},
    {"transactions", "open|committed|aborted NUMBER", 2, 2, NO_TEXT, NULL, holds_transactions},
    {"get", "PORT PATH STATUS [PATTERN]", 3, 3, MAY_HAVE_TEXT, NULL, holds_get},
    {"metric", "NAME LABEL NUMBER|>NUMBER", 3, 3, NO_TEXT, NULL, holds_metric},
};

static const struct scenario_verb *find(const struct scenario_verb *from, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(from[i].name, name) == 0)
            return &from[i];
    return NULL;
}

const struct scenario_verb *scenario_find_verb(const char *name)
{
    return find(verbs, sizeof verbs / sizeof *verbs, name);
}

const struct scenario_verb *scenario_find_condition(const char *name)
{
    return find(conditions, sizeof conditions / sizeof *conditions, name);
}

enum outcome step_failed(struct scenario *scenario, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(scenario->why, sizeof scenario->why, format, arguments);
    va_end(arguments);
    return STEP_FAILED;
}

/* ---- in the agent's process or the runner's ---- */

static void begin_step(struct scenario *scenario)
{
    scenario->since_ns = world->now_ns;
    scenario->look_ns = LOOK_NS_MIN;
    scenario->progress = 0;
    scenario->ask_ns = 0;
    scenario->why[0] = 0;
}

static void finish(struct scenario *scenario, bool failed)
{
    scenario->failed = failed;
    scenario->finished = true;
    if (scenario->lives)
        turn_end_life(WORLD_KILLED, 0, "the scenario is at its end");
}

/* An agent that still runs behind the last step is stopped. */
static const struct scenario_step *step_at(const struct scenario *scenario)
{
    static const struct scenario_verb end = {.name = "end", .run = step_stop};
    static const struct scenario_step last = {.verb = &end};
    return scenario->at < scenario->script->count ? &scenario->script->steps[scenario->at] : &last;
}

static void step(struct world_peer *peer)
{
    struct scenario *scenario = peer->state;
    while (!scenario->finished && !scenario->starts) {
        const struct scenario_step *now = step_at(scenario);
        bool is_end = scenario->at == scenario->script->count;
        if (is_end && !scenario->lives && !scenario->exited && scenario->progress == 0) {
            finish(scenario, false);
            return;
        }
        if (is_end && scenario->exited && scenario->progress == 0) {
            step_failed(scenario, "the agent ended with %d, and no step asks for it", scenario->exit_code);
            finish(scenario, true);
            return;
        }
        enum outcome outcome = now->verb->run(scenario, now);
        if (world->broken != NULL)
            outcome = step_failed(scenario, "%s", world->broken);
        switch (outcome) {
        case STEP_DONE:
            scenario->at += !is_end;
            begin_step(scenario);
            break;
        case STEP_FAILED:
            finish(scenario, true);
            return;
        case STEP_WAITS:
            if (world->now_ns - scenario->since_ns > SCENARIO_PATIENCE_NS && now->verb->run != step_pass) {
                finish(scenario, true);
                return;
            }
            if (scenario->look_ns < LOOK_NS_MAX)
                scenario->look_ns *= 2;
            peer->due_ns = world->now_ns + scenario->look_ns;
            return;
        }
    }
}

/* ---- in the runner ---- */

/* Returns whether an agent that ended in order has left no thread, descriptor or memory. A log that is a file, for which -c stands, is open to the end. */
static bool left_nothing(struct scenario *scenario)
{
    unsigned descriptors = DESCRIPTORS;
    for (unsigned i = 0; life_options[i] != NULL; i++)
        descriptors += strcmp(life_options[i], "-c") == 0;
    if (world->rest_threads == 1 && world->rest_descriptors <= descriptors &&
        world->rest_bytes <= REST_BYTES_MAX)
        return true;
    step_failed(scenario, "%u threads, %u descriptors and %lld bytes were left", world->rest_threads - 1,
                world->rest_descriptors - DESCRIPTORS, (long long)world->rest_bytes);
    return false;
}

static void end_life(struct scenario *scenario, enum world_end end)
{
    scenario->lives = false;
    if (scenario->request.end != NULL)
        net_close(scenario->request.end); /* this answer does not come any more */
    scenario->request.end = NULL;
    if (end == WORLD_EXIT) {
        scenario->exited = true;
        scenario->exit_code = world->exit_code;
        if (world->exit_code == 0 && world->rest_threads > 0 && !left_nothing(scenario))
            finish(scenario, true);
    } else if (end != WORLD_KILLED) {
        step_failed(scenario, "%.*s", (int)sizeof world->reason, world->reason);
        finish(scenario, true);
    }
    scenario->peer->due_ns = world->now_ns;
}

static void play(struct scenario *scenario)
{
    while (!scenario->finished) {
        if (scenario->starts) {
            scenario->starts = false;
            scenario->lives = true;
            scenario->log_from = world->output_length;
            scenario->peer->due_ns = world->now_ns;
            world->kill_at = 0;
            end_life(scenario, life_run("/w/agent.properties"));
            continue;
        }
        peers_run();
        uint64_t due_ns = peers_due_ns();
        if (due_ns != WORLD_NEVER && due_ns > world->now_ns)
            world->now_ns = due_ns;
    }
}

static void print_failure(const struct scenario *scenario, const char *file, unsigned variant, uint64_t seed)
{
    const struct scenario_step *at = step_at(scenario);
    unsigned line = at->line != 0 || scenario->script->count == 0
                        ? at->line
                        : scenario->script->steps[scenario->script->count - 1].line;
    const char *condition = at->condition == NULL ? "" : at->condition->name;
    printf("%s:%u: %s%s%s fails", file, line, at->verb->name,
           *condition != 0 ? at->is_not ? " no " : " " : "", condition);
    if (world->now_ns - scenario->since_ns > SCENARIO_PATIENCE_NS)
        printf(" after %llu s", (unsigned long long)(SCENARIO_PATIENCE_NS / WORLD_NS_PER_S));
    printf(": %s (variant %u, seed %llu, %llu s)\n", scenario->why, variant + 1, (unsigned long long)seed,
           (unsigned long long)(world->now_ns / WORLD_NS_PER_S));
}

/* Returns whether it went well. */
static bool play_once(const struct scenario_script *script, uint64_t seed, unsigned variant, bool prints,
                      bool traces)
{
    world_reset(seed);
    world->has_compiler = true;
    world->traces = traces;
    world->pass_share = world_below(2) == 0 ? 2000 : 12000;
    disk_format();
    ledger_begin();
    ledger_keep();
    fault_clear();
    net_begin();
    struct scenario *scenario = world_allocate(sizeof *scenario);
    scenario->script = script;
    scenario->peer = peer_add(step, scenario, 0);
    begin_step(scenario);
    play(scenario);
    if (prints || scenario->failed)
        printf("%.*s", (int)world->output_length, world->output);
    if (scenario->failed)
        print_failure(scenario, script->file, variant, seed);
    return !scenario->failed;
}

unsigned scenario_play(const char *file, uint64_t from, uint64_t runs, bool prints, bool traces)
{
    unsigned failed = 0;
    for (unsigned variant = 0; variant < scenario_variants(file); variant++) {
        struct scenario_script script;
        scenario_read(file, variant, &script);
        for (uint64_t seed = from; seed < from + runs; seed++) {
            failed += !play_once(&script, seed, variant, prints, traces);
            if (seed != from || failed > 0)
                continue;
            uint64_t history = world->history;
            if (play_once(&script, seed, variant, false, false) && history == world->history)
                continue;
            printf("%s: two runs of seed %llu have different histories\n", file, (unsigned long long)seed);
            failed++;
        }
    }
    return failed;
}
