#include "stages/lib/irc/session.h"

#include "core/quantity.h"
#include "stages/lib/least.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REGISTER_NS (60 * PS_NS_PER_S) /* time for registering, and for joining */
#define CONFIRM_NS (180 * PS_NS_PER_S) /* a server may take two seconds for each line */
#define OTHER_NICKS_MAX 4U
#define READS_MAX 8U             /* of a cycle: a server may send faster than they are read */
#define NARROW_FAILURES 2U       /* from so many in a row on, each failure makes the window smaller */
#define WIDEN_CONFIRMATIONS 256U /* after so many in a row a reduced window grows by one line */

enum {
    REPLY_WELCOME = 1,
    REPLY_END_OF_NAMES = 366,
    ERROR_NICK_IN_USE = 433,
    ERROR_NICK_COLLISION = 436,
    ERROR_UNAVAILABLE = 437,
};

/* Errors that end an attempt; other errors do not concern a client that only sends. */
static const unsigned registering_errors[] = {431, 432, 463, 464, 465, 466, 0};
static const unsigned joining_errors[] = {403, 405, 437, 461, 471, 473, 474, 475, 476, 477, 489, 520, 0};
static const unsigned talking_errors[] = {401, 403, 404, 413, 414, 442, 0};

static bool is_one_of(unsigned number, const unsigned *numbers)
{
    for (; *numbers != 0; numbers++) {
        if (*numbers == number)
            return true;
    }
    return false;
}

/* ---- sending ---- */

__attribute__((format(printf, 2, 3))) static void put(struct ps_irc_session *session, const char *format, ...)
{
    size_t room = sizeof session->out - session->out_length;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(session->out + session->out_length, room, format, arguments);
    va_end(arguments);
    if (length > 0 && (size_t)length < room) /* else drops it: a PONG for a server that does not read */
        session->out_length += (size_t)length;
}

static bool flush(struct ps_irc_session *session)
{
    while (session->out_sent < session->out_length) {
        struct iovec part = {session->out + session->out_sent, session->out_length - session->out_sent};
        ssize_t sent = ps_client_write(&session->connection, &part, 1, session->reason);
        if (sent <= 0)
            return sent == 0;
        session->out_sent += (size_t)sent;
    }
    session->out_sent = session->out_length = 0;
    return true;
}

/* ---- the connection ---- */

/* Marks all unconfirmed lines to be sent again. */
static void rewind_all(struct ps_irc_session *session)
{
    ps_held_rewind(&session->sink.held);
    session->next_offset = session->confirmed_offset;
    session->lines = session->bytes = 0;
    session->asked = false;
}

static void hang_up(struct ps_irc_session *session)
{
    bool was_up = session->phase > PS_IRC_CONNECTING;
    ps_count(session->sink.port->counters,
             was_up ? PS_COUNTER_ConnectionClosedCount : PS_COUNTER_ConnectionFailedCount, 1);
    ps_client_close(&session->connection);
    session->phase = PS_IRC_CLOSED;
    session->watch.fd = -1;
    session->answer_ns = PS_NEVER;
    session->in_length = session->out_length = session->out_sent = 0;
    rewind_all(session);
}

/* Reduces the window after failures in a row: a server that closes the connection because of too many lines would never
 * confirm a whole window. */
static void narrow(struct ps_irc_session *session)
{
    session->confirmations = 0;
    if (session->sink.failures < NARROW_FAILURES || session->lines < 2)
        return;
    session->window_lines = session->lines / 2;
    ps_log(PS_LOG_INFO, session->sink.port->component,
           "connections end before messages are confirmed: from now on the sink asks for a confirmation "
           "after %u lines instead of %u",
           session->window_lines, session->lines);
}

static void widen(struct ps_irc_session *session)
{
    if (session->window_lines == PS_IRC_WINDOW_LINES || ++session->confirmations < WIDEN_CONFIRMATIONS)
        return;
    session->confirmations = 0;
    session->window_lines++;
}

