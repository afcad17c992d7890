/* A model of Solr: one collection, whose documents have ids. It lives in the world's memory, and so over the agent's lives. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOLR_DOCUMENTS_MAX 40000U

struct solr_store {
    const char
        *member; /* what arrives is the text of this member, written as in a document; NULL: the document */
    uint32_t count;
    uint64_t keys[SOLR_DOCUMENTS_MAX]; /* of the ids */
};

struct solr_store *solr_store_make(void);

#define SOLR_UNNAMED 422 /* a status 400 of the whole request, whose message names no document */

/* Returns the status of a document by its text; 200: none is asked for. */
typedef int solr_document_status(void *argument, const char *document, size_t length);

/* Answers a request of HTTP, whose head is terminated. Of an update it takes the documents in their order, those that are new, each as a
 * text that arrived (ledger_arrived) without its id and its version; it stops at the first that it refuses, as Solr does. Returns the
 * length of the answer. */
size_t solr_answer(struct solr_store *store, const char *head, const char *body, size_t length,
                   solr_document_status *status_of, void *argument, char *out, size_t room);
