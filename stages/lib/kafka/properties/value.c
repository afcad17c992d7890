/* Converts the value of a Java property to librdkafka's (kafka/properties/table.h). Pure; control thread. */
#include "stages/lib/kafka/properties/table.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define VALUE_MAX 4096 /* only text values may be longer */

struct value {
    const struct ps_kafka_property *row;
    const char *text; /* trimmed, as in Java */
    const struct ps_kafka_properties *properties;
    struct ps_kafka_settings *settings;
    struct ps_err *err;
};

static enum ps_status set(const struct value *value, const char *setting)
{
    ps_kafka_settings_set(value->settings, value->row->target, setting);
    return PS_OK;
}

static void warn(const struct value *value, enum ps_log_level severity, const char *message)
{
    ps_note_add(value->properties->notes, severity, value->row->name, "%s", message);
}

static enum ps_status number_parse(const struct value *value, int64_t *number)
{
    const struct ps_kafka_property *row = value->row;
    char *end;
    errno = 0;
    *number = strtoll(value->text, &end, 10);
    if (end == value->text || *end != '\0' || isspace((unsigned char)value->text[0]))
        return ps_err_set(value->err, "%s = %s: not a whole number; write one from %" PRId64 " to %" PRId64,
                          row->name, value->text, row->min, row->max);
    if (errno == ERANGE || *number < row->min || *number > row->max)
        return ps_err_set(value->err, "%s = %s: out of range; write a number from %" PRId64 " to %" PRId64,
                          row->name, value->text, row->min, row->max);
    return PS_OK;
}

/* Limits the number to librdkafka's range, with a warning; but -1, which means the default, becomes the lower end
 * without one. */
static enum ps_status number_set(const struct value *value, int64_t number)
{
    const struct ps_kafka_property *row = value->row;
    char text[32];
    int64_t kept = number < row->low ? row->low : number > row->high ? row->high : number;
    if (kept != number && number != -1)
        ps_note_add(value->properties->notes, PS_LOG_WARN, row->name,
                    "%" PRId64 " is outside %" PRId64 " to %" PRId64 ": %" PRId64 " is used", number,
                    row->low, row->high, kept);
    snprintf(text, sizeof text, "%" PRId64, kept);
    return set(value, text);
}

static enum ps_status convert_number(const struct value *value)
{
    int64_t number;
    if (number_parse(value, &number) != PS_OK)
        return PS_FAIL;
    if (value->row->conversion == PS_KAFKA_KILOBYTES)
        number = number / 1024 + (number % 1024 != 0);
    return number_set(value, number);
}

bool ps_kafka_property_has_word(const char *text, const char *word, size_t length)
{
    text += strspn(text, " \t\r\n\f\v");
    return strncasecmp(text, word, length) == 0 &&
           text[length + strspn(text + length, " \t\r\n\f\v")] == '\0';
}

/* "compression.lz4.level" is used when compression.type is "lz4". */
static enum ps_status convert_level(const struct value *value)
{
    const char *codec = value->row->name + strlen("compression.");
    const char *type = ps_pairs_get(value->properties->pairs, "compression.type");
    size_t length = strcspn(codec, ".");
    int64_t number;
    if (number_parse(value, &number) != PS_OK)
        return PS_FAIL;
    if (type == NULL || !ps_kafka_property_has_word(type, codec, length)) {
        ps_note_add(value->properties->notes, PS_LOG_INFO, value->row->name,
                    "has no effect: compression.type is not %.*s", (int)length, codec);
        return PS_OK;
    }
    return number_set(value, number);
}

static void words_list(const struct ps_kafka_word *words, char *out, size_t room)
{
    size_t at = 0;
    out[0] = '\0';
    for (; words->java != NULL && at < room; words++)
        at += (size_t)snprintf(out + at, room - at, "%s%s", at > 0 ? ", " : "",
                               words->java[0] != '\0' ? words->java : "(empty)");
}

static enum ps_status convert_words(const struct value *value)
{
    const struct ps_kafka_property *row = value->row;
    for (const struct ps_kafka_word *word = row->words; word->java != NULL; word++) {
        if ((row->is_exact ? strcmp : strcasecmp)(word->java, value->text) != 0)
            continue;
        if (word->note != NULL)
            warn(value, PS_LOG_WARN, word->note);
        else if (row->outcome != PS_KAFKA_PROPERTY_MAPPED)
            warn(value, PS_LOG_INFO, row->help);
        return word->librdkafka != NULL ? set(value, word->librdkafka) : PS_OK;
    }
    if (row->conversion == PS_KAFKA_CLASS) {
        ps_note_add(value->properties->notes, row->severity, row->name, "%s: %s", value->text, row->help);
        return PS_OK;
    }
    char known[512];
    words_list(row->words, known, sizeof known);
    return ps_err_set(value->err, "%s = %s: unknown; write one of %s", row->name, value->text, known);
}

