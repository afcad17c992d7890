/* Java's login configuration and its translation to settings: `sasl.jaas.config` of a Kafka
 * client, and the file that the system property java.security.auth.login.config names.
 *
 * Grammar (javax.security.auth.login.Configuration, org.apache.kafka.common.security.JaasConfig):
 *   file    = { name "{" { entry } "}" ";" }
 *   entry   = class flag { option "=" value } ";"
 *   flag    = required | requisite | sufficient | optional, in any case
 * Values are words, or quoted with " or ' (Java's escapes: \n \t \" \\ \101 ...). // and / * * / are
 * comments. Unlike in Java, a quoted text must be closed, and a bare value may contain any byte but blanks,
 * quotes, "=", ";", "{" and "}".
 *
 * Thread: control. Values may be passwords: entries are overwritten when freed; messages name options, never
 * values. */
#pragma once

#include "core/status.h"
#include "stages/lib/kafka/cluster/settings.h"
#include "stages/lib/note.h"

#define PS_JAAS_BYTES_MAX (64 * 1024)
#define PS_JAAS_OPTIONS_MAX 64
#define PS_JAAS_NAME_MAX 256 /* class and option names */

struct ps_jaas_option {
    const char *name, *value; /* in `text` */
};

/* One login module. */
struct ps_jaas_entry {
    const char *module; /* class name */
    size_t option_count;
    struct ps_jaas_option options[PS_JAAS_OPTIONS_MAX];
    char *text; /* the decoded words; overwritten by fini */
    size_t text_bytes;
};

/* Returns a Java system property for ${name} in a file; NULL when it is not set. */
typedef const char *ps_jaas_property(const void *argument, const char *name);

/* Parses a value of sasl.jaas.config: exactly one entry. On failure `err` has the reason and the place (line
 * and column), and the entry is empty. Pure. */
enum ps_status ps_kafka_jaas_parse(struct ps_jaas_entry *entry, const char *text, size_t length,
                                   struct ps_err *err);

/* Parses the bytes of a login configuration file and returns the first entry of section `section`
 * ("KafkaClient"). Expands Java system properties in values (${user.home}); `property` may be NULL. */
enum ps_status ps_kafka_jaas_parse_file(struct ps_jaas_entry *entry, const char *text, size_t length,
                                        const char *section, ps_jaas_property *property, const void *argument,
                                        struct ps_err *err);

/* Like ps_kafka_jaas_parse_file, for the file at `path`. */
enum ps_status ps_kafka_jaas_read(struct ps_jaas_entry *entry, const char *path, const char *section,
                                  ps_jaas_property *property, const void *argument, struct ps_err *err);

void ps_kafka_jaas_fini(struct ps_jaas_entry *entry);

/* Returns the value of an option, or NULL. */
const char *ps_kafka_jaas_option(const struct ps_jaas_entry *entry, const char *name);

/* Sets the login of the login module: user and password of PlainLoginModule and
 * ScramLoginModule; keytab, principal and service name of Krb5LoginModule; client, secret and scope of
 * OAuthBearerLoginModule. Options without
 * effect here get a note under `key`. PS_FAIL: the module is unknown, or an option it needs is missing. */
enum ps_status ps_kafka_jaas_translate(const struct ps_jaas_entry *entry, const char *key,
                                       struct ps_kafka_settings *settings, const struct ps_notes *notes,
                                       struct ps_err *err);
