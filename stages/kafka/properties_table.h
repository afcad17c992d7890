/* The rows behind stages/kafka/properties.h, for kafka_properties*.c and the test that holds them against
 * librdkafka. */
#pragma once

#include "stages/kafka/properties.h"

#define PS_KAFKA_BOTH (PS_KAFKA_PRODUCER | PS_KAFKA_CONSUMER)

enum ps_kafka_property_outcome {
    PS_KAFKA_PROPERTY_MAPPED,
    PS_KAFKA_PROPERTY_IGNORED,     /* changes nothing here; `help` says why */
    PS_KAFKA_PROPERTY_UNSUPPORTED, /* would change something, and cannot; `help` has the cure */
};

/* How a value becomes librdkafka's. */
enum ps_kafka_conversion {
    PS_KAFKA_TEXT,          /* as it is */
    PS_KAFKA_NUMBER,        /* Java's range is checked, librdkafka's is kept to with a warning */
    PS_KAFKA_KILOBYTES,     /* bytes, rounded up to KiB; then as a number */
    PS_KAFKA_WORDS,         /* one of `words` */
    PS_KAFKA_CLASS,         /* one of `words`, names of Java classes; any other cannot be loaded */
    PS_KAFKA_CLASSES,       /* a list of Java classes that can only be empty */
    PS_KAFKA_ASSIGNORS,     /* partition.assignment.strategy */
    PS_KAFKA_CIPHERS,       /* ssl.cipher.suites */
    PS_KAFKA_PROTOCOLS,     /* ssl.enabled.protocols, ssl.protocol */
    PS_KAFKA_KINIT,         /* the path of kinit -> a shell line */
    PS_KAFKA_LEVEL,         /* compression.<codec>.level: counts when compression.type is that codec */
    PS_KAFKA_STORE,         /* stages/kafka/tls.c */
    PS_KAFKA_LOGIN,         /* stages/kafka/jaas.c */
    PS_KAFKA_NO_CONVERSION, /* IGNORED and UNSUPPORTED */
};

struct ps_kafka_word {
    const char *java;   /* matched without regard to case */
    const char *native; /* NULL: nothing is set */
    const char *note;   /* WARN when it is used; NULL: none */
};

struct ps_kafka_property {
    const char *name; /* Java's; a name may have several rows: each is applied */
    unsigned clients;
    enum ps_kafka_property_outcome outcome;
    enum ps_kafka_conversion conversion;
    const char *target; /* librdkafka's name; NULL when not MAPPED or when several follow from it */
    int64_t min, max;   /* Java's */
    int64_t low, high;  /* librdkafka's */
    const struct ps_kafka_word *words; /* ended by a NULL name */
    const char *fallback;              /* set when the user says nothing (Java's default), in Java's terms */
    enum ps_log_level severity; /* of the note for IGNORED and UNSUPPORTED, and for a Java class not known */
    const char *help;           /* MAPPED: what is special; else reason and cure */
};

extern const struct ps_kafka_property ps_kafka_property_rows[];
extern const size_t ps_kafka_property_count;

/* Applies one row to one value: sets 0 or 1 settings. PS_FAIL: bad value, `err` has one line without the
 * key's prefix. */
enum ps_status ps_kafka_property_convert(const struct ps_kafka_property *row, const char *value,
                                         const struct ps_kafka_properties *properties,
                                         struct ps_kafka_settings *settings, struct ps_err *err);

/* Whether two names are the same but for a few letters; smaller is closer, > 3 is not. Used for "did you
 * mean". */
unsigned ps_kafka_name_distance(const char *a, const char *b);
