/* A sink's place in a chat: one connection to a server, on which it registers, joins a channel and says lines there.
 *
 * IRC does not acknowledge what is said. After some lines a PING asks for a PONG: a server handles the messages of a
 * connection in their order, so that the answer tells that it has the lines, and their events are settled. What was not
 * confirmed when a connection is lost is said again over the next one: it may be there twice, but it is never lost. The
 * same window keeps a server's queue of unread messages short: a server that slows a talkative client down slows this sink.
 *
 * Sources: RFC 1459, RFC 2812. Thread: the sink's worker. Never blocks, and allocates nothing. */
#pragma once

#include "core/stage.h"
#include "stages/irc/message.h"
#include "stages/irc/text.h"
#include "stages/net/client.h"
#include "stages/net/lookup.h"

#define PS_IRC_LEASES_MAX 8U
/* What may be said before the server has confirmed it. */
#define PS_IRC_WINDOW_LINES 32U /* and less (ps_irc_session.window_lines) */
#define PS_IRC_WINDOW_BYTES 4096U
#define PS_IRC_NICK_BYTES 64U

/* Shared by all workers; const. */
struct ps_irc_plan {
    const char *host;
    unsigned port;
    struct ps_lookup *lookup;  /* of the host; NULL: `address` is it */
    struct ps_address address; /* without a lookup */
    const char *password;      /* NULL: none */
    const char *nick, *user, *name;
    const char *channel; /* without the # */
    struct ps_irc_text text;
    uint64_t interval_ns; /* between two lines; 0: as fast as the server confirms */
};

enum ps_irc_phase {
    PS_IRC_CLOSED,
    PS_IRC_CONNECTING,
    PS_IRC_REGISTERING,
    PS_IRC_JOINING,
    PS_IRC_JOINED,
};

struct ps_irc_session {
    const struct ps_irc_plan *plan;
    struct ps_port *port;
    struct ps_regex_scratch *scratch; /* NULL: bodies are not split */
    struct ps_client_plan to;
    struct ps_client connection;
    enum ps_irc_phase phase;
    int watched_fd; /* in the port's epoll; -1: none */
    uint32_t watched_events;
    char nick[PS_IRC_NICK_BYTES + 8];           /* the one it has on this connection */
    unsigned other_nicks;                       /* tried on this connection, because one was in use */
    struct ps_lease *leases[PS_IRC_LEASES_MAX]; /* oldest first */
    unsigned lease_count;
    /* The next line to be said. */
    unsigned next_lease;
    uint32_t next_position;
    size_t next_offset;
    /* Of the first lease: everything before is confirmed. */
    uint32_t confirmed_position;
    size_t confirmed_offset;
    uint32_t
        window_lines; /* that may be said before they are confirmed: fewer where a server ended the connection for them */
    uint32_t confirmations; /* in a row */
    /* Since the last confirmation. */
    uint32_t lines, bytes;
    uint32_t events;    /* of which all lines were said */
    bool asked;         /* a PING waits for its PONG */
    uint32_t token;     /* of that PING */
    uint64_t failures;  /* in a row */
    uint64_t line_ns;   /* no line before */
    uint64_t rest_ns;   /* no connection is begun before */
    uint64_t answer_ns; /* the server must have answered; PS_NEVER: it owes nothing */
    uint64_t recall_ns; /* 0: not recalled */
    uint64_t now_ns;
    size_t in_length, out_length, out_sent;
    char in[4 * PS_IRC_LINE_BYTES];
    char out[PS_IRC_WINDOW_BYTES + 4 * PS_IRC_LINE_BYTES];
    char reason[PS_TRANSPORT_REASON_BYTES];
};

/* Thread: the worker's, as the functions of struct ps_sink_ops of the same names. */
void ps_irc_session_open(struct ps_irc_session *session, const struct ps_irc_plan *plan,
                         struct ps_port *port);
void ps_irc_session_close(struct ps_irc_session *session);
enum ps_result ps_irc_session_work(struct ps_irc_session *session, struct ps_lease **lease,
                                   const struct ps_now *now);
uint64_t ps_irc_session_tick(struct ps_irc_session *session, const struct ps_now *now);
bool ps_irc_session_recall(struct ps_irc_session *session, struct ps_lease **back, const struct ps_now *now);