/* ---- events whose attempts are used up ---- */

/* Called when a connection is lost: with penstock.retry.max one line is sent at a time from then on, so that an event is alone. */
static void count_attempt(struct ps_irc_session *session)
{
    const struct ps_port *port = session->sink.port;
    bool is_partly_sent = session->next_offset > 0;
    if (port->retry_max == 0 || !ps_port_has_deadletter(port) || session->phase != PS_IRC_JOINED ||
        session->lines == 0)
        return;
    if (session->sink.held.in_flight + is_partly_sent == 1)
        session->attempts++;
    session->window_lines = 1;
    session->confirmations = 0;
}

/* Called when nothing is in flight: the oldest event becomes a dead letter if it was sent in vain so often. */
static void give_up(struct ps_irc_session *session)
{
    const struct ps_held_range none = {.lease = NULL};
    struct ps_held *held = &session->sink.held;
    const struct ps_port *port = session->sink.port;
    if (session->attempts == 0 || session->attempts < port->retry_max || ps_held_next(held, &none) == NULL)
        return;
    ps_log(PS_LOG_WARN, port->component, "an event goes to the dead letters: attempts-exhausted (%s)",
           session->reason);
    ps_deadletter_pending_begin(&session->letters, held->next, held->position, held->position + 1);
}

/* Returns whether a letter still has to be written. */
static bool writes_letter(struct ps_irc_session *session)
{
    struct ps_lease *lease = session->letters.lease;
    const struct ps_dead_letter_reason reason = {"attempts-exhausted", session->reason, session->attempts};
    if (!ps_deadletter_pending_has_begun(&session->letters))
        return false;
    if (!ps_deadletter_pending_work(&session->letters, session->sink.port, &reason))
        return true;
    ps_held_note_settled(&session->sink.held, lease);
    session->next_offset = session->confirmed_offset = 0;
    session->attempts = 0;
    session->sink.failures = session->sink.rest_ns = 0; /* the next event is not the cause */
    return false;
}

/* Closes a broken connection. */
static void lose(struct ps_irc_session *session)
{
    struct ps_err err = {.length = 0};
    narrow(session);
    count_attempt(session);
    ps_count(session->sink.port->counters, PS_COUNTER_duplicated, session->sink.held.in_flight);
    ps_count(session->sink.port->counters, PS_COUNTER_retried, session->sink.held.in_flight);
    hang_up(session);
    give_up(session);
    ps_remote_target_reason(&session->plan->target, session->reason, &err);
    ps_remote_sink_failed(&session->sink, &err);
}

static void dial(struct ps_irc_session *session)
{
    struct ps_err err = {.length = 0};
    session->phase = PS_IRC_CONNECTING;
    if (ps_remote_target_aim(&session->plan->target, &session->to, &err) != PS_OK) {
        snprintf(session->reason, sizeof session->reason, "%.*s", (int)sizeof session->reason - 1, err.text);
        lose(session);
        return;
    }
    if (!ps_client_connect(&session->connection, session->sink.now_ns, session->reason))
        lose(session);
}

static void enter(struct ps_irc_session *session)
{
    const struct ps_irc_plan *plan = session->plan;
    ps_count(session->sink.port->counters, PS_COUNTER_ConnectionCreatedCount, 1);
    session->phase = PS_IRC_REGISTERING;
    session->other_nicks = 0;
    session->answer_ns = session->sink.now_ns + REGISTER_NS;
    snprintf(session->nick, sizeof session->nick, "%s", plan->nick);
    if (plan->password != NULL)
        put(session, "PASS %s\r\n", plan->password);
    put(session, "NICK %s\r\nUSER %s 0 * :%s\r\n", session->nick, plan->user, plan->name);
}

/* ---- confirmations ---- */

