/* Prints docs/KAFKA_PROPERTIES.md from the table of properties and the list of defaults. */
#pragma once

#include "tests/stages/lib/kafka/properties/defaults.h"

#include <stdio.h>
#include <string.h>

static void print_target(FILE *out, const struct ps_kafka_property *row)
{
    static const char *const outcomes[] = {"mapped", "ignored", "unsupported"};
    if (row->target != NULL)
        fprintf(out, "`%s`", row->target);
    else if (row->conversion == PS_KAFKA_CLASSES)
        fputs("unsupported unless empty", out);
    else
        fputs(outcomes[row->outcome], out);
}

/* Returns a class name without its package. Of names that differ only in their package, print_words prints one. */
static const char *short_name(const struct ps_kafka_property *row, const struct ps_kafka_word *word)
{
    const char *dot = strrchr(word->java, '.');
    return row->conversion == PS_KAFKA_CLASS && dot != NULL ? dot + 1 : word->java;
}

static void print_words(FILE *out, const struct ps_kafka_property *row)
{
    for (const struct ps_kafka_word *word = row->words; word->java != NULL; word++) {
        const char *name = short_name(row, word);
        if (word > row->words && strcmp(name, short_name(row, word - 1)) == 0)
            continue;
        fputs(word > row->words ? ", " : " ", out);
        fprintf(out, name[0] != '\0' ? "`%s`" : "empty", name);
        if (row->target != NULL && word->librdkafka == NULL)
            fputs(" → nothing", out);
        else if (word->librdkafka != NULL && strcmp(word->librdkafka, word->java) != 0)
            fprintf(out, " → `%s`", word->librdkafka);
    }
    fputs(".", out);
}

static void print_help(FILE *out, const char *help)
{
    bool lower = help[0] >= 'a' && help[0] <= 'z' && strncmp(help, "librdkafka", 10) != 0;
    fprintf(out, " %c%s.", lower ? help[0] - 'a' + 'A' : help[0], help + 1);
}

static bool has_note_alone(const struct ps_kafka_property *row)
{
    return row->target == NULL && row->words == NULL && row->fallback == NULL && row->high == 0;
}

/* Returns whether two rows have one line: they differ in their names alone. */
static bool are_one_line(const struct ps_kafka_property *row, const struct ps_kafka_property *other)
{
    return has_note_alone(row) && has_note_alone(other) && row->clients == other->clients &&
           row->outcome == other->outcome && row->conversion == other->conversion &&
           (row->help != NULL ? other->help != NULL && strcmp(row->help, other->help) == 0
                              : other->help == NULL);
}

/* Prints a line for `count` rows, which are one. */
static void print_row(FILE *out, const struct ps_kafka_property *row, size_t count)
{
    static const char *const clients[] = {"", "producer", "consumer", "both"};
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s `%s`", i > 0 ? "," : "|", row[i].name);
    fprintf(out, " | %s | ", clients[row->clients]);
    print_target(out, row);
    fputs(" |", out);
    if (row->words != NULL)
        print_words(out, row);
    if (row->high > 0)
        fprintf(out, " %lld to %lld.", (long long)row->low, (long long)row->high);
    if (row->fallback != NULL) {
        const char *dot = strrchr(row->fallback, '.');
        fprintf(out, " Set to Java's default, `%s`, when absent.", dot != NULL ? dot + 1 : row->fallback);
    }
    if (row->help != NULL)
        print_help(out, row->help);
    fputs(" |\n", out);
}

/* Returns the row of the other client that says the same; NULL: there is none. */
static const struct ps_kafka_default *same_default(const struct ps_kafka_default *row)
{
    for (size_t i = 0; i < ps_kafka_default_count; i++) {
        const struct ps_kafka_default *other = &ps_kafka_default_rows[i];
        if (other != row && strcmp(other->name, row->name) == 0 && strcmp(other->flume, row->flume) == 0 &&
            strcmp(other->here, row->here) == 0 && strcmp(other->why, row->why) == 0)
            return other;
    }
    return NULL;
}

static void print_defaults(FILE *out)
{
    static const char *const clients[] = {"", "producer", "consumer"};
    fputs("\n"
          "## Defaults\n"
          "\n"
          "A property that the file does not set has the default of Flume's client (kafka-clients 2.7.2 in "
          "Flume 1.11.0), but for these:\n"
          "\n"
          "| property | client | Flume 1.11 | here | because |\n"
          "|---|---|---|---|---|\n",
          out);
    for (size_t i = 0; i < ps_kafka_default_count; i++) {
        const struct ps_kafka_default *row = &ps_kafka_default_rows[i];
        const struct ps_kafka_default *same = same_default(row);
        if (same == NULL || row < same)
            fprintf(out, "| `%s` | %s | `%s` | %s | %s |\n", row->name,
                    same != NULL ? "both" : clients[row->client], row->flume, row->here, row->why);
    }
}

static void print_document(FILE *out)
{
    fputs(
        "# Kafka client properties\n"
        "\n"
        "What happens to each property of Java's Kafka clients (2.7 to 3.9) written as `kafka.producer.*` "
        "(Kafka sink) or\n"
        "`kafka.consumer.*` (Kafka source). This page is printed from the table that the program uses.\n"
        "\n"
        "- A name in the third column is the setting of the client, named as in librdkafka: the value is set "
        "there, converted as noted.\n"
        "  Numbers outside the range noted are limited to it with a warning; values that Java would refuse "
        "are errors.\n"
        "- *mapped*: it sets several properties of librdkafka. *ignored*: it has no effect here, and the "
        "note says why. *unsupported*: it\n"
        "  would have an effect, but cannot be done; the agent does not start with it unless "
        "`penstock.allow.unsupported = true`.\n"
        "- A sink takes librdkafka's own names (its CONFIGURATION.md) as they are, global and topic "
        "properties "
        "alike, and with one that only\n"
        "  librdkafka has it uses librdkafka. A source and a channel take only names of the third column, "
        "and "
        "some for logins: any other of\n"
        "  librdkafka's names is an error.\n"
        "- Any other name is a warning, with the nearest known name.\n"
        "- `security.protocol` = `SSL` or `SASL_SSL` reads the stores named below; where the component "
        "names none, Flume's global\n"
        "  ones (`javax.net.ssl.*`, `FLUME_SSL_*`). In a store with several private keys the first one is "
        "used.\n"
        "\n"
        "| property | client | librdkafka | notes |\n"
        "|---|---|---|---|\n",
        out);
    size_t count;
    for (size_t i = 0; i < ps_kafka_property_count; i += count) {
        const struct ps_kafka_property *row = &ps_kafka_property_rows[i];
        for (count = 1; i + count < ps_kafka_property_count && are_one_line(row, row + count);)
            count++;
        print_row(out, row, count);
    }
    print_defaults(out);
}
