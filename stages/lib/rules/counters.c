/* The counters of rules and the state of their samples and limits, by rule name. They outlive the sets, so a
 * rule that keeps its name keeps its counts over a reload.
 *
 * A worker writes only its own column, through pointers in its scratch, and reads no other part of the
 * counters. The thread that makes or destroys sets (one at a time) adds and releases entries; any thread may
 * read counts. Both take the counters' mutex; workers never do. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "core/name.h"
#include "stages/lib/rules/set_internal.h"

#define CHUNK_ENTRIES 1024U
#define CHUNKS_MAX 512U
/* Maximum number of kept rules that no set contains; the oldest are reused first. */
#define RETIRED_MAX 10000U

/* A worker's counters of 1,024 entries. Only that worker writes them. */
struct column {
    struct rules_counts counts[CHUNK_ENTRIES];
    struct rules_rare_counts rare[CHUNK_ENTRIES];
} PS_ALIGNED_GAP;

/* A meter and the number of scratches that use it. */
struct held_meter {
    struct rules_meter *meter;
    struct held_meter *next;
    uint32_t ordinal, references;
    unsigned instance;
};

struct entry {
    char *name;
    uint32_t number, hash, next; /* next entry of the same hash list */
    uint32_t references;         /* number of sets that contain the rule */
    TAILQ_ENTRY(entry) retired;  /* without references */
    struct held_meter *meters;
};

struct chunk {
    struct entry entries[CHUNK_ENTRIES];
    struct column *columns[]; /* by instance */
};

struct ps_rules_counters {
    pthread_mutex_t lock;
    unsigned instances;
    struct chunk *chunks[CHUNKS_MAX];
    uint32_t entry_count;
    uint32_t *lists, list_count; /* of entries by hash */
    uint32_t retired_count;
    TAILQ_HEAD(, entry) retired; /* the oldest first */
};

static struct entry *entry_at(const struct ps_rules_counters *counters, uint32_t number)
{
    return &counters->chunks[number / CHUNK_ENTRIES]->entries[number % CHUNK_ENTRIES];
}

static struct column *column_at(const struct ps_rules_counters *counters, uint32_t number, unsigned instance)
{
    PS_ASSERT(instance < counters->instances);
    return counters->chunks[number / CHUNK_ENTRIES]->columns[instance];
}

struct ps_rules_counters *ps_rules_counters_create(unsigned instances)
{
    struct ps_rules_counters *counters = ps_must_alloc(1, sizeof *counters, "the counters of rules");
    counters->instances = instances > 0 ? instances : 1;
    TAILQ_INIT(&counters->retired);
    pthread_mutex_init(&counters->lock, NULL);
    return counters;
}

static void meters_free(struct entry *entry)
{
    while (entry->meters != NULL) {
        struct held_meter *held = entry->meters;
        entry->meters = held->next;
        ps_rules_meter_destroy(held->meter);
        free(held);
    }
}

void ps_rules_counters_destroy(struct ps_rules_counters *counters)
{
    if (counters == NULL)
        return;
    for (uint32_t i = 0; i < counters->entry_count; i++) {
        meters_free(entry_at(counters, i));
        free(entry_at(counters, i)->name);
    }
    for (size_t i = 0; i < CHUNKS_MAX && counters->chunks[i] != NULL; i++) {
        for (unsigned k = 0; k < counters->instances; k++)
            free(counters->chunks[i]->columns[k]);
        free(counters->chunks[i]);
    }
    free(counters->lists);
    pthread_mutex_destroy(&counters->lock);
    free(counters);
}

/* ---- entries ---- */

static uint32_t entry_find(const struct ps_rules_counters *counters, const char *name, uint32_t hash)
{
    if (counters->list_count == 0)
        return RULES_NONE;
    uint32_t number = counters->lists[hash & (counters->list_count - 1)];
    while (number != RULES_NONE) {
        const struct entry *entry = entry_at(counters, number);
        if (entry->hash == hash && strcmp(entry->name, name) == 0)
            break;
        number = entry->next;
    }
    return number;
}

