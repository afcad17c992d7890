/* The counters of rules and the state of their samples and limits, by rule name. The book outlives the sets,
 * so a rule that keeps its name keeps its counts over a reload.
 *
 * A worker writes only its own column, through pointers in its scratch, and reads nothing else of the
 * book. The thread that makes or destroys sets (one at a time) adds and releases entries; any thread may
 * read counts. Both take the book's mutex; workers never do. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/name.h"
#include "stages/lib/rules/set_internal.h"

#define CHUNK_ENTRIES 1024U
#define CHUNKS_MAX 512U
/* How many rules that no set contains any more are kept; the oldest are reused first. */
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
    uint32_t hash, next;    /* next entry of the same hash list */
    uint32_t references;    /* number of sets that contain the rule */
    uint32_t before, after; /* neighbours in the list of retired entries */
    struct held_meter *meters;
};

struct chunk {
    struct entry entries[CHUNK_ENTRIES];
    struct column *columns[]; /* by instance */
};

struct ps_rules_book {
    pthread_mutex_t lock;
    unsigned instances;
    struct chunk *chunks[CHUNKS_MAX];
    uint32_t entry_count;
    uint32_t *lists, list_count; /* of entries by hash */
    uint32_t retired_count, retired_first, retired_last;
};

static struct entry *entry_at(const struct ps_rules_book *book, uint32_t number)
{
    return &book->chunks[number / CHUNK_ENTRIES]->entries[number % CHUNK_ENTRIES];
}

static struct column *column_at(const struct ps_rules_book *book, uint32_t number, unsigned instance)
{
    PS_ASSERT(instance < book->instances);
    return book->chunks[number / CHUNK_ENTRIES]->columns[instance];
}

