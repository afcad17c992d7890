/* Shared by the files of the broker with a group. */
#pragma once

#include "tests/support/kafka/group_broker.h"

#define ERROR_OUT_OF_RANGE 1
#define ERROR_NOT_LEADER 6
#define ERROR_FENCED_EPOCH 74
#define ERROR_UNKNOWN_TOPIC 3
#define ERROR_UNKNOWN_EPOCH 75
#define ERROR_UNKNOWN_TOPIC_ID 100
#define ERROR_INCONSISTENT_TOPIC_ID 103

/* Returns the epoch of the leader that wrote this batch of the log. */
int32_t ps_test_group_batch_epoch(const struct ps_test_group_log *log, unsigned batch);
