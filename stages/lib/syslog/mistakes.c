#include "stages/lib/syslog/mistakes.h"

#include <stdio.h>
#include <string.h>

#include "core/fnv.h"
#include "core/text/printable.h"

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

/* Returns what penstock.framing may have to be for this text; NULL: nothing says that it is wrong. */
static const char *cure_of(const struct ps_syslog_framing *framing, const struct ps_slice *text)
{
    if (framing == NULL)
        return NULL;
    uint32_t digits = 0,
             length = text->length < PS_SYSLOG_EXAMPLE_BYTES ? text->length : PS_SYSLOG_EXAMPLE_BYTES;
    while (digits < length && text->data[digits] >= '0' && text->data[digits] <= '9')
        digits++;
    if (framing->mode != PS_SYSLOG_FRAMING_NUL && memchr(text->data, '\0', length) != NULL)
        return "nul";
    if (framing->mode == PS_SYSLOG_FRAMING_NUL)
        return "auto";
    bool is_length =
        digits > 0 && digits + 1 < length && text->data[digits] == ' ' && text->data[digits + 1] == '<';
    if (is_length && framing->mode == PS_SYSLOG_FRAMING_NEWLINE)
        return "octet-counted";
    if (is_length && framing->mode == PS_SYSLOG_FRAMING_AUTO)
        return "newline if such numbers are text, or octet-counted if they are lengths";
    return NULL;
}

static void say(const struct ps_port *port, const char *sender, enum ps_syslog_mistake mistake,
                const struct ps_syslog_framing *framing, const struct ps_slice *text)
{
    char example[PS_SYSLOG_EXAMPLE_BYTES + 1], cure[192] = "";
    (void)ps_printable_copy(example, sizeof example, text->data,
                            text->length < PS_SYSLOG_EXAMPLE_BYTES ? text->length : PS_SYSLOG_EXAMPLE_BYTES);
    const char *more = text->length > PS_SYSLOG_EXAMPLE_BYTES ? ".." : "", *mode = cure_of(framing, text);
    if (mode != NULL)
        snprintf(cure, sizeof cure, "; if all its messages are so, set penstock.framing = %s", mode);
    switch (mistake) {
    case PS_SYSLOG_INVALID:
        ps_log(PS_LOG_WARN, port->component,
               "%s sends what is not syslog: \"%s%s\"; such an event has the header flume.syslog.status = "
               "Invalid and the text as its body%s (said once for each sender; the metric events_malformed "
               "counts them)",
               sender, example, more, cure);
        break;
    case PS_SYSLOG_CUT:
        ps_log(
            PS_LOG_WARN, port->component,
            "%s sends a message longer than eventSize: \"%s%s\"; it is cut after %u bytes, and the rest is "
            "another event%s (said once for each sender)",
            sender, example, more, text->length, cure);
        break;
    case PS_SYSLOG_LOST:
    case PS_SYSLOG_MISTAKES:
        ps_log(
            PS_LOG_WARN, port->component,
            "%s sends octet-counted messages (RFC 6587), and one does not begin with its length, or with a "
            "wrong one: \"%s%s\"; the source goes on at the next newline or length. The sender has to count "
            "bytes; %s (said once for each sender)",
            sender, example, more,
            framing != NULL && framing->mode == PS_SYSLOG_FRAMING_COUNTED
                ? "if it sends lines, too, penstock.framing = auto takes both"
                : "if it has no lines, penstock.framing = octet-counted takes nothing for one; if it has "
                  "only lines, penstock.framing = newline");
        break;
    }
}

void ps_syslog_mistakes_say(struct ps_syslog_mistakes *mistakes, const struct ps_syslog_found_mistakes *found,
                            const struct ps_syslog_framing *framing, const struct ps_port *port,
                            const char *sender, uint32_t *bits)
{
    for (unsigned kind = 0; kind < PS_SYSLOG_MISTAKES; kind++) {
        if (!(found->kinds >> kind & 1U) || (bits != NULL && *bits >> (PS_SYSLOG_SAID + kind) & 1U))
            continue;
        if (!was_said(mistakes, sender, (enum ps_syslog_mistake)kind))
            say(port, sender, (enum ps_syslog_mistake)kind, framing, &found->texts[kind]);
        if (bits != NULL)
            *bits |= 1U << (PS_SYSLOG_SAID + kind);
    }
}