/* The server has confirmed all lines: settles their events. */
static void confirmed(struct ps_irc_session *session)
{
    ps_held_settle_cut(&session->sink.held);
    /* The confirmed lines of an event with further lines need not be sent again. */
    session->confirmed_offset = session->next_offset;
    widen(session);
    session->lines = session->bytes = 0;
    session->asked = false;
    session->answer_ns = PS_NEVER;
    session->attempts = 0;
    session->sink.failures = 0;
}

/* ---- messages from the server ---- */

/* Sets the server's reason, and returns false: the connection is lost. */
static bool refused(struct ps_irc_session *session, const struct ps_irc_message *message, const char *what)
{
    struct ps_slice why = ps_irc_last_parameter(message);
    int length = snprintf(session->reason, sizeof session->reason, "%s: ", what);
    for (uint32_t i = 0; i < why.length && (size_t)length + 1 < sizeof session->reason; i++)
        session->reason[length++] = why.data[i] >= ' ' && why.data[i] < 0x7f ? why.data[i] : '?';
    session->reason[length] = '\0';
    return false;
}

static bool try_other_nick(struct ps_irc_session *session, const struct ps_irc_message *message)
{
    if (session->other_nicks++ == OTHER_NICKS_MAX)
        return refused(session, message, "the nick is in use");
    strcat(session->nick, "_"); /* the nick has room for OTHER_NICKS_MAX underscores */
    put(session, "NICK %s\r\n", session->nick);
    return true;
}

static bool heard_registering(struct ps_irc_session *session, const struct ps_irc_message *message)
{
    switch (message->number) {
    case REPLY_WELCOME:
        if (message->count > 0 &&
            message->parameters[0].length <= PS_IRC_NICK_BYTES) /* servers shorten a long nick */
            snprintf(session->nick, sizeof session->nick, "%.*s", (int)message->parameters[0].length,
                     message->parameters[0].data);
        session->phase = PS_IRC_JOINING;
        session->answer_ns = session->sink.now_ns + REGISTER_NS;
        put(session, "JOIN #%s\r\n", session->plan->channel);
        return true;
    case ERROR_NICK_IN_USE:
    case ERROR_NICK_COLLISION:
    case ERROR_UNAVAILABLE:
        return try_other_nick(session, message);
    default:
        return !is_one_of(message->number, registering_errors) ||
               refused(session, message, "the server refuses the registration");
    }
}

static bool heard_joining(struct ps_irc_session *session, const struct ps_irc_message *message)
{
    if (is_one_of(message->number, joining_errors))
        return refused(session, message, "the channel cannot be joined");
    bool own = ps_irc_is_command(message, "JOIN") && ps_irc_same_name(message->nick, session->nick);
    if (!own && message->number != REPLY_END_OF_NAMES)
        return true;
    session->phase = PS_IRC_JOINED;
    session->answer_ns = PS_NEVER;
    ps_log(PS_LOG_INFO, session->sink.port->component, "%s is in #%s of %s:%u", session->nick,
           session->plan->channel, session->plan->target.host, session->plan->target.port);
    return true;
}

static bool heard_joined(struct ps_irc_session *session, const struct ps_irc_message *message)
{
    char token[16];
    int length = snprintf(token, sizeof token, "%u", session->token);
    struct ps_slice last = ps_irc_last_parameter(message);
    if (ps_irc_is_command(message, "PONG") && session->asked && last.length == (uint32_t)length &&
        memcmp(last.data, token, last.length) == 0) {
        confirmed(session);
        return true;
    }
    if (ps_irc_is_command(message, "KICK") && message->count > 1 &&
        ps_irc_same_name(message->parameters[1], session->nick))
        return refused(session, message, "kicked out of the channel");
    return !is_one_of(message->number, talking_errors) ||
           refused(session, message, "the channel does not accept the message");
}

