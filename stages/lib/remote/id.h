/* The ids under which a store keeps what events become: the key penstock.ids of sinks of documents and rows. Thread: `read` control, the
 * others the sink's worker. Allocates nothing while it writes. */
#pragma once

#include "core/flow/identity.h"
#include "core/stage.h"

#define PS_REMOTE_IDENTITY_BYTES 128U /* of an identity that is used as an id: Kafka's have up to 90 */

/* The origin of the ids. */
enum ps_remote_ids {
    PS_REMOTE_IDS_AUTO, /* the event's identity (core/flow/identity.h), if it has one */
    PS_REMOTE_IDS_NONE, /* the server makes them */
    PS_REMOTE_IDS_HEADER,
};

struct ps_remote_id {
    enum ps_remote_ids from;
    const struct ps_name *header;
};

/* Reads the key's value; NULL: it is not set. Returns PS_FAIL, without a message, if it is none of identity, none and header:NAME. */
enum ps_status ps_remote_id_read(struct ps_remote_id *ids, const char *text);
/* Returns an upper bound of the id in a JSON string. */
size_t ps_remote_id_bound(const struct ps_remote_id *ids, const struct ps_batch *batch,
                          const struct ps_event *event);
/* Finds the id of the event at a position; `text` has room for an identity. Returns false if it has none. */
bool ps_remote_id_find(const struct ps_remote_id *ids, const struct ps_lease *lease, uint32_t position,
                       char text[PS_IDENTITY_TEXT_BYTES], struct ps_slice *id);
