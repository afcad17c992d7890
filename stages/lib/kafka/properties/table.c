/* Every property of Java's Kafka clients. Const data; any thread. The ranges are those of
 * org.apache.kafka.common.config.ConfigDef in kafka-clients 3.9 and of librdkafka 2.0.2. */
#include "stages/lib/kafka/properties/table.h"

#define INT_TOP INT32_MAX
#define LONG_TOP INT64_MAX
#define P PS_KAFKA_PRODUCER
#define C PS_KAFKA_CONSUMER
#define PC PS_KAFKA_BOTH

#define WORDS(...) ((const struct ps_kafka_word[]){__VA_ARGS__, {NULL, NULL, NULL}})
#define TRUE_FALSE WORDS({"true", "true", NULL}, {"false", "false", NULL})

#define MAPPED(name_, clients_, conversion_, target_, ...)                                                   \
    {                                                                                                        \
        .name = name_, .clients = clients_, .outcome = PS_KAFKA_PROPERTY_MAPPED, .conversion = conversion_,  \
        .target = target_, .severity = PS_LOG_ERROR, __VA_ARGS__                                             \
    }
#define NUMBER(name_, clients_, target_, min_, max_, low_, high_, ...)                                       \
    MAPPED(name_, clients_, PS_KAFKA_NUMBER, target_, .min = min_, .max = max_, .low = low_, .high = high_,  \
           __VA_ARGS__)
#define IGNORED(name_, clients_, help_)                                                                      \
    {                                                                                                        \
        .name = name_, .clients = clients_, .outcome = PS_KAFKA_PROPERTY_IGNORED,                            \
        .conversion = PS_KAFKA_NO_CONVERSION, .severity = PS_LOG_INFO, .help = help_                         \
    }
#define UNSUPPORTED(name_, clients_, severity_, help_)                                                       \
    {                                                                                                        \
        .name = name_, .clients = clients_, .outcome = PS_KAFKA_PROPERTY_UNSUPPORTED,                        \
        .conversion = PS_KAFKA_NO_CONVERSION, .severity = severity_, .help = help_                           \
    }
/* A property whose words are checked one by one: some have no effect, some give a warning. */
#define CHOICE(name_, clients_, words_, help_, ...)                                                          \
    {                                                                                                        \
        .name = name_, .clients = clients_, .outcome = PS_KAFKA_PROPERTY_IGNORED,                            \
        .conversion = PS_KAFKA_WORDS, .words = words_, .severity = PS_LOG_INFO, .help = help_, __VA_ARGS__   \
    }

#define SERIALIZATION "org.apache.kafka.common.serialization."
#define CODERS(suffix)                                                                                       \
    WORDS({SERIALIZATION "ByteArray" suffix, NULL, NULL}, {SERIALIZATION "String" suffix, NULL, NULL},       \
          {SERIALIZATION "ByteBuffer" suffix, NULL, NULL}, {SERIALIZATION "Bytes" suffix, NULL, NULL})
#define CODER(name_, clients_, words_, help_)                                                                \
    {                                                                                                        \
        .name = name_, .clients = clients_, .outcome = PS_KAFKA_PROPERTY_IGNORED,                            \
        .conversion = PS_KAFKA_CLASS, .words = words_, .severity = PS_LOG_ERROR, .help = help_               \
    }

#define PARTITIONERS                                                                                         \
    WORDS({"org.apache.kafka.clients.producer.internals.DefaultPartitioner", "murmur2_random", NULL},        \
          {"org.apache.kafka.clients.producer.UniformStickyPartitioner", "random", NULL},                    \
          {"org.apache.kafka.clients.producer.RoundRobinPartitioner", "random",                              \
           "events are spread evenly, but not strictly in turn"})
#define OIDC_CLASS "OAuthBearerLoginCallbackHandler"

#define METRICS "Java's own metrics; the monitoring page lists the counters of penstock"
#define KERBEROS_TIMER                                                                                       \
    "tickets are requested every five minutes; with librdkafka kinit runs every "                            \
    "sasl.kerberos.min.time.before.relogin"