static enum ps_status convert_classes(const struct value *value)
{
    if (value->text[0] == '\0')
        return PS_OK;
    if (strncmp(value->text, "io.confluent.monitoring.", 24) == 0 && strchr(value->text, ',') == NULL) {
        warn(value, PS_LOG_WARN, "a monitoring class of Java's client, ignored");
        return PS_OK;
    }
    ps_note_add(value->properties->notes, value->row->severity, value->row->name, "%s: %s", value->text,
                value->row->help);
    return PS_OK;
}

static void append(char *list, size_t room, const char *item, char separator)
{
    size_t length = strlen(list);
    snprintf(list + length, room - length, "%s%s", (char[2]){length > 0 ? separator : '\0', '\0'}, item);
}

/* A list may mix eager and cooperative assignors, for a rolling change: the member then uses the eager protocol. */
static enum ps_status convert_assignors(const struct value *value)
{
    static const struct ps_kafka_word known[] = {
        {"org.apache.kafka.clients.consumer.RangeAssignor", "range", NULL},
        {"org.apache.kafka.clients.consumer.RoundRobinAssignor", "roundrobin", NULL},
        {"org.apache.kafka.clients.consumer.CooperativeStickyAssignor", "cooperative-sticky", NULL},
        {"org.apache.kafka.clients.consumer.StickyAssignor", NULL, NULL},
        {"range", "range", NULL},
        {"roundrobin", "roundrobin", NULL},
        {"cooperative-sticky", "cooperative-sticky", NULL},
    };
    char all[128] = "", copy[VALUE_MAX], *cursor = copy;
    bool cooperative = false, eager = false, sticky = false;
    snprintf(copy, sizeof copy, "%s", value->text);
    for (char *name; (name = strsep(&cursor, ", \t")) != NULL;) {
        size_t i = 0;
        if (*name == '\0')
            continue;
        while (i < PS_COUNT_OF(known) && strcasecmp(known[i].java, name) != 0)
            i++;
        if (i == PS_COUNT_OF(known)) {
            ps_note_add(value->properties->notes, PS_LOG_ERROR, value->row->name,
                        "%s: Java classes cannot be loaded; supported are RangeAssignor, RoundRobinAssignor "
                        "and CooperativeStickyAssignor of org.apache.kafka.clients.consumer",
                        name);
            continue;
        }
        const char *found = known[i].librdkafka;
        bool is_cooperative = found != NULL && strcmp(found, "cooperative-sticky") == 0;
        sticky |= found == NULL;
        cooperative |= is_cooperative;
        eager |= found != NULL && !is_cooperative;
        if (found != NULL && strstr(all, found) == NULL)
            append(all, sizeof all, found, ',');
    }
    if (sticky && eager)
        ps_note_add(
            value->properties->notes, PS_LOG_WARN, value->row->name,
            "there is no StickyAssignor here: %s is used, which Java members of the group support too", all);
    else if (sticky && !cooperative)
        warn(value, PS_LOG_WARN,
             "there is no StickyAssignor here: cooperative-sticky is used, which cannot share a group with "
             "it, and does not deliver exactly once: name RangeAssignor for that");
    if (cooperative && eager)
        warn(value, PS_LOG_INFO,
             "the list also has an eager assignor, so the member keeps to the eager protocol");
    if (sticky && all[0] == '\0')
        return set(value, "cooperative-sticky");
    return all[0] != '\0' ? set(value, all) : PS_OK;
}

