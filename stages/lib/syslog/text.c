#include "stages/lib/syslog/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define D1(a)                                                                                                \
    {a "0"}, {a "1"}, {a "2"}, {a "3"}, {a "4"}, {a "5"}, {a "6"}, {a "7"}, {a "8"},                         \
    {                                                                                                        \
        a "9"                                                                                                \
    }
#define D2(a)                                                                                                \
    D1(a "0"), D1(a "1"), D1(a "2"), D1(a "3"), D1(a "4"), D1(a "5"), D1(a "6"), D1(a "7"), D1(a "8"),       \
        D1(a "9")

static const char decimals[PS_PRIORITY_COUNT][4] = {
    D1(""),  D1("1"), D1("2"), D1("3"), D1("4"), D1("5"), D1("6"), D1("7"), D1("8"), D1("9"),
    D2("1"), D2("2"), D2("3"), D2("4"), D2("5"), D2("6"), D2("7"), D2("8"), D2("9"),
};

const struct ps_slice ps_syslog_status_invalid = {"Invalid", 7};
const struct ps_slice ps_syslog_status_incomplete = {"Incomplete", 10};

struct ps_slice ps_decimal(unsigned value)
{
    PS_ASSERT(value < PS_PRIORITY_COUNT);
    return (struct ps_slice){decimals[value], 1U + (value > 9) + (value > 99)};
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && strncasecmp(text, word, length) == 0;
}

static const char *const keep_words[] = {"priority", "version", "timestamp", "hostname"};

/* Returns the text without the blanks around it. */
static struct ps_slice trim(const char *text)
{
    while (*text != '\0' && (unsigned char)*text <= ' ')
        text++;
    size_t length = strlen(text);
    while (length > 0 && (unsigned char)text[length - 1] <= ' ')
        length--;
    return (struct ps_slice){text, (uint32_t)length};
}

static bool keeps_nothing(struct ps_slice text)
{
    return is_word(text.data, text.length, "none") || is_word(text.data, text.length, "false");
}

static bool keeps_all(struct ps_slice text)
{
    return is_word(text.data, text.length, "all") || is_word(text.data, text.length, "true");
}

unsigned ps_keep_parse(const char *text)
{
    struct ps_slice value = trim(text);
    if (keeps_nothing(value))
        return 0;
    if (keeps_all(value))
        return PS_KEEP_ALL;
    unsigned keep = 0;
    for (unsigned i = 0; i < PS_COUNT_OF(keep_words); i++) {
        if (strcasestr(text, keep_words[i]) != NULL)
            keep |= 1U << i;
    }
    return keep;
}

void ps_keep_check(const char *text, const struct ps_context *context)
{
    struct ps_slice value = trim(text);
    if (keeps_nothing(value) || keeps_all(value))
        return;
    for (size_t length; *(text += strspn(text, " \t,;")) != '\0'; text += length) {
        length = strcspn(text, " \t,;");
        char word[64];
        snprintf(word, sizeof word, "%.*s", (int)(length < 60 ? length : 60), text);
        if (ps_keep_parse(word) != 0 && !keeps_all(trim(word)))
            continue;
        ps_report(context, PS_LOG_WARN, "keepFields",
                  "%s has no effect: write none, all, or any of priority, version, timestamp and hostname",
                  word);
    }
}

void ps_syslog_names_init(struct ps_syslog_names *names, bool multi)
{
    *names = (struct ps_syslog_names){
        .facility = ps_name_intern("Facility"),
        .severity = ps_name_intern("Severity"),
        .priority = ps_name_intern(multi ? "Priority" : "priority"),
        .version = ps_name_intern(multi ? "Version" : "version"),
        .timestamp = ps_name_intern("timestamp"),
        .host = ps_name_intern("host"),
        .status = ps_name_intern("flume.syslog.status"),
    };
}

static void push_copy(struct ps_syslog_row *row, const struct ps_name *name, struct ps_slice value)
{
    if (name == NULL)
        return;
    memcpy(row->bytes, value.data, value.length);
    struct ps_slice copy = {row->bytes, value.length};
    row->bytes += value.length;
    struct ps_header *same = row->mask & name->mask ? ps_header_find(row->list, name) : NULL;
    if (same == NULL) {
        ps_syslog_row_push(row, name, copy);
        return;
    }
    same->value = copy.data;
    same->value_length = copy.length;
}

void ps_syslog_row_client(struct ps_syslog_row *row, const struct ps_syslog_client *client)
{
    push_copy(row, client->port_name, client->port);
    push_copy(row, client->ip_name, client->ip);
    push_copy(row, client->host_name, client->host);
}
