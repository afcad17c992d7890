/* The consequence of each produce error code for its events. docs/KAFKA_ERRORS.md is printed from this table,
 * and a test compares the two. Codes above zero are Kafka's (the protocol's error table); codes from -200 to
 * -100 are librdkafka's own.
 *
 * No row loses an event: after every outcome but DELIVERED the event is sent again. Outcomes differ in the first
 * reaction, and in the cause that is logged. Thread: any; const data. The codes that no row has are of answers to other requests. */
#pragma once

#include "core/base.h"

/* PS_KAFKA_ERROR_: Kafka's codes, named as in the Kafka protocol guide ("Error Codes"). PS_KAFKA_LIBRARY_: librdkafka's own, named as
 * RD_KAFKA_RESP_ERR__ there; the native client reports the same conditions with them. */
enum ps_kafka_code {
    PS_KAFKA_LIBRARY_BAD_MSG = -199,
    PS_KAFKA_LIBRARY_BAD_COMPRESSION = -198,
    PS_KAFKA_LIBRARY_DESTROY = -197,
    PS_KAFKA_LIBRARY_FAIL = -196,
    PS_KAFKA_LIBRARY_TRANSPORT = -195,
    PS_KAFKA_LIBRARY_CRIT_SYS_RESOURCE = -194,
    PS_KAFKA_LIBRARY_RESOLVE = -193,
    PS_KAFKA_LIBRARY_MSG_TIMED_OUT = -192,
    PS_KAFKA_LIBRARY_UNKNOWN_PARTITION = -190,
    PS_KAFKA_LIBRARY_UNKNOWN_TOPIC = -188,
    PS_KAFKA_LIBRARY_ALL_BROKERS_DOWN = -187,
    PS_KAFKA_LIBRARY_INVALID_ARG = -186,
    PS_KAFKA_LIBRARY_TIMED_OUT = -185,
    PS_KAFKA_LIBRARY_QUEUE_FULL = -184,
    PS_KAFKA_LIBRARY_ISR_INSUFF = -183,
    PS_KAFKA_LIBRARY_SSL = -181,
    PS_KAFKA_LIBRARY_STATE = -172,
    PS_KAFKA_LIBRARY_AUTHENTICATION = -169,
    PS_KAFKA_LIBRARY_TIMED_OUT_QUEUE = -166,
    PS_KAFKA_LIBRARY_UNSUPPORTED_FEATURE = -165,
    PS_KAFKA_LIBRARY_RETRY = -153,
    PS_KAFKA_LIBRARY_PURGE_QUEUE = -152,
    PS_KAFKA_LIBRARY_PURGE_INFLIGHT = -151,
    PS_KAFKA_LIBRARY_FATAL = -150,
    PS_KAFKA_LIBRARY_INCONSISTENT = -149,
    PS_KAFKA_LIBRARY_GAPLESS_GUARANTEE = -148,
    PS_KAFKA_LIBRARY_MAX_POLL_EXCEEDED = -147,
    PS_KAFKA_LIBRARY_FENCED = -144,
    PS_KAFKA_ERROR_UNKNOWN_SERVER_ERROR = -1,
    PS_KAFKA_ERROR_NONE = 0,
    PS_KAFKA_ERROR_OFFSET_OUT_OF_RANGE = 1,
    PS_KAFKA_ERROR_CORRUPT_MESSAGE = 2,
    PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION = 3,
    PS_KAFKA_ERROR_INVALID_FETCH_SIZE = 4,
    PS_KAFKA_ERROR_LEADER_NOT_AVAILABLE = 5,
    PS_KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER = 6,
    PS_KAFKA_ERROR_REQUEST_TIMED_OUT = 7,
    PS_KAFKA_ERROR_BROKER_NOT_AVAILABLE = 8,
    PS_KAFKA_ERROR_REPLICA_NOT_AVAILABLE = 9,
    PS_KAFKA_ERROR_MESSAGE_TOO_LARGE = 10,
    PS_KAFKA_ERROR_OFFSET_METADATA_TOO_LARGE = 12,
    PS_KAFKA_ERROR_NETWORK_EXCEPTION = 13,
    PS_KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS = 14,
    PS_KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE = 15,
    PS_KAFKA_ERROR_NOT_COORDINATOR = 16,
    PS_KAFKA_ERROR_INVALID_TOPIC_EXCEPTION = 17,
    PS_KAFKA_ERROR_RECORD_LIST_TOO_LARGE = 18,
    PS_KAFKA_ERROR_NOT_ENOUGH_REPLICAS = 19,
    PS_KAFKA_ERROR_NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20,
    PS_KAFKA_ERROR_INVALID_REQUIRED_ACKS = 21,
    PS_KAFKA_ERROR_ILLEGAL_GENERATION = 22,
    PS_KAFKA_ERROR_INCONSISTENT_GROUP_PROTOCOL = 23,
    PS_KAFKA_ERROR_UNKNOWN_MEMBER_ID = 25,
    PS_KAFKA_ERROR_INVALID_SESSION_TIMEOUT = 26,
    PS_KAFKA_ERROR_REBALANCE_IN_PROGRESS = 27,
    PS_KAFKA_ERROR_TOPIC_AUTHORIZATION_FAILED = 29,
    PS_KAFKA_ERROR_GROUP_AUTHORIZATION_FAILED = 30,
    PS_KAFKA_ERROR_CLUSTER_AUTHORIZATION_FAILED = 31,
    PS_KAFKA_ERROR_INVALID_TIMESTAMP = 32,
    PS_KAFKA_ERROR_UNSUPPORTED_SASL_MECHANISM = 33,
    PS_KAFKA_ERROR_ILLEGAL_SASL_STATE = 34,
    PS_KAFKA_ERROR_UNSUPPORTED_VERSION = 35,
    PS_KAFKA_ERROR_INVALID_PARTITIONS = 37,
    PS_KAFKA_ERROR_INVALID_REPLICATION_FACTOR = 38,
    PS_KAFKA_ERROR_NOT_CONTROLLER = 41,
    PS_KAFKA_ERROR_INVALID_REQUEST = 42,
    PS_KAFKA_ERROR_UNSUPPORTED_FOR_MESSAGE_FORMAT = 43,
    PS_KAFKA_ERROR_POLICY_VIOLATION = 44,
    PS_KAFKA_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER = 45,
    PS_KAFKA_ERROR_DUPLICATE_SEQUENCE_NUMBER = 46,
    PS_KAFKA_ERROR_INVALID_PRODUCER_EPOCH = 47,
    PS_KAFKA_ERROR_INVALID_TXN_STATE = 48,
    PS_KAFKA_ERROR_INVALID_PRODUCER_ID_MAPPING = 49,
    PS_KAFKA_ERROR_INVALID_TRANSACTION_TIMEOUT = 50,
    PS_KAFKA_ERROR_CONCURRENT_TRANSACTIONS = 51,
    PS_KAFKA_ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53,
    PS_KAFKA_ERROR_SECURITY_DISABLED = 54,
    PS_KAFKA_ERROR_OPERATION_NOT_ATTEMPTED = 55,
    PS_KAFKA_ERROR_KAFKA_STORAGE_ERROR = 56,
    PS_KAFKA_ERROR_SASL_AUTHENTICATION_FAILED = 58,
    PS_KAFKA_ERROR_UNKNOWN_PRODUCER_ID = 59,
    PS_KAFKA_ERROR_DELEGATION_TOKEN_EXPIRED = 66,
    PS_KAFKA_ERROR_FETCH_SESSION_ID_NOT_FOUND = 70,
    PS_KAFKA_ERROR_INVALID_FETCH_SESSION_EPOCH = 71,
    PS_KAFKA_ERROR_LISTENER_NOT_FOUND = 72,
    PS_KAFKA_ERROR_FENCED_LEADER_EPOCH = 74,
    PS_KAFKA_ERROR_UNKNOWN_LEADER_EPOCH = 75,
    PS_KAFKA_ERROR_UNSUPPORTED_COMPRESSION_TYPE = 76,
    PS_KAFKA_ERROR_STALE_BROKER_EPOCH = 77,
    PS_KAFKA_ERROR_MEMBER_ID_REQUIRED = 79,
    PS_KAFKA_ERROR_FENCED_INSTANCE_ID = 82,
    PS_KAFKA_ERROR_ELIGIBLE_LEADERS_NOT_AVAILABLE = 83,
    PS_KAFKA_ERROR_INVALID_RECORD = 87,
    PS_KAFKA_ERROR_UNSTABLE_OFFSET_COMMIT = 88,
    PS_KAFKA_ERROR_THROTTLING_QUOTA_EXCEEDED = 89,
    PS_KAFKA_ERROR_PRODUCER_FENCED = 90,
    PS_KAFKA_ERROR_UNKNOWN_TOPIC_ID = 100,
    PS_KAFKA_ERROR_INCONSISTENT_TOPIC_ID = 103,
    PS_KAFKA_ERROR_FETCH_SESSION_TOPIC_ID_ERROR = 106,
    PS_KAFKA_ERROR_TRANSACTION_ABORTABLE = 120,
};

