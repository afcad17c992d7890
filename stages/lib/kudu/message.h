/* The bytes of Kudu's RPC: a connection's beginning, requests, and the heads of answers.
 *
 *   connection   "hrpc", 9, 0, 0
 *   frame        length of the rest in four bytes, RequestHeader or ResponseHeader, a message; each after its length (a varint)
 *   negotiation  frames with the call -33: NEGOTIATE, SASL_INITIATE (PLAIN), SASL_SUCCESS; then ConnectionContextPB with the call -3
 *
 * Source: Kudu's rpc_header.proto. Thread: any; no state. */
#pragma once

#include "stages/lib/byte_buffer.h"
#include "stages/lib/protobuf.h"

#define PS_KUDU_REASON_BYTES 256U
#define PS_KUDU_NEGOTIATION_CALL (-33)
#define PS_KUDU_MASTER "kudu.master.MasterService"
#define PS_KUDU_TABLET_SERVER "kudu.tserver.TabletServerService"

/* ErrorStatusPB.RpcErrorCodePB: those that mean something of their own. */
enum ps_kudu_rpc_error {
    PS_KUDU_RPC_TOO_BUSY = 4,
    PS_KUDU_RPC_STALE = 6,
    PS_KUDU_RPC_UNAVAILABLE = 7,
    PS_KUDU_RPC_UNAUTHORIZED = 15,
    PS_KUDU_RPC_BAD_TOKEN = 17
};

/* AppStatusPB.ErrorCode. */
enum ps_kudu_code {
    PS_KUDU_OK = 0,
    PS_KUDU_NOT_FOUND = 1,
    PS_KUDU_NOT_SUPPORTED = 3,
    PS_KUDU_INVALID_ARGUMENT = 4,
    PS_KUDU_ALREADY_PRESENT = 6,
    PS_KUDU_ILLEGAL_STATE = 9,
    PS_KUDU_ABORTED = 11,
    PS_KUDU_SERVICE_UNAVAILABLE = 13,
    PS_KUDU_TIMED_OUT = 14,
    PS_KUDU_IMMUTABLE = 20
};

/* A request that a server recognizes when it comes again: the same client, number and content. */
struct ps_kudu_request_id {
    const char *client;
    size_t client_length;
    uint64_t number, oldest; /* `oldest`: the first one that the client still waits for */
    unsigned attempt;        /* from 1 */
};

/* Each appends to the buffer, and returns false if there is no memory. */
bool ps_kudu_put_hello(struct ps_byte_buffer *buffer);                   /* connection header and NEGOTIATE */
bool ps_kudu_put_plain(struct ps_byte_buffer *buffer, const char *user); /* SASL_INITIATE */
bool ps_kudu_put_context(struct ps_byte_buffer *buffer);

/* Returns room for a message of `length` bytes in a request that is appended to the buffer; NULL: no memory, and the buffer is unchanged.
 * `id`: NULL: none. */
uint8_t *ps_kudu_put_request(struct ps_byte_buffer *buffer, uint32_t call, const char *service,
                             const char *method, uint64_t timeout_ms, const struct ps_kudu_request_id *id,
                             size_t length);

/* A status, or the error of the RPC. `text` points into the answer. */
struct ps_kudu_status {
    unsigned code;
    const char *text;
    size_t text_length;
};

struct ps_kudu_answer {
    int32_t call;
    bool is_error;
    struct ps_kudu_status error; /* is_error: code of the RPC, or 0 */
    const uint8_t *body;
    size_t body_length;
};

/* Reads an answer after its length. Returns false if it is none. */
bool ps_kudu_parse_answer(const uint8_t *bytes, size_t length, struct ps_kudu_answer *answer);

/* Reads an AppStatusPB. */
bool ps_kudu_parse_status(struct ps_protobuf_reader reader, struct ps_kudu_status *status);
/* Reads a MasterErrorPB or TabletServerErrorPB: its own code, and the status. */
bool ps_kudu_parse_error(struct ps_protobuf_reader reader, unsigned *code, struct ps_kudu_status *status);
/* Prints one line for a person: "ALREADY_PRESENT: the key is there". */
void ps_kudu_print(char reason[PS_KUDU_REASON_BYTES], const struct ps_kudu_status *status, bool of_rpc);

enum ps_kudu_step { PS_KUDU_STEP_SUCCESS = 0, PS_KUDU_STEP_NEGOTIATE = 1, PS_KUDU_STEP_OTHER };

/* What a server says while a connection is negotiated. */
struct ps_kudu_negotiation {
    enum ps_kudu_step step;
    bool is_sasl; /* the way of authentication that the server chose; none is SASL, too */
    bool has_plain, has_kerberos;
};

bool ps_kudu_parse_negotiation(const uint8_t *bytes, size_t length, struct ps_kudu_negotiation *negotiation);
