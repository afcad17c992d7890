/* An HTTP server in this process, for tests of sinks that post: it keeps the bodies that it has answered with
 * 2XX, one a line. A request's body, and the answer to a bulk, must be below 64 KiB. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "tests/support/echo.h"

void ps_test_http_peer_start(void);
void ps_test_http_peer_stop(void);
/* Returns http://127.0.0.1:PORT/events. The port stays the same after ps_test_http_peer_set. */
const char *ps_test_http_peer_url(void);
/* Returns the URL of the same server's bulks, http://127.0.0.1:PORT/bulk: each line of a body is an event, and the
 * answer, 200, has a line for each: its status, with a reason if it is not 200. */
const char *ps_test_http_peer_bulk_url(void);
/* The same server at http://127.0.0.1:PORT is one of Elasticsearch, too: `GET /`, and `POST /_bulk`, of whose documents it keeps the text
 * of the first member, each as an event. */
const char *ps_test_http_peer_elastic_url(void);
/* The same server at http://127.0.0.1:PORT/solr/c is a collection of Solr, too: it keeps the field `body` of the documents. */
const char *ps_test_http_peer_solr_url(void);
/* Sets the status of the next answers, to requests and to events of bulks; at first it is 200. After `count` of them it is
 * 200 again; 0: never. */
void ps_test_http_peer_answer(unsigned status, unsigned count);
/* Returns the number of answers of the last ps_test_http_peer_answer that are left. */
unsigned ps_test_http_peer_left(void);
/* DOWN: nobody listens. SLOW: an answer takes 5 ms. */
void ps_test_http_peer_set(enum ps_test_far_end state);
void ps_test_http_peer_clear(void);
/* Returns the bodies that were answered 2XX, each with a newline. Valid until the next call. */
const char *ps_test_http_peer_text(void);
