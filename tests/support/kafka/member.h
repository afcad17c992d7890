/* Runs source kafka without the engine, as one or several members of a group; tests can hold back deliveries.
 * Also the plain client calls that these tests need. Real clock, one thread. */
#pragma once

#include "tests/support/stage.h"

struct ps_test_received {
    int32_t partition;
    int64_t offset;
    uint32_t sequence; /* the number the body begins with */
};

struct ps_test_member {
    struct ps_test_stage stage;
    bool hold;   /* keeps batches instead of delivering them */
    bool paused; /* the channel is full: `work` is not called */
    struct ps_batch *held[PS_TEST_BATCHES_MAX];
    size_t held_count;
    struct ps_test_received *received; /* in order */
    size_t received_count, received_room;
};

/* `keys` are added to bootstrap servers, group and auto.offset.reset=earliest. Fails the test when the source
 * cannot be opened. */
struct ps_test_member *ps_test_member_create(const char *bootstrap, const char *group,
                                             const char *const *keys);
/* Closes and frees; held batches are given back undelivered. */
void ps_test_member_destroy(struct ps_test_member *member);

/* Runs one cycle: tick, work, close the batch, deliver or hold it. */
void ps_test_member_cycle(struct ps_test_member *member);
/* Delivers the oldest `count` held batches. */
void ps_test_member_deliver(struct ps_test_member *member, size_t count);
/* Runs cycles and calls `drain` until it returns true. Returns false after `patience_ms`. */
bool ps_test_member_drain(struct ps_test_member *member, unsigned patience_ms);

/* Runs cycles of all members for `patience_ms`, or until all members together have `count` records.
 * Returns how many they have. */
size_t ps_test_members_run(struct ps_test_member *const *members, size_t member_count, size_t count,
                           unsigned patience_ms);

struct ps_test_sent {
    const char *topic;
    uint32_t first, count; /* bodies "0", "1", .. padded to `size` bytes with blanks */
    uint32_t size;
    int32_t partitions;         /* number n goes to partition n % partitions */
    const char *key;            /* NULL: none */
    int64_t timestamp_ms;       /* 0: now */
    const char *const *headers; /* name, value, .. NULL; a value "" is empty; or NULL */
};
void ps_test_kafka_send(const char *bootstrap, const struct ps_test_sent *sent);
/* Sends one record; value NULL: a tombstone. */
void ps_test_kafka_send_value(const char *bootstrap, const char *topic, int32_t partition, const void *value,
                              size_t length);

/* Asks the broker for the group's committed offset of a partition; -1001: none. */
int64_t ps_test_kafka_committed(const char *bootstrap, const char *group, const char *topic,
                                int32_t partition);
