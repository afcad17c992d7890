/* Channels that a reload does not keep: they must be empty before they go. Thread: control. */
#include "core/engine/agent/internal.h"
#include "core/quantity.h"

/* Returns the first channel that has events and is not in `next`: its events would be lost, or left on disk. With
 * `dead`, returns only a channel that nobody empties: it has no sink, and no other program reads it (other programs may
 * read a topic). */
static const struct ps_channel_plan *channel_to_empty(const struct ps_agent *agent, struct ps_plan *next,
                                                      bool dead)
{
    for (size_t i = 0; i < agent->plan->spec->channel_count; i++) {
        const struct ps_channel_plan *channel = &agent->plan->channels[i];
        if (ps_plan_channel_after(next, channel) == NULL && ps_channel_plan_left(channel) > 0 &&
            (!dead || (channel->consumer_count == 0 && !channel->spec->stage.ops->shared)))
            return channel;
    }
    return NULL;
}

bool ps_agent_keeps_every_channel(const struct ps_agent *agent, struct ps_plan *next)
{
    for (size_t i = 0; i < agent->plan->spec->channel_count; i++) {
        if (ps_plan_channel_after(next, &agent->plan->channels[i]) == NULL)
            return false;
    }
    return true;
}

/* Returns the only channel that `next` does not keep; NULL: there are several. */
static const struct ps_channel_plan *only_one(const struct ps_agent *agent, struct ps_plan *next)
{
    const struct ps_channel_plan *one = NULL;
    for (size_t i = 0; i < agent->plan->spec->channel_count; i++) {
        const struct ps_channel_plan *channel = &agent->plan->channels[i];
        if (ps_plan_channel_after(next, channel) != NULL)
            continue;
        if (one != NULL)
            return NULL;
        one = channel;
    }
    return one;
}

/* Writes what happens to the channel that `next` does not keep. */
static void describe_change(const struct ps_agent *agent, const struct ps_plan *next,
                            const struct ps_channel_plan *channel, struct ps_err *text)
{
    const char *why = ps_plan_why_not_kept(agent->plan, next, channel);
    text->length = 0;
    if (ps_plan_moves_channel(next, channel))
        ps_err_set(text, "%s gets another place for its events", channel->spec->stage.component);
    else if (why != NULL)
        ps_err_set(text, "%s cannot keep its events over this reload, because %s",
                   channel->spec->stage.component, why);
    else
        ps_err_set(text, "%s is removed or gets another type", channel->spec->stage.component);
}

/* `channel`: a channel that has events; NULL: a sink has the last events. */
static enum ps_status refuse_to_lose(const struct ps_agent *agent, struct ps_plan *next,
                                     const struct ps_channel_plan *channel, struct ps_err *err)
{
    struct ps_err change;
    const struct ps_channel_plan *one = channel != NULL ? channel : only_one(agent, next);
    if (one == NULL)
        return ps_err_set(err, "a sink has not delivered events of a channel that the new configuration does "
                               "not keep: reload again "
                               "when it delivers, raise penstock.reload.timeout, or restart the agent");
    describe_change(agent, next, one, &change);
    if (channel == NULL)
        return ps_err_set(err,
                          "%s, and its sink has not delivered what it has taken: reload again when it "
                          "delivers, raise penstock.reload.timeout, or restart the agent",
                          change.text);
    bool moves = ps_plan_moves_channel(next, channel), shared = channel->spec->stage.ops->shared;
    uint64_t left = ps_channel_plan_left(channel);
    return ps_err_set(
        err, "%s, and %s %s not %s, or raise penstock.reload.timeout (%s)%s", change.text,
        ps_quantity_print_count(left).text, ps_quantity_word(left, "event in it is", "events in it are"),
        shared ? "in its topic yet: reload again when its brokers have acknowledged these events (if these "
                 "brokers are gone for good, first reload with other brokers in the channel)"
               : "delivered: reload again when its sink has delivered these events",
        ps_quantity_print_ns((uint64_t)agent->plan->spec->options.reload_timeout_ms * PS_NS_PER_MS).text,
        moves ? "; after a restart they would stay in the old place, undelivered" : ", or restart the agent");
}

static enum ps_status refuse_to_tear(const struct ps_agent *agent, const struct ps_plan *next,
                                     struct ps_err *err)
{
    const char *moves, *stays;
    for (size_t i = 0; i < agent->plan->spec->channel_count; i++) {
        const struct ps_channel_plan *channel = &agent->plan->channels[i];
        if (ps_plan_tears_channel(next, channel, &moves, &stays))
            return ps_err_set(err,
                              "%s: %s changes and %s does not, but both are parts of one log: change both",
                              channel->spec->stage.component, moves, stays);
    }
    return PS_OK;
}

enum ps_status ps_agent_empty_channels(struct ps_agent *agent, struct ps_plan *next,
                                       const struct ps_agent_patience *patience, struct ps_err *err)
{
    if (ps_agent_keeps_every_channel(agent, next))
        return PS_OK;
    if (refuse_to_tear(agent, next, err) != PS_OK)
        return PS_FAIL;
    uint64_t until_ns =
        ps_clock_now().mono_ns + (uint64_t)agent->plan->spec->options.reload_timeout_ms * PS_NS_PER_MS;
    bool emptied = true;
    for (unsigned turn = 0; turn < 2 && emptied; turn++) {
        uint64_t number = ps_engine_order(agent->engine, PS_PHASE_PAUSE, agent->plan, next);
        while (!(emptied = ps_engine_reached(agent->engine, number))) {
            if (ps_clock_now().mono_ns >= until_ns || ps_agent_told_to_stop(patience) > 0)
                break;
            ps_agent_rest();
        }
        emptied = emptied && channel_to_empty(agent, next, turn == 0) == NULL;
    }
    if (emptied)
        return PS_OK;
    refuse_to_lose(agent, next, channel_to_empty(agent, next, false), err);
    uint64_t number = ps_engine_order(agent->engine, PS_PHASE_RUN, agent->plan, NULL);
    ps_agent_await(agent, number, PS_AGENT_ANSWER_MS, patience, "a worker does not answer; still waiting");
    return PS_FAIL;
}
