#include "stages/lib/kafka/librdkafka/topic_cache.h"

#include "core/name.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUCKETS (2 * PS_KAFKA_TOPICS_MAX)

void ps_kafka_topic_cache_init(struct ps_kafka_topic_cache *cache, rd_kafka_t *client)
{
    *cache = (struct ps_kafka_topic_cache){.client = client};
    cache->items = ps_must_alloc(PS_KAFKA_TOPICS_MAX + 1, sizeof *cache->items, "topics");
}

void ps_kafka_topic_cache_fini(struct ps_kafka_topic_cache *cache)
{
    for (uint32_t i = 1; i <= cache->count; i++)
        rd_kafka_topic_destroy(cache->items[i].handle);
    free(cache->items);
    *cache = (struct ps_kafka_topic_cache){0};
}

static void bucket_remove(struct ps_kafka_topic_cache *cache, uint16_t which)
{
    uint16_t *link = &cache->buckets[cache->items[which].hash % BUCKETS];
    while (*link != which)
        link = &cache->items[*link].chain;
    *link = cache->items[which].chain;
}

/* Returns a free slot: a new one, or that of the topic which has been here longest. Messages in flight keep the
 * library's own topic alive. */
static uint16_t make_place(struct ps_kafka_topic_cache *cache)
{
    if (cache->count < PS_KAFKA_TOPICS_MAX)
        return (uint16_t)++cache->count;
    uint16_t oldest = (uint16_t)(cache->removed++ % PS_KAFKA_TOPICS_MAX + 1);
    bucket_remove(cache, oldest);
    rd_kafka_topic_destroy(cache->items[oldest].handle);
    return oldest;
}

struct ps_kafka_topic *ps_kafka_topic_cache_get(struct ps_kafka_topic_cache *cache, const char *name,
                                                uint32_t length)
{
    uint32_t hash = ps_name_keyed_hash32(name, length);
    uint16_t *bucket = &cache->buckets[hash % BUCKETS];
    for (uint16_t which = *bucket; which != 0; which = cache->items[which].chain) {
        struct ps_kafka_topic *item = &cache->items[which];
        if (item->hash == hash && item->length == length && memcmp(item->name, name, length) == 0)
            return item;
    }
    if (!ps_kafka_topic_name_is_legal(name, length))
        return NULL;
    char copy[PS_KAFKA_TOPIC_LENGTH_MAX + 1];
    memcpy(copy, name, length);
    copy[length] = '\0';
    rd_kafka_topic_t *handle = rd_kafka_topic_new(cache->client, copy, NULL);
    if (handle == NULL)
        return NULL;
    uint16_t which = make_place(cache);
    struct ps_kafka_topic *item = &cache->items[which];
    *item = (struct ps_kafka_topic){
        .handle = handle,
        .length = length,
        .hash = hash,
        .sticky_partition = -1,
        .turn = hash ^ (uint32_t)getpid(), /* agents started together begin with different partitions */
        .chain = *bucket,
    };
    memcpy(item->name, copy, length + 1);
    *bucket = which;
    return item;
}
