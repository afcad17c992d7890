/* Maps the statuses of Solr (SolrException.ErrorCode) to outcomes of the events of a request. Thread: any. */
#pragma once

#include "stages/lib/http/sink.h"
#include "stages/lib/solr/answer.h"

/* Returns the outcome of a request with one event, or of one whose status means all of its events. `believes`: the server has taken other
 * documents, so that a refusal that names none is this document's. */
enum ps_remote_outcome ps_solr_outcome(const struct ps_solr_answer *answer, long status, bool believes);

/* Returns what an operator may do about the status; NULL: nothing is known. */
const char *ps_solr_cure(const struct ps_http_sink *, long status);
