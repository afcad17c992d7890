/* The log's rate limit compared with a model of each key, and the account of all lines when keys replace each other. */
#include "core/log/limit.h"

#include "tests/support/support.h"

#include <stdio.h>

#define KEYS 4U /* as many as one key has places: none replaces another */

struct model_key {
    bool known;
    uint64_t window_ns, lines, held, first_ns, last_ns;
    char text[16];
};

static struct ps_log_limit limit;
static struct model_key model[KEYS];
static uint64_t random_state;
static const char formats[2][4] = {"a", "b"};
static const char *const components[] = {"source s", "sink s"};

static uint64_t pick(uint64_t below)
{
    return ps_test_random(&random_state) % below;
}

static void assert_entry(const struct ps_log_limit_entry *entry, unsigned key)
{
    const struct model_key *expected = &model[key];
    assert_ptr_equal(entry->format, formats[key % 2]);
    assert_int_equal(entry->window_ns, expected->window_ns);
    assert_int_equal(entry->lines, expected->lines);
    assert_int_equal(entry->held, expected->held);
    if (expected->held > 0) {
        assert_int_equal(entry->held_first_ns, expected->first_ns);
        assert_int_equal(entry->held_last_ns, expected->last_ns);
        assert_string_equal(entry->text, expected->text);
        assert_string_equal(entry->component, components[key / 2]);
        assert_int_equal(entry->level, (int)key);
    }
}

static void write_line(unsigned key, uint64_t now_ns, unsigned number)
{
    struct model_key *expected = &model[key];
    struct ps_log_limit_entry *entry = NULL, evicted = {.held = 9};
    uint64_t held = 0;
    char text[16];
    if (!expected->known || now_ns - expected->window_ns >= PS_LOG_LIMIT_WINDOW_NS) {
        expected->known = true;
        expected->window_ns = now_ns;
        expected->lines = 0;
    }
    bool admitted = expected->lines < PS_LOG_LIMIT_LINES;
    assert_int_equal(
        ps_log_limit_admit(&limit, formats[key % 2], components[key / 2], now_ns, &held, &entry, &evicted),
        admitted);
    assert_int_equal(evicted.held, 0);
    if (admitted) {
        expected->lines++;
        assert_int_equal(held, expected->held);
        expected->held = 0;
    } else {
        snprintf(text, sizeof text, "line %u", number);
        ps_log_limit_hold(entry, (int)key, components[key / 2], text);
        snprintf(expected->text, sizeof expected->text, "%s", text);
        expected->first_ns = expected->held++ == 0 ? now_ns : expected->first_ns;
        expected->last_ns = now_ns;
    }
    assert_entry(entry, key);
}

static unsigned key_of(const struct ps_log_limit_entry *entry)
{
    unsigned format = entry->format == formats[0] ? 0 : 1;
    return format + (strcmp(entry->component, components[0]) == 0 ? 0 : 2);
}

/* Takes all counts that are owed, as the log does, and compares them with the model's. */
static void collect(uint64_t now_ns, bool all, uint64_t *swept_ns)
{
    bool looks = all || now_ns - *swept_ns >= PS_LOG_LIMIT_WINDOW_NS;
    unsigned expected = 0, count = 0;
    for (unsigned key = 0; key < KEYS; key++)
        expected +=
            looks && model[key].held > 0 && (all || now_ns - model[key].window_ns >= PS_LOG_LIMIT_WINDOW_NS);
    for (struct ps_log_limit_entry *entry; (entry = ps_log_limit_owing(&limit, now_ns, all)) != NULL;
         count++) {
        unsigned key = key_of(entry);
        assert_entry(entry, key);
        assert_true(all || now_ns - entry->window_ns >= PS_LOG_LIMIT_WINDOW_NS);
        entry->held = model[key].held = 0;
    }
    assert_int_equal(count, expected);
    *swept_ns = looks ? now_ns : *swept_ns;
    assert_int_equal(limit.swept_ns, *swept_ns);
}

static void test_drawn(void **state)
{
    random_state = ps_test_seed() | 1;
    for (unsigned round = 0; round < 10; round++) {
        uint64_t now_ns = PS_LOG_LIMIT_WINDOW_NS, swept_ns = 0;
        memset(&limit, 0, sizeof limit);
        memset(model, 0, sizeof model);
        for (unsigned step = 0; step < 2000; step++) {
            now_ns += pick(4) == 0 ? pick(PS_LOG_LIMIT_WINDOW_NS / 8) : 0;
            write_line((unsigned)pick(1 + pick(KEYS)), now_ns, step);
            if (pick(8) == 0)
                collect(now_ns, false, &swept_ns);
            if (pick(200) == 0)
                collect(now_ns, true, &swept_ns);
        }
        assert_in_range(limit.distinct, 1, KEYS);
    }
}

/* More keys than the table has entries: every line is written, or is in a count that the caller gets once. */
static void test_no_line_is_lost(void **state)
{
    static char many[PS_LOG_LIMIT_ENTRIES * 3][4];
    struct ps_log_limit_entry *entry, evicted;
    uint64_t written = 0, counted = 0, now_ns = PS_LOG_LIMIT_WINDOW_NS, lines = 60000, evictions = 0;
    random_state = ps_test_seed() | 1;
    memset(&limit, 0, sizeof limit);
    for (uint64_t i = 0; i < lines; i++) {
        uint64_t held = 0;
        /* the keys' popularity differs, so that some are held back when another takes their place */
        const char *format = many[pick(1 + pick(PS_COUNT_OF(many)))];
        now_ns += pick(1000000);
        if (ps_log_limit_admit(&limit, format, "c", now_ns, &held, &entry, &evicted)) {
            written++;
            counted += held;
        } else
            ps_log_limit_hold(entry, 1, "c", "text");
        if (evicted.held > 0) {
            assert_ptr_not_equal(evicted.format, format);
            assert_string_equal(evicted.text, "text");
            counted += evicted.held;
            evictions++;
        }
    }
    while ((entry = ps_log_limit_owing(&limit, now_ns, true)) != NULL) {
        counted += entry->held;
        entry->held = 0;
    }
    assert_int_equal(written + counted, lines);
    assert_true(evictions > 0);
    assert_true(limit.distinct > PS_LOG_LIMIT_ENTRIES);
}

/* Long names and texts are cut. */
static void test_cut(void **state)
{
    struct ps_log_limit_entry entry;
    char long_text[PS_LOG_LIMIT_TEXT + 2];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    for (size_t more = 0; more < 2; more++) {
        memset(&entry, 'z', sizeof entry);
        ps_log_limit_hold(&entry, 5, long_text + sizeof long_text - sizeof entry.component - more,
                          long_text + 1 - more);
        assert_int_equal(strlen(entry.component), sizeof entry.component - 1);
        assert_int_equal(strlen(entry.text), PS_LOG_LIMIT_TEXT - 1);
        assert_int_equal(entry.level, 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawn),
        cmocka_unit_test(test_no_line_is_lost),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
