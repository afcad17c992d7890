#include "stages/lib/tail/heads.h"

#include <stdlib.h>

#define PURPOSE "files by their beginning"

static struct ps_tail_head_entry **bucket_of(const struct ps_tail_heads *heads, uint64_t head,
                                             uint32_t length)
{
    uint64_t hash = (head ^ length) * UINT64_C(0x9E3779B97F4A7C15);
    return &heads->buckets[(hash >> 32) & (heads->room - 1)];
}

static void entry_link(struct ps_tail_heads *heads, struct ps_tail_head_entry *entry)
{
    struct ps_tail_head_entry **bucket = bucket_of(heads, entry->head, entry->length);
    entry->next = *bucket;
    entry->at = bucket;
    if (entry->next != NULL)
        entry->next->at = &entry->next;
    *bucket = entry;
}

static void grow(struct ps_tail_heads *heads)
{
    struct ps_tail_head_entry **before = heads->buckets;
    uint32_t room = heads->room;
    heads->room = room == 0 ? 64 : 2 * room;
    heads->buckets = ps_must_alloc(heads->room, sizeof(struct ps_tail_head_entry *), PURPOSE);
    for (uint32_t i = 0; i < room; i++) {
        struct ps_tail_head_entry *first = NULL, *next;
        for (struct ps_tail_head_entry *entry = before[i]; entry != NULL;
             entry = next) { /* reverses the chain, so that its order stays */
            next = entry->next;
            entry->next = first;
            first = entry;
        }
        for (; first != NULL; first = next) {
            next = first->next;
            entry_link(heads, first);
        }
    }
    free(before);
}

static void entry_remove(struct ps_tail_heads *heads, struct ps_tail_head_entry *entry)
{
    *entry->at = entry->next;
    if (entry->next != NULL)
        entry->next->at = entry->at;
    heads->lengths[entry->length]--;
    heads->count--;
    entry->length = 0;
}

void ps_tail_heads_put(struct ps_tail_heads *heads, struct ps_tail_head_entry *entry, uint64_t head,
                       uint32_t length)
{
    if (entry->length == length && (length == 0 || entry->head == head))
        return;
    if (entry->length > 0)
        entry_remove(heads, entry);
    if (length == 0)
        return;
    if (heads->count >= heads->room)
        grow(heads);
    entry->head = head;
    entry->length = length;
    heads->lengths[length]++;
    heads->count++;
    entry_link(heads, entry);
}

void ps_tail_heads_find(const struct ps_tail_heads *heads, const char *bytes, size_t length,
                        bool (*visit)(void *argument, struct ps_tail_head_entry *entry), void *argument)
{
    uint64_t fingerprints[PS_TAIL_HEAD_BYTES + 1];
    struct ps_tail_identity identity = {.head_length = 0};
    if (heads->count == 0)
        return;
    length = length < PS_TAIL_HEAD_BYTES ? length : PS_TAIL_HEAD_BYTES;
    for (size_t i = 0; i < length; i++) {
        ps_tail_identity_extend(&identity, bytes + i, 1, (int64_t)i);
        fingerprints[i + 1] = identity.head;
    }
    for (uint32_t at = (uint32_t)length; at > 0; at--) {
        if (heads->lengths[at] == 0)
            continue;
        for (struct ps_tail_head_entry *entry = *bucket_of(heads, fingerprints[at], at); entry != NULL;
             entry = entry->next) {
            if (entry->length == at && entry->head == fingerprints[at] && !visit(argument, entry))
                return;
        }
    }
}

void ps_tail_heads_free(struct ps_tail_heads *heads)
{
    free(heads->buckets);
    *heads = (struct ps_tail_heads){.room = 0};
}
