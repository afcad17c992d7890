/* The parser of the single-port syslog sources (syslogtcp, syslogudp): org.apache.flume.source.SyslogUtils of
 * Flume 1.11, its byte machine and its two patterns, done by hand and in place.
 *
 * Thread: its owner's; never allocates but from the batch. Must never read or write outside the bytes given.
 */
#pragma once

#include "stages/syslog/format.h"
#include "stages/syslog/text.h"
#include "stages/syslog/time.h"

#define PS_SYSLOG_SIZE_MIN 10 /* SyslogUtils.MIN_SIZE */

/* What the configuration says; shared by all workers, const. */
struct ps_syslog_single_rules {
    struct ps_syslog_names names;
    const struct ps_time_zone *zone;
    unsigned keep;     /* enum ps_keep */
    uint32_t size_max; /* eventSize: a longer message is cut, its rest a message of its own */
    bool datagrams;    /* UDP: the end of the bytes ends the message */
    const struct ps_syslog_format *format; /* format.*: tried first; NULL = none */
};

/* One worker's. */
struct ps_syslog_single {
    const struct ps_syslog_single_rules *rules;
    struct ps_syslog_time time;
    struct ps_syslog_matcher *matcher; /* NULL without a format */
};

/* False: no memory for the format's matcher. Set-up time only. */
bool ps_syslog_single_init(struct ps_syslog_single *parser, const struct ps_syslog_single_rules *rules);
void ps_syslog_single_fini(struct ps_syslog_single *parser);

/* The next message in [data, data + length): an answer, and in *used how many bytes are done with. `data`
 * stands in a block of the batch and is edited in place. When the bytes end before a message does (streams),
 * the answer is PS_PARSED_PARTIAL and *used says how many leading newlines may be forgotten; fewer than
 * size_max bytes are left then. With PS_PARSED_FULL and PS_PARSED_MEMORY *used is 0 and nothing was changed.
 * `client` may be NULL. ps_syslog_time_now must have been called. */
enum ps_parsed ps_syslog_single_next(struct ps_syslog_single *parser, struct ps_batch *batch, char *data,
                                     uint32_t length, const struct ps_syslog_client *client, uint32_t *used);
