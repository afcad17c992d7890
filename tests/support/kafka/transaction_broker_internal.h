/* Types and functions that the files of the broker with transactions share (tests/support/kafka/transaction_broker.h). */
#pragma once

#include "tests/support/kafka/connections.h"
#include "tests/support/kafka/transaction_broker.h"

#define RECORDS_MAX 400000U
#define ENDING_REQUESTS 3U /* while these come, the end of a transaction is under way */
#define ERROR_NOT_LEADER 6
#define ERROR_COORDINATOR_LOADS 14
#define ERROR_NO_COORDINATOR 15
#define ERROR_NOT_COORDINATOR 16
#define ERROR_NOT_ENOUGH_REPLICAS 19
#define ERROR_ILLEGAL_GENERATION 22
#define ERROR_UNSUPPORTED_VERSION 35
#define ERROR_OUT_OF_ORDER 45
#define ERROR_INVALID_EPOCH 47
#define ERROR_CONCURRENT 51
#define ERROR_UNSTABLE 88
#define ERROR_FENCED 90
#define ERROR_ABORTABLE 120

enum fate { OPEN, COMMITTED, ABORTED };

#define PARTITIONS (PS_TEST_OUT_PARTITIONS + 1U)

struct producer {
    int64_t id;
    int16_t epoch; /* -1: none yet */
};

static inline bool is_same(struct producer one, struct producer other)
{
    return one.id == other.id && one.epoch == other.epoch;
}

struct partition {
    struct {
        uint32_t number; /* of a record of `out`, or the length of `text` */
        char *text;      /* the value of a record of positions (NULL: it has none), */
        char owner[40];  /* and its key */
        enum fate fate;
    } * records;
    uint32_t count;
    int32_t next; /* sequence number of the current epoch */
    struct producer producer;
    bool joined;
};

struct ps_test_coordinator {
    struct ps_test_connections connections;
    char bootstrap[32];
    uint64_t random;
    unsigned faults;
    struct partition partitions[PARTITIONS]; /* of `out`, and the one of the positions */
    struct producer producer;
    bool second;           /* the second protocol of transactions (KIP-890) */
    struct producer ended, /* second protocol: who committed the last transaction, */
        next;              /* and its successor */
    bool ongoing, group_joined;
    unsigned ending; /* requests until the last end is complete */
    bool mute;       /* the answer to this request is lost */
    int32_t generation;
    int64_t committed[PS_TEST_IN_PARTITIONS], pending[PS_TEST_IN_PARTITIONS]; /* pending -1: none */
    bool refused[PS_TEST_IN_PARTITIONS]; /* its offset waits to be accepted */
    struct ps_test_coordinator_counts counts;
};

/* Draws whether this request meets a fault. */
bool ps_test_coordinator_fails(struct ps_test_coordinator *broker);
/* Draws whether the transaction must be aborted: never with the first protocol. */
bool ps_test_coordinator_spoils(struct ps_test_coordinator *broker);
/* Fails the test if requests have different transactional ids. */
void ps_test_coordinator_check_id(const char *id, uint32_t length);
void ps_test_coordinator_forget_id(void);
/* Reads the name of a topic and copies it to the answer. */
char *ps_test_coordinator_take_topic(struct ps_wire_in *in, char *at, bool flexible, bool *of_positions);
struct partition *ps_test_coordinator_partition(struct ps_test_coordinator *broker, bool of_positions,
                                                int32_t number);

/* Requests, by their names: each reads the rest of the request, and writes the answer to `at`. */
char *ps_test_coordinator_produce(struct ps_test_coordinator *broker, int16_t version, struct ps_wire_in *in,
                                  char *at);
char *ps_test_coordinator_metadata(const struct ps_test_coordinator *broker, struct ps_wire_in *in, char *at);
char *ps_test_coordinator_versions(const struct ps_test_coordinator *broker, int16_t version, char *at);
