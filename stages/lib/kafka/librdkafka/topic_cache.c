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

/* org.apache.kafka.common.internals.Topic.validate */
bool ps_kafka_topic_name_is_legal(const char *name, uint32_t length)
{
    if (length == 0 || length > PS_KAFKA_TOPIC_LENGTH_MAX)
        return false;
    if (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')))
        return false;
    for (uint32_t i = 0; i < length; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
              c == '_' || c == '-'))
            return false;
    }
    return true;
}

/* Item 0 is the list head: its `older` is the newest item, its `newer` the oldest. */
static void list_remove(struct ps_kafka_topic_cache *cache, uint16_t which)
{
    struct ps_kafka_topic *item = &cache->items[which];
    cache->items[item->newer].older = item->older;
    cache->items[item->older].newer = item->newer;
}

static void list_push(struct ps_kafka_topic_cache *cache, uint16_t which)
{
    struct ps_kafka_topic *item = &cache->items[which];
    item->newer = 0;
    item->older = cache->items[0].older;
    cache->items[item->older].newer = which;
    cache->items[0].older = which;
}

static void bucket_remove(struct ps_kafka_topic_cache *cache, uint16_t which)
{
    uint16_t *link = &cache->buckets[cache->items[which].hash % BUCKETS];
    while (*link != which)
        link = &cache->items[*link].chain;
    *link = cache->items[which].chain;
}

/* Returns a free slot: a new one, or that of the least recently used topic. Messages in flight keep the
 * library's own topic alive. */
static uint16_t make_place(struct ps_kafka_topic_cache *cache)
{
    if (cache->count < PS_KAFKA_TOPICS_MAX)
        return (uint16_t)++cache->count;
    uint16_t oldest = cache->items[0].newer;
    list_remove(cache, oldest);
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
        if (item->hash != hash || item->length != length || memcmp(item->name, name, length) != 0)
            continue;
        if (cache->items[0].older != which) {
            list_remove(cache, which);
            list_push(cache, which);
        }
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
    list_push(cache, which);
    return item;
}
