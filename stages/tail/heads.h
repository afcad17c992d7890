/* Files by how they begin: which of the files that are known begins as this one does? The fingerprint of a short file covers all of
 * it, so the index has a count for each length, and a lookup asks for the lengths that occur: its cost does not grow with the number of
 * files, but with those that begin alike. Thread: the worker of the source. */
#pragma once

#include "stages/tail/identity.h"

struct ps_tail_head_entry {
    uint64_t head;
    uint32_t length; /* 0: it is not in the index */
    void *owner;
    struct ps_tail_head_entry *next, **at;
};

struct ps_tail_heads {
    struct ps_tail_head_entry **buckets;
    uint32_t room, count;
    uint32_t lengths[PS_TAIL_HEAD_BYTES + 1];
};

/* The entry, whose owner is set, has this fingerprint from now on; length 0: none. */
void ps_tail_heads_put(struct ps_tail_heads *heads, struct ps_tail_head_entry *entry, uint64_t head,
                       uint32_t length);
/* Calls `visit` for each entry whose fingerprint these first bytes of a file have, longest fingerprints first and of these the latest
 * first, until it returns false. It may not change the index. */
void ps_tail_heads_find(const struct ps_tail_heads *heads, const char *bytes, size_t length,
                        bool (*visit)(void *argument, struct ps_tail_head_entry *entry), void *argument);
void ps_tail_heads_free(struct ps_tail_heads *heads);
