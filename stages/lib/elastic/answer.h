/* The answer to a bulk request of Elasticsearch and OpenSearch: a status for each item, in the order of the request
 * (docs: "Bulk API", response body). The sink asks for `items.*.status` and `items.*.error` only (filter_path); a server that
 * is older than 1.6 sends all. The server's bytes are not trusted. Thread: any. Allocates nothing. */
#pragma once

#include "stages/lib/remote/requests.h"

/* What became of the items, counted. */
struct ps_elastic_counts {
    uint32_t created;  /* taken now */
    uint32_t existing; /* 409 of `create`: a document has this id */
    uint32_t
        later; /* not taken now: 429, 502, 503, 504, an index that is blocked or missing, no permission */
    uint32_t refused; /* never taken: mapping, parsing, a closed index */
    uint32_t unknown; /* other errors of the server, and items without a place in the answer */
};

/* Sets the results of `count` items. `body` is terminated at `length`, and written over: the reasons lie in it. `existing`: the outcome of
 * 409. Items that the answer does not have, because it is cut off, malformed or of another length, are unknown: nothing is known about an item whose place in the
 * answer is not certain. */
void ps_elastic_answer_read(char *body, size_t length, enum ps_remote_outcome existing,
                            struct ps_remote_result *results, uint32_t count,
                            struct ps_elastic_counts *counts);

/* The answer to `_mget`: documents in the order of the request. `reader`: zeroed before the first call. Its bytes are not trusted, and
 * written over: the reasons lie in it. */
struct ps_elastic_reader {
    char *at;
};

struct ps_elastic_found {
    struct ps_slice document; /* its JSON, as the server keeps it; length 0: it has none */
    const char *reason;       /* why it has none; NULL: there is no such document */
    bool has_no_source;       /* it is there, and the index keeps no `_source` */
};

/* Reads the next document of the answer. Returns false at its end, and where it is cut off or malformed. */
bool ps_elastic_found_next(struct ps_elastic_reader *reader, char *body, size_t length,
                           struct ps_elastic_found *found);

/* Reads the answer to `GET /_nodes/http`: calls `add` for the address, HOST:PORT, of each server that takes requests of HTTP and is no dedicated
 * master. An address with other characters than those of names and numbers is left out. */
void ps_elastic_nodes_read(char *body, size_t length,
                           void (*add)(void *argument, const char *address, size_t length), void *argument);

/* What `GET /` tells. */
struct ps_elastic_server {
    unsigned major, minor; /* of the version */
    bool is_opensearch;
    char cluster[256]; /* the cluster's name, cut off if it is longer */
};

/* Returns false if the body is not the answer of such a server. */
bool ps_elastic_server_read(const char *body, size_t length, struct ps_elastic_server *server);