static enum ps_status convert_ciphers(const struct value *value)
{
    char list[VALUE_MAX] = "", copy[VALUE_MAX], *cursor = copy;
    unsigned v3 = 0;
    snprintf(copy, sizeof copy, "%s", value->text);
    for (char *name; (name = strsep(&cursor, ",: \t")) != NULL;) {
        bool tls13;
        if (*name == '\0')
            continue;
        const char *openssl_name = ps_tls_cipher_openssl_name(name, &tls13);
        if (openssl_name == NULL)
            ps_note_add(value->properties->notes, PS_LOG_WARN, value->row->name,
                        "unknown cipher suite \"%s\" is ignored; `openssl ciphers -stdname` lists them",
                        name);
        else if (tls13)
            v3++;
        else
            append(list, sizeof list, openssl_name, ':');
    }
    if (list[0] != '\0')
        return set(value, list);
    if (v3 > 0) {
        warn(value, PS_LOG_WARN,
             "only suites of TLSv1.3 are named: they are always on, and those of TLSv1.2 stay on too");
        return PS_OK;
    }
    if (value->text[0] == '\0')
        return PS_OK;
    return ps_err_set(value->err, "%s = %s: no cipher suite that OpenSSL knows", value->row->name,
                      value->text);
}

/* ssl.enabled.protocols, ssl.protocol: librdkafka 2.0 leaves the choice to OpenSSL. */
static enum ps_status convert_protocols(const struct value *value)
{
    bool v2 = strstr(value->text, "TLSv1.2") != NULL, v3 = strstr(value->text, "TLSv1.3") != NULL;
    bool any = strcasecmp(value->text, "TLS") == 0 || value->text[0] == '\0';
    if (strcmp(value->row->name, "ssl.protocol") == 0 && (v2 || v3))
        any = true; /* ssl.protocol is the newest protocol of a context, and does not exclude others */
    if (any || (v2 && v3))
        warn(value, PS_LOG_INFO, value->row->help);
    else if (v2 || v3)
        ps_note_add(value->properties->notes, PS_LOG_WARN, value->row->name,
                    "%s may be used too: librdkafka cannot forbid it; set %s in openssl.cnf",
                    v2 ? "TLSv1.3" : "TLSv1.2", v2 ? "MaxProtocol = TLSv1.2" : "MinProtocol = TLSv1.3");
    else
        ps_note_add(value->properties->notes, PS_LOG_WARN, value->row->name,
                    "%s is too old or unknown; TLSv1.2 and TLSv1.3 are used", value->text);
    return PS_OK;
}

static enum ps_status convert_kinit(const struct value *value)
{
    char line[VALUE_MAX];
    if (value->text[0] == '\0' ||
        value->text[strcspn(value->text, "\"'`$\\;&|<>()*?[]{}!#~% \t\r\n")] != '\0')
        return ps_err_set(value->err,
                          "%s = %s: write only the path of kinit, without blanks or shell characters",
                          value->row->name, value->text);
    int length = snprintf(line, sizeof line,
                          "%s -t \"%%{sasl.kerberos.keytab}\" -k %%{sasl.kerberos.principal}", value->text);
    if (length < 0 || (size_t)length >= sizeof line)
        return ps_err_set(value->err, "%s: the path is too long", value->row->name);
    return set(value, line);
}

enum ps_status ps_kafka_property_convert(const struct ps_kafka_property *row, const char *text,
                                         const struct ps_kafka_properties *properties,
                                         struct ps_kafka_settings *settings, struct ps_err *err)
{
    char trimmed[VALUE_MAX];
    struct value value = {
        .row = row, .text = text, .properties = properties, .settings = settings, .err = err};
    if (row->conversion == PS_KAFKA_TEXT)
        return set(&value, text);
    if (row->conversion == PS_KAFKA_STORE || row->conversion == PS_KAFKA_LOGIN)
        return PS_OK;
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    if (length >= sizeof trimmed)
        return ps_err_set(err, "%s: the value is longer than %d bytes", row->name, VALUE_MAX - 1);
    memcpy(trimmed, text, length);
    trimmed[length] = '\0';
    value.text = trimmed;
    switch (row->conversion) {
    case PS_KAFKA_NUMBER:
    case PS_KAFKA_KILOBYTES:
        return convert_number(&value);
    case PS_KAFKA_LEVEL:
        return convert_level(&value);
    case PS_KAFKA_WORDS:
    case PS_KAFKA_CLASS:
        return convert_words(&value);
    case PS_KAFKA_CLASSES:
        return convert_classes(&value);
    case PS_KAFKA_ASSIGNORS:
        return convert_assignors(&value);
    case PS_KAFKA_CIPHERS:
        return convert_ciphers(&value);
    case PS_KAFKA_PROTOCOLS:
        return convert_protocols(&value);
    case PS_KAFKA_KINIT:
        return convert_kinit(&value);
    default:
        warn(&value, row->severity, row->help);
        return PS_OK;
    }
}