static bool heard(struct ps_irc_session *session, const char *line, size_t length)
{
    struct ps_irc_message message;
    if (!ps_irc_message_read(line, length, &message))
        return true;
    if (ps_irc_is_command(&message, "PING")) {
        struct ps_slice token = ps_irc_last_parameter(&message);
        put(session, "PONG :%.*s\r\n", (int)token.length, token.data);
        return true;
    }
    if (ps_irc_is_command(&message, "ERROR"))
        return refused(session, &message, "the server ends the connection");
    switch (session->phase) {
    case PS_IRC_REGISTERING:
        return heard_registering(session, &message);
    case PS_IRC_JOINING:
        return heard_joining(session, &message);
    case PS_IRC_JOINED:
        return heard_joined(session, &message);
    case PS_IRC_CLOSED:
    case PS_IRC_CONNECTING:
        break;
    }
    return true;
}

/* Handles the complete lines that were received. Returns false when the connection is lost. */
static bool hear_lines(struct ps_irc_session *session)
{
    char *at = session->in, *end = session->in + session->in_length, *line_end;
    while ((line_end = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        size_t length = (size_t)(line_end - at);
        if (length > 0 && at[length - 1] == '\r')
            length--;
        if (!heard(session, at, length))
            return false;
        at = line_end + 1;
    }
    session->in_length = (size_t)(end - at);
    memmove(session->in, at, session->in_length);
    if (session->in_length == sizeof session->in) {
        snprintf(session->reason, sizeof session->reason, "this is no IRC server: a line has no end");
        return false;
    }
    return true;
}

/* Reads a part of what has arrived; the socket stays readable if there is more. */
static bool hear(struct ps_irc_session *session)
{
    for (unsigned reads = 0; reads < READS_MAX; reads++) {
        ssize_t got = ps_client_read(&session->connection, session->in + session->in_length,
                                     sizeof session->in - session->in_length, session->reason);
        if (got <= 0)
            return got == 0;
        session->in_length += (size_t)got;
        if (!hear_lines(session))
            return false;
    }
    return true;
}

/* ---- lines ---- */

/* Finds the next line to send; *behind is the offset after the line. Cuts the events before that line's
 * event, because they have no lines left. Returns false if there is no line. */
static bool next_line(struct ps_irc_session *session, struct ps_slice *line, size_t *behind)
{
    const struct ps_event *event;
    struct ps_held_range range = {.lease = NULL};
    while ((event = ps_held_next(&session->sink.held, &range)) != NULL) {
        *behind = session->next_offset;
        if (ps_irc_text_next(&session->plan->text, session->scratch, event->body, event->body_length, behind,
                             line))
            return true;
        ps_held_cut(&session->sink.held, &range);
        range = (struct ps_held_range){.lease = NULL}; /* a PONG confirms all cut events */
        session->next_offset = 0;
    }
    return false;
}

static bool may_say(const struct ps_irc_session *session)
{
    uint32_t bytes_max = PS_IRC_WINDOW_BYTES / PS_IRC_WINDOW_LINES * session->window_lines;
    return (session->lines == 0 ||
            (session->lines < session->window_lines && session->bytes + PS_IRC_LINE_BYTES <= bytes_max)) &&
           session->sink.now_ns >= session->line_ns;
}

/* Sends lines until the window is full; then asks the server to confirm them. */
static void say(struct ps_irc_session *session)
{
    struct ps_slice line;
    size_t behind;
    if (session->asked)
        return;
    while (next_line(session, &line, &behind) && may_say(session)) {
        size_t before = session->out_length;
        put(session, "PRIVMSG #%s :", session->plan->channel);
        session->out_length += ps_irc_text_put(session->out + session->out_length, line);
        put(session, "\r\n");
        session->next_offset = behind;
        session->bytes += (uint32_t)(session->out_length - before);
        session->lines++;
        session->line_ns = session->sink.now_ns + session->plan->interval_ns;
    }
    if (session->lines > 0) {
        put(session, "PING :%u\r\n", ++session->token);
        session->asked = true;
        session->answer_ns = session->sink.now_ns + CONFIRM_NS;
    } else if (session->sink.held.in_flight > 0) {
        ps_held_settle_cut(&session->sink.held); /* no cut event has a line, so no answer comes */
        session->confirmed_offset = session->next_offset;
    }
}

/* ---- the cycle ---- */

/* Reads and writes. Returns false when the connection is lost. */
static bool talk(struct ps_irc_session *session, bool says)
{
    if (!ps_client_work(&session->connection, session->sink.now_ns, session->reason))
        return false;
    if (session->connection.phase != PS_CLIENT_UP)
        return true;
    if (session->phase == PS_IRC_CONNECTING)
        enter(session);
    if (!hear(session))
        return false;
    if (session->sink.now_ns >= session->answer_ns) {
        snprintf(session->reason, sizeof session->reason, "the server does not answer");
        return false;
    }
    if (says && session->phase == PS_IRC_JOINED && session->out_length == 0)
        say(session);
    return flush(session);
}

static void serve(struct ps_remote_sink *sink, bool sends)
{
    struct ps_irc_session *session = (struct ps_irc_session *)sink;
    if (writes_letter(session))
        return;
    if (session->phase == PS_IRC_CLOSED && sends && !ps_remote_sink_rests(sink))
        dial(session);
    if (session->phase == PS_IRC_CLOSED)
        return;
    if (!talk(session, sends)) {
        lose(session);
        return;
    }
    short events = 0;
    int fd = ps_client_descriptor(&session->connection, session->out_sent < session->out_length, &events);
    ps_remote_watch(&session->watch, sink->port, fd, events);
}

static uint64_t due_ns(const struct ps_remote_sink *sink)
{
    const struct ps_irc_session *session = (const struct ps_irc_session *)sink;
    if (ps_deadletter_pending_has_begun(&session->letters))
        return sink->now_ns + PS_DEADLETTER_LOOK_NS;
    if (session->phase == PS_IRC_CLOSED)
        return sink->rest_ns;
    uint64_t due_ns = session->answer_ns;
    if (session->connection.phase != PS_CLIENT_UP)
        due_ns = ps_least(due_ns, session->connection.deadline_ns);
    if (sink->held.count > 0 && !session->asked && session->phase == PS_IRC_JOINED)
        due_ns = ps_least(due_ns, session->line_ns);
    return due_ns;
}

static bool awaits(const struct ps_remote_sink *sink)
{
    return ((const struct ps_irc_session *)sink)->asked;
}

static void abandon(struct ps_remote_sink *sink)
{
    struct ps_irc_session *session = (struct ps_irc_session *)sink;
    if (session->asked) {
        ps_count(sink->port->counters, PS_COUNTER_duplicated, sink->held.in_flight);
        hang_up(session);
    }
    ps_deadletter_pending_stop(&session->letters, sink->port);
    session->confirmed_offset = 0;
    rewind_all(session);
}

static const struct ps_remote_sink_calls calls = {
    .serve = serve, .due_ns = due_ns, .awaits = awaits, .abandon = abandon};

void ps_irc_session_open(struct ps_irc_session *session, const struct ps_irc_plan *plan, struct ps_port *port)
{
    ps_remote_sink_init(&session->sink, &calls, port, PS_IRC_LEASES_MAX);
    session->plan = plan;
    session->watch.fd = -1;
    session->answer_ns = PS_NEVER;
    session->window_lines = PS_IRC_WINDOW_LINES;
    if (plan->text.separator != NULL)
        session->scratch = ps_regex_scratch_create();
    session->to = (struct ps_client_plan){.transport = &ps_transport_plain};
    ps_client_init(&session->connection, &session->to);
}

void ps_irc_session_close(struct ps_irc_session *session)
{
    if (session->phase > PS_IRC_CONNECTING && session->out_length == 0) {
        put(session, "QUIT\r\n");
        (void)flush(session);
    }
    if (session->phase != PS_IRC_CLOSED)
        hang_up(session);
    if (session->scratch != NULL)
        ps_regex_scratch_destroy(session->scratch);
    session->scratch = NULL;
}
