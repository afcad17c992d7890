/* Says once for each sender what of its input is not syslog. Thread: the owner's. */
#pragma once

#include "core/stage.h"
#include "stages/lib/syslog/text.h"

#define PS_SYSLOG_SENDERS_MAX                                                                                \
    256U /* when more make mistakes the oldest is forgotten, and may be named again */

struct ps_syslog_mistakes {
    uint64_t said[PS_SYSLOG_SENDERS_MAX]; /* hashes of address and mistake; 0: none */
    uint32_t next;
};

/* Logs the mistakes of a sender that are not logged yet, with the text of one. `bits`, of the sender's connection,
 * may be NULL: bit PS_SYSLOG_SAID + n is set if mistake n needs no further call. */
void ps_syslog_mistakes_say(struct ps_syslog_mistakes *mistakes, const struct ps_syslog_found_mistakes *found,
                            const struct ps_port *port, const char *sender, uint32_t *bits);
