/* The settings of the native client. The stages hand over properties in librdkafka's names
 * (stages/lib/kafka/properties/properties.h translates Java's), and one table of cluster/settings.c has the field of
 * each; what it does not have makes a sink use librdkafka. Thread: any. */
#pragma once

#include "core/option.h"
#include "core/status.h"
#include "stages/lib/kafka/wire/compression.h"

#define PS_KAFKA_NATIVE_CLIENT_ID_BYTES 256U
#define PS_KAFKA_RACK_BYTES 256U
/* most produce requests in flight to one broker, which remembers an idempotent producer's last 5 sets */
#define PS_KAFKA_NATIVE_IN_FLIGHT_MAX 5U

enum ps_kafka_reset { PS_KAFKA_RESET_LATEST, PS_KAFKA_RESET_EARLIEST, PS_KAFKA_RESET_ERROR };

enum ps_kafka_assignor { PS_KAFKA_RANGE, PS_KAFKA_ROUND_ROBIN, PS_KAFKA_STICKY, PS_KAFKA_ASSIGNOR_COUNT };
extern const char *const ps_kafka_assignor_names[PS_KAFKA_ASSIGNOR_COUNT];

/* Settings of a reader. */
struct ps_kafka_fetch_settings {
    int32_t session_ms, rebalance_ms;
    uint64_t heartbeat_ns;
    /* the assignors that the member offers, in order */
    enum ps_kafka_assignor assignors[PS_KAFKA_ASSIGNOR_COUNT];
    uint32_t assignor_count;
    bool cooperative; /* all assignors are cooperative: partitions are kept over a rebalance */
    enum ps_kafka_reset reset;
    bool committed_only;            /* isolation.level = read_committed */
    bool checks_sums;               /* check.crcs */
    char rack[PS_KAFKA_RACK_BYTES]; /* client.rack; "": none */
    int32_t wait_ms, bytes_min, bytes_max, partition_bytes_max;
};

/* Values that are texts. They point into the properties, and are used only while a client is made. NULL: not set. */
struct ps_kafka_native_texts {
    const char *servers, *client_id, *acks, *compression, *linger, *partitioner;
    const char *protocol, *mechanism, *name, *password;
    const char *service, *keytab, *principal; /* GSSAPI */
    const char *token_config, *token_method, *endpoint, *token_client, *token_secret,
        *scope;                                                               /* OAUTHBEARER */
    const char *ca, *ca_text, *certificate_text, *key_text, *ciphers, *names; /* TLS */
    const char *assignors, *reset, *isolation, *rack;                         /* a reader's */
};

struct ps_kafka_native_settings {
    struct ps_kafka_native_texts texts;
    char client_id[PS_KAFKA_NATIVE_CLIENT_ID_BYTES];
    int16_t acks;
    bool idempotent;
    enum ps_kafka_compression compression;
    int32_t compression_level;
    uint32_t batch_bytes_max;    /* batch.size */
    uint32_t batch_records_max;  /* batch.num.messages */
    uint32_t in_flight_max;      /* produce requests to one broker; 1 to PS_KAFKA_NATIVE_IN_FLIGHT_MAX */
    uint64_t queue_records_max;  /* of batches that are not delivered */
    uint32_t request_bytes_max;  /* of all batches of a request */
    uint64_t queue_bytes_max;    /* of batches that are not delivered */
    uint64_t request_timeout_ns; /* after this time without an answer the connection is given up */
    int32_t acks_timeout_ms;     /* time for which the broker waits for replicas */
    uint64_t retry_rest_ns;      /* retry.backoff.ms */
    uint64_t reconnect_ns, reconnect_max_ns;
    uint64_t connect_ns;  /* time limit for connecting */
    uint64_t idle_ns;     /* time after which an unused connection is closed; 0: never */
    uint64_t linger_ns;   /* the time for which a batch that is not full waits for more records */
    uint64_t delivery_ns; /* a record that waits longer is reported as timed out; 0: never */
    uint64_t send_buffer_bytes, receive_buffer_bytes; /* of sockets; 0: the system's */
    uint64_t metadata_age_ns;                         /* age at which metadata is requested again */
    /* time after which a topic that the cluster lacks is reported */
    uint64_t topic_patience_ns;
    bool creates_topics;
    uint64_t statistics_ns;         /* the time between two reports of statistics; 0: none */
    int32_t transaction_timeout_ms; /* time after which the coordinator aborts a transaction */
    bool unsecured_tokens, verifies_certificates;
    struct ps_kafka_fetch_settings reader;
};

/* The account for SASL. The texts are overwritten before they are freed. */
struct ps_kafka_native_account {
    char *mechanism; /* NULL: no login */
    char *name, *password;
    /* GSSAPI: the brokers' service; the client's principal and its keys. NULL: the tickets of the default cache */
    char *service, *principal, *keytab;
    struct ps_token_source *tokens; /* OAUTHBEARER */
};

struct ps_tls_client;

/* Reads the settings. PS_FAIL: `err` names a property that the native client does not support. */
enum ps_status ps_kafka_native_settings_read(struct ps_kafka_native_settings *settings,
                                             const struct ps_pair *pairs, size_t count, struct ps_err *err);
/* Limits an answer to Fetch to a share of the bytes that a reader may hold. */
void ps_kafka_fetch_settings_bound(struct ps_kafka_fetch_settings *settings, uint64_t held_bytes_max);

/* Makes the TLS settings of the client; *tls is NULL without TLS. */
enum ps_status ps_kafka_native_tls_open(struct ps_tls_client **tls,
                                        const struct ps_kafka_native_settings *settings, struct ps_err *err);

/* Copies the account, which is empty without SASL. The source of tokens writes `wake_fd` when a token has come. */
enum ps_status ps_kafka_native_account_read(struct ps_kafka_native_account *account,
                                            const struct ps_kafka_native_settings *settings, int wake_fd,
                                            struct ps_err *err);
void ps_kafka_native_account_fini(struct ps_kafka_native_account *account);