static void entry_link(struct ps_rules_counters *counters, uint32_t number)
{
    struct entry *entry = entry_at(counters, number);
    uint32_t *list = &counters->lists[entry->hash & (counters->list_count - 1)];
    entry->next = *list;
    *list = number;
}

static void lists_grow(struct ps_rules_counters *counters)
{
    counters->list_count = counters->list_count == 0 ? 1024 : 2 * counters->list_count;
    free(counters->lists);
    counters->lists = ps_must_alloc(counters->list_count, sizeof *counters->lists, "the counters of rules");
    memset(counters->lists, 0xFF, counters->list_count * sizeof *counters->lists);
    for (uint32_t i = 0; i < counters->entry_count; i++)
        entry_link(counters, i);
}

static void retired_remove(struct ps_rules_counters *counters, struct entry *entry)
{
    TAILQ_REMOVE(&counters->retired, entry, retired);
    counters->retired_count--;
}

static bool chunk_add(struct ps_rules_counters *counters)
{
    uint32_t number = counters->entry_count / CHUNK_ENTRIES;
    if (number == CHUNKS_MAX)
        return false;
    struct chunk *chunk = ps_must_alloc(1, sizeof *chunk + counters->instances * sizeof chunk->columns[0],
                                        "the counters of rules");
    for (unsigned i = 0; i < counters->instances; i++)
        chunk->columns[i] = ps_must_alloc_aligned(sizeof(struct column), "the counters of rules");
    counters->chunks[number] = chunk;
    return true;
}

/* Clears and returns the entry that was retired first. No scratch points to it. */
static uint32_t entry_reuse(struct ps_rules_counters *counters)
{
    struct entry *entry = TAILQ_FIRST(&counters->retired);
    uint32_t number = entry->number;
    retired_remove(counters, entry);
    uint32_t *at = &counters->lists[entry->hash & (counters->list_count - 1)];
    while (*at != number)
        at = &entry_at(counters, *at)->next;
    *at = entry->next;
    meters_free(entry);
    free(entry->name);
    for (unsigned i = 0; i < counters->instances; i++) {
        memset(&column_at(counters, number, i)->counts[number % CHUNK_ENTRIES], 0,
               sizeof(struct rules_counts));
        memset(&column_at(counters, number, i)->rare[number % CHUNK_ENTRIES], 0,
               sizeof(struct rules_rare_counts));
    }
    return number;
}

static uint32_t entry_new(struct ps_rules_counters *counters, const char *name, uint32_t hash)
{
    uint32_t number = counters->entry_count;
    if (counters->retired_count >= RETIRED_MAX) {
        number = entry_reuse(counters);
    } else {
        if (number % CHUNK_ENTRIES == 0 && !chunk_add(counters))
            return RULES_NONE;
        if (counters->entry_count == counters->list_count)
            lists_grow(counters);
        counters->entry_count++;
    }
    struct entry *entry = entry_at(counters, number);
    *entry = (struct entry){
        .name = ps_must_copy_text(name, "the counters of rules"), .number = number, .hash = hash};
    entry_link(counters, number);
    return number;
}

uint32_t ps_rules_counters_hold(struct ps_rules_counters *counters, const char *rule)
{
    uint32_t hash = ps_name_hash(rule, strlen(rule));
    pthread_mutex_lock(&counters->lock);
    uint32_t number = entry_find(counters, rule, hash);
    bool is_new = number == RULES_NONE;
    if (is_new)
        number = entry_new(counters, rule, hash);
    if (number != RULES_NONE) {
        if (!is_new && entry_at(counters, number)->references == 0)
            retired_remove(counters, entry_at(counters, number));
        entry_at(counters, number)->references++;
    }
    pthread_mutex_unlock(&counters->lock);
    return number;
}

void ps_rules_counters_drop(struct ps_rules_counters *counters, uint32_t number)
{
    if (number == RULES_NONE)
        return;
    pthread_mutex_lock(&counters->lock);
    struct entry *entry = entry_at(counters, number);
    if (--entry->references == 0) {
        TAILQ_INSERT_TAIL(&counters->retired, entry, retired);
        counters->retired_count++;
    }
    pthread_mutex_unlock(&counters->lock);
}

