/* The service of Facebook's scribe: Log(1: list<LogEntry> messages) returns OK = 0 or TRY_LATER = 1; LogEntry is {1: string
 * category, 2: string message}. For a server of stages/lib/thrift/server.h. Thread: any; no state. */
#pragma once

#include "stages/lib/thrift/request.h"

/* An event is an entry's message, with its category in the header "category". An absent field is not set: a body
 * without a message is empty. */
extern const struct ps_thrift_service ps_thrift_scribe;
