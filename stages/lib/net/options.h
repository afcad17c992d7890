/* Option rows that all listening sources share. `offset_`: offset of the member of the plan: a const char * for
 * a host, an int64_t for every other option. */
#pragma once

#include "core/option.h"

/* `key_`: Flume calls it host or bind. */
#define PS_HOST_OPTION_ROW(key_, offset_)                                                                    \
    PS_OPTION_ROW((key_), TEXT, (offset_),                                                                   \
                  "address or name to listen on; 0.0.0.0, :: or unset for all, IPv4 and IPv6")
#define PS_HOST_OPTION_ROW_REQUIRED(key_, offset_)                                                           \
    PS_OPTION_ROW((key_), TEXT, (offset_),                                                                   \
                  "address or name to listen on; 0.0.0.0 or :: for all, IPv4 and IPv6",                      \
                  .flags = PS_OPTION_REQUIRED)

/* `protocol`: "TCP" or "UDP". */
#define PS_PORT_OPTION_ROW(protocol, offset_)                                                                \
    PS_OPTION_ROW("port", INT, (offset_), protocol " port to listen on; 0: any free port, which is logged",  \
                  .min = 0, .max = 65535, .flags = PS_OPTION_REQUIRED)

/* Seconds in an int64_t; the stream gets nanoseconds. */
#define PS_IDLE_OPTION_ROW(offset_)                                                                          \
    PS_OPTION_ROW("penstock.idle.timeout", INT, (offset_),                                                   \
                  "time without a byte sent or received after which a connection is closed; 0: never",       \
                  .fallback = "0", .min = 0, .max = INT32_MAX, .unit = "s", .flags = PS_OPTION_EXTENSION)

/* Seconds in an int64_t; the stream gets nanoseconds. */
#define PS_MESSAGE_TIMEOUT_OPTION_ROW(offset_)                                                               \
    PS_OPTION_ROW(                                                                                           \
        "penstock.message.timeout", INT, (offset_),                                                          \
        "longest time for a message, from its first byte to its last, and a second more for each 4 "         \
        "KiB of it that have come; then its connection is closed; time in which the source does "            \
        "not read does not count; 0: no limit",                                                              \
        .fallback = "300", .min = 0, .max = INT32_MAX, .unit = "s", .flags = PS_OPTION_EXTENSION)

/* Bytes in an int64_t, for ps_stream_message_max. */
#define PS_CALL_BYTES_OPTION_ROW(offset_)                                                                    \
    PS_OPTION_ROW("penstock.message.max", SIZE, (offset_),                                                   \
                  "maximum length of a message (a call with all its events); a client that sends a longer "  \
                  "one is disconnected; at most a sixteenth of the memory budget, divided by the workers",   \
                  .fallback = "64m", .min = 1024, .max = 1 << 30, .unit = "bytes",                           \
                  .flags = PS_OPTION_EXTENSION)

/* A number in an int64_t, which has no effect: it is the number of threads of Flume's RPC servers. */
#define PS_SERVER_THREADS_OPTION_ROW(offset_)                                                                \
    PS_OPTION_ROW("threads", INT, (offset_),                                                                 \
                  "threads of Flume's server; one worker serves all connections (penstock.workers)",         \
                  .flags = PS_OPTION_NO_EFFECT | PS_OPTION_LENIENT)

/* A number in an int64_t; the stream gets it as a uint32_t. */
#define PS_CONNECTIONS_OPTION_ROW(offset_)                                                                   \
    PS_OPTION_ROW(                                                                                           \
        "penstock.connections.max", INT, (offset_),                                                          \
        "maximum number of open connections, divided by the workers. At the limit a new connection "         \
        "replaces one that is owed no answer and was silent for at least a second, or waits for "            \
        "one; 0: no limit",                                                                                  \
        .fallback = "0", .min = 0, .max = INT32_MAX, .flags = PS_OPTION_EXTENSION)

#define PS_RECEIVE_BUFFER_OPTION_ROW(offset_)                                                                \
    PS_OPTION_ROW("penstock.receive.buffer", SIZE, (offset_),                                                \
                  "receive buffer requested from the kernel (SO_RCVBUF); limit: net.core.rmem_max",          \
                  .fallback = "4m", .min = 4096, .max = 1 << 30, .unit = "bytes",                            \
                  .flags = PS_OPTION_EXTENSION)
