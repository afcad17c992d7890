/* A sink's session in a chat: one connection to a server, on which it registers, joins a channel and sends lines.
 *
 * IRC has no acknowledgements. After some lines the sink sends a PING and waits for the PONG: a server handles the messages
 * of a connection in order, so the PONG confirms that it has the lines, and their events are settled. Lines that are not
 * confirmed when the connection is lost are sent again over the next one: they may appear twice, but are never lost. The
 * same window keeps the server's queue of unread messages short: a server that slows down a fast client slows down this
 * sink.
 *
 * Sources: RFC 1459, RFC 2812. Thread: the sink's worker. Never blocks, and allocates nothing. */
#pragma once

#include "core/sink/deadletter_pending.h"
#include "core/stage.h"
#include "stages/lib/irc/message.h"
#include "stages/lib/irc/text.h"
#include "stages/lib/remote/sink.h"
#include "stages/lib/remote/target.h"

#define PS_IRC_LEASES_MAX 8U
/* In-flight window: lines and bytes that may be sent before the server confirms them. */
#define PS_IRC_WINDOW_LINES 32U /* upper limit (ps_irc_session.window_lines) */
#define PS_IRC_WINDOW_BYTES 4096U
#define PS_IRC_NICK_BYTES 64U

/* Shared by all workers and constant. */
struct ps_irc_plan {
    struct ps_remote_target target;
    const char *password; /* NULL: none */
    const char *nick, *user, *name;
    const char *channel; /* without the leading # */
    struct ps_irc_text text;
    uint64_t interval_ns; /* between two lines; 0: limited only by the window */
};

enum ps_irc_phase {
    PS_IRC_CLOSED,
    PS_IRC_CONNECTING,
    PS_IRC_REGISTERING,
    PS_IRC_JOINING,
    PS_IRC_JOINED,
};

struct ps_irc_session {
    struct ps_remote_sink sink; /* must be first (stages/lib/remote/sink.h) */
    const struct ps_irc_plan *plan;
    struct ps_regex_scratch *scratch; /* NULL: bodies are not split */
    struct ps_client_plan to;
    struct ps_client connection;
    enum ps_irc_phase phase;
    struct ps_remote_watch watch;
    char nick[PS_IRC_NICK_BYTES + 8]; /* nick on this connection */
    /* Nicks tried on this connection because the previous one was in use. */
    unsigned other_nicks;
    /* Offset of the next line to send, in the next event; and offset of the first unconfirmed line of the oldest
     * event. */
    size_t next_offset, confirmed_offset;
    uint32_t
        window_lines; /* present size of the window, reduced if a server closed the connection because of too many lines */
    uint32_t confirmations; /* number of confirmations in a row */
    /* Sent since the last confirmation: */
    uint32_t lines, bytes;
    bool asked;         /* a PING waits for its PONG */
    uint32_t token;     /* the token of that PING */
    uint64_t line_ns;   /* no line is sent before this time */
    uint64_t answer_ns; /* deadline of the server's answer; PS_NEVER: none is awaited */
    uint32_t attempts;  /* connections in a row that were lost while one event alone was not confirmed */
    struct ps_deadletter_pending
        letters; /* of an event with penstock.retry.max attempts; nothing is sent meanwhile */
    size_t in_length, out_length, out_sent;
    char in[4 * PS_IRC_LINE_BYTES];
    char out[PS_IRC_WINDOW_BYTES + 4 * PS_IRC_LINE_BYTES];
    char reason[PS_TRANSPORT_REASON_BYTES];
};

/* For `open` and `close` of the stage, whose state is a session. Thread: the worker's. */
void ps_irc_session_open(struct ps_irc_session *session, const struct ps_irc_plan *plan,
                         struct ps_port *port);
void ps_irc_session_close(struct ps_irc_session *session);
