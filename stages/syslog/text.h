/* What the syslog sources share: the words of their headers, and keepFields. */
#pragma once

#include "core/flow/batch.h"

#define PS_PRIORITY_COUNT 1000 /* "<0>" .. "<999>" */

/* "0" .. "999"; facility and severity of a priority are ps_decimal(priority / 8), ps_decimal(priority % 8).
 * Static: may stand in headers. */
struct ps_slice ps_decimal(unsigned value);

enum ps_keep {
    PS_KEEP_PRIORITY = 1 << 0,
    PS_KEEP_VERSION = 1 << 1,
    PS_KEEP_TIMESTAMP = 1 << 2,
    PS_KEEP_HOSTNAME = 1 << 3,
    PS_KEEP_ALL = 1 << 4,
};

/* SyslogUtils.chooseFieldsToKeep: "none", "false", "all", "true" in any case, else whichever of "priority",
 * "version", "timestamp", "hostname" the text contains. Returns a set of enum ps_keep. */
unsigned ps_keep_parse(const char *text);

/* The interned names of the headers the syslog sources set. Made at build. */
struct ps_syslog_names {
    const struct ps_name *facility, *severity, *priority, *version, *timestamp, *host, *status;
};

/* Single-port spelling: "priority", "version"; multi-port: "Priority", "Version". Thread: control. */
void ps_syslog_names_init(struct ps_syslog_names *names, bool multi);

extern const struct ps_slice ps_status_invalid, ps_status_incomplete;

/* Who sent it: headers added to each of its events. A name that is NULL adds none. */
struct ps_syslog_client {
    const struct ps_name *ip_name, *host_name, *port_name;
    struct ps_slice ip, host, port;
};

/* Room for the headers of one event, taken before its row is added, so that an event is never there without
 * them. */
struct ps_syslog_row {
    struct ps_header *next; /* the next free one */
    struct ps_header *list; /* those pushed, newest first */
    uint64_t mask;
    char *bytes; /* for values */
};

/* `count` headers, those of the client, and `bytes` for values. False: no memory. */
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

/* The headers pushed become the event's. */
static inline void ps_syslog_row_finish(const struct ps_syslog_row *row, struct ps_batch *batch,
                                        struct ps_event *event)
{
    event->headers = row->list;
    event->mask = row->mask;
    batch->own_mask |= row->mask;
}

/* Pushes the client's headers; one of the same name as a header before it replaces that one, as in Flume. */
void ps_syslog_row_client(struct ps_syslog_row *row, const struct ps_syslog_client *client);

/* What a parser answers. */
enum ps_parsed {
    PS_PARSED_ADDED,   /* a row was added */
    PS_PARSED_DROPPED, /* not an event: counted by the caller as a failed read */
    PS_PARSED_FULL,    /* the batch is full: try the same line again with the next one */
    PS_PARSED_MEMORY,  /* no memory now: try the same line again later */
    PS_PARSED_PARTIAL, /* no whole message: more bytes are needed */
};
