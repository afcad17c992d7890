/* What the native client makes of its settings. Thread: any. */
#pragma once

#include "stages/lib/kafka/cluster/settings.h"

/* The account for SASL. The texts are those of the settings. */
struct ps_kafka_native_account {
    const char *mechanism; /* NULL: no login */
    const char *name, *password;
    /* GSSAPI: the brokers' service; the client's principal and its keys. NULL: the tickets of the default cache. Without a
     * keytab the tickets of the default cache are used, as with useTicketCache of Krb5LoginModule. */
    const char *service, *principal, *keytab;
    struct ps_token_source *tokens; /* OAUTHBEARER; to be destroyed */
};

struct ps_tls_client;

/* Copies the settings, without texts, within the limits of the native client. */
void ps_kafka_native_settings_take(struct ps_kafka_settings *own, const struct ps_kafka_settings *settings);
/* Limits an answer to Fetch to a share of the bytes that a reader may hold. */
void ps_kafka_fetch_settings_bound(struct ps_kafka_fetch_settings *settings, uint64_t held_bytes_max);

/* Makes the TLS settings of the client; *tls is NULL without TLS. */
enum ps_status ps_kafka_native_tls_open(struct ps_tls_client **tls, const struct ps_kafka_settings *settings,
                                        struct ps_err *err);

/* Fills a zeroed account. The source of tokens writes `wake_fd` when a token has come. */
enum ps_status ps_kafka_native_account_open(struct ps_kafka_native_account *account,
                                            const struct ps_kafka_settings *settings, int wake_fd,
                                            struct ps_err *err);
