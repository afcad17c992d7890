#include "stages/lib/tail/gone.h"

#include "core/array.h"
#include "core/flow/batch.h"
#include "stages/lib/tail/sink_source.h"

#include <stdio.h>
#include <stdlib.h>

#define SPANS (PS_TAIL_GONE_STREAMS / 2) /* a number is used again after this many spans */

void ps_tail_gone_add(struct ps_tail_gone *gone, const char *key)
{
    PS_ARRAY_GROW(gone->keys, gone->count, gone->room, "files that are gone");
    snprintf(gone->keys[gone->count++], PS_TAIL_GONE_KEY_BYTES, "%s", key);
}

bool ps_tail_gone_tell(struct ps_tail_gone *gone, const struct ps_tail_sink_source *keeping,
                       struct ps_batch *batch, bool (*not_gone)(const void *owner, const char *key),
                       const void *owner)
{
    for (; gone->count > 0; gone->count--) {
        const char *key = gone->keys[gone->count - 1];
        const struct ps_stream_name name = ps_tail_sink_source_name(keeping, key);
        if (not_gone != NULL && not_gone(owner, key))
            continue;
        if (!ps_batch_span(batch, PS_TAIL_GONE_STREAMS + gone->number, PS_TAIL_KEEPING_PASS, -1, &name))
            return false;
        gone->number = (gone->number + 1) % SPANS;
    }
    return true;
}

void ps_tail_gone_free(struct ps_tail_gone *gone)
{
    free(gone->keys);
    *gone = (struct ps_tail_gone){.keys = NULL};
}
