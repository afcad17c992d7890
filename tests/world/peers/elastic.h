/* A model of Elasticsearch and OpenSearch: documents by index and id. It lives in the world's memory, and so over the agent's lives. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELASTIC_DOCUMENTS_MAX 40000U

struct elastic_store {
    const char *
        member; /* what arrives is the text of this member, written as in a document; NULL: the index and the document */
    const char *version; /* of `GET /` */
    bool is_opensearch;
    uint16_t nodes[8]; /* ports of the servers that the cluster names; 0: none */
    uint32_t count;
    uint64_t keys[ELASTIC_DOCUMENTS_MAX];   /* of index and id, of the documents with an id */
    char *documents[ELASTIC_DOCUMENTS_MAX]; /* they themselves, if it keeps them, for questions */
    bool keeps;
};

struct elastic_store *elastic_store_make(void);

/* Returns the status of an item by its document; 200: none is asked for. */
typedef int elastic_item_status(void *argument, const char *document, size_t length);

/* Answers a request of HTTP, whose head is terminated. Of a bulk request it takes the documents, those that are new, each as a text
 * "INDEX DOCUMENT" that arrived (ledger_arrived). Returns the length of the answer. */
size_t elastic_answer(struct elastic_store *store, const char *head, char *body, size_t length,
                      elastic_item_status *status_of, void *argument, char *out, size_t room);
