#include "stages/lib/kafka/errors.h"

#define KAFKA(name) PS_KAFKA_ERROR_##name, #name
#define LIBRARY(name) PS_KAFKA_LIBRARY_##name, "_" #name
#define REACH "check kafka.bootstrap.servers, the brokers and the network"
#define TOPIC "create the topic, or correct kafka.topics"

/* Sorted by code, for the binary search of ps_kafka_error_find. */
const struct ps_kafka_error ps_kafka_errors[] = {
    {LIBRARY(BAD_MSG), PS_KAFKA_AGAIN,
     "the broker's answer could not be parsed: check that the address is a Kafka broker"},
    {LIBRARY(BAD_COMPRESSION), PS_KAFKA_AGAIN,
     "data could not be compressed: check kafka.producer.compression.type"},
    {LIBRARY(DESTROY), PS_KAFKA_AGAIN, "the producer was closing"},
    {LIBRARY(FAIL), PS_KAFKA_AGAIN, "the connection to the broker failed"},
    {LIBRARY(TRANSPORT), PS_KAFKA_AGAIN,
     "the connection to the broker broke: check that the broker runs and kafka.bootstrap.servers is right",
     .remedy = REACH},
    {LIBRARY(CRIT_SYS_RESOURCE), PS_KAFKA_AGAIN,
     "the system refused a thread or a socket: check the limits of the service"},
    {LIBRARY(RESOLVE), PS_KAFKA_WAIT,
     "a broker's host name does not resolve: check kafka.bootstrap.servers and DNS",
     .remedy = "check the host names in kafka.bootstrap.servers and the name service"},
    {LIBRARY(MSG_TIMED_OUT), PS_KAFKA_AGAIN,
     "the record was not delivered within kafka.producer.delivery.timeout.ms; without that key events wait "
     "without limit"},
    {LIBRARY(UNKNOWN_PARTITION), PS_KAFKA_WAIT,
     "the topic has no such partition: check partitionIdHeader and defaultPartitionId, or add partitions"},
    {LIBRARY(UNKNOWN_TOPIC), PS_KAFKA_WAIT,
     "the topic does not exist and the broker does not create it: create it, or allow "
     "auto.create.topics.enable",
     .remedy = TOPIC},
    {LIBRARY(ALL_BROKERS_DOWN), PS_KAFKA_AGAIN,
     "no broker can be reached: check that they run and kafka.bootstrap.servers is right", .remedy = REACH},
    {LIBRARY(INVALID_ARG), PS_KAFKA_BLAME, "the library refuses the record"},
    {LIBRARY(TIMED_OUT), PS_KAFKA_AGAIN,
     "the broker did not answer within kafka.producer.request.timeout.ms"},
    {LIBRARY(QUEUE_FULL), PS_KAFKA_AGAIN,
     "the library's queue is full: the sink waits for reports, the channel fills"},
    {LIBRARY(ISR_INSUFF), PS_KAFKA_AGAIN, "too few replicas are in sync"},
    {LIBRARY(SSL), PS_KAFKA_WAIT,
     "TLS failed: check kafka.producer.security.protocol, the trust store and the host name in the "
     "certificate",
     .remedy = "check kafka.consumer.security.protocol and the kafka.consumer.ssl.* stores"},
    {LIBRARY(STATE), PS_KAFKA_RENEW, "the producer is in a state that forbids sending"},
    {LIBRARY(AUTHENTICATION), PS_KAFKA_WAIT,
     "the broker refuses the credentials: check kafka.producer.sasl.mechanism and sasl.jaas.config",
     .remedy = "check kafka.consumer.sasl.mechanism and sasl.jaas.config"},
    {LIBRARY(TIMED_OUT_QUEUE), PS_KAFKA_AGAIN, "the request waited too long for the connection"},
    {LIBRARY(UNSUPPORTED_FEATURE), PS_KAFKA_WAIT,
     "the broker is too old for compression or idempotence as configured"},
    {LIBRARY(RETRY), PS_KAFKA_AGAIN, "the library sends the record again"},
    {LIBRARY(PURGE_QUEUE), PS_KAFKA_PURGED, "the record was purged before the library sent it"},
    {LIBRARY(PURGE_INFLIGHT), PS_KAFKA_PURGED,
     "the record was purged after the library had sent it; it may be in the log"},
    {LIBRARY(FATAL), PS_KAFKA_RENEW, "the producer reported a fatal error"},
    {LIBRARY(INCONSISTENT), PS_KAFKA_RENEW, "the producer lost track of its sequence numbers",
     .remedy = "clients that use another form of the consumer protocol need a group of their own"},
    {LIBRARY(GAPLESS_GUARANTEE), PS_KAFKA_RENEW,
     "to continue after an earlier error would change the order of the records"},
    {LIBRARY(MAX_POLL_EXCEEDED), PS_KAFKA_AGAIN, "not an answer to produce",
     .remedy = "the process did not poll in time; check its load and pauses"},
    {LIBRARY(FENCED), PS_KAFKA_RENEW, "a newer producer has the same transactional id"},
    {PS_KAFKA_ERROR_UNKNOWN_SERVER_ERROR, "UNKNOWN", PS_KAFKA_AGAIN,
     "the broker had an unexpected error: see the broker's log"},
    {PS_KAFKA_ERROR_NONE, "NO_ERROR", PS_KAFKA_DELIVERED,
     "the record was written with the acknowledgements that acks requires"},
    {KAFKA(CORRUPT_MESSAGE), PS_KAFKA_BLAME,
     "the broker found a bad checksum, or a record without key on a compacted topic; a single event is sent "
     "again twice before it is blamed"},
    {KAFKA(UNKNOWN_TOPIC_OR_PARTITION), PS_KAFKA_AGAIN,
     "the broker does not know the partition (yet): check that the topic exists", .remedy = TOPIC},
    {KAFKA(INVALID_FETCH_SIZE), PS_KAFKA_AGAIN, "not an answer to produce"},
    {KAFKA(LEADER_NOT_AVAILABLE), PS_KAFKA_AGAIN,
     "the partition has no leader: an election, or all replicas are down"},
    {KAFKA(NOT_LEADER_OR_FOLLOWER), PS_KAFKA_AGAIN, "the leader moved: the library asks for the new one"},
    {KAFKA(REQUEST_TIMED_OUT), PS_KAFKA_AGAIN,
     "replicas did not confirm the record in time; it may be in the log"},
    {KAFKA(BROKER_NOT_AVAILABLE), PS_KAFKA_AGAIN, "the broker is not available"},
    {KAFKA(REPLICA_NOT_AVAILABLE), PS_KAFKA_AGAIN, "the replica is not available"},
    {KAFKA(MESSAGE_TOO_LARGE), PS_KAFKA_SPLIT,
     "above the topic's max.message.bytes: raise that, or lower kafka.producer.batch.size"},
    {KAFKA(OFFSET_METADATA_TOO_LARGE), PS_KAFKA_AGAIN, "not an answer to produce",
     .remedy = "raise the broker's offset.metadata.max.bytes"},
    {KAFKA(NETWORK_EXCEPTION), PS_KAFKA_AGAIN, "the broker closed the connection before it answered"},
    {KAFKA(INVALID_TOPIC_EXCEPTION), PS_KAFKA_WAIT,
     "the broker takes no records under this topic name: it is not legal, or kept for Kafka itself (a name "
     "that begins with __); check kafka.topic and the topic header"},
    {KAFKA(RECORD_LIST_TOO_LARGE), PS_KAFKA_SPLIT,
     "above the broker's segment size: raise segment.bytes, or lower kafka.producer.batch.size"},
    {KAFKA(NOT_ENOUGH_REPLICAS), PS_KAFKA_AGAIN, "fewer replicas in sync than min.insync.replicas"},
    {KAFKA(NOT_ENOUGH_REPLICAS_AFTER_APPEND), PS_KAFKA_AGAIN,
     "the record was written, but fewer replicas are in sync than min.insync.replicas"},
    {KAFKA(INVALID_REQUIRED_ACKS), PS_KAFKA_WAIT, "the broker does not accept kafka.producer.acks"},
    {KAFKA(INCONSISTENT_GROUP_PROTOCOL), PS_KAFKA_AGAIN, "not an answer to produce",
     .remedy = "all members of a group need a common partition.assignment.strategy"},
    {KAFKA(TOPIC_AUTHORIZATION_FAILED), PS_KAFKA_WAIT,
     "not allowed to write to the topic: grant WRITE on it to this principal",
     .remedy = "grant this user Read and Describe on the topic"},
    {KAFKA(GROUP_AUTHORIZATION_FAILED), PS_KAFKA_WAIT,
     "not allowed to commit offsets of the source's group: grant READ on it to this principal",
     .remedy = "grant this user Read on the group"},
    {KAFKA(CLUSTER_AUTHORIZATION_FAILED), PS_KAFKA_WAIT,
     "not allowed to write idempotently: grant IDEMPOTENT_WRITE on the cluster, or set kafka.producer.acks = "
     "1"},
    {KAFKA(INVALID_TIMESTAMP), PS_KAFKA_BLAME,
     "the timestamp is too far from the broker's clock: check timestampHeader and "
     "message.timestamp.difference.max.ms. Without such a header it is the time of sending: WAIT, check this "
     "agent's clock"},
    {KAFKA(UNSUPPORTED_SASL_MECHANISM), PS_KAFKA_WAIT,
     "the broker does not offer kafka.producer.sasl.mechanism"},
    {KAFKA(ILLEGAL_SASL_STATE), PS_KAFKA_AGAIN, "the connection is not authenticated"},
    {KAFKA(UNSUPPORTED_VERSION), PS_KAFKA_WAIT, "the broker does not support this version of the protocol"},
    {KAFKA(INVALID_PARTITIONS), PS_KAFKA_WAIT,
     "the broker cannot create the topic: check its num.partitions, or create the topic"},
    {KAFKA(INVALID_REPLICATION_FACTOR), PS_KAFKA_WAIT,
     "the broker cannot create the topic: check its default.replication.factor, or create the topic"},
    {KAFKA(NOT_CONTROLLER), PS_KAFKA_AGAIN, "the broker asked is not the controller"},
    {KAFKA(INVALID_REQUEST), PS_KAFKA_BLAME, "the broker refuses the request"},
    {KAFKA(UNSUPPORTED_FOR_MESSAGE_FORMAT), PS_KAFKA_WAIT,
     "the topic's message format is too old for headers or idempotence: raise message.format.version"},
    {KAFKA(POLICY_VIOLATION), PS_KAFKA_BLAME, "the broker's policy refuses the record"},
    {KAFKA(OUT_OF_ORDER_SEQUENCE_NUMBER), PS_KAFKA_RENEW,
     "the broker lost records of this producer, or two producers share an id"},
    {KAFKA(DUPLICATE_SEQUENCE_NUMBER), PS_KAFKA_DELIVERED,
     "the record is already in the log: the first answer was lost"},
    {KAFKA(INVALID_PRODUCER_EPOCH), PS_KAFKA_RENEW,
     "a newer producer took this id (each agent needs a penstock.transaction.id of its own), or the "
     "transaction took longer than penstock.transaction.timeout"},
    {KAFKA(INVALID_TXN_STATE), PS_KAFKA_RENEW, "the transaction is over"},
    {KAFKA(INVALID_PRODUCER_ID_MAPPING), PS_KAFKA_RENEW,
     "the broker forgot this producer's transactional id"},
    {KAFKA(INVALID_TRANSACTION_TIMEOUT), PS_KAFKA_WAIT,
     "penstock.transaction.timeout is above the broker's transaction.max.timeout.ms"},
    {KAFKA(CONCURRENT_TRANSACTIONS), PS_KAFKA_AGAIN, "the last transaction is still being ended"},
    {KAFKA(TRANSACTIONAL_ID_AUTHORIZATION_FAILED), PS_KAFKA_WAIT,
     "not allowed to use the transactional id: grant WRITE on it to this principal"},
    {KAFKA(SECURITY_DISABLED), PS_KAFKA_AGAIN, "not an answer to produce"},
    {KAFKA(KAFKA_STORAGE_ERROR), PS_KAFKA_AGAIN, "the broker's disk failed: see the broker's log"},
    {KAFKA(SASL_AUTHENTICATION_FAILED), PS_KAFKA_WAIT,
     "the broker refuses the credentials: check kafka.producer.sasl.jaas.config",
     .remedy = "check user and password in sasl.jaas.config"},
    {KAFKA(UNKNOWN_PRODUCER_ID), PS_KAFKA_RENEW,
     "the broker forgot this producer: its records were all deleted"},
    {KAFKA(DELEGATION_TOKEN_EXPIRED), PS_KAFKA_WAIT, "the delegation token expired: renew it"},
    {KAFKA(LISTENER_NOT_FOUND), PS_KAFKA_AGAIN, "the leader has no listener of this name"},
    {KAFKA(FENCED_LEADER_EPOCH), PS_KAFKA_AGAIN, "the leader moved: the library asks for the new one"},
    {KAFKA(UNKNOWN_LEADER_EPOCH), PS_KAFKA_AGAIN, "the broker does not know of the new leader yet"},
    {KAFKA(UNSUPPORTED_COMPRESSION_TYPE), PS_KAFKA_WAIT,
     "the broker does not know kafka.producer.compression.type: zstd needs 2.1 or newer"},
    {KAFKA(STALE_BROKER_EPOCH), PS_KAFKA_AGAIN, "the broker restarted"},
    {KAFKA(FENCED_INSTANCE_ID), PS_KAFKA_AGAIN, "not an answer to produce",
     .remedy = "another member of the group has the same kafka.consumer.group.instance.id: give each agent "
               "and each "
               "source an id of its own"},
    {KAFKA(ELIGIBLE_LEADERS_NOT_AVAILABLE), PS_KAFKA_AGAIN, "no replica may become leader"},
    {KAFKA(INVALID_RECORD), PS_KAFKA_BLAME,
     "the broker refuses a record: no key on a compacted topic, or a bad timestamp or header"},
    {KAFKA(THROTTLING_QUOTA_EXCEEDED), PS_KAFKA_AGAIN,
     "above the quota of this client: raise the quota (producer_byte_rate, request_percentage) of its user "
     "or client.id"},
    {KAFKA(PRODUCER_FENCED), PS_KAFKA_RENEW,
     "a newer producer has the same transactional id (each agent needs a penstock.transaction.id of its "
     "own), or the transaction took longer than penstock.transaction.timeout"},
    {KAFKA(TRANSACTION_ABORTABLE), PS_KAFKA_RENEW, "the transaction can no longer be committed"},
};

