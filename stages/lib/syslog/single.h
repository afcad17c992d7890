/* The parser of the single-port syslog sources (syslogtcp, syslogudp): the state machine and the two patterns
 * of org.apache.flume.source.SyslogUtils (Flume 1.11), handwritten, in place.
 *
 * Thread: the owner's. Allocates only from the batch. Never reads or writes outside the bytes given. */
#pragma once

#include "stages/lib/syslog/format.h"
#include "stages/lib/syslog/heads.h"
#include "stages/lib/syslog/structured.h"
#include "stages/lib/syslog/text.h"
#include "stages/lib/syslog/time.h"

#define PS_SYSLOG_SIZE_MIN 10 /* SyslogUtils.MIN_SIZE */

/* The configuration: const, shared by all workers. */
struct ps_syslog_single_rules {
    struct ps_syslog_names names;
    const struct ps_time_zone *zone;
    unsigned keep;     /* a set of enum ps_keep */
    uint32_t size_max; /* eventSize in bytes: a longer message is cut; the rest becomes another message */
    const struct ps_name *structured[PS_SYSLOG_STRUCTURED]; /* NULL: these fields stay in the body */
    bool datagrams;                                         /* UDP: the end of the bytes ends the message */
    bool asks; /* a message without an end is cut only with `cuts` of the parser (ps_syslog_look_again) */
    const struct ps_syslog_format *format; /* from format.*, tried first; NULL: none */
};

#define PS_SYSLOG_TIME_BYTES 24U /* room for any 64-bit number */

/* The parser of one worker. */
struct ps_syslog_single {
    const struct ps_syslog_single_rules *rules;
    struct ps_syslog_time time;
    struct ps_syslog_matcher *matcher; /* NULL without a format */
    int64_t rendered_ms;               /* the last time as a number; length 0: none */
    uint32_t rendered_length;
    char rendered[PS_SYSLOG_TIME_BYTES];
    struct { /* the last stamp without a year that was a time; length 0: none */
        char text[16];
        uint32_t length;
        /* the message was read after the start of second `now_s`, not at it; see struct ps_syslog_time */
        bool into_second;
        int64_t now_s, ms;
    } stamp;
    struct ps_syslog_heads heads;
    struct ps_syslog_found_mistakes mistakes;
    bool cuts;
};

/* Called only at set-up. Returns false when there is no memory for the format's matcher. */
bool ps_syslog_single_init(struct ps_syslog_single *parser, const struct ps_syslog_single_rules *rules);
void ps_syslog_single_fini(struct ps_syslog_single *parser);

/* Parses the next message in [data, data + length) and sets *used to the number of bytes consumed. `data` is
 * in a block of the batch and is edited in place. `client` may be NULL. ps_syslog_time_now must have been
 * called before.
 *
 * PS_PARSED_PARTIAL (streams): the bytes end before the message does. *used is the number of leading newlines
 * to discard; fewer than size_max bytes are left, or `asks` is set.
 * PS_PARSED_FULL, PS_PARSED_MEMORY: *used is 0 and nothing was changed. */
enum ps_parsed ps_syslog_single_next(struct ps_syslog_single *parser, struct ps_batch *batch, char *data,
                                     uint32_t length, const struct ps_syslog_client *client, uint32_t *used);

/* Parses a message whose end is known (stages/lib/syslog/framing.h). `cut`: it is the beginning of a longer one. Never
 * returns PS_PARSED_PARTIAL. */
enum ps_parsed ps_syslog_single_message(struct ps_syslog_single *parser, struct ps_batch *batch, char *data,
                                        uint32_t length, bool cut, const struct ps_syslog_client *client);
