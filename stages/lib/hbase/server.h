/* A connection to a server of HBase: its beginning, and its answers. Thread: the worker of the client. */
#pragma once

#include "stages/lib/hadoop/framed_client.h"
#include "stages/lib/hbase/message.h"
#include "stages/lib/hbase/security.h"

/* Returns the server of this name; NULL: there is no memory, or there are too many. The owner passes ps_hbase_server_leave to
 * ps_framed_client_close. `security` must outlive the client. */
struct ps_framed_server *ps_hbase_server_of(struct ps_framed_client *client,
                                            const struct ps_hbase_security *security, const char *host,
                                            size_t length, unsigned port);
void ps_hbase_server_leave(struct ps_framed_client *client, struct ps_framed_server *server);

/* For `introduce` of the connection. `user`: of a client without Kerberos. */
bool ps_hbase_server_introduce(struct ps_framed_server *server, const char *user);
/* Reads an answer. Returns the owner of its call; NULL: it is none, and the connection is closed. */
void *ps_hbase_server_take(struct ps_framed_server *server, const uint8_t *bytes, size_t length,
                           struct ps_hbase_answer *answer);
