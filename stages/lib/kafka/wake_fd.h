/* The descriptor that a client of librdkafka writes to wake its worker. The client has a duplicate of the worker's descriptor, because
 * the worker may close its own before the client factory's thread destroys the client. Thread: the one that makes or destroys the
 * client. */
#pragma once

#include "core/status.h"

struct rd_kafka_conf_s; /* librdkafka's rd_kafka_conf_t */

/* Sets *copy to a duplicate of `wake_fd`; wake_fd -1: *copy is -1, too. Fails if it cannot be duplicated: without the duplicate
 * the worker would hear of records and reports only when something else wakes it. */
enum ps_status ps_kafka_wake_fd_copy(int wake_fd, int *copy, struct ps_err *err);
/* -1 is allowed. */
void ps_kafka_wake_fd_close(int copy);

/* Gives back what a client that was not made has: the duplicate and its configuration. */
void ps_kafka_wake_fd_unmake(int copy, struct rd_kafka_conf_s *conf);
