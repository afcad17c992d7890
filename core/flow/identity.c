/* Implements core/flow/identity.h. */
#include "core/flow/identity.h"

#include <string.h>

#include "core/flow/batch_internal.h"
#include "core/decimal.h"
#include "core/flow/origins.h"

#define GROWTH 4U           /* of the list of origins: 1, 4, 16, .. */
#define NAME_BYTES_MAX 256U /* ps_identity_text cuts a longer name; a topic has at most 249 */

static bool is_same_name(struct ps_slice one, struct ps_slice other)
{
    return one.length == other.length &&
           (one.data == other.data || one.length == 0 || memcmp(one.data, other.data, one.length) == 0);
}

static bool is_same_store(const struct ps_identity *one, const struct ps_identity *other)
{
    return one->part == other->part && one->store == other->store && one->has_ordinal == other->has_ordinal &&
           one->system == other->system && is_same_name(one->name, other->name);
}

/* Returns whether the identity is the next one after the origin's last identity. */
static bool goes_on(const struct ps_origin *origin, const struct ps_identity *next)
{
    const struct ps_identity *first = &origin->first;
    if (origin->steps || !is_same_store(first, next))
        return false;
    return first->has_ordinal
               ? next->position == first->position && next->ordinal == first->ordinal + origin->count
               : next->position == first->position + origin->count;
}

/* Makes room for one more origin. Returns false when there is no memory. */
static bool make_room(struct ps_batch *batch)
{
    uint32_t capacity = 1;
    while (capacity < batch->origin_count)
        capacity *= GROWTH;
    if (batch->origin_count > 0 && batch->origin_count < capacity)
        return true;
    capacity = batch->origin_count > 0 ? capacity * GROWTH : 1;
    struct ps_origin *origins = (struct ps_origin *)(void *)ps_batch_meta_alloc(
        batch, capacity * (uint32_t)sizeof(struct ps_origin), 8);
    if (origins == NULL)
        return false;
    if (batch->origin_count > 0)
        memcpy(origins, batch->origins, batch->origin_count * sizeof *origins);
    batch->origins = origins;
    return true;
}

/* Replaces the name by a copy in the batch: the copy of the previous event if it has the same name, else a new one.
 * Returns false when there is no memory. */
static bool keep_name(struct ps_batch *batch, struct ps_slice *name)
{
    if (name->length == 0)
        return true;
    const struct ps_slice last =
        batch->origin_count > 0 ? batch->origins[batch->origin_count - 1].first.name : (struct ps_slice){0};
    if (is_same_name(last, *name)) {
        *name = last;
        return true;
    }
    char *copy = ps_batch_alloc(batch, name->length);
    if (copy == NULL)
        return false;
    memcpy(copy, name->data, name->length);
    name->data = copy;
    return true;
}

/* Returns the last origin if it ends before this row; NULL: there is none. */
static struct ps_origin *origin_until(struct ps_batch *batch, uint32_t row)
{
    struct ps_origin *last = batch->origin_count > 0 ? &batch->origins[batch->origin_count - 1] : NULL;
    PS_ASSERT(last == NULL || last->row + last->count <= row);
    return last != NULL && last->row + last->count == row ? last : NULL;
}

static bool origin_add(struct ps_batch *batch, struct ps_origin origin)
{
    if (!keep_name(batch, &origin.first.name) || !make_room(batch))
        return false;
    batch->origins[batch->origin_count++] = origin;
    return true;
}

bool ps_batch_origin(struct ps_batch *batch, const struct ps_identity *first, uint32_t count)
{
    PS_ASSERT(count <= batch->count);
    uint32_t row = batch->count - count;
    struct ps_origin *last = origin_until(batch, row);
    if (last != NULL && goes_on(last, first)) {
        last->count = (uint16_t)(last->count + count);
        return true;
    }
    return count == 0 ||
           origin_add(batch, (struct ps_origin){.first = *first, .row = row, .count = (uint16_t)count});
}

bool ps_batch_origin_begin(struct ps_batch *batch, const struct ps_identity *first)
{
    struct ps_origin *last = origin_until(batch, batch->count);
    if (last != NULL && goes_on(last, first))
        return true;
    if (last != NULL && last->count == 0) { /* no row was added for it */
        batch->origin_count--;
        return ps_batch_origin_begin(batch, first);
    }
    return origin_add(batch, (struct ps_origin){.first = *first, .row = batch->count});
}

bool ps_batch_origin_step(struct ps_batch *batch, const struct ps_identity *identity)
{
    PS_ASSERT(batch->count > 0 && !identity->has_ordinal);
    uint32_t row = batch->count - 1;
    struct ps_origin *last = origin_until(batch, row);
    if (last != NULL && last->steps && is_same_store(&last->first, identity) &&
        identity->position - last->first.position <= UINT32_MAX) {
        batch->events[row].flags = (uint32_t)(identity->position - last->first.position);
        last->count++;
        return true;
    }
    batch->events[row].flags = 0;
    return origin_add(batch, (struct ps_origin){.first = *identity, .row = row, .count = 1, .steps = true});
}

const struct ps_origin *ps_batch_origin_of(const struct ps_batch *batch, uint32_t row)
{
    uint32_t low = 0, high = batch->origin_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (batch->origins[middle].row <= row)
            low = middle + 1;
        else
            high = middle;
    }
    const struct ps_origin *origin = low > 0 ? &batch->origins[low - 1] : NULL;
    return origin != NULL && row - origin->row < origin->count ? origin : NULL;
}

bool ps_event_identity(const struct ps_lease *lease, uint32_t position, struct ps_identity *identity)
{
    uint32_t row = lease->index != NULL ? lease->index[position] : position;
    const struct ps_origin *origin = ps_batch_origin_of(lease->batch, row);
    if (origin == NULL)
        return false;
    *identity = origin->first;
    if (origin->steps)
        identity->position += lease->batch->events[row].flags;
    else if (identity->has_ordinal)
        identity->ordinal += row - origin->row;
    else
        identity->position += row - origin->row;
    return true;
}

/* Writes 16 digits. */
static char *put_hexadecimal(char *to, uint64_t number)
{
    for (unsigned i = 0; i < 16; i++)
        *to++ = "0123456789abcdef"[number >> (60 - 4 * i) & 15];
    return to;
}

/* Without snprintf, which takes as long as the rest of a document: sinks of stores make an id of each event. */
uint32_t ps_identity_text(const struct ps_identity *identity, char text[PS_IDENTITY_TEXT_BYTES])
{
    const struct ps_slice name = identity->name;
    size_t length = strnlen(identity->system, 32),
           name_length = name.length < NAME_BYTES_MAX ? name.length : NAME_BYTES_MAX;
    char *at = (char *)memcpy(text, identity->system, length) + length;
    *at++ = ':';
    if (name.length > 0) {
        at = (char *)memcpy(at, name.data, name_length) + name_length;
        *at++ = '/';
    }
    if (identity->store != 0) {
        at = put_hexadecimal(at, identity->store);
        *at++ = '/';
    }
    if (identity->part >= 0) {
        at = ps_decimal_put(at, (uint64_t)identity->part);
        *at++ = '/';
    }
    at = ps_decimal_put(at, identity->position);
    if (identity->has_ordinal) {
        *at++ = '/';
        at = ps_decimal_put(at, identity->ordinal);
    }
    *at = '\0';
    return (uint32_t)(at - text);
}
