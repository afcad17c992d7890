/* An index of files by the fingerprint of their beginning: it finds the known files that begin as a given file does. The fingerprint of
 * a short file covers the whole file, so the index counts its entries for each length, and a lookup tries only the lengths that occur.
 * The cost of a lookup does not grow with the number of files, only with the number of files that begin alike. Thread: the worker of
 * the source. */
#pragma once

#include "stages/lib/tail/identity.h"

struct ps_tail_fingerprint_entry {
    uint64_t head;
    uint32_t length; /* 0: the entry is not in the index */
    void *owner;
    struct ps_tail_fingerprint_entry *next, **at;
};

struct ps_tail_fingerprint_index {
    struct ps_tail_fingerprint_entry **buckets;
    uint32_t room, count;
    uint32_t lengths[PS_TAIL_HEAD_BYTES + 1];
};

/* Gives the entry this fingerprint. The caller has set its owner. Length 0 removes the entry from the index. */
void ps_tail_fingerprint_index_put(struct ps_tail_fingerprint_index *index,
                                   struct ps_tail_fingerprint_entry *entry, uint64_t head, uint32_t length);
/* Calls `visit` for each entry whose fingerprint fits these first bytes of a file, until `visit` returns false. Longer fingerprints
 * come first; of the same length, the entry that was added last. `visit` may not change the index. */
void ps_tail_fingerprint_index_find(const struct ps_tail_fingerprint_index *index, const char *bytes,
                                    size_t length,
                                    bool (*visit)(void *argument, struct ps_tail_fingerprint_entry *entry),
                                    void *argument);
void ps_tail_fingerprint_index_free(struct ps_tail_fingerprint_index *index);
