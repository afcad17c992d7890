/* Finds the messages of a TCP connection. A message ends at a newline or a NUL, or begins with its length (RFC 6587, 3.4:
 * octet counting, "LENGTH SP MESSAGE"). With `auto` each message is judged for itself, as rsyslog does: a length, a blank
 * and "<digits>" are a frame, any other text is a line. Once a connection has sent a frame, a length and a blank suffice.
 *
 * A frame longer than the limit is cut there, and its rest becomes further messages. A length above the limit and above
 * PS_SYSLOG_FRAME_BYTES_MAX is not believed: its text is a line. A length is not believed either when the bytes behind its
 * message have come and are no message, and another place is the beginning of a frame that leads to a further one. Where a
 * connection with frames has bytes that are neither a frame nor "<", its sender has lost count: the next frame is searched
 * for behind them.
 *
 * Thread: the owner's. Allocates nothing. Reads only the bytes given. */
#pragma once

#include "core/option.h"
#include "stages/lib/syslog/text.h"

#define PS_SYSLOG_FRAME_BYTES_MAX 200000U /* as rsyslog's maxFrameSize */

enum ps_syslog_framing_mode {
    PS_SYSLOG_FRAMING_AUTO,
    PS_SYSLOG_FRAMING_NEWLINE,
    PS_SYSLOG_FRAMING_COUNTED,
    PS_SYSLOG_FRAMING_NUL,
};

#define PS_SYSLOG_FRAMING_OPTION_ROW(plan_offset)                                                            \
    PS_OPTION_ROW(                                                                                           \
        "penstock.framing", ENUM, (plan_offset),                                                             \
        "how messages end: auto recognises for each message whether its length precedes it "                 \
        "(RFC 6587) or a newline ends it; newline is Flume's; octet-counted takes any text after a "         \
        "length for a message; nul: a NUL byte ends it",                                                     \
        .fallback = "auto", .words = PS_WORDS("auto", "newline", "octet-counted", "nul"),                    \
        .flags = PS_OPTION_EXTENSION)

/* The configuration: const, shared by all workers. */
struct ps_syslog_framing {
    enum ps_syslog_framing_mode mode;
    uint32_t size_max;   /* a longer message is cut */
    bool skips_newlines; /* empty lines are nothing, also outside frames */
};

/* The state of a connection: connection->bits. 0 at first. */
enum {
    PS_SYSLOG_LEFT = (1 << 18) - 1, /* bytes that are left of a frame that was cut */
    PS_SYSLOG_FINAL =
        1 << 23, /* for one call: no more bytes will tell whether the first message is a frame */
    PS_SYSLOG_LINES = 1 << 24,   /* the sender's lines begin with numbers that are no lengths */
    PS_SYSLOG_NULS = 1 << 25,    /* messages end at a NUL or a newline */
    PS_SYSLOG_HIDDEN = 1 << 26,  /* the line that begins here has no end, and holds frames */
    PS_SYSLOG_AFTER = 1 << 27,   /* the last message was a frame: a newline or NUL behind it is skipped */
    PS_SYSLOG_COUNTED = 1 << 28, /* the sender has sent a frame */
};
#define PS_SYSLOG_SAID 29 /* bits 29 to 31: this kind of mistake was logged (stages/lib/syslog/mistakes.h) */

enum ps_syslog_found {
    PS_SYSLOG_LINE,    /* after `skip` bytes a line begins: its parser finds its end */
    PS_SYSLOG_MESSAGE, /* `length` bytes after `skip` are a message; 0: an empty one */
    PS_SYSLOG_MORE,    /* after `skip` bytes more bytes are needed */
};

struct ps_syslog_frame {
    enum ps_syslog_found found;
    uint32_t skip, length, taken; /* taken: all bytes to use for a message, those of `skip` included */
    uint32_t bits;                /* the connection's state behind the message */
    bool cut;                     /* the message is only the beginning of a longer one */
    bool lost;                    /* no frame, where one was due, or one with a wrong length */
};

/* Returns whether [data, data + length) goes to the parser of lines as it is. This is the usual case. */
static inline bool ps_syslog_is_line(const struct ps_syslog_framing *framing, uint32_t bits, const char *data,
                                     uint32_t length)
{
    return framing->mode == PS_SYSLOG_FRAMING_NEWLINE ||
           (framing->mode == PS_SYSLOG_FRAMING_AUTO &&
            (bits & (PS_SYSLOG_LEFT | PS_SYSLOG_NULS | PS_SYSLOG_HIDDEN | PS_SYSLOG_AFTER)) == 0 &&
            length > 0 && *data == '<');
}

/* Looks at the bytes where a message begins, or the rest of one that was cut. */
void ps_syslog_frame_find(const struct ps_syslog_framing *framing, uint32_t bits, const char *data,
                          uint32_t length, struct ps_syslog_frame *frame);

/* Call it before the others, if ps_syslog_goes_on left the connection undecided: sets or clears PS_SYSLOG_FINAL. `ended`: the input has ended; `silent`:
 * nothing follows now: then a sender of lines has sent the end of one. */
static inline void ps_syslog_final(uint32_t *bits, bool ended, bool silent, const char *data, uint32_t length)
{
    bool final = ended || (silent && length > 0 && data[length - 1] == '\n');
    *bits = final ? *bits | PS_SYSLOG_FINAL : *bits & ~(uint32_t)PS_SYSLOG_FINAL;
}

/* Returns whether a connection's first message, which has not ended, may be a frame, or a line that begins with a number: when nothing more
 * comes, PS_SYSLOG_FINAL decides. */
bool ps_syslog_is_undecided(const struct ps_syslog_framing *framing, uint32_t bits, const char *data,
                            uint32_t length);

/* For message_bytes of struct ps_stream_ops: returns false if the first message ends at its first newline. Else *bytes is
 * its length, as far as it is one part; 0: its end has not arrived. */
bool ps_syslog_message_bytes(const struct ps_syslog_framing *framing, uint32_t bits, const char *data,
                             uint32_t length, uint32_t *bytes);

/* With `auto`: looks at a line without its end, before its parser may wait for more bytes or cut it. Returns true if the parser
 * is to be called again: the line holds NULs before priorities, or frames (*bits tells), or it is to be cut (*cuts is set;
 * the parser clears it). */
bool ps_syslog_look_again(const struct ps_syslog_framing *framing, uint32_t *bits, const char *data,
                          uint32_t length, bool *cuts);

/* Called when the parser of a connection's bytes has answered; `data`: the bytes that it has not used. Returns whether it is called again with
 * them. If not, sets *undecided (ps_syslog_is_undecided). */
static inline bool ps_syslog_goes_on(const struct ps_syslog_framing *framing, uint32_t *bits,
                                     enum ps_parsed parsed, const char *data, uint32_t length, bool *cuts,
                                     bool *undecided)
{
    *undecided = false;
    if (parsed != PS_PARSED_PARTIAL)
        return parsed == PS_PARSED_ADDED || parsed == PS_PARSED_DROPPED;
    if (ps_syslog_look_again(framing, bits, data, length, cuts))
        return true;
    *undecided = ps_syslog_is_undecided(framing, *bits, data, length);
    return false;
}
