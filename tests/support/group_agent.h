/* The smallest agent with a sink group: sinks that do what the test tells them, and record what they got. Thread: the test's. */
#pragma once

#include "core/engine/sink/group.h"
#include "tests/support/small_agent.h"

#define PS_TEST_MEMBERS_MAX 3U
#define PS_TEST_MEMBER_KEPT_MAX 64U

/* The behaviour of a sink, and its records. */
struct ps_test_group_member {
    bool rolls_back, keeps, has_no_room, fails;
    unsigned recall_calls_left;
    unsigned opens, closes, offers;
    struct ps_port *port;
    struct ps_lease *kept[PS_TEST_MEMBER_KEPT_MAX];
    unsigned kept_count;
    char settled[1024]; /* the bodies of settled events, one letter each */
};

struct ps_test_group {
    struct ps_test_group_member members[PS_TEST_MEMBERS_MAX];
    char settled[2048]; /* of all members */
    uint32_t to_make;   /* events of the source's next batch */
    unsigned made;
    uint64_t look_ns; /* interval at which the agent wakes, so that a test can tell when something happens */
    struct ps_test_small_agent agent;
};
extern struct ps_test_group ps_test_group;

void ps_test_group_start(const struct ps_processor_settings *group, unsigned workers);
/* Makes `times` batches of `rows` events; the clock does not move. */
void ps_test_group_make(uint32_t rows, unsigned times);
void ps_test_group_pass_s(unsigned seconds);
/* Makes the member deliver the leases that it keeps. */
void ps_test_group_deliver_kept(struct ps_test_group_member *member);
/* Stops the agent; fails the test when an event is lost, or a sink was opened and not closed. */
void ps_test_group_stop(void);