struct ps_rules_book *ps_rules_book_create(unsigned instances)
{
    struct ps_rules_book *book = ps_must_alloc(1, sizeof *book, "the counters of rules");
    book->instances = instances > 0 ? instances : 1;
    book->retired_first = book->retired_last = RULES_NONE;
    pthread_mutex_init(&book->lock, NULL);
    return book;
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

void ps_rules_book_destroy(struct ps_rules_book *book)
{
    if (book == NULL)
        return;
    for (uint32_t i = 0; i < book->entry_count; i++) {
        meters_free(entry_at(book, i));
        free(entry_at(book, i)->name);
    }
    for (size_t i = 0; i < CHUNKS_MAX && book->chunks[i] != NULL; i++) {
        for (unsigned k = 0; k < book->instances; k++)
            free(book->chunks[i]->columns[k]);
        free(book->chunks[i]);
    }
    free(book->lists);
    pthread_mutex_destroy(&book->lock);
    free(book);
}

/* ---- entries ---- */

static uint32_t entry_find(const struct ps_rules_book *book, const char *name, uint32_t hash)
{
    if (book->list_count == 0)
        return RULES_NONE;
    uint32_t number = book->lists[hash & (book->list_count - 1)];
    while (number != RULES_NONE) {
        const struct entry *entry = entry_at(book, number);
        if (entry->hash == hash && strcmp(entry->name, name) == 0)
            break;
        number = entry->next;
    }
    return number;
}

static void entry_link(struct ps_rules_book *book, uint32_t number)
{
    struct entry *entry = entry_at(book, number);
    uint32_t *list = &book->lists[entry->hash & (book->list_count - 1)];
    entry->next = *list;
    *list = number;
}

static void lists_grow(struct ps_rules_book *book)
{
    book->list_count = book->list_count == 0 ? 1024 : 2 * book->list_count;
    free(book->lists);
    book->lists = ps_must_alloc(book->list_count, sizeof *book->lists, "the counters of rules");
    memset(book->lists, 0xFF, book->list_count * sizeof *book->lists);
    for (uint32_t i = 0; i < book->entry_count; i++)
        entry_link(book, i);
}

static void retired_remove(struct ps_rules_book *book, uint32_t number)
{
    struct entry *entry = entry_at(book, number);
    if (entry->before != RULES_NONE)
        entry_at(book, entry->before)->after = entry->after;
    else
        book->retired_first = entry->after;
    if (entry->after != RULES_NONE)
        entry_at(book, entry->after)->before = entry->before;
    else
        book->retired_last = entry->before;
    book->retired_count--;
}

static void retired_push(struct ps_rules_book *book, uint32_t number)
{
    struct entry *entry = entry_at(book, number);
    entry->after = RULES_NONE;
    entry->before = book->retired_last;
    if (book->retired_last != RULES_NONE)
        entry_at(book, book->retired_last)->after = number;
    else
        book->retired_first = number;
    book->retired_last = number;
    book->retired_count++;
}

static bool chunk_add(struct ps_rules_book *book)
{
    uint32_t number = book->entry_count / CHUNK_ENTRIES;
    if (number == CHUNKS_MAX)
        return false;
    struct chunk *chunk =
        ps_must_alloc(1, sizeof *chunk + book->instances * sizeof chunk->columns[0], "the counters of rules");
    for (unsigned i = 0; i < book->instances; i++)
        chunk->columns[i] = ps_must_alloc_aligned(sizeof(struct column), "the counters of rules");
    book->chunks[number] = chunk;
    return true;
}

/* Clears and returns the entry that was retired first. No scratch points to it any more. */
static uint32_t entry_reuse(struct ps_rules_book *book)
{
    uint32_t number = book->retired_first;
    struct entry *entry = entry_at(book, number);
    retired_remove(book, number);
    uint32_t *at = &book->lists[entry->hash & (book->list_count - 1)];
    while (*at != number)
        at = &entry_at(book, *at)->next;
    *at = entry->next;
    meters_free(entry);
    free(entry->name);
    for (unsigned i = 0; i < book->instances; i++) {
        memset(&column_at(book, number, i)->counts[number % CHUNK_ENTRIES], 0, sizeof(struct rules_counts));
        memset(&column_at(book, number, i)->rare[number % CHUNK_ENTRIES], 0,
               sizeof(struct rules_rare_counts));
    }
    return number;
}

static uint32_t entry_new(struct ps_rules_book *book, const char *name, uint32_t hash)
{
    uint32_t number = book->entry_count;
    if (book->retired_count >= RETIRED_MAX) {
        number = entry_reuse(book);
    } else {
        if (number % CHUNK_ENTRIES == 0 && !chunk_add(book))
            return RULES_NONE;
        if (book->entry_count == book->list_count)
            lists_grow(book);
        book->entry_count++;
    }
    struct entry *entry = entry_at(book, number);
    *entry = (struct entry){.name = ps_must_copy_text(name, "the counters of rules"), .hash = hash};
    entry_link(book, number);
    return number;
}

uint32_t ps_rules_book_hold(struct ps_rules_book *book, const char *rule)
{
    uint32_t hash = ps_name_hash(rule, strlen(rule));
    pthread_mutex_lock(&book->lock);
    uint32_t number = entry_find(book, rule, hash);
    bool is_new = number == RULES_NONE;
    if (is_new)
        number = entry_new(book, rule, hash);
    if (number != RULES_NONE) {
        if (!is_new && entry_at(book, number)->references == 0)
            retired_remove(book, number);
        entry_at(book, number)->references++;
    }
    pthread_mutex_unlock(&book->lock);
    return number;
}

void ps_rules_book_drop(struct ps_rules_book *book, uint32_t number)
{
    if (number == RULES_NONE)
        return;
    pthread_mutex_lock(&book->lock);
    if (--entry_at(book, number)->references == 0)
        retired_push(book, number);
    pthread_mutex_unlock(&book->lock);
}

struct rules_counts *ps_rules_book_counts(struct ps_rules_book *book, uint32_t number, unsigned instance)
{
    return &column_at(book, number, instance)->counts[number % CHUNK_ENTRIES];
}

struct rules_rare_counts *ps_rules_book_rare(struct ps_rules_book *book, uint32_t number, unsigned instance)
{
    return &column_at(book, number, instance)->rare[number % CHUNK_ENTRIES];
}

/* ---- meters ---- */

struct rules_meter *ps_rules_book_meter_take(struct ps_rules_book *book, uint32_t number, unsigned instance,
                                             const struct rules_meter_spec *spec)
{
    pthread_mutex_lock(&book->lock);
    struct entry *entry = entry_at(book, number);
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
    pthread_mutex_unlock(&book->lock);
    return held != NULL ? held->meter : NULL;
}

void ps_rules_book_meter_give(struct ps_rules_book *book, uint32_t number, struct rules_meter *meter)
{
    pthread_mutex_lock(&book->lock);
    struct held_meter **at = &entry_at(book, number)->meters;
    while (*at != NULL && (*at)->meter != meter)
        at = &(*at)->next;
    struct held_meter *held = *at;
    PS_ASSERT(held != NULL);
    if (--held->references == 0) {
        *at = held->next;
        ps_rules_meter_destroy(held->meter);
        free(held);
    }
    pthread_mutex_unlock(&book->lock);
}

/* ---- reading ---- */

static void entry_sum(const struct ps_rules_book *book, uint32_t number, struct ps_rules_count *sum)
{
    *sum = (struct ps_rules_count){.hits = 0};
    for (unsigned i = 0; i < book->instances; i++) {
        const struct column *column = column_at(book, number, i);
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

void ps_rules_book_each(const struct ps_rules_book *book_,
                        void (*each)(void *argument, const char *rule, const struct ps_rules_count *count),
                        void *argument)
{
    struct ps_rules_book *book =
        (struct ps_rules_book *)(uintptr_t)book_; /* const only for callers: the mutex is locked */
    pthread_mutex_lock(&book->lock);
    for (int retired = 0; retired < 2; retired++) {
        for (uint32_t i = 0; i < book->entry_count; i++) {
            if ((entry_at(book, i)->references == 0) != (retired == 1))
                continue;
            struct ps_rules_count count;
            entry_sum(book, i, &count);
            each(argument, entry_at(book, i)->name, &count);
        }
    }
    pthread_mutex_unlock(&book->lock);
}
