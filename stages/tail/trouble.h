/* Why the positions cannot be written, or a directory cannot be read, for /readyz: set by the worker of the source, read by the threads of the metrics server. The
 * plan of the source owns it. */
#pragma once

#include "core/base.h"

struct ps_tail_trouble;

enum ps_tail_trouble_kind { PS_TAIL_TROUBLE_POSITIONS, PS_TAIL_TROUBLE_DIRECTORY, PS_TAIL_TROUBLE_KINDS };

/* Thread: control. */
struct ps_tail_trouble *ps_tail_trouble_create(void);
void ps_tail_trouble_destroy(struct ps_tail_trouble *trouble); /* NULL is allowed */

/* `reason`: one line; NULL: there is none any more. Thread: the source's worker. */
void ps_tail_trouble_set(struct ps_tail_trouble *trouble, enum ps_tail_trouble_kind kind, const char *reason);
/* Returns whether there is one, and writes the first to `text`. Thread: any. */
bool ps_tail_trouble_get(struct ps_tail_trouble *trouble, char *text, size_t room);
