/* Whether a document that the server has is the one that an event makes. Thread: any. Allocates nothing. */
#pragma once

#include "core/base.h"

/* `made`, `made_later`: the document of the event, as it is made at two times that differ in each digit; `stored`: the server's. All are JSON
 * objects. What depends on the time at which a document is made is not compared, and neither is white space between values. */
bool ps_elastic_is_same(struct ps_slice made, struct ps_slice made_later, struct ps_slice stored);
