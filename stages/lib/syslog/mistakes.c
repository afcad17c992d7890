#include "stages/lib/syslog/mistakes.h"

#include <stdio.h>
#include <string.h>

#include "core/text/printable.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Returns whether a NUL ends messages here. Other text with NULs begins with one, or has many (UTF-16). */
static bool has_nuls(const struct ps_slice *text)
{
    uint32_t nuls = 0;
    for (uint32_t i = 0; i < text->length; i++)
        nuls += text->data[i] == '\0';
    return nuls > 0 && nuls <= text->length / 4 && text->data[0] != '\0';
}

/* Returns whether the text begins with the length of a frame that has no priority, and another length stands behind the frame. */
static bool has_frames(const struct ps_slice *text, uint32_t digits)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < digits && i < 9; i++)
        value = 10 * value + (uint64_t)(text->data[i] - '0');
    uint64_t next = digits + 1 + value;
    return digits > 0 && value > 0 && next < text->length && text->data[digits] == ' ' &&
           is_digit(text->data[next]);
}

/* Returns what penstock.framing may have to be for this text; NULL: nothing says that it is wrong. */
static const char *mode_of(const struct ps_syslog_framing *framing, enum ps_syslog_mistake mistake,
                           const struct ps_slice *text)
{
    uint32_t digits = 0;
    while (digits < text->length && is_digit(text->data[digits]))
        digits++;
    if (framing->mode != PS_SYSLOG_FRAMING_NUL && has_nuls(text))
        return "nul";
    if (framing->mode == PS_SYSLOG_FRAMING_NUL)
        return mistake == PS_SYSLOG_UNFINISHED && memchr(text->data, '\n', text->length) == NULL ? NULL
                                                                                                 : "auto";
    bool is_length =
        digits > 0 && digits + 1 < text->length && text->data[digits] == ' ' && text->data[digits + 1] == '<';
    if (framing->mode != PS_SYSLOG_FRAMING_COUNTED && has_frames(text, digits) &&
        (mistake != PS_SYSLOG_INVALID || !is_length))
        return "octet-counted";
    if (mistake == PS_SYSLOG_UNFINISHED)
        return is_length && framing->mode == PS_SYSLOG_FRAMING_NEWLINE ? "octet-counted" : NULL;
    if (is_length && framing->mode == PS_SYSLOG_FRAMING_NEWLINE)
        return "octet-counted";
    if (is_length && framing->mode == PS_SYSLOG_FRAMING_AUTO)
        return "newline if such numbers are text, or octet-counted if they are lengths";
    return NULL;
}

/* Returns why no framing can read this text; NULL: nothing says that. */
static const char *obstacle_of(const struct ps_slice *text)
{
    const uint8_t *bytes = (const uint8_t *)text->data;
    if (text->length >= 2 &&
        ((bytes[0] == 0x1f && bytes[1] == 0x8b) ||
         (bytes[0] == 0x78 && (bytes[1] == 0x01 || bytes[1] == 0x9c || bytes[1] == 0xda))))
        return "these bytes are compressed, and the sender has to send text";
    for (uint32_t i = 0; i + 2 < text->length; i++) {
        if (bytes[i] == '\r' && bytes[i + 1] == '<' && is_digit(text->data[i + 2]))
            return "its messages end at a carriage return, and the sender has to end them with a newline";
    }
    return NULL;
}

static void find_cure(char *cure, size_t room, const struct ps_syslog_framing *framing,
                      enum ps_syslog_mistake mistake, const struct ps_slice *text)
{
    const char *obstacle = framing != NULL ? obstacle_of(text) : NULL;
    const char *mode = framing != NULL && obstacle == NULL ? mode_of(framing, mistake, text) : NULL;
    cure[0] = '\0';
    if (obstacle != NULL)
        snprintf(cure, room, "; %s", obstacle);
    else if (mode != NULL)
        snprintf(cure, room, "; if all its messages are so, set penstock.framing = %s", mode);
}

static void say(const struct ps_port *port, const char *sender, enum ps_syslog_mistake mistake,
                const struct ps_syslog_framing *framing, const struct ps_slice *text)
{
    char example[PS_SYSLOG_EXAMPLE_BYTES + 1], cure[192];
    (void)ps_printable_copy(example, sizeof example, text->data,
                            text->length < PS_SYSLOG_EXAMPLE_BYTES ? text->length : PS_SYSLOG_EXAMPLE_BYTES);
    const char *more = text->length > PS_SYSLOG_EXAMPLE_BYTES ? ".." : "";
    find_cure(cure, sizeof cure, framing, mistake, text);
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
    case PS_SYSLOG_UNFINISHED:
        ps_log(
            PS_LOG_WARN, port->component,
            "%s ends its connection in the middle of a message: \"%s%s\"; these %u bytes become no event, as "
            "in Flume%s (said once for each sender; the metric events_discarded counts them)",
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
        if (ps_senders_first(&mistakes->senders, sender, (char)kind))
            say(port, sender, (enum ps_syslog_mistake)kind, framing, &found->texts[kind]);
        if (bits != NULL)
            *bits |= 1U << (PS_SYSLOG_SAID + kind);
    }
}

void ps_syslog_mistakes_unfinished(struct ps_syslog_mistakes *mistakes,
                                   const struct ps_syslog_framing *framing, const struct ps_port *port,
                                   const char *sender, const struct ps_slice *text)
{
    struct ps_syslog_found_mistakes found = {.kinds = 0};
    if (text->length == 0)
        return;
    ps_syslog_mistake_add(&found, PS_SYSLOG_UNFINISHED, text->data, text->length);
    ps_syslog_mistakes_say(mistakes, &found, framing, port, sender, NULL);
}
