/* Selector load_balancing (Flume's LoadBalancingChannelSelector): each event to one channel, in turn or at
 * random. Thread: the source's worker. */
#include "core/stage.h"
#include "stages/lib/random.h"

enum policy { POLICY_ROUND_ROBIN, POLICY_RANDOM };

struct load_balancing_plan {
    int policy;
    unsigned channel_count;
};

struct load_balancing_state {
    unsigned next;
    struct ps_random random;
};

static const struct ps_option options[] = {
    PS_OPTION_ROW("policy", ENUM, offsetof(struct load_balancing_plan, policy),
                  "how the channel of an event is chosen", .fallback = "round_robin",
                  .words = PS_WORDS("round_robin", "random")),
    PS_OPTION_END,
};

static enum ps_status load_balancing_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct load_balancing_plan *plan = plan_;
    plan->channel_count = (unsigned)context->channels.count;
    if (plan->channel_count == 0)
        return ps_err_set(err, "there is no channel to choose from");
    return PS_OK;
}

static enum ps_status load_balancing_open(const void *, void *state_, struct ps_port *, struct ps_err *)
{
    struct load_balancing_state *state = state_;
    ps_random_init(&state->random);
    return PS_OK;
}

static enum ps_result load_balancing_work(const void *plan_, void *state_, const struct ps_lease *lease,
                                          struct ps_route *route, const struct ps_now *)
{
    const struct load_balancing_plan *plan = plan_;
    struct load_balancing_state *state = state_;
    for (uint32_t i = 0; i < lease->count; i++) {
        unsigned channel = state->next;
        if (plan->policy == POLICY_RANDOM)
            channel = ps_random_below(&state->random, plan->channel_count);
        else
            state->next = channel + 1 < plan->channel_count ? channel + 1 : 0;
        ps_route_row(route, channel, true, ps_lease_row(lease, i));
    }
    return PS_DONE;
}

static const struct ps_selector_ops selector = {.work = load_balancing_work};

const struct ps_stage_ops ps_selector_load_balancing = {
    PS_STAGE(PS_KIND_SELECTOR),
    .name = "load_balancing",
    .aliases = PS_WORDS("org.apache.flume.channel.LoadBalancingChannelSelector"),
    .summary = "each event to one channel, in turn or at random",
    .options = options,
    .plan_size = sizeof(struct load_balancing_plan),
    .state_size = sizeof(struct load_balancing_state),
    .build = load_balancing_build,
    .open = load_balancing_open,
    .selector = &selector,
};
