/* Answers of Solr in JSON (Solr's reference guide, "Response Writers": wt=json; SolrException gives error.msg and error.code):
 * {"responseHeader":{"status":0,..}}, with "error":{"msg":..,"code":..} if the request failed. A collection with
 * TolerantUpdateProcessorFactory answers 200, and names the documents that it left out in responseHeader.errors. The server's bytes
 * are not trusted. Thread: any. Allocates nothing. */
#pragma once

#include "core/base.h"

/* A document that was left out. */
struct ps_solr_refusal {
    const char *id;
    const char *reason; /* one line */
    bool is_found;      /* the caller's: an event has the id */
};

struct ps_solr_answer {
    /* Set by the caller: room for refusals. The texts of the answer lie in its body. */
    struct ps_solr_refusal *refusals;
    uint32_t refusals_max;
    /* Set by ps_solr_answer_read: */
    uint32_t refusal_count;
    bool has_more_refusals; /* than there is room for */
    bool has_header;        /* it is an answer of Solr */
    const char *message;    /* error.msg in one line; NULL: there is none */
    const char *trace; /* error.trace: begins with the class of the Java exception; NULL: there is none */
    const char *unique_key; /* of /schema/uniquekey; NULL: there is none */
};

/* Reads the answer, and writes over `body`. `scratch` has room for `length` + 1 bytes. Returns false if the answer is not whole, or is
 * not Solr's; then nothing of it counts but `message`. */
bool ps_solr_answer_read(struct ps_solr_answer *answer, char *body, size_t length, char *scratch);
