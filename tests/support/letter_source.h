/* A source and an interceptor for tests of dead letters in the engine, with tests/support/small_agent.h. */
#pragma once

#include "tests/support/small_agent.h"

struct ps_test_letter_script {
    const char *make; /* bodies of one byte that the source makes with its next call; '!': a letter instead */
    const char *large;     /* NULL, or one more body, */
    uint32_t large_length; /* and its length */
    struct ps_port *port;
    unsigned accepted;
};

/* The source's behaviour and records. A test sets it to 0 before it starts its agent. */
extern struct ps_test_letter_script ps_test_letters;

extern const struct ps_stage_ops ps_test_letter_source, ps_test_letter_chain;

/* Makes these bodies and runs the agent for a millisecond. */
void ps_test_letter_feed(struct ps_test_small_agent *agent, const char *bodies);
