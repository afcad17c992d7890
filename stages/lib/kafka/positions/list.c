/* The positions of an owner, as they were read from the topic. */
#include "stages/lib/kafka/positions/topic.h"

#include <stdlib.h>
#include <string.h>

#define PURPOSE "positions"

static char *copy(const char *text, size_t length)
{
    char *bytes = ps_must_alloc(length + 1, 1, PURPOSE);
    if (length > 0)
        memcpy(bytes, text, length);
    return bytes;
}

static void record_free(struct ps_kafka_positions_record *record)
{
    free(record->key);
    free(record->value);
}

void ps_kafka_positions_list_free(struct ps_kafka_positions_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        record_free(&list->records[i]);
    free(list->records);
    *list = (struct ps_kafka_positions_list){.count = 0};
}

static size_t find(const struct ps_kafka_positions_list *list, const char *key, size_t length)
{
    size_t at = 0;
    while (at < list->count &&
           (list->records[at].key_length != length || memcmp(list->records[at].key, key, length) != 0))
        at++;
    return at;
}

void ps_kafka_positions_list_set(struct ps_kafka_positions_list *list, const char *key, size_t key_length,
                                 const char *value, size_t value_length)
{
    size_t at = find(list, key, key_length);
    if (value == NULL && at == list->count)
        return;
    if (at < list->count)
        record_free(&list->records[at]);
    if (value == NULL) {
        list->records[at] = list->records[--list->count];
        return;
    }
    if (at == list->room) {
        list->room = 2 * list->room + 16;
        list->records = ps_must_realloc(list->records, list->room * sizeof *list->records, PURPOSE);
    }
    list->count += at == list->count;
    list->records[at] = (struct ps_kafka_positions_record){.key = copy(key, key_length),
                                                           .value = copy(value, value_length),
                                                           .key_length = key_length,
                                                           .value_length = value_length};
}
