/* The settings of a Kafka client, one struct for both engines. stages/lib/kafka/properties/properties.h fills it from
 * Java's properties, and a stage sets the fields that it needs. The native client reads the fields;
 * stages/lib/kafka/librdkafka/settings.h makes librdkafka's properties of them.
 *
 * One table of cluster/settings.c has librdkafka's name of each field, because users may write those names, too. A
 * property without a field is kept as it is written: it makes a sink use librdkafka.
 *
 * Texts may be secrets: `fini` overwrites them, and nothing here prints one. Thread: the control thread makes and changes
 * the settings; const from then on, any thread reads them. */
#pragma once

#include "core/option.h"
#include "core/status.h"
#include "stages/lib/kafka/wire/compression.h"

/* most produce requests in flight to one broker, which remembers an idempotent producer's last 5 sets */
#define PS_KAFKA_NATIVE_IN_FLIGHT_MAX 5U
#define PS_KAFKA_ACKS_ALL (-1) /* other values of acks than 0 and 1 mean the same */

enum ps_kafka_protocol { PS_KAFKA_PLAINTEXT, PS_KAFKA_SSL, PS_KAFKA_SASL_PLAINTEXT, PS_KAFKA_SASL_SSL };

/* How records without a partition get one. */
enum ps_kafka_spread {
    PS_KAFKA_SPREAD_BY_KEY, /* by key like Java's default partitioner; without a key: sticky */
    PS_KAFKA_SPREAD_STICKY, /* keys are ignored: many records to one partition, then to another */
    PS_KAFKA_SPREAD_EVENLY, /* each record to the next partition */
};

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
    bool committed_only; /* isolation.level = read_committed */
    bool checks_sums;    /* check.crcs */
    int32_t wait_ms, bytes_min, bytes_max, partition_bytes_max;
    const char *rack; /* client.rack; NULL: none. The settings own it */
};

/* Values that are texts. NULL: not set. The settings own them; the native client uses them only while it is made. */
struct ps_kafka_texts {
    char *servers, *client_id;
    char *mechanism, *name, *password;
    char *service, *keytab, *principal;                                                 /* GSSAPI */
    char *token_config, *token_method, *endpoint, *token_client, *token_secret, *scope; /* OAUTHBEARER */
    char *ca, *ca_text, *certificate_text, *key_text, *ciphers;                         /* TLS */
    char *group_instance_id;                                                            /* a reader's */
};

struct ps_kafka_settings {
    struct ps_kafka_texts texts;
    enum ps_kafka_protocol protocol;
    int32_t acks;
    bool idempotent;
    enum ps_kafka_spread spread;
    enum ps_kafka_compression compression;
    int32_t compression_level;
    uint32_t batch_bytes_max;   /* batch.size */
    uint32_t batch_records_max; /* batch.num.messages */
    /* produce requests to one broker, at most PS_KAFKA_NATIVE_IN_FLIGHT_MAX; 0: not set */
    uint32_t in_flight_max;
    uint64_t queue_records_max;  /* of batches that are not delivered; 0: not set */
    uint32_t request_bytes_max;  /* of all batches of a request */
    uint64_t queue_bytes_max;    /* of batches that are not delivered; 0: not set */
    uint64_t request_timeout_ns; /* after this time without an answer the connection is given up */
    int32_t acks_timeout_ms;     /* time for which the broker waits for replicas */
    uint64_t retry_rest_ns;      /* retry.backoff.ms */
    uint64_t reconnect_ns, reconnect_max_ns;
    uint64_t connect_ns; /* time limit for connecting */
    uint64_t idle_ns;    /* time after which an unused connection is closed; 0: never */
    /* the time for which a batch that is not full waits for more records; UINT64_MAX: not set */
    uint64_t linger_ns;
    uint64_t delivery_ns; /* a record that waits longer is reported as timed out; 0: never */
    uint64_t send_buffer_bytes, receive_buffer_bytes; /* of sockets; 0: the system's */
    uint64_t metadata_age_ns; /* age at which metadata is requested again; UINT64_MAX: never */
    /* time after which a topic that the cluster lacks is reported */
    uint64_t topic_patience_ns;
    bool creates_topics;
    uint64_t statistics_ns;         /* the time between two reports of statistics; 0: none */
    int32_t transaction_timeout_ms; /* time after which the coordinator aborts a transaction */
    bool unsecured_tokens, verifies_certificates;
    bool any_name; /* TLS: the names in the brokers' certificates are not checked */
    struct ps_kafka_fetch_settings reader;

    struct ps_pair *others; /* properties that have no field, in the order in which they were set */
    size_t other_count;
};

/* Sets every field to librdkafka's default. */
void ps_kafka_settings_init(struct ps_kafka_settings *settings);
/* Zeroed settings are allowed. */
void ps_kafka_settings_fini(struct ps_kafka_settings *settings);

/* Sets the property of librdkafka's name: its field, or else one of `others`. Copies the value. */
void ps_kafka_settings_set(struct ps_kafka_settings *settings, const char *name, const char *value);
/* Returns the value of a property that has no field, or NULL. The settings own it. */
const char *ps_kafka_settings_other(const struct ps_kafka_settings *settings, const char *name);
/* Replaces a text of the settings by a copy of this one; NULL: by none. Overwrites the old text. */
void ps_kafka_text_set(char **text, const char *value);

/* Calls `property` for each property that is set, by librdkafka's name: first the others, which may be older names of what a
 * stage sets, then the fields whose value is not librdkafka's default. Ends when it returns false. */
void ps_kafka_settings_each(const struct ps_kafka_settings *settings,
                            bool (*property)(void *argument, const char *name, const char *value),
                            void *argument);

/* Returns whether the property has no field because it has no meaning for the native client. */
bool ps_kafka_setting_is_for_librdkafka(const char *name);
/* Returns whether a value of this librdkafka property must not be printed: passwords, private keys,
 * tokens. */
bool ps_kafka_setting_secret(const char *name);

static inline bool ps_kafka_settings_use_tls(const struct ps_kafka_settings *settings)
{
    return settings->protocol == PS_KAFKA_SSL || settings->protocol == PS_KAFKA_SASL_SSL;
}

static inline bool ps_kafka_settings_use_sasl(const struct ps_kafka_settings *settings)
{
    return settings->protocol >= PS_KAFKA_SASL_PLAINTEXT;
}
