/* The parser of multiport_syslogtcp: org.apache.flume.source.SyslogParser of Flume 1.11 with the line
 * splitting of MultiportSyslogTCPSource, by hand and in place.
 *
 * Where Flume loses a line (and those read together with it) to an exception it does not expect, this one
 * keeps it as an Invalid event; only an empty line is no event. Thread: its owner's; never allocates but from
 * the batch. */
#pragma once

#include "stages/text/charset.h"
#include "stages/syslog/text.h"
#include "stages/syslog/time.h"

struct ps_syslog_multi_rules {
    struct ps_syslog_names names;
    const struct ps_time_zone *zone; /* only for the current year */
    unsigned keep;                   /* enum ps_keep */
    uint32_t size_max;               /* eventSize, from 1: a longer line is cut */
};

struct ps_syslog_multi {
    const struct ps_syslog_multi_rules *rules;
    struct ps_syslog_time time;
};

void ps_syslog_multi_init(struct ps_syslog_multi *parser, const struct ps_syslog_multi_rules *rules);

/* The next line in [data, data + length), as ps_syslog_single_next. `transcoder`: the port's character set.
 * `failed` is counted up when the line became an Invalid event (Flume's EventReadFail). PS_PARSED_DROPPED: an
 * empty line. */
enum ps_parsed ps_syslog_multi_next(struct ps_syslog_multi *parser, struct ps_batch *batch,
                                    struct ps_transcoder *transcoder, char *data, uint32_t length,
                                    const struct ps_syslog_client *client, uint32_t *used, uint64_t *failed);
