/* The far end of a flow's sink that has sockets: it answers at a certain time, and then a descriptor in the sink's epoll
 * becomes readable. In the simulator, which has no descriptors, the sink names the time. */
#pragma once

#include "core/stage.h"

struct flow_answers {
    int epoll_fd, timer_fd; /* -1: none */
};

/* port->epoll_fd: -1 for a sink without sockets. */
void flow_answers_open(struct flow_answers *answers, const struct ps_port *port);
void flow_answers_close(struct flow_answers *answers);
/* Called in `tick`: reads the answers that have come. */
void flow_answers_read(struct flow_answers *answers);
/* Sets the time of the next answer. Returns what `tick` returns: PS_NEVER when the descriptor will wake the worker. */
uint64_t flow_answers_await(struct flow_answers *answers, uint64_t due_ns);