const size_t ps_kafka_error_count = PS_COUNT_OF(ps_kafka_errors);

static const struct ps_kafka_error other = {-1000, "error", PS_KAFKA_AGAIN, "not a known answer to produce"};

bool ps_kafka_error_counts(int code)
{
    static const int16_t pass[] = {
        PS_KAFKA_ERROR_CORRUPT_MESSAGE,
        PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION,
        PS_KAFKA_ERROR_LEADER_NOT_AVAILABLE,
        PS_KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER,
        PS_KAFKA_ERROR_REQUEST_TIMED_OUT,
        PS_KAFKA_ERROR_BROKER_NOT_AVAILABLE,
        PS_KAFKA_ERROR_REPLICA_NOT_AVAILABLE,
        PS_KAFKA_ERROR_NETWORK_EXCEPTION,
        PS_KAFKA_ERROR_NOT_ENOUGH_REPLICAS,
        PS_KAFKA_ERROR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        PS_KAFKA_ERROR_NOT_CONTROLLER,
        PS_KAFKA_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        PS_KAFKA_ERROR_CONCURRENT_TRANSACTIONS,
        PS_KAFKA_ERROR_KAFKA_STORAGE_ERROR,
        PS_KAFKA_ERROR_LISTENER_NOT_FOUND,
        PS_KAFKA_ERROR_FENCED_LEADER_EPOCH,
        PS_KAFKA_ERROR_UNKNOWN_LEADER_EPOCH,
        PS_KAFKA_ERROR_STALE_BROKER_EPOCH,
        PS_KAFKA_ERROR_ELIGIBLE_LEADERS_NOT_AVAILABLE,
        PS_KAFKA_ERROR_THROTTLING_QUOTA_EXCEEDED,
    };
    for (size_t i = 0; i < PS_COUNT_OF(pass); i++)
        if (pass[i] == code)
            return false;
    return ps_kafka_error_find(code)->outcome == PS_KAFKA_AGAIN;
}

bool ps_kafka_error_is_awaited(int code)
{
    return code == PS_KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS ||
           code == PS_KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE || code == PS_KAFKA_ERROR_NOT_COORDINATOR ||
           code == PS_KAFKA_ERROR_CONCURRENT_TRANSACTIONS;
}

bool ps_kafka_error_is_of_connection(int code)
{
    return code == PS_KAFKA_LIBRARY_TRANSPORT || code == PS_KAFKA_LIBRARY_RESOLVE ||
           code == PS_KAFKA_LIBRARY_ALL_BROKERS_DOWN || code == PS_KAFKA_LIBRARY_SSL ||
           code == PS_KAFKA_LIBRARY_AUTHENTICATION;
}

const struct ps_kafka_error *ps_kafka_error_find(int code)
{
    size_t low = 0, high = ps_kafka_error_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ps_kafka_errors[middle].code == code)
            return &ps_kafka_errors[middle];
        if (ps_kafka_errors[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    return &other;
}
