#include "core/name.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 65536
#define NAME_BYTES_MAX 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ps_name *table[2 * NAMES_MAX]; /* open addressing */
static size_t name_count;

uint32_t ps_name_hash(const char *text, size_t length)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)text[i]) * 16777619U;
    return hash;
}

bool ps_name_same_text(const struct ps_name *a, const struct ps_name *b)
{
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static struct ps_name *name_create(const char *text, size_t length, uint32_t hash)
{
    struct ps_name *name = ps_must_alloc(1, sizeof *name + length + 1, "a header name");
    name->mask = ps_name_mask(hash);
    name->hash = hash;
    name->length = (uint32_t)length;
    memcpy(name->text, text, length);
    name->text[length] = '\0';
    return name;
}

const struct ps_name *ps_name_intern_try(const char *text, size_t length)
{
    if (length > NAME_BYTES_MAX)
        return NULL;
    uint32_t hash = ps_name_hash(text, length);
    size_t slot = hash % PS_COUNT_OF(table);
    pthread_mutex_lock(&lock);
    while (table[slot] != NULL && (table[slot]->hash != hash || table[slot]->length != length ||
                                   memcmp(table[slot]->text, text, length) != 0))
        slot = (slot + 1) % PS_COUNT_OF(table);
    if (table[slot] == NULL && name_count < NAMES_MAX) {
        name_count++;
        table[slot] = name_create(text, length, hash);
    }
    const struct ps_name *name = table[slot];
    pthread_mutex_unlock(&lock);
    return name;
}

const struct ps_name *ps_name_intern_bytes(const char *text, size_t length)
{
    const struct ps_name *name = ps_name_intern_try(text, length);
    PS_ASSERT(name != NULL);
    return name;
}

const struct ps_name *ps_name_intern(const char *text)
{
    return ps_name_intern_bytes(text, strlen(text));
}
