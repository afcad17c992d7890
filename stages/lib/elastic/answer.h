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

/* Sets the results of `count` items. `body` is terminated at `length`, and written over: the reasons lie in it. Items that the answer does
 * not have, because it is cut off, malformed or of another length, are unknown: nothing is known about an item whose place in the
 * answer is not certain. */
void ps_elastic_answer_read(char *body, size_t length, struct ps_remote_result *results, uint32_t count,
                            struct ps_elastic_counts *counts);

/* What `GET /` tells. */
struct ps_elastic_server {
    unsigned major, minor; /* of the version */
    bool is_opensearch;
    char cluster[256]; /* the cluster's name, cut off if it is longer */
};

/* Returns false if the body is not the answer of such a server. */
bool ps_elastic_server_read(const char *body, size_t length, struct ps_elastic_server *server);
