/* Why positions cannot be written or a directory cannot be read, for /readyz. The worker of the source sets it, and the threads of the
 * metrics server read it. The plan of the source owns it. */
#pragma once

#include "core/base.h"

struct ps_tail_trouble;

enum ps_tail_trouble_kind { PS_TAIL_TROUBLE_POSITIONS, PS_TAIL_TROUBLE_DIRECTORY, PS_TAIL_TROUBLE_KINDS };

/* Thread: control. */
struct ps_tail_trouble *ps_tail_trouble_create(void);
void ps_tail_trouble_destroy(struct ps_tail_trouble *trouble); /* NULL is allowed */

/* Sets the trouble of this kind. `reason`: one line; NULL: the trouble is over. Thread: the source's worker. */
void ps_tail_trouble_set(struct ps_tail_trouble *trouble, enum ps_tail_trouble_kind kind, const char *reason);
/* Returns whether there is any trouble, and writes the first reason to `text`. Thread: any. */
bool ps_tail_trouble_get(struct ps_tail_trouble *trouble, char *text, size_t room);
