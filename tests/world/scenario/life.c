/* Steps: the agent's file, its lives, time; and `wait` and `expect`. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/disk.h"
#include "tests/world/life.h"
#include "tests/world/scenario/scenario.h"
#include "tests/world/turn.h"

static void write_agent(const char *text, size_t length)
{
    static const char budget[] =
        "a.penstock.memory.budget = 67108864\n"; /* a start is faster with a small one */
    char *all = malloc(length + sizeof budget);
    memcpy(all, text, length);
    if (memmem(text, length, "penstock.memory.budget", 22) == NULL) {
        memcpy(all + length, budget, sizeof budget - 1);
        length += sizeof budget - 1;
    }
    disk_put("/w/agent.properties", all, length);
    free(all);
}

void agent_is(struct scenario *scenario, const char *text)
{
    size_t length = strlen(text);
    scenario->agent = world_allocate(length + 1);
    memcpy(scenario->agent, text, length);
    write_agent(text, length);
}

enum outcome step_agent(struct scenario *scenario, const struct scenario_step *step)
{
    agent_is(scenario, step->text);
    return STEP_DONE;
}

/* Returns the text with `new` in each place of `old`; the text is freed. */
static char *replaced(char *text, const char *old, const char *new)
{
    for (char *place = text; (place = strstr(place, old)) != NULL;) {
        size_t before = (size_t)(place - text), room = strlen(text) + strlen(new) + 1;
        char *fresh = malloc(room);
        snprintf(fresh, room, "%.*s%s%s", (int)before, text, new, place + strlen(old));
        free(text);
        text = fresh;
        place = text + before + strlen(new);
    }
    return text;
}

/* The file of the last `agent`, in which each NEW takes the place of its OLD. Earlier edits are gone. */
enum outcome step_edit(struct scenario *scenario, const struct scenario_step *step)
{
    char *text = strdup(scenario->agent == NULL ? "" : scenario->agent);
    for (unsigned i = 0; i + 1 < step->count; i += 2) {
        if (strstr(text, step->words[i]) == NULL)
            return step_failed(scenario, "the agent's file has no \"%s\"", step->words[i]);
        text = replaced(text, step->words[i], step->words[i + 1]);
    }
    write_agent(text, strlen(text));
    free(text);
    return STEP_DONE;
}

enum outcome step_start(struct scenario *scenario, const struct scenario_step *step)
{
    if (scenario->progress > 0)
        return STEP_DONE; /* this is the new life */
    if (scenario->lives)
        return step_failed(scenario, "the agent runs already");
    if (scenario->exited)
        return step_failed(scenario, "the agent ended with %d, and no step asks for it", scenario->exit_code);
    for (unsigned i = 0; i <= step->count; i++)
        life_options[i] = i == step->count ? NULL : step->words[i];
    scenario->progress = 1;
    scenario->starts = true;
    return STEP_WAITS;
}

static void raise_signal(int number)
{
    world->pending_signals |= UINT64_C(1) << number;
    turn_wake(&turn_io, TURN_THREADS_MAX);
}

static enum outcome await_exit(struct scenario *scenario, uint64_t code)
{
    if (scenario->lives) {
        step_failed(scenario, "the agent still runs");
        return STEP_WAITS;
    }
    if (!scenario->exited)
        return step_failed(scenario, "no agent runs");
    scenario->exited = false;
    if ((uint64_t)scenario->exit_code != code)
        return step_failed(scenario, "the agent ended with %d", scenario->exit_code);
    return STEP_DONE;
}

enum outcome step_stop(struct scenario *scenario, const struct scenario_step *step)
{
    if (scenario->progress == 0 && !scenario->lives)
        return step_failed(scenario, "no agent runs");
    if (scenario->progress == 0)
        raise_signal(SIGTERM);
    scenario->progress = 1;
    return await_exit(scenario,
                      step->count > 0 ? scenario_number(scenario->script, step, step->words[0]) : 0);
}

enum outcome step_exit(struct scenario *scenario, const struct scenario_step *step)
{
    return await_exit(scenario, scenario_number(scenario->script, step, step->words[0]));
}

enum outcome step_kill(struct scenario *scenario, const struct scenario_step *step)
{
    if (scenario->progress > 0)
        return STEP_DONE;
    if (!scenario->lives)
        return step_failed(scenario, "no agent runs");
    scenario->progress = 1;
    turn_end_life(WORLD_KILLED, 0, "the scenario kills it");
}

enum outcome step_signal(struct scenario *scenario, const struct scenario_step *step)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT},
                   {"TERM", SIGTERM}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2}};
    if (!scenario->lives)
        return step_failed(scenario, "no agent runs");
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (strcmp(signals[i].name, step->words[0]) == 0) {
            raise_signal(signals[i].number);
            return STEP_DONE;
        }
    return step_failed(scenario, "the signal %s is unknown", step->words[0]);
}

/* The machine loses its power: the agent is killed, and the disk keeps what it must and a drawn part of the rest. */
enum outcome step_power_cut(struct scenario *scenario, const struct scenario_step *step)
{
    if (scenario->lives)
        turn_end_life(WORLD_KILLED, 0, "the power is cut");
    disk_cut();
    return STEP_DONE;
}

enum outcome step_pass(struct scenario *scenario, const struct scenario_step *step)
{
    uint64_t until_ns = scenario->since_ns + scenario_span_ns(scenario->script, step, step->words[0]);
    return world->now_ns >= until_ns ? STEP_DONE : STEP_WAITS;
}

static enum holds look(struct scenario *scenario, const struct scenario_step *step)
{
    enum holds holds = step->condition->holds(scenario, step);
    if (!step->is_not || holds == HOLDS_LATER)
        return holds;
    if (holds == HOLDS_NOT)
        return HOLDS;
    step_failed(scenario, "it holds");
    return HOLDS_NOT;
}

enum outcome step_wait(struct scenario *scenario, const struct scenario_step *step)
{
    enum holds holds = look(scenario, step);
    if (holds == HOLDS_NOT)
        scenario->ask_ns = world->now_ns + scenario->look_ns;
    return holds == HOLDS ? STEP_DONE : STEP_WAITS;
}

enum outcome step_expect(struct scenario *scenario, const struct scenario_step *step)
{
    switch (look(scenario, step)) {
    case HOLDS:
        return STEP_DONE;
    case HOLDS_NOT:
        return STEP_FAILED;
    default:
        return STEP_WAITS;
    }
}