struct rules_counts *ps_rules_counters_counts(struct ps_rules_counters *counters, uint32_t number,
                                              unsigned instance)
{
    return &column_at(counters, number, instance)->counts[number % CHUNK_ENTRIES];
}

struct rules_rare_counts *ps_rules_counters_rare(struct ps_rules_counters *counters, uint32_t number,
                                                 unsigned instance)
{
    return &column_at(counters, number, instance)->rare[number % CHUNK_ENTRIES];
}

/* ---- meters ---- */

struct rules_meter *ps_rules_counters_meter_take(struct ps_rules_counters *counters, uint32_t number,
                                                 unsigned instance, const struct rules_meter_spec *spec)
{
    pthread_mutex_lock(&counters->lock);
    struct entry *entry = entry_at(counters, number);
    struct held_meter *held = entry->meters;
    while (held != NULL && !(held->instance == instance && held->ordinal == spec->ordinal &&
                             ps_rules_meter_same(held->meter, spec)))
        held = held->next;
    if (held == NULL && (held = calloc(1, sizeof *held)) != NULL) {
        held->meter = ps_rules_meter_create(spec);
        if (held->meter == NULL) {
            free(held);
            held = NULL;
        } else {
            held->instance = instance;
            held->ordinal = spec->ordinal;
            held->next = entry->meters;
            entry->meters = held;
        }
    }
    if (held != NULL)
        held->references++;
    pthread_mutex_unlock(&counters->lock);
    return held != NULL ? held->meter : NULL;
}

void ps_rules_counters_meter_give(struct ps_rules_counters *counters, uint32_t number,
                                  struct rules_meter *meter)
{
    pthread_mutex_lock(&counters->lock);
    struct held_meter **at = &entry_at(counters, number)->meters;
    while (*at != NULL && (*at)->meter != meter)
        at = &(*at)->next;
    struct held_meter *held = *at;
    PS_ASSERT(held != NULL);
    if (--held->references == 0) {
        *at = held->next;
        ps_rules_meter_destroy(held->meter);
        free(held);
    }
    pthread_mutex_unlock(&counters->lock);
}

/* ---- reading ---- */

static void entry_sum(const struct ps_rules_counters *counters, uint32_t number, struct ps_rules_count *sum)
{
    *sum = (struct ps_rules_count){.hits = 0};
    for (unsigned i = 0; i < counters->instances; i++) {
        const struct column *column = column_at(counters, number, i);
        const struct rules_counts *counts = &column->counts[number % CHUNK_ENTRIES];
        const struct rules_rare_counts *rare = &column->rare[number % CHUNK_ENTRIES];
        sum->hits += __atomic_load_n(&counts->hits, __ATOMIC_RELAXED);
        sum->bytes += __atomic_load_n(&counts->bytes, __ATOMIC_RELAXED);
        sum->dropped += __atomic_load_n(&counts->dropped, __ATOMIC_RELAXED);
        int64_t last = __atomic_load_n(&counts->last_hit_ms, __ATOMIC_RELAXED);
        if (last > sum->last_hit_ms)
            sum->last_hit_ms = last;
        sum->failed += __atomic_load_n(&rare->failed, __ATOMIC_RELAXED);
        sum->keys_replaced += __atomic_load_n(&rare->keys_replaced, __ATOMIC_RELAXED);
    }
}

void ps_rules_counters_each(const struct ps_rules_counters *counters_,
                            void (*each)(void *argument, const char *rule,
                                         const struct ps_rules_count *count),
                            void *argument)
{
    struct ps_rules_counters *counters =
        (struct ps_rules_counters *)(uintptr_t)counters_; /* const only for callers: the mutex is locked */
    pthread_mutex_lock(&counters->lock);
    for (int retired = 0; retired < 2; retired++) {
        for (uint32_t i = 0; i < counters->entry_count; i++) {
            if ((entry_at(counters, i)->references == 0) != (retired == 1))
                continue;
            struct ps_rules_count count;
            entry_sum(counters, i, &count);
            each(argument, entry_at(counters, i)->name, &count);
        }
    }
    pthread_mutex_unlock(&counters->lock);
}
