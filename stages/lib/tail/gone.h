/* Files that are gone and whose records a sink keeps (sink_source.h). Each one becomes a span without a position, and the sink then
 * removes the record with this key. Thread: the worker of the source. */
#pragma once

#include "core/base.h"

struct ps_batch;
struct ps_tail_sink_source;

#define PS_TAIL_GONE_KEY_BYTES 48U /* room for a record's key: two numbers and a NUL */
/* Lowest stream number of the spans of files that are gone. The pass is that of the question to the sink. */
#define PS_TAIL_GONE_STREAMS UINT32_C(0x80000000)

struct ps_tail_gone {
    char (*keys)[PS_TAIL_GONE_KEY_BYTES];
    size_t count, room;
    uint32_t number; /* the stream number of the next span, less PS_TAIL_GONE_STREAMS */
};

/* Copies the key. Ends the process if there is no memory. */
void ps_tail_gone_add(struct ps_tail_gone *gone, const char *key);
/* Reports the files in the batch, each once. A file for which `not_gone` returns true (NULL: no file) is left
 * out, because another file has its key now. Returns false if the batch has no room for all of them. Call it
 * before other files are read: the next file may have the same key. */
bool ps_tail_gone_tell(struct ps_tail_gone *gone, const struct ps_tail_sink_source *keeping,
                       struct ps_batch *batch, bool (*not_gone)(const void *owner, const char *key),
                       const void *owner);
void ps_tail_gone_free(struct ps_tail_gone *gone);
