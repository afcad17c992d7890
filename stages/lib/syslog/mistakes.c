#include "stages/lib/syslog/mistakes.h"

#include <string.h>

#include "core/fnv.h"
#include "core/text/printable.h"
#include "stages/lib/syslog/framing.h"

#define EXAMPLE_BYTES 100U

static bool was_said(struct ps_syslog_mistakes *mistakes, const char *sender, enum ps_syslog_mistake mistake)
{
    const char kind = (char)mistake;
    uint64_t hash = ps_fnv64(ps_fnv64(PS_FNV64, sender, strlen(sender)), &kind, 1) | 1;
    for (uint32_t i = 0; i < PS_SYSLOG_SENDERS_MAX; i++) {
        if (mistakes->said[i] == hash)
            return true;
    }
    mistakes->said[mistakes->next] = hash;
    mistakes->next = (mistakes->next + 1) % PS_SYSLOG_SENDERS_MAX;
    return false;
}

static void say(const struct ps_port *port, const char *sender, enum ps_syslog_mistake mistake,
                const struct ps_slice *text)
{
    char example[EXAMPLE_BYTES + 1];
    (void)ps_printable_copy(example, sizeof example, text->data,
                            text->length < EXAMPLE_BYTES ? text->length : EXAMPLE_BYTES);
    const char *more = text->length > EXAMPLE_BYTES ? ".." : "";
    switch (mistake) {
    case PS_SYSLOG_INVALID:
        ps_log(PS_LOG_WARN, port->component,
               "%s sends what is not syslog: \"%s%s\"; such an event has the header flume.syslog.status = "
               "Invalid and "
               "the text as its body (said once for each sender; the metric events_malformed counts them)",
               sender, example, more);
        break;
    case PS_SYSLOG_CUT:
        ps_log(
            PS_LOG_WARN, port->component,
            "%s sends a message longer than eventSize: \"%s%s\"; it is cut after %u bytes, and the rest is "
            "another event (said once for each sender)",
            sender, example, more, text->length);
        break;
    case PS_SYSLOG_LOST:
    case PS_SYSLOG_MISTAKES:
        ps_log(PS_LOG_WARN, port->component,
               "%s sends octet-counted messages (RFC 6587), and one does not begin with its length: "
               "\"%s%s\"; the "
               "source goes on at the next newline or length (said once for each sender)",
               sender, example, more);
        break;
    }
}

void ps_syslog_mistakes_say(struct ps_syslog_mistakes *mistakes, const struct ps_syslog_found_mistakes *found,
                            const struct ps_port *port, const char *sender, uint32_t *bits)
{
    for (unsigned kind = 0; kind < PS_SYSLOG_MISTAKES; kind++) {
        if (!(found->kinds >> kind & 1U) || (bits != NULL && *bits >> (PS_SYSLOG_SAID + kind) & 1U))
            continue;
        if (!was_said(mistakes, sender, (enum ps_syslog_mistake)kind))
            say(port, sender, (enum ps_syslog_mistake)kind, &found->texts[kind]);
        if (bits != NULL)
            *bits |= 1U << (PS_SYSLOG_SAID + kind);
    }
}
