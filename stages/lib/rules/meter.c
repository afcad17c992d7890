/* The state of one rule's `sample` or `limit` on one worker: a count, or token buckets, one per key, in a
 * table of bounded size. A new key replaces the least recently used one.
 *
 * The caller passes the time. Thread: the one that makes the scratch creates a meter; only the worker uses
 * it. Allocates nothing after that. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "stages/lib/rules/set_internal.h"

#define NO_BUCKET UINT32_MAX

struct bucket {
    uint64_t hash;
    double tokens;
    uint64_t filled_ns;
    uint32_t chain;        /* next of the same list */
    uint32_t newer, older; /* by use */
};

struct rules_meter {
    struct rules_meter_spec spec;
    uint64_t seen; /* sample */
    /* limit */
    uint64_t seed; /* random, so that a sender cannot choose keys that collide */
    uint32_t *lists, list_mask;
    uint32_t used, newest, oldest;
    struct bucket *buckets; /* used from the start, so that memory is touched only as keys arrive */
};

struct rules_meter *ps_rules_meter_create(const struct rules_meter_spec *spec)
{
    struct rules_meter *meter = calloc(1, sizeof *meter);
    if (meter == NULL)
        return NULL;
    meter->spec = *spec;
    if (!spec->is_limit)
        return meter;
    uint32_t lists = 1;
    while (lists < spec->key_count)
        lists *= 2;
    if (getrandom(&meter->seed, sizeof meter->seed, GRND_NONBLOCK) != (ssize_t)sizeof meter->seed)
        meter->seed = (uint64_t)(uintptr_t)meter;
    meter->list_mask = lists - 1;
    meter->newest = meter->oldest = NO_BUCKET;
    meter->lists = malloc(lists * sizeof *meter->lists);
    meter->buckets = calloc(spec->key_count, sizeof *meter->buckets);
    if (meter->lists == NULL || meter->buckets == NULL) {
        ps_rules_meter_destroy(meter);
        return NULL;
    }
    memset(meter->lists, 0xFF, lists * sizeof *meter->lists);
    return meter;
}

void ps_rules_meter_destroy(struct rules_meter *meter)
{
    if (meter == NULL)
        return;
    free(meter->lists);
    free(meter->buckets);
    free(meter);
}

bool ps_rules_meter_same(const struct rules_meter *meter, const struct rules_meter_spec *spec)
{
    const struct rules_meter_spec *own = &meter->spec;
    if (own->is_limit != spec->is_limit)
        return false;
    if (!spec->is_limit)
        return own->one_in == spec->one_in;
    return own->per_key == spec->per_key && !(own->per_second < spec->per_second) &&
           !(own->per_second > spec->per_second) && !(own->burst < spec->burst) &&
           !(own->burst > spec->burst);
}

bool ps_rules_meter_sample(struct rules_meter *meter)
{
    bool kept = meter->seen == 0;
    if (++meter->seen >= meter->spec.one_in)
        meter->seen = 0;
    return kept;
}

/* ---- keys ---- */

static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The table compares 64-bit hashes, not keys: two keys share a bucket with a probability of 2^-64. */
static uint64_t key_hash(const struct rules_meter *meter, const struct ps_slice *key)
{
    uint64_t hash = meter->seed ^ UINT64_C(0x9E3779B97F4A7C15);
    uint32_t length = key == NULL ? 0 : key->length;
    for (uint32_t at = 0; at < length; at += 8) {
        uint64_t word = 0;
        memcpy(&word, key->data + at, length - at < 8 ? length - at : 8);
        hash = mix(hash ^ word, UINT64_C(0xD6E8FEB86659FD93)) ^ (hash >> 29);
    }
    return mix(hash ^ length, meter->seed | 1);
}

static void use_unlink(struct rules_meter *meter, uint32_t number)
{
    struct bucket *bucket = &meter->buckets[number];
    if (bucket->newer != NO_BUCKET)
        meter->buckets[bucket->newer].older = bucket->older;
    else
        meter->newest = bucket->older;
    if (bucket->older != NO_BUCKET)
        meter->buckets[bucket->older].newer = bucket->newer;
    else
        meter->oldest = bucket->newer;
}

static void use_push(struct rules_meter *meter, uint32_t number)
{
    struct bucket *bucket = &meter->buckets[number];
    bucket->newer = NO_BUCKET;
    bucket->older = meter->newest;
    if (meter->newest != NO_BUCKET)
        meter->buckets[meter->newest].newer = number;
    else
        meter->oldest = number;
    meter->newest = number;
}

static void list_remove(struct rules_meter *meter, uint32_t number)
{
    uint32_t *at = &meter->lists[meter->buckets[number].hash & meter->list_mask];
    while (*at != number)
        at = &meter->buckets[*at].chain;
    *at = meter->buckets[number].chain;
}

static struct bucket *bucket_new(struct rules_meter *meter, uint64_t hash, uint64_t now_ns,
                                 uint64_t *replaced)
{
    uint32_t number = meter->used;
    if (meter->used < meter->spec.key_count) {
        meter->used++;
    } else {
        number = meter->oldest;
        use_unlink(meter, number);
        list_remove(meter, number);
        ps_rules_count_add(replaced, 1);
    }
    struct bucket *bucket = &meter->buckets[number];
    *bucket = (struct bucket){.hash = hash, .tokens = meter->spec.burst, .filled_ns = now_ns};
    bucket->chain = meter->lists[hash & meter->list_mask];
    meter->lists[hash & meter->list_mask] = number;
    use_push(meter, number);
    return bucket;
}

static struct bucket *bucket_of(struct rules_meter *meter, uint64_t hash, uint64_t now_ns, uint64_t *replaced)
{
    uint32_t number = meter->lists[hash & meter->list_mask];
    while (number != NO_BUCKET && meter->buckets[number].hash != hash)
        number = meter->buckets[number].chain;
    if (number == NO_BUCKET)
        return bucket_new(meter, hash, now_ns, replaced);
    if (number != meter->newest) {
        use_unlink(meter, number);
        use_push(meter, number);
    }
    return &meter->buckets[number];
}

bool ps_rules_meter_take(struct rules_meter *meter, const struct ps_slice *key, uint64_t now_ns,
                         uint64_t *replaced)
{
    uint64_t hash = meter->spec.per_key ? key_hash(meter, key) : 0;
    struct bucket *bucket = bucket_of(meter, hash, now_ns, replaced);
    if (now_ns > bucket->filled_ns) {
        double more = (double)(now_ns - bucket->filled_ns) / (double)PS_NS_PER_S * meter->spec.per_second;
        bucket->tokens += more;
        if (bucket->tokens > meter->spec.burst)
            bucket->tokens = meter->spec.burst;
        bucket->filled_ns = now_ns;
    }
    if (bucket->tokens < 1)
        return false;
    bucket->tokens -= 1;
    return true;
}