#define TOKEN_TIMER "tokens are renewed at 80 % of their life"
#define JAVA_PROVIDER "chooses among Java's security providers; OpenSSL is used here"

const struct ps_kafka_property ps_kafka_property_rows[] = {
    /* Connections. */
    IGNORED("bootstrap.servers", PC, "the component's own kafka.bootstrap.servers is used, as in Flume"),
    UNSUPPORTED("bootstrap.controllers", PC, PS_LOG_WARN,
                "for administration clients; use kafka.bootstrap.servers"),
    MAPPED("client.id", PC, PS_KAFKA_TEXT, "client.id"),
    MAPPED("client.rack", C, PS_KAFKA_TEXT, "client.rack"),
    CHOICE(
        "client.dns.lookup", PC,
        WORDS({"use_all_dns_ips", NULL, NULL},
              {"default", NULL, "all addresses of a name are tried in turn, not only the first"},
              {"resolve_canonical_bootstrap_servers_only", NULL,
               "names are not replaced by their canonical ones: for Kerberos write the canonical names into "
               "kafka.bootstrap.servers"}),
        "all addresses of a name are tried in turn, as use_all_dns_ips does", .is_exact = true),
    NUMBER("send.buffer.bytes", PC, "socket.send.buffer.bytes", -1, INT_TOP, 0, 100000000,
           .help = "-1 becomes 0: the system's default"),
    NUMBER("receive.buffer.bytes", PC, "socket.receive.buffer.bytes", -1, INT_TOP, 0, 100000000,
           .help = "-1 becomes 0: the system's default"),
    NUMBER("connections.max.idle.ms", PC, "connections.max.idle.ms", -1, LONG_TOP, 0, INT_TOP,
           .help = "-1 becomes 0: never"),
    NUMBER("socket.connection.setup.timeout.ms", PC, "socket.connection.setup.timeout.ms", 0, LONG_TOP, 1000,
           INT_TOP, .fallback = "10000", .help = "covers TLS and SASL handshakes too"),
    IGNORED("socket.connection.setup.timeout.max.ms", PC,
            "the time-out does not grow here: socket.connection.setup.timeout.ms holds for every attempt"),
    NUMBER("reconnect.backoff.ms", PC, "reconnect.backoff.ms", 0, LONG_TOP, 0, 3600000),
    NUMBER("reconnect.backoff.max.ms", PC, "reconnect.backoff.max.ms", 0, LONG_TOP, 0, 3600000,
           .fallback = "1000"), /* librdkafka's 10 s would delay every restart of a broker */
    NUMBER("request.timeout.ms", P, "request.timeout.ms", 0, INT_TOP, 1, 900000,
           .help = "limit of the time that the broker waits for its replicas"),
    NUMBER("request.timeout.ms", PC, "socket.timeout.ms", 0, INT_TOP, 10, 300000,
           .help = "limit of the time that the client waits for an answer"),
    IGNORED("default.api.timeout.ms", PC, "calls do not wait here: events bring their results"),
    NUMBER("retry.backoff.ms", P, "retry.backoff.ms", 0, LONG_TOP, 1, 300000),
    NUMBER("retry.backoff.ms", C, "fetch.error.backoff.ms", 0, LONG_TOP, 0, 300000, .fallback = "100"),
    IGNORED("retry.backoff.max.ms", PC, "the pause between retries does not grow: retry.backoff.ms holds"),
    NUMBER("metadata.max.age.ms", PC, "topic.metadata.refresh.interval.ms", 0, LONG_TOP, 10, 3600000,
           .help = "also the interval at which new topics of a pattern are found"),
    IGNORED("metadata.max.idle.ms", P,
            "the native engine asks for a topic until five minutes after its last record; librdkafka has a "
            "rule of its own"),
    CHOICE("metadata.recovery.strategy", PC, WORDS({"none", NULL, NULL}, {"rebootstrap", NULL, NULL}),
           "the bootstrap servers are never forgotten, and are tried again"),

    /* Producer. */
    MAPPED("acks", P, PS_KAFKA_WORDS, "acks", .is_exact = true,
           .words = WORDS({"all", "all", NULL}, {"-1", "all", NULL}, {"0", "0", NULL}, {"1", "1", NULL}),
           .help = "not set: all, with idempotence (Flume's default is 1)"),
    NUMBER("batch.size", P, "batch.size", 0, INT_TOP, 1, INT_TOP,
           .help = "bytes; not set: 1,000,000 (Java: 16,384)"),
    NUMBER("linger.ms", P, "linger.ms", 0, LONG_TOP, 0, 900000),
    MAPPED("buffer.memory", P, PS_KAFKA_KILOBYTES, "queue.buffering.max.kbytes", .min = 0, .max = LONG_TOP,
           .low = 1, .high = INT_TOP, .help = "rounded up to KiB; not set: a share of the memory budget"),
    IGNORED("max.block.ms", P, "a full queue is back-pressure on the channel; nothing blocks"),
    NUMBER("max.in.flight.requests.per.connection", P, "max.in.flight.requests.per.connection", 1, INT_TOP, 1,
           5, .help = "at most 5, so that order is kept through retries"),
    NUMBER("max.request.size", P, "message.max.bytes", 0, INT_TOP, 1000, 1000000000, .fallback = "1048576"),
    NUMBER("delivery.timeout.ms", P, "message.timeout.ms", 1, INT_TOP, 1, INT_TOP,
           .help = "not set: none; batches are sent until they are delivered, as Flume does. To set this "
                   "explicitly, use librdkafka's message.timeout.ms = 0"),
    NUMBER("retries", P, "retries", 0, INT_TOP, 1, INT_TOP,
           .help = "0 becomes 1: a failed batch is sent again in any case, as in Flume"),
    MAPPED("compression.type", P, PS_KAFKA_WORDS, "compression.type", .is_exact = true,
           .words = WORDS({"none", "none", NULL}, {"gzip", "gzip", NULL}, {"snappy", "snappy", NULL},
                          {"lz4", "lz4", NULL}, {"zstd", "zstd", NULL})),
    MAPPED("compression.gzip.level", P, PS_KAFKA_LEVEL, "compression.level", .min = -1, .max = 9, .low = -1,
           .high = 9, .help = "used when compression.type = gzip"),
    MAPPED("compression.lz4.level", P, PS_KAFKA_LEVEL, "compression.level", .min = 1, .max = 17, .low = 0,
           .high = 12, .help = "used when compression.type = lz4"),
    MAPPED("compression.zstd.level", P, PS_KAFKA_LEVEL, "compression.level", .min = -131072, .max = 22,
           .low = -1, .high = 12, .help = "used when compression.type = zstd"),
    MAPPED("enable.idempotence", P, PS_KAFKA_WORDS, "enable.idempotence", .words = TRUE_FALSE,
           .help = "not set: true, unless acks is 0 or 1"),
    MAPPED("partitioner.class", P, PS_KAFKA_CLASS, "partitioner", .words = PARTITIONERS,
           .fallback = "org.apache.kafka.clients.producer.internals.DefaultPartitioner",
           .help = "your own Java class runs only with `penstock.engine = java`; else use the sink's "
                   "partitionIdHeader, or a key"),
    MAPPED("partitioner.ignore.keys", P, PS_KAFKA_WORDS, "partitioner",
           .words = WORDS({"true", "random", NULL}, {"false", NULL, NULL})),
    IGNORED("partitioner.adaptive.partitioning.enable", P,
            "events without a key stay on a partition for a batch, even if its queue is long"),
    IGNORED("partitioner.availability.timeout.ms", P,
            "events without a key stay on a partition for a batch, even if its queue is long"),
    CODER("key.serializer", P, CODERS("Serializer"),
          "keys are sent as raw bytes; your own Java class runs only with `penstock.engine = java`; else "
          "remove this property"),
    CODER("value.serializer", P, CODERS("Serializer"),
          "bodies are sent as raw bytes; your own Java class runs only with `penstock.engine = java`; else "
          "remove this property"),
    UNSUPPORTED("transactional.id", P, PS_LOG_ERROR,
                "Flume's sink does not begin transactions, so Java's producer would refuse to send; remove "
                "the key, or set penstock.guarantee = exactly-once and penstock.transaction.id on the sink"),
    IGNORED("transaction.timeout.ms", P,
            "the sink has no transactions, or penstock.transaction.timeout with penstock.guarantee = "
            "exactly-once"),
    IGNORED("internal.auto.downgrade.txn.commit", P, "an internal switch of Java's client"),

    /* Consumer. */
    MAPPED("group.id", C, PS_KAFKA_TEXT, "group.id"),
    MAPPED("group.instance.id", C, PS_KAFKA_TEXT, "group.instance.id",
           .help = "with penstock.workers = N the members are <id>, <id>-1, .. <id>-(N-1)"),
    NUMBER("session.timeout.ms", C, "session.timeout.ms", 0, INT_TOP, 1, 3600000, .fallback = "10000",
           .help =
               "after a crash the group waits for this time for the missing member; 10 s is the default of "
               "Java's client up to 2.8, and of Flume; since 3.0 it is 45 s"),
    NUMBER("heartbeat.interval.ms", C, "heartbeat.interval.ms", 0, INT_TOP, 1, 3600000),
    NUMBER("max.poll.interval.ms", C, "max.poll.interval.ms", 1, INT_TOP, 1, 86400000),
    IGNORED("max.poll.records", C, "the source's batchSize limits a batch"),
    MAPPED("partition.assignment.strategy", C, PS_KAFKA_ASSIGNORS, "partition.assignment.strategy",
           .fallback = "org.apache.kafka.clients.consumer.RangeAssignor",
           .help =
               "RangeAssignor, RoundRobinAssignor, CooperativeStickyAssignor; the member is cooperative only "
               "if the last one is alone in the list"),
    MAPPED("auto.offset.reset", C, PS_KAFKA_WORDS, "auto.offset.reset", .is_exact = true,
           .words =
               WORDS({"latest", "latest", NULL}, {"earliest", "earliest", NULL}, {"none", "error", NULL})),
    MAPPED("isolation.level", C, PS_KAFKA_WORDS, "isolation.level", .is_exact = true,
           .words = WORDS({"read_uncommitted", "read_uncommitted", NULL},
                          {"read_committed", "read_committed", NULL}),
           .fallback = "read_uncommitted"),
    IGNORED("enable.auto.commit", C,
            "only offsets of delivered records are committed; Flume forces false too"),
    IGNORED("auto.commit.interval.ms", C, "only offsets of delivered records are committed"),
    NUMBER("fetch.min.bytes", C, "fetch.min.bytes", 0, INT_TOP, 1, 100000000),
    NUMBER("fetch.max.bytes", C, "fetch.max.bytes", 0, INT_TOP, 1000, 2147483135),
    NUMBER("fetch.max.wait.ms", C, "fetch.wait.max.ms", 0, INT_TOP, 0, 300000),
    NUMBER("max.partition.fetch.bytes", C, "max.partition.fetch.bytes", 0, INT_TOP, 1, 1000000000),
    MAPPED("check.crcs", C, PS_KAFKA_WORDS, "check.crcs", .words = TRUE_FALSE, .fallback = "true"),
    MAPPED("allow.auto.create.topics", C, PS_KAFKA_WORDS, "allow.auto.create.topics", .words = TRUE_FALSE,
           .fallback = "true"),
    MAPPED("exclude.internal.topics", C, PS_KAFKA_WORDS, NULL,
           .words = WORDS({"true", NULL, NULL}, {"false", NULL, NULL}),
           .help = "not set: true; kafka.topics.regex then does not match `__consumer_offsets` and "
                   "`__transaction_state`; topics in kafka.topics are always read"),
    CODER("key.deserializer", C, CODERS("Deserializer"),
          "keys are taken as raw bytes; your own Java class runs only with `penstock.engine = java`; else "
          "remove this property"),
    CODER("value.deserializer", C, CODERS("Deserializer"),
          "bodies are taken as raw bytes; your own Java class runs only with `penstock.engine = java`; else "
          "remove this property"),
    CHOICE("group.protocol", C,
           WORDS({"classic", NULL, NULL},
                 {"consumer", NULL,
                  "the classic group protocol is used; brokers support both, but a group uses only one"}),
           "the source speaks the classic group protocol"),
    IGNORED("group.remote.assignor", C, "for group.protocol = consumer; the classic protocol is used"),
    IGNORED("internal.leave.group.on.close", C, "an internal switch of Java's client"),
    IGNORED("internal.throw.on.fetch.stable.offset.unsupported", C, "an internal switch of Java's client"),

    /* Classes and metrics of the JVM. */
    MAPPED(
        "interceptor.classes", PC, PS_KAFKA_CLASSES, NULL,
        .help =
            "Java classes cannot be loaded; remove the key (events can be changed by Flume's interceptors)"),
    IGNORED("metric.reporters", PC, METRICS),
    IGNORED("metrics.num.samples", PC, METRICS),
    IGNORED("metrics.recording.level", PC, METRICS),
    IGNORED("metrics.sample.window.ms", PC, METRICS),
    IGNORED("auto.include.jmx.reporter", PC, METRICS),
    IGNORED("enable.metrics.push", PC, METRICS),
    MAPPED("security.providers", PC, PS_KAFKA_CLASSES, NULL,
           .help = "Java classes cannot be loaded; remove the key"),

    /* TLS. */
    MAPPED("security.protocol", PC, PS_KAFKA_WORDS, "security.protocol",
           .words = WORDS({"PLAINTEXT", "plaintext", NULL}, {"SSL", "ssl", NULL},
                          {"SASL_PLAINTEXT", "sasl_plaintext", NULL}, {"SASL_SSL", "sasl_ssl", NULL})),
    MAPPED("ssl.keystore.location", PC, PS_KAFKA_STORE, NULL,
           .help = "JKS, PKCS12 or PEM, read here; becomes ssl.key.pem and ssl.certificate.pem in memory"),
    MAPPED("ssl.keystore.password", PC, PS_KAFKA_STORE, NULL),
    MAPPED("ssl.keystore.type", PC, PS_KAFKA_STORE, NULL,
           .help = "detected from the file's bytes, as in Java 9 and later"),
    MAPPED("ssl.key.password", PC, PS_KAFKA_STORE, NULL),
    MAPPED("ssl.keystore.key", PC, PS_KAFKA_STORE, NULL, .help = "PEM text (KIP-651); becomes ssl.key.pem"),
    MAPPED("ssl.keystore.certificate.chain", PC, PS_KAFKA_STORE, NULL,
           .help = "PEM text (KIP-651); becomes ssl.certificate.pem"),
    MAPPED("ssl.truststore.location", PC, PS_KAFKA_STORE, NULL,
           .help = "JKS, PKCS12 or PEM, read here; becomes ssl.ca.pem in memory"),
    MAPPED("ssl.truststore.password", PC, PS_KAFKA_STORE, NULL),
    MAPPED("ssl.truststore.type", PC, PS_KAFKA_STORE, NULL,
           .help = "detected from the file's bytes, as in Java 9 and later"),
    MAPPED("ssl.truststore.certificates", PC, PS_KAFKA_STORE, NULL,
           .help = "PEM text (KIP-651); becomes ssl.ca.pem"),
    MAPPED("ssl.endpoint.identification.algorithm", PC, PS_KAFKA_WORDS,
           "ssl.endpoint.identification.algorithm",
           .words = WORDS({"https", "https", NULL}, {"", "none", NULL}, {"none", "none", NULL},
                          {"LDAPS", "https", "host names are checked by the rules of HTTPS"}),
           .help = "empty: host names are not checked"),
    MAPPED("ssl.disableTLSHostnameVerification", PC, PS_KAFKA_WORDS, "ssl.endpoint.identification.algorithm",
           .words = WORDS({"true", "none", NULL}, {"false", NULL, NULL}), .help = "Flume's own"),
    MAPPED("ssl.cipher.suites", PC, PS_KAFKA_CIPHERS, "ssl.cipher.suites",
           .help = "Java's names become OpenSSL's; those of TLSv1.3 are always on and are left out"),
    {.name = "ssl.enabled.protocols",
     .clients = PC,
     .outcome = PS_KAFKA_PROPERTY_IGNORED,
     .conversion = PS_KAFKA_PROTOCOLS,
     .severity = PS_LOG_INFO,
     .help =
         "OpenSSL uses the newest that both sides have, TLSv1.2 or TLSv1.3; to forbid one set MinProtocol or "
         "MaxProtocol in openssl.cnf"},
    {.name = "ssl.protocol",
     .clients = PC,
     .outcome = PS_KAFKA_PROPERTY_IGNORED,
     .conversion = PS_KAFKA_PROTOCOLS,
     .severity = PS_LOG_INFO,
     .help = "OpenSSL uses the newest that both sides have, TLSv1.2 or TLSv1.3"},
    IGNORED("ssl.provider", PC, JAVA_PROVIDER),
    IGNORED("ssl.keymanager.algorithm", PC, JAVA_PROVIDER),
    IGNORED("ssl.trustmanager.algorithm", PC, JAVA_PROVIDER),
    IGNORED("ssl.secure.random.implementation", PC, JAVA_PROVIDER),
    MAPPED("ssl.engine.factory.class", PC, PS_KAFKA_CLASSES, NULL,
           .help = "Java classes cannot be loaded; name the stores with ssl.keystore.* and ssl.truststore.*"),

    /* SASL. */
    MAPPED("sasl.mechanism", PC, PS_KAFKA_WORDS, "sasl.mechanism",
           .words = WORDS({"GSSAPI", "GSSAPI", NULL}, {"PLAIN", "PLAIN", NULL},
                          {"SCRAM-SHA-256", "SCRAM-SHA-256", NULL}, {"SCRAM-SHA-512", "SCRAM-SHA-512", NULL},
                          {"OAUTHBEARER", "OAUTHBEARER", NULL})),
    MAPPED("sasl.jaas.config", PC, PS_KAFKA_LOGIN, NULL,
           .help = "PlainLoginModule and ScramLoginModule: sasl.username, sasl.password; Krb5LoginModule: "
                   "sasl.kerberos.*; OAuthBearerLoginModule: sasl.oauthbearer.*. If not set: the section "
                   "KafkaClient "
                   "of the file that -Djava.security.auth.login.config names"),
    MAPPED("sasl.kerberos.service.name", PC, PS_KAFKA_TEXT, "sasl.kerberos.service.name"),
    MAPPED("sasl.kerberos.kinit.cmd", PC, PS_KAFKA_KINIT, "sasl.kerberos.kinit.cmd",
           .help = "the path of kinit; its arguments are added. Only librdkafka needs it"),
    NUMBER("sasl.kerberos.min.time.before.relogin", PC, "sasl.kerberos.min.time.before.relogin", 0, LONG_TOP,
           1, 86400000),
    IGNORED("sasl.kerberos.ticket.renew.jitter", PC, KERBEROS_TIMER),
    IGNORED("sasl.kerberos.ticket.renew.window.factor", PC, KERBEROS_TIMER),
    IGNORED("sasl.login.refresh.buffer.seconds", PC, TOKEN_TIMER),
    IGNORED("sasl.login.refresh.min.period.seconds", PC, TOKEN_TIMER),
    IGNORED("sasl.login.refresh.window.factor", PC, TOKEN_TIMER),
    IGNORED("sasl.login.refresh.window.jitter", PC, TOKEN_TIMER),
    IGNORED("sasl.login.connect.timeout.ms", PC,
            "the token endpoint has 20 s to answer, 10 s of them to connect; librdkafka has time-outs of its "
            "own"),
    IGNORED("sasl.login.read.timeout.ms", PC,
            "the token endpoint has 20 s to answer, 10 s of them to connect; librdkafka has time-outs of its "
            "own"),
    IGNORED("sasl.login.retry.backoff.ms", PC,
            "the pause is that between two attempts to connect to a broker; librdkafka has one of its own"),
    IGNORED("sasl.login.retry.backoff.max.ms", PC,
            "the pause is that between two attempts to connect to a broker; librdkafka has one of its own"),
    {.name = "sasl.login.callback.handler.class",
     .clients = PC,
     .outcome = PS_KAFKA_PROPERTY_UNSUPPORTED,
     .conversion = PS_KAFKA_CLASS,
     .words = WORDS({"org.apache.kafka.common.security.oauthbearer.secured." OIDC_CLASS, NULL, NULL},
                    {"org.apache.kafka.common.security.oauthbearer." OIDC_CLASS, NULL, NULL}),
     .severity = PS_LOG_ERROR,
     .help = "Java classes cannot be loaded, except OAuthBearerLoginCallbackHandler: name the client in "
             "sasl.jaas.config and the endpoint in sasl.oauthbearer.token.endpoint.url"},
    MAPPED("sasl.client.callback.handler.class", PC, PS_KAFKA_CLASSES, NULL,
           .help = "Java classes cannot be loaded; use sasl.jaas.config"),
    MAPPED("sasl.login.class", PC, PS_KAFKA_CLASSES, NULL,
           .help = "Java classes cannot be loaded; use sasl.jaas.config"),
    MAPPED("sasl.oauthbearer.token.endpoint.url", PC, PS_KAFKA_TEXT, "sasl.oauthbearer.token.endpoint.url"),
    IGNORED("sasl.oauthbearer.scope.claim.name", PC, "tokens are passed on unchanged"),
    IGNORED("sasl.oauthbearer.sub.claim.name", PC, "tokens are passed on unchanged"),
    IGNORED("sasl.oauthbearer.header.urlencode", PC,
            "client id and secret are sent to the endpoint unchanged"),
    IGNORED("sasl.oauthbearer.jwks.endpoint.url", PC, "for brokers: clients do not verify tokens"),
    IGNORED("sasl.oauthbearer.jwks.endpoint.refresh.ms", PC, "for brokers: clients do not verify tokens"),
    IGNORED("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", PC,
            "for brokers: clients do not verify tokens"),
    IGNORED("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", PC,
            "for brokers: clients do not verify tokens"),
    IGNORED("sasl.oauthbearer.clock.skew.seconds", PC, "for brokers: clients do not verify tokens"),
    IGNORED("sasl.oauthbearer.expected.audience", PC, "for brokers: clients do not verify tokens"),
    IGNORED("sasl.oauthbearer.expected.issuer", PC, "for brokers: clients do not verify tokens"),

    /* librdkafka's own properties that the stages must set themselves. */
    MAPPED("request.required.acks", P, PS_KAFKA_WORDS, "acks",
           .words = WORDS({"all", "all", NULL}, {"-1", "all", NULL}, {"0", "0", NULL}, {"1", "1", NULL}),
           .help = "librdkafka's name of acks"),
    IGNORED("delivery.report.only.error", P, "librdkafka's; the sink needs every delivery report"),
    IGNORED("enable.gapless.guarantee", P, "librdkafka's; the sink keeps order itself"),
    IGNORED("queuing.strategy", P, "librdkafka's; the sink needs fifo"),
    IGNORED("enable.auto.offset.store", C, "librdkafka's; only offsets of delivered records are committed"),
    IGNORED("auto.commit.enable", C, "librdkafka's; only offsets of delivered records are committed"),
    IGNORED("offset.store.method", C, "librdkafka's; the broker stores the offsets"),
    NUMBER("statistics.interval.ms", P, "statistics.interval.ms", 0, 86400000, 0, 86400000,
           .help = "librdkafka's"),
    IGNORED("statistics.interval.ms", C, "librdkafka's; the source counts without an interval"),
    IGNORED("enabled_events", PC, "librdkafka's; set by the stage"),
    IGNORED("log.queue", PC, "librdkafka's; set by the stage"),
};
const size_t ps_kafka_property_count = PS_COUNT_OF(ps_kafka_property_rows);
