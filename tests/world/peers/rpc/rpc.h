/* Flume's two RPC protocols, each as a client of a source and as the server behind a sink. Their bytes are written and read from the
 * specifications of Avro 1.11 and Thrift, without the product's code. */
#pragma once

#include "tests/world/ledger.h"
#include "tests/world/peers/client.h"
#include "tests/world/peers/connections.h"
#include "tests/world/peers/kafka/wire.h"

#define RPC_ROOM_BYTES ((size_t)512 << 10)

/* Headers that clients give each event; the first one's value is the event's number. */
#define RPC_HEADERS 3U
extern const char *const rpc_headers[RPC_HEADERS][2];

/* An event that a client sends, and the texts of it that follow from its number. */
struct rpc_event {
    struct ledger_event event;
    char body[LEDGER_TEXT_MAX], digits[16];
};
void rpc_make_event(uint32_t number, struct rpc_event *event);

/* Tells the ledger of them. */
void rpc_expect_headers(void);

/* Statuses that both protocols have, by the same numbers. */
enum { RPC_OK = 0, RPC_FAILED = 1, RPC_ERROR = 2 };

/* Returns how many of `left` events the next call takes, and notes the call. */
uint32_t rpc_next_call(struct client *client);
/* Calls are answered as they are decided: a later one was refused first. All that is on its way is sent again, in the order of its calls or in another one. */
void rpc_order_lost(struct client *client);
/* The oldest call was answered. Returns how many events it acknowledges; client->refused is set when it does not. */
int rpc_call_answered(struct client *client, int status);

/* A server that takes requests by this function of its protocol. The argument of both is NULL, or tells the fate of the next request. */
struct rpc_fates {
    enum server_fate (*draw)(void *argument);
    void *argument;
};
enum server_fate rpc_fate(const struct rpc_fates *fates);
void rpc_server_add(uint16_t port, unsigned far_end, bool (*take)(void *, struct connection *));

bool rpc_avro_take(void *argument, struct connection *connection);
bool rpc_thrift_take(void *argument, struct connection *connection);
void rpc_avro_client_add(uint16_t port);
void rpc_thrift_client_add(uint16_t port);

/* ---- a call of a scenario, the first one of its connection ---- */

/* Writes the call: append for one event, appendBatch for several. */
void rpc_avro_call(struct kafka_out *out, const struct ledger_event *events, uint32_t count);
void rpc_thrift_call(struct kafka_out *out, const struct ledger_event *events, uint32_t count, bool compact);
#define RPC_ANSWER_LATER (-1)
/* Returns the status of the answer, RPC_ERROR for an error; RPC_ANSWER_LATER: it is not whole. */
int rpc_avro_answer(char *bytes, size_t length);
int rpc_thrift_answer(char *bytes, size_t length);
