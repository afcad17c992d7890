/* A connection to a server of Kudu: its negotiation, and its answers. Thread: the worker of the client. */
#pragma once

#include "stages/lib/hadoop/framed.h"
#include "stages/lib/kudu/message.h"

/* For `introduce` of the connection. */
bool ps_kudu_server_introduce(struct ps_framed_server *server);
/* Reads a frame; goes on with the negotiation. Returns the owner of the call that it answers; NULL: there is none, or the connection is
 * closed. */
void *ps_kudu_server_take(struct ps_framed_server *server, const char *user, const uint8_t *bytes,
                          size_t length, struct ps_kudu_answer *answer);
