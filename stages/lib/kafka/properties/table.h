/* The rows behind stages/lib/kafka/properties/properties.h, for the files of this folder and the test that compares them
 * with librdkafka. */
#pragma once

#include "stages/lib/kafka/properties/properties.h"

#define PS_KAFKA_BOTH (PS_KAFKA_PRODUCER | PS_KAFKA_CONSUMER)

enum ps_kafka_property_outcome {
    PS_KAFKA_PROPERTY_MAPPED,
    PS_KAFKA_PROPERTY_IGNORED, /* has no effect here; `help` has the reason */
    /* would have an effect, but is not supported here; `help` has the remedy */
    PS_KAFKA_PROPERTY_UNSUPPORTED,
};

/* How a value is converted to librdkafka's. */
enum ps_kafka_conversion {
    PS_KAFKA_TEXT,          /* as it is */
    PS_KAFKA_NUMBER,        /* must be in Java's range; limited to librdkafka's range with a warning */
    PS_KAFKA_KILOBYTES,     /* bytes, rounded up to KiB; then like NUMBER */
    PS_KAFKA_WORDS,         /* one of `words` */
    PS_KAFKA_CLASS,         /* one of `words`, names of Java classes; others cannot be loaded */
    PS_KAFKA_CLASSES,       /* a list of Java classes; only the empty list is accepted */
    PS_KAFKA_ASSIGNORS,     /* partition.assignment.strategy */
    PS_KAFKA_CIPHERS,       /* ssl.cipher.suites */
    PS_KAFKA_PROTOCOLS,     /* ssl.enabled.protocols, ssl.protocol */
    PS_KAFKA_KINIT,         /* the path of kinit -> a shell line */
    PS_KAFKA_LEVEL,         /* compression.<codec>.level: used when compression.type is that codec */
    PS_KAFKA_STORE,         /* stages/lib/kafka/security/tls.c */
    PS_KAFKA_LOGIN,         /* stages/lib/kafka/security/jaas.c */
    PS_KAFKA_NO_CONVERSION, /* IGNORED and UNSUPPORTED */
};

struct ps_kafka_word {
    const char *java;
    const char *librdkafka; /* NULL: nothing is set */
    const char *note;       /* text of a warning when the word is used; NULL: none */
};

struct ps_kafka_property {
    const char *name; /* Java's name; a name may have several rows, which are all applied */
    unsigned clients;
    enum ps_kafka_property_outcome outcome;
    enum ps_kafka_conversion conversion;
    /* librdkafka's name; NULL if the row is not MAPPED, or sets several properties */
    const char *target;
    int64_t min, max;                  /* Java's */
    int64_t low, high;                 /* librdkafka's */
    const struct ps_kafka_word *words; /* ended by a NULL name */
    bool is_exact;        /* Java compares the words with regard to case (ConfigDef.ValidString) */
    const char *fallback; /* Java's default, in Java's form: set when the user sets nothing */
    /* severity of the note for IGNORED, UNSUPPORTED and an unknown Java class */
    enum ps_log_level severity;
    /* MAPPED: what is special about the property, if anything; else reason and remedy */
    const char *help;
};

extern const struct ps_kafka_property ps_kafka_property_rows[];
extern const size_t ps_kafka_property_count;

/* Returns whether the text is the word of this length, in any case, with or without blanks around it. */
bool ps_kafka_property_has_word(const char *text, const char *word, size_t length);

/* Applies one row to one value: sets 0 or 1 settings. PS_FAIL: the value is bad, and `err` has one line,
 * without the key's prefix. */
enum ps_status ps_kafka_property_convert(const struct ps_kafka_property *row, const char *value,
                                         const struct ps_kafka_properties *properties,
                                         struct ps_kafka_settings *settings, struct ps_err *err);
