#include "stages/lib/kafka/read_topics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Held for the time of a search: a source takes it after new metadata, a sink where its brokers deny a topic. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct ps_kafka_read_topics *sources;

/* Returns the link to the source; the list's last link, if it is not in the list. */
static struct ps_kafka_read_topics **link_of(const struct ps_kafka_read_topics *own)
{
    struct ps_kafka_read_topics **at = &sources;
    while (*at != NULL && *at != own)
        at = &(*at)->next;
    return at;
}

void ps_kafka_read_topics_set(struct ps_kafka_read_topics *own, struct ps_kafka_read_topic *topics,
                              uint32_t count)
{
    pthread_mutex_lock(&mutex);
    struct ps_kafka_read_topic *former = own->topics;
    *link_of(own) = own;
    own->topics = topics;
    own->count = count;
    pthread_mutex_unlock(&mutex);
    free(former);
}

void ps_kafka_read_topics_remove(struct ps_kafka_read_topics *own)
{
    pthread_mutex_lock(&mutex);
    struct ps_kafka_read_topics **at = link_of(own);
    if (*at != NULL)
        *at = own->next;
    pthread_mutex_unlock(&mutex);
    free(own->topics);
    *own = (struct ps_kafka_read_topics){.group = own->group};
}

static bool is_same(struct ps_slice one, const char *other)
{
    return ps_slice_same(one, (struct ps_slice){other, (uint32_t)strlen(other)});
}

bool ps_kafka_read_topics_have(struct ps_slice group, struct ps_slice topic, int64_t partition)
{
    bool found = false;
    pthread_mutex_lock(&mutex);
    for (struct ps_kafka_read_topics *own = sources; own != NULL && !found; own = own->next) {
        for (uint32_t i = 0; i < own->count && !found && is_same(group, own->group); i++)
            found = partition < own->topics[i].partitions && is_same(topic, own->topics[i].name);
        if (found)
            __atomic_store_n(&own->asked, true, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&mutex);
    return found;
}
