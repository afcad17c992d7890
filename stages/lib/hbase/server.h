/* A connection to a server of HBase: its beginning, and its answers. Thread: the worker of the client. */
#pragma once

#include "stages/lib/hadoop/framed.h"
#include "stages/lib/hbase/message.h"

/* For `introduce` of the connection. */
bool ps_hbase_server_introduce(struct ps_framed_server *server, const char *user);
/* Reads an answer. Returns the owner of its call; NULL: it is none, and the connection is closed. */
void *ps_hbase_server_take(struct ps_framed_server *server, const uint8_t *bytes, size_t length,
                           struct ps_hbase_answer *answer);
