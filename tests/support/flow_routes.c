/* Where the events of tests/support/flow.h go, even when reloads change the channels of their source. */
#include "tests/support/flow.h"

_Static_assert(FLOW_CHANNELS_MAX <= 8, "a bit for each channel");

void flow_keep_routes(struct flow *flow)
{
    for (unsigned i = 0; i < FLOW_ORIGINS_MAX; i++) {
        if (flow->told[i] == NULL)
            continue;
        flow->routes[i] = calloc(flow->total, sizeof *flow->routes[i]);
        assert_non_null(flow->routes[i]);
    }
}

void flow_remember_routes(const struct flow *flow, unsigned channels, const struct ps_lease *lease)
{
    for (uint32_t i = 0; i < lease->count; i++) {
        struct flow_body body;
        memcpy(&body, ps_lease_event(lease, i)->body, sizeof body);
        if (body.origin >= FLOW_ORIGINS_MAX || flow->routes[body.origin] == NULL)
            return; /* also events of another kind of source, which a test may use with this selector */
        struct flow_routes *routes = &flow->routes[body.origin][body.number];
        routes->last = (uint8_t)flow_choose(flow, channels, body.number);
        routes->ever |= routes->last;
    }
}

unsigned flow_route(const struct flow *flow, unsigned origin, uint64_t number)
{
    if (flow->routes[origin] != NULL && flow->routes[origin][number].last != 0)
        return flow->routes[origin][number].last;
    return flow_choose(flow, flow->sources[origin / FLOW_INSTANCES_MAX].channels, number);
}

unsigned flow_routes_ever(const struct flow *flow, unsigned origin, uint64_t number)
{
    unsigned ever = flow->routes[origin] != NULL ? flow->routes[origin][number].ever : 0;
    return ever | flow_route(flow, origin, number);
}