enum ps_kafka_outcome {
    /* The events are settled. */
    PS_KAFKA_DELIVERED,
    /* A temporary error: the library retries within the producer. If the library reports the error
     * nevertheless: stop, collect the reports, back off, send again in order. */
    PS_KAFKA_AGAIN,
    /* An operator must correct a mistake (permission, topic, disk): like AGAIN, and the remedy is logged. */
    PS_KAFKA_WAIT,
    /* The request was too large: it is halved until it fits or one event is left; that event is blamed. */
    PS_KAFKA_SPLIT,
    /* The broker refuses a record: the one that it names (KIP-467); else requests are halved until one event is left; that
     * event is blamed: logged, counted, tried again after a backoff. */
    PS_KAFKA_BLAME,
    /* This producer cannot continue: a new one is made, undelivered events are sent again in order. */
    PS_KAFKA_RENEW,
    /* The sender itself has purged the record. */
    PS_KAFKA_PURGED,
};

struct ps_kafka_error {
    int code;
    const char *name;
    enum ps_kafka_outcome outcome;
    const char *meaning; /* the meaning of the code, and the cure */
    const char *remedy;  /* what an operator of a consumer may do about it; NULL: nothing is known */
};

extern const struct ps_kafka_error ps_kafka_errors[];
extern const size_t ps_kafka_error_count;

/* Returns the row of a code; for a code that is not in the table, a row with outcome AGAIN, named "error". */
const struct ps_kafka_error *ps_kafka_error_find(int code);

/* Returns whether the broker's error, whose outcome is AGAIN, says nothing about leaders, replicas, disks or quotas: each
 * such answer counts as a failed attempt (penstock.retry.max), although the native client itself sends the records again.
 * Java's producer does not repeat such requests. */
bool ps_kafka_error_counts(int code);

/* Returns whether the error of a coordinator passes as a rule: a cluster that has just started makes the topics of groups and
 * transactions first. */
bool ps_kafka_error_is_awaited(int code);

/* Returns whether the error is that of a connection: it says that a broker cannot be reached. */
bool ps_kafka_error_is_of_connection(int code);
