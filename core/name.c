#include "core/name.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/clock.h"
#include "core/fnv.h"

#define NAMES_MAX 65536
#define NAME_BYTES_MAX 65535 /* PS_HEADER_NAME_BYTES_MAX of core/flow/limits.h */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ps_name *first_table[2 * NAMES_MAX];
static struct ps_name **table = first_table; /* open addressing, at most half full */
static size_t table_size = PS_COUNT_OF(first_table), name_count;

uint32_t ps_name_hash(const char *text, size_t length)
{
    return ps_fnv32(PS_FNV32, text, length);
}

static uint64_t hash_key[2];

static void draw_hash_key(void)
{
    if (getrandom(hash_key, sizeof hash_key, 0) == (ssize_t)sizeof hash_key)
        return;
    struct ps_now now =
        /* a kernel without getrandom: the time is a weak key, but it differs between processes */
        ps_clock_now();
    hash_key[0] = now.mono_ns;
    hash_key[1] = (uint64_t)(uintptr_t)&now;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t ps_name_keyed_hash(const char *text, size_t length)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, draw_hash_key);
    uint64_t hash = hash_key[0] ^ length;
    for (; length > 0;) {
        size_t part = length < 8 ? length : 8;
        uint64_t word = 0;
        memcpy(&word, text, part);
        hash = mix(hash ^ word, hash_key[1] | 1);
        text += part;
        length -= part;
    }
    return mix(hash ^ UINT64_C(0x9E3779B97F4A7C15), hash_key[1] | 1);
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

static struct ps_name **slot_of(const char *text, size_t length, uint32_t hash)
{
    size_t slot = hash % table_size;
    while (table[slot] != NULL && (table[slot]->hash != hash || table[slot]->length != length ||
                                   memcmp(table[slot]->text, text, length) != 0))
        slot = (slot + 1) % table_size;
    return &table[slot];
}

static void table_grow(void)
{
    struct ps_name **former = table;
    size_t count = table_size;
    table_size = 2 * count;
    table = ps_must_alloc(table_size, sizeof(*table), "header names");
    for (size_t i = 0; i < count; i++)
        if (former[i] != NULL)
            *slot_of(former[i]->text, former[i]->length, former[i]->hash) = former[i];
    if (former != first_table)
        free(former);
}

/* Returns the name's object, which is made if it is new. Returns NULL if it is new and there are `max` names already. */
static const struct ps_name *intern(const char *text, size_t length, size_t max)
{
    uint32_t hash = ps_name_hash(text, length);
    pthread_mutex_lock(&lock);
    struct ps_name **slot = slot_of(text, length, hash);
    if (*slot == NULL && name_count < max) {
        if (2 * ++name_count > table_size) {
            table_grow();
            slot = slot_of(text, length, hash);
        }
        *slot = name_create(text, length, hash);
    }
    const struct ps_name *name = *slot;
    pthread_mutex_unlock(&lock);
    return name;
}

const struct ps_name *ps_name_intern_try(const char *text, size_t length)
{
    return length <= NAME_BYTES_MAX ? intern(text, length, NAMES_MAX) : NULL;
}

const struct ps_name *ps_name_intern_bytes(const char *text, size_t length)
{
    PS_ASSERT(length <= NAME_BYTES_MAX);
    return intern(text, length, SIZE_MAX);
}

const struct ps_name *ps_name_intern(const char *text)
{
    return ps_name_intern_bytes(text, strlen(text));
}
