/* The parser of multiport_syslogtcp: org.apache.flume.source.SyslogParser of Flume 1.11 with the line splitting
 * of MultiportSyslogTCPSource, handwritten, in place.
 *
 * In Flume some lines cause an exception that loses the line and the lines that were read with it. This parser
 * makes an Invalid event of such a line; only an empty line gives no event. Thread: the owner's. Allocates only
 * from the batch. */
#pragma once

#include "stages/lib/syslog/heads.h"
#include "stages/lib/text/charset.h"
#include "stages/lib/syslog/structured.h"
#include "stages/lib/syslog/text.h"
#include "stages/lib/syslog/time.h"

struct ps_syslog_multi_rules {
    struct ps_syslog_names names;
    const struct ps_time_zone *zone;                        /* used only to find the current year */
    unsigned keep;                                          /* a set of enum ps_keep */
    const struct ps_name *structured[PS_SYSLOG_STRUCTURED]; /* NULL: these fields stay in the body */
    uint32_t size_max; /* eventSize in bytes, at least 1: a longer line is cut */
    bool asks; /* a line without an end is cut only with `cuts` of the parser (ps_syslog_look_again) */
};

struct ps_syslog_multi {
    const struct ps_syslog_multi_rules *rules;
    struct ps_syslog_time time;
    struct ps_syslog_heads heads;
    struct ps_syslog_found_mistakes mistakes;
    bool cuts;
};

void ps_syslog_multi_init(struct ps_syslog_multi *parser, const struct ps_syslog_multi_rules *rules);

/* Parses the next line in [data, data + length); the contract is that of ps_syslog_single_next. `transcoder`
 * converts the port's character set. Adds 1 to *failed when the line became an Invalid event (Flume's
 * EventReadFail). PS_PARSED_DROPPED means an empty line. */
enum ps_parsed ps_syslog_multi_next(struct ps_syslog_multi *parser, struct ps_batch *batch,
                                    struct ps_transcoder *transcoder, char *data, uint32_t length,
                                    const struct ps_syslog_client *client, uint32_t *used, uint64_t *failed);

/* Parses a message whose end is known (stages/lib/syslog/framing.h). `cut`: it is the beginning of a longer one. Never
 * returns PS_PARSED_PARTIAL. */
enum ps_parsed ps_syslog_multi_message(struct ps_syslog_multi *parser, struct ps_batch *batch,
                                       struct ps_transcoder *transcoder, char *data, uint32_t length,
                                       bool cut, const struct ps_syslog_client *client, uint64_t *failed);
