#include "stages/lib/tail/fingerprint_index.h"

#include <stdlib.h>

#define PURPOSE "files by their beginning"

static struct ps_tail_fingerprint_entry **bucket_of(const struct ps_tail_fingerprint_index *index,
                                                    uint64_t head, uint32_t length)
{
    uint64_t hash = (head ^ length) * UINT64_C(0x9E3779B97F4A7C15);
    return &index->buckets[(hash >> 32) & (index->room - 1)];
}

static void entry_link(struct ps_tail_fingerprint_index *index, struct ps_tail_fingerprint_entry *entry)
{
    struct ps_tail_fingerprint_entry **bucket = bucket_of(index, entry->head, entry->length);
    entry->next = *bucket;
    entry->at = bucket;
    if (entry->next != NULL)
        entry->next->at = &entry->next;
    *bucket = entry;
}

static void grow(struct ps_tail_fingerprint_index *index)
{
    struct ps_tail_fingerprint_entry **before = index->buckets;
    uint32_t room = index->room;
    index->room = room == 0 ? 64 : 2 * room;
    index->buckets = ps_must_alloc(index->room, sizeof(struct ps_tail_fingerprint_entry *), PURPOSE);
    for (uint32_t i = 0; i < room; i++) {
        struct ps_tail_fingerprint_entry *first = NULL, *next;
        for (struct ps_tail_fingerprint_entry *entry = before[i]; entry != NULL;
             entry = next) { /* reverses the chain, so that its order stays */
            next = entry->next;
            entry->next = first;
            first = entry;
        }
        for (; first != NULL; first = next) {
            next = first->next;
            entry_link(index, first);
        }
    }
    free(before);
}

static void entry_remove(struct ps_tail_fingerprint_index *index, struct ps_tail_fingerprint_entry *entry)
{
    *entry->at = entry->next;
    if (entry->next != NULL)
        entry->next->at = entry->at;
    index->lengths[entry->length]--;
    index->count--;
    entry->length = 0;
}

void ps_tail_fingerprint_index_put(struct ps_tail_fingerprint_index *index,
                                   struct ps_tail_fingerprint_entry *entry, uint64_t head, uint32_t length)
{
    if (entry->length == length && (length == 0 || entry->head == head))
        return;
    if (entry->length > 0)
        entry_remove(index, entry);
    if (length == 0)
        return;
    if (index->count >= index->room)
        grow(index);
    entry->head = head;
    entry->length = length;
    index->lengths[length]++;
    index->count++;
    entry_link(index, entry);
}

void ps_tail_fingerprint_index_find(const struct ps_tail_fingerprint_index *index, const char *bytes,
                                    size_t length,
                                    bool (*visit)(void *argument, struct ps_tail_fingerprint_entry *entry),
                                    void *argument)
{
    uint64_t fingerprints[PS_TAIL_HEAD_BYTES + 1];
    struct ps_tail_identity identity = {.head_length = 0};
    if (index->count == 0)
        return;
    length = length < PS_TAIL_HEAD_BYTES ? length : PS_TAIL_HEAD_BYTES;
    for (size_t i = 0; i < length; i++) {
        ps_tail_identity_extend(&identity, bytes + i, 1, (int64_t)i);
        fingerprints[i + 1] = identity.head;
    }
    for (uint32_t at = (uint32_t)length; at > 0; at--) {
        if (index->lengths[at] == 0)
            continue;
        for (struct ps_tail_fingerprint_entry *entry = *bucket_of(index, fingerprints[at], at); entry != NULL;
             entry = entry->next) {
            if (entry->length == at && entry->head == fingerprints[at] && !visit(argument, entry))
                return;
        }
    }
}

void ps_tail_fingerprint_index_free(struct ps_tail_fingerprint_index *index)
{
    free(index->buckets);
    *index = (struct ps_tail_fingerprint_index){.room = 0};
}
