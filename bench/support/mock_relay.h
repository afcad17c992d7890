/* A port of the user's choice in front of a mock broker, because librdkafka's mock cluster always listens on ports
 * that the kernel chooses. A thread forwards bytes between clients and the first broker. A client that has asked for
 * metadata connects to the brokers' own ports; the relay is what `bootstrap.servers` names.
 *
 * Thread: the owner's, for create and destroy. */
#pragma once

#include "core/status.h"

#include <stdint.h>

#define PS_MOCK_RELAY_CONNECTIONS_MAX 256U

struct ps_mock_relay;

/* Listens on 127.0.0.1:port and forwards to 127.0.0.1:broker_port. While the maximum number of connections is open,
 * further clients wait until a connection ends. When it cannot listen, returns NULL; `err` names the port and the
 * reason (the port is in use, for example). */
struct ps_mock_relay *ps_mock_relay_create(uint16_t port, uint16_t broker_port, struct ps_err *err);
/* Closes every connection. NULL is allowed. */
void ps_mock_relay_destroy(struct ps_mock_relay *relay);
