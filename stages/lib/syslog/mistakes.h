/* Says once for each sender what of its input is not syslog. Thread: the owner's. */
#pragma once

#include <string.h>

#include "core/stage.h"
#include "stages/lib/senders.h"
#include "stages/lib/syslog/framing.h"
#include "stages/lib/syslog/text.h"

#define PS_SYSLOG_EXAMPLE_BYTES 100U

struct ps_syslog_mistakes {
    struct ps_senders senders;
    char lost[PS_SYSLOG_EXAMPLE_BYTES];
};

/* Counts a message where no frame began, or whose length was wrong, as one mistake, whatever else its parser has found. `before`:
 * what was found before it; `text`: what ps_syslog_mistakes_keep kept. */
static inline void ps_syslog_mistakes_lost(struct ps_syslog_mistakes *mistakes,
                                           struct ps_syslog_found_mistakes *found,
                                           const struct ps_syslog_found_mistakes *before, uint32_t length)
{
    *found = *before;
    found->invalid++;
    ps_syslog_mistake_add(found, PS_SYSLOG_LOST, mistakes->lost, length);
}

/* Keeps the bytes of such a message for the log, because its parser changes them. */
static inline void ps_syslog_mistakes_keep(struct ps_syslog_mistakes *mistakes,
                                           const struct ps_syslog_found_mistakes *found, const char *text,
                                           uint32_t length)
{
    if (!(found->kinds >> PS_SYSLOG_LOST & 1U))
        memcpy(mistakes->lost, text, length < sizeof mistakes->lost ? length : sizeof mistakes->lost);
}

/* Logs the mistakes of a sender that are not logged yet, with the text of one and the value of penstock.framing that may be
 * right. `framing`: NULL: datagrams. `bits`, of the sender's connection,
 * may be NULL: bit PS_SYSLOG_SAID + n is set if mistake n needs no further call. */
void ps_syslog_mistakes_say(struct ps_syslog_mistakes *mistakes, const struct ps_syslog_found_mistakes *found,
                            const struct ps_syslog_framing *framing, const struct ps_port *port,
                            const char *sender, uint32_t *bits);

/* Logs the bytes of a message whose connection its sender has ended. */
void ps_syslog_mistakes_unfinished(struct ps_syslog_mistakes *mistakes,
                                   const struct ps_syslog_framing *framing, const struct ps_port *port,
                                   const char *sender, const struct ps_slice *text);
