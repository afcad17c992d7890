/* The index of files by their beginning, compared with a search of all of them: entries are added, changed, extended and removed. */
#include "stages/lib/tail/fingerprint_index.h"
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES 300U
#define TEXTS 5U

static char texts[TEXTS][PS_TAIL_HEAD_BYTES + 100];
static struct ps_tail_fingerprint_entry entries[ENTRIES];
static struct {
    unsigned text;
    uint32_t length; /* 0: not in the index */
    uint64_t when;   /* of the last change */
} model[ENTRIES];

struct visits {
    unsigned count, limit;
    unsigned numbers[ENTRIES];
};

static bool visit(void *visits_, struct ps_tail_fingerprint_entry *entry)
{
    struct visits *visits = visits_;
    assert_true(visits->count < ENTRIES);
    assert_ptr_equal(entry->owner, &model[entry - entries]);
    visits->numbers[visits->count++] = (unsigned)(entry - entries);
    return visits->count < visits->limit;
}

static bool begins_so(unsigned i, unsigned text, size_t length)
{
    return model[i].length > 0 && model[i].length <= length &&
           memcmp(texts[model[i].text], texts[text], model[i].length) == 0;
}

/* Asserts that each entry that fits is visited once, at most `limit` of them: longer ones first, the latest first
 * among those of equal length. */
static void check(const struct ps_tail_fingerprint_index *index, unsigned text, size_t length)
{
    struct visits all = {.limit = UINT32_MAX}, some = {.limit = 3};
    unsigned expected = 0;
    ps_tail_fingerprint_index_find(index, texts[text], length, visit, &all);
    for (unsigned i = 0; i < ENTRIES; i++)
        expected += begins_so(i, text, length);
    assert_int_equal(all.count, expected);
    for (unsigned k = 0; k < all.count; k++) {
        unsigned i = all.numbers[k], before = k > 0 ? all.numbers[k - 1] : 0;
        assert_true(begins_so(i, text, length));
        assert_true(k == 0 || model[before].length > model[i].length ||
                    (model[before].length == model[i].length && model[before].when > model[i].when));
    }
    ps_tail_fingerprint_index_find(index, texts[text], length, visit, &some);
    assert_int_equal(some.count, all.count < 3 ? all.count : 3);
}

static void test_drawn(void **unused)
{
    static const uint32_t lengths[] = {0, 1, 2, 10, 99, 100, 101, PS_TAIL_HEAD_BYTES - 1, PS_TAIL_HEAD_BYTES};
    uint64_t random = ps_test_seed();
    struct ps_tail_fingerprint_index index = {.room = 0};
    check(&index, 0, sizeof texts[0]);
    for (unsigned i = 0; i < TEXTS; i++) { /* the first three share 100 bytes, all share one */
        memset(texts[i], 'b', sizeof texts[i]);
        memset(texts[i] + (i < 3 ? 100 : 1), (char)('c' + i), 1);
    }
    for (unsigned i = 0; i < ENTRIES; i++)
        entries[i].owner = &model[i];
    for (unsigned step = 0; step < 3000; step++) {
        unsigned i = (unsigned)(ps_test_random(&random) % ENTRIES),
                 text = (unsigned)(ps_test_random(&random) % TEXTS);
        uint32_t length = lengths[ps_test_random(&random) % PS_COUNT_OF(lengths)];
        uint64_t head = ps_tail_head(texts[text], length);
        bool same = model[i].length == length && (length == 0 || entries[i].head == head);
        ps_tail_fingerprint_index_put(&index, &entries[i], head, length);
        model[i].text = text;
        model[i].length = length;
        model[i].when = same ? model[i].when : step + 1; /* an entry that is added again unchanged keeps its
                                                          * place */
        if (step % 10 == 0)
            check(&index, (unsigned)(ps_test_random(&random) % TEXTS),
                  ps_test_random(&random) % 2 == 0 ? sizeof texts[0]
                                                   : lengths[ps_test_random(&random) % PS_COUNT_OF(lengths)]);
    }
    for (unsigned i = 0; i < ENTRIES; i++) {
        ps_tail_fingerprint_index_put(&index, &entries[i], 0, 0);
        model[i].length = 0;
    }
    assert_int_equal(index.count, 0);
    check(&index, 1, sizeof texts[1]);
    ps_tail_fingerprint_index_free(&index);
}

/* A lookup walks through one bucket: none gets long, however many files there are. */
static void test_buckets(void **unused)
{
    const size_t count = 20000;
    uint64_t random = 1;
    struct ps_tail_fingerprint_index index = {.room = 0};
    struct ps_tail_fingerprint_entry *many = calloc(count, sizeof *many);
    assert_non_null(many);
    for (size_t i = 0; i < count; i++)
        ps_tail_fingerprint_index_put(&index, &many[i], ps_test_random(&random), PS_TAIL_HEAD_BYTES);
    for (uint32_t i = 0; i < index.room; i++) {
        unsigned length = 0;
        for (const struct ps_tail_fingerprint_entry *at = index.buckets[i]; at != NULL; at = at->next)
            length++;
        assert_true(length <= 16);
    }
    ps_tail_fingerprint_index_free(&index);
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn), cmocka_unit_test(test_buckets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
