/* Code that all syslog sources share: header names and values, and the option keepFields. */
#pragma once

#include "core/flow/batch.h"
#include "core/stage.h"

#define PS_PRIORITY_COUNT 1000 /* "<0>" .. "<999>" */

/* Returns "0" .. "999" for value < PS_PRIORITY_COUNT. The text is static, so headers may point to it. The
 * facility of a priority is ps_decimal(priority / 8), its severity ps_decimal(priority % 8). */
struct ps_slice ps_decimal(unsigned value);

enum ps_keep {
    PS_KEEP_PRIORITY = 1 << 0,
    PS_KEEP_VERSION = 1 << 1,
    PS_KEEP_TIMESTAMP = 1 << 2,
    PS_KEEP_HOSTNAME = 1 << 3,
    PS_KEEP_ALL = 1 << 4,
};

/* Parses keepFields (SyslogUtils.chooseFieldsToKeep): "none", "false", "all", "true" in any case, else those of
 * the words "priority", "version", "timestamp", "hostname" that the text contains. Returns a bit mask of enum
 * ps_keep. */
unsigned ps_keep_parse(const char *text);

/* Reports words of keepFields that are none of those. Thread: control. */
void ps_keep_check(const char *text, const struct ps_context *context);

/* The interned names of the headers that the syslog sources set. */
struct ps_syslog_names {
    const struct ps_name *facility, *severity, *priority, *version, *timestamp, *host, *status;
};

/* Interns the names. The single-port sources write "priority" and "version"; the multi-port source "Priority"
 * and "Version". Thread: control. */
void ps_syslog_names_init(struct ps_syslog_names *names, bool multi);

extern const struct ps_slice ps_syslog_status_invalid, ps_syslog_status_incomplete;

/* The sender's headers, added to each of its events. A header whose name is NULL is not added. */
struct ps_syslog_client {
    const struct ps_name *ip_name, *host_name, *port_name;
    struct ps_slice ip, host, port;
};

/* Memory for the headers of one event. It is allocated before the event's row is added, so an event never
 * exists without its headers. */
struct ps_syslog_row {
    struct ps_header *next; /* the next free header */
    struct ps_header *list; /* the headers pushed, newest first */
    uint64_t mask;
    char *bytes; /* free memory for values */
};

/* Allocates `count` headers, the client's headers, and `bytes` bytes for values. Returns false when there is
 * no memory. */
static inline bool ps_syslog_row_init(struct ps_syslog_row *row, struct ps_batch *batch, uint32_t count,
                                      const struct ps_syslog_client *client, uint32_t bytes)
{
    const uintptr_t align = _Alignof(struct ps_header) - 1;
    if (client != NULL) {
        count += 3;
        bytes += client->ip.length + client->host.length + client->port.length;
    }
    char *room = ps_batch_alloc(batch, count * (uint32_t)sizeof(struct ps_header) + (uint32_t)align + bytes);
    if (room == NULL)
        return false;
    room += (align + 1 - ((uintptr_t)room & align)) & align;
    row->next = (struct ps_header *)(void *)room;
    row->list = NULL;
    row->mask = 0;
    row->bytes = (char *)(row->next + count);
    return true;
}

static inline void ps_syslog_row_push(struct ps_syslog_row *row, const struct ps_name *name,
                                      struct ps_slice value)
{
    *row->next = (struct ps_header){
        .name = name, .value = value.data, .next = row->list, .value_length = value.length};
    row->list = row->next++;
    row->mask |= name->mask;
}

/* Gives the pushed headers to the event. */
static inline void ps_syslog_row_finish(const struct ps_syslog_row *row, struct ps_batch *batch,
                                        struct ps_event *event)
{
    event->headers = row->list;
    event->mask = row->mask;
    batch->own_mask |= row->mask;
}

/* Pushes the client's headers. One with the name of an earlier header replaces it, as in Flume. */
void ps_syslog_row_client(struct ps_syslog_row *row, const struct ps_syslog_client *client);

enum ps_syslog_mistake {
    PS_SYSLOG_INVALID,    /* the event is marked Invalid */
    PS_SYSLOG_CUT,        /* the event is marked Incomplete */
    PS_SYSLOG_LOST,       /* no frame where one was due, or a wrong length (stages/lib/syslog/framing.h) */
    PS_SYSLOG_UNFINISHED, /* the connection ended before the message did; no parser finds that */
    PS_SYSLOG_MISTAKES,
};

/* What a parser has found since its owner set this to {0}. */
struct ps_syslog_found_mistakes {
    unsigned kinds; /* bit n: mistake n */
    uint32_t invalid;
    struct ps_slice
        texts[PS_SYSLOG_MISTAKES]; /* the first message of each kind, in the bytes that were parsed */
};

static inline void ps_syslog_mistake_add(struct ps_syslog_found_mistakes *found,
                                         enum ps_syslog_mistake mistake, const char *text, uint32_t length)
{
    if (!(found->kinds >> mistake & 1U))
        found->texts[mistake] = (struct ps_slice){text, length};
    found->kinds |= 1U << mistake;
    found->invalid += mistake == PS_SYSLOG_INVALID;
}

/* The results of a parser. */
enum ps_parsed {
    PS_PARSED_ADDED,   /* a row was added */
    PS_PARSED_DROPPED, /* not an event: the caller counts a failed read */
    PS_PARSED_FULL,    /* the batch is full: parse the same line again with the next batch */
    PS_PARSED_MEMORY,  /* no memory now: parse the same line again later */
    PS_PARSED_PARTIAL, /* the message is not complete: more bytes are needed */
};
