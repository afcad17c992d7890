/* Internals of the stream: shared by stream.c (reading), accept.c (listeners), connection.c (life and replies
 * of a connection), memory.c (unfinished messages), slow.c (slow messages) and undecided.c. No other file includes it. */
#pragma once

#include <sys/epoll.h>

#include "stages/lib/stream/stream.h"

#define PS_CONNECTION_CHUNK 64U
#define PS_ACCEPT_PAUSE_NS PS_NS_PER_S       /* wait before accepting again when accepting failed */
#define PS_LISTENER_TAG UINT32_C(0xFFFF0000) /* in epoll data, slots from here up are listeners */

/* Takes over `fd` and `memory` (ps_stream_reserve_session; empty without sessions). Returns NULL with errno, and takes neither, when
 * there is no memory (ENOMEM) or the socket cannot be watched (ENOSPC: fs.epoll.max_user_watches). */
struct ps_connection *ps_connection_open(struct ps_stream *stream, int fd, uint16_t listener,
                                         const struct ps_address *peer, struct ps_buffer *memory,
                                         const struct ps_now *now);
void ps_connection_close(struct ps_stream *stream, struct ps_connection *connection);
/* Gives back the block of a long message that is split; its unfinished rest stays in `carry`. */
void ps_connection_end_giant(struct ps_stream *stream, struct ps_connection *connection);
struct ps_connection *ps_connection_at(struct ps_stream *stream, uint32_t slot);
/* Sets the epoll events that the connection's state needs. If that fails, the failure is logged and counted
 * (EventReadFail) and the connection is closed at the next check of deadlines: the caller may still use
 * it. */
void ps_connection_watch(struct ps_stream *stream, struct ps_connection *connection);
/* Call it when the socket is writable again: sends the waiting answers. Returns false if the connection was closed. */
bool ps_connection_flush(struct ps_stream *stream, struct ps_connection *connection);
/* Reads and discards bytes of a lingering connection. Returns false if it was closed. */
bool ps_connection_linger(struct ps_stream *stream, struct ps_connection *connection);
/* Logs and counts (EventReadFail; malformed, if the client's bytes are not of the session's protocol) that the session has failed. */
void ps_connection_session_failed(const struct ps_stream *stream, const struct ps_connection *connection,
                                  const char *why);
void ps_connection_set_deadline(struct ps_stream *stream, struct ps_connection *connection, uint64_t at_ns);

void ps_stream_poll_names(struct ps_stream *stream);
/* Called when the connection's deadline has passed: a held connection continues without a name; any other is
 * closed, also one that is not watched. */
void ps_connection_expire(struct ps_stream *stream, struct ps_connection *connection);

/* ---- memory of unfinished messages (memory.c) ---- */

/* Sets how much of the budget unfinished messages and unsent replies may hold. */
void ps_stream_memory_init(struct ps_stream *stream);
/* Takes from the budget what a session will allocate for a connection. Returns false after counting
 * (EventReadFail) and logging that there is none: close the socket. Give it back to stream->session_slab. */
bool ps_stream_reserve_session(struct ps_stream *stream, struct ps_buffer *memory);
/* Call it after `carry` was filled, grown or freed. */
void ps_stream_carry_changed(struct ps_stream *stream, struct ps_connection *connection);
/* Call it after unsent replies were kept, sent in part, or freed. */
void ps_stream_unsent_changed(struct ps_stream *stream, struct ps_connection *connection);
/* Closes the connection after its outstanding replies because its unfinished message has no memory: logs and
 * counts it (EventReadFail, malformed) and frees the message. */
void ps_stream_cut(struct ps_stream *stream, struct ps_connection *connection);
/* Cuts every unfinished message. */
void ps_stream_cut_all(struct ps_stream *stream);
/* At every tick: while memory is short, closes connections whose peer is gone, which needs no memory; when it
 * was short for a second, gives back part of what unfinished messages hold. Returns the mono_ns of the next
 * check. */
uint64_t ps_stream_memory_tick(struct ps_stream *stream, const struct ps_now *now);
/* Returns whether nothing was sent or received for `silent_ns`, no answer is owed, and all bytes of the peer
 * are read. */
bool ps_connection_is_silent(struct ps_stream *stream, struct ps_connection *connection, uint64_t silent_ns,
                             const struct ps_now *now);
/* Closes connections that were idle for options.idle_ns. Returns the mono_ns of the next check. */
uint64_t ps_stream_idle_tick(struct ps_stream *stream, const struct ps_now *now);
/* Frees the unfinished message, reads no more, and closes the connection when its outstanding replies are sent. */
void ps_stream_abandon(struct ps_stream *stream, struct ps_connection *connection);
/* Closes connections whose message takes longer than options.message_ns allows. Returns the mono_ns of the next look. */
uint64_t ps_stream_slow_tick(struct ps_stream *stream, const struct ps_now *now);
/* Call it after `feed`, and when more of an undecided message has come. */
void ps_stream_undecided_fed(struct ps_stream *stream, struct ps_connection *connection);
/* Makes the connection's undecided message be fed again: nothing has come for a second. */
void ps_stream_undecided_expire(struct ps_stream *stream, struct ps_connection *connection);
/* The same for all connections: the source stops. */
void ps_stream_undecided_drain(struct ps_stream *stream);
/* Call it after nothing was received, or the input `ended`. Returns whether the message in `carry` is to be fed. */
bool ps_stream_undecided_due(struct ps_connection *connection, bool ended);
/* Returns whether the peer has closed and all its bytes are read. Reads nothing. */
bool ps_connection_has_ended(const struct ps_connection *connection);
void ps_connection_end_of_input(struct ps_stream *stream, struct ps_connection *connection);

void ps_listener_accept(struct ps_stream *stream, uint16_t listener, const struct ps_now *now);
/* Returns false after logging that the epoll events of a listener could not be changed. */
bool ps_listeners_arm(struct ps_stream *stream, bool armed);
