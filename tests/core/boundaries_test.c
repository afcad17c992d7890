/* Limits that headers of core/ name: exactly at the limit, one step below and one above. */
#include "core/deadletter/file.h"
#include "core/flow/limits.h"
#include "core/log/limit.h"
#include "core/watch/histogram.h"
#include "core/watch/metrics/access.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <sys/uio.h>

/* ---- headers of an event ---- */

/* Returns why `count` headers of random lengths, with these sums of names and values in bytes, are refused; NULL: they are
 * not. */
static const char *refusal_of(uint32_t count, uint64_t names_bytes, uint64_t values_bytes, uint64_t *random)
{
    struct ps_header_sizes sizes = {.count = 0};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t left = count - i;
        uint64_t name = names_bytes / left, value = values_bytes / left;
        if (left > 1 && name > 1)
            name = 1 + ps_test_random(random) % name;
        if (left > 1 && value > 1)
            value = ps_test_random(random) % value;
        if (left > 1 && names_bytes - name > (left - 1) * UINT64_C(60000))
            name = names_bytes - (left - 1) * UINT64_C(60000);
        ps_header_sizes_add(&sizes, (uint32_t)name, (uint32_t)value);
        names_bytes -= name;
        values_bytes -= value;
    }
    return ps_header_sizes_refusal(&sizes);
}

static void test_headers_of_an_event(void **state)
{
    uint64_t random = ps_test_seed() | 1;
    static const struct {
        uint32_t count;
        uint64_t names_bytes, values_bytes;
        const char *words; /* NULL: it is taken */
    } rows[] = {
        {PS_EVENT_HEADERS_MAX - 1, 5000, 100, NULL},
        {PS_EVENT_HEADERS_MAX, 5000, 100, NULL},
        {PS_EVENT_HEADERS_MAX + 1, 5000, 100, "more than 4096 headers"},
        {1, PS_HEADER_NAME_BYTES_MAX - 1, 0, NULL},
        {1, PS_HEADER_NAME_BYTES_MAX, 0, NULL},
        {1, PS_HEADER_NAME_BYTES_MAX + 1, 0, "longer than 65535 bytes"},
        {40, PS_EVENT_NAMES_BYTES_MAX - 1, 7, NULL},
        {40, PS_EVENT_NAMES_BYTES_MAX, 7, NULL},
        {40, PS_EVENT_NAMES_BYTES_MAX + 1, 7, "more than 1 MiB of header names"},
        {9, 90, PS_EVENT_VALUES_BYTES_MAX - 1, NULL},
        {9, 90, PS_EVENT_VALUES_BYTES_MAX, NULL},
        {9, 90, PS_EVENT_VALUES_BYTES_MAX + 1, "more than 32 MiB of header values"},
        {1, 1, PS_EVENT_VALUES_BYTES_MAX, NULL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        for (unsigned draw = 0; draw < 20; draw++) {
            const char *why = refusal_of(rows[i].count, rows[i].names_bytes, rows[i].values_bytes, &random);
            if ((why == NULL) != (rows[i].words == NULL) ||
                (why != NULL && strstr(why, rows[i].words) == NULL))
                fail_msg("row %zu: %s", i, why != NULL ? why : "is taken");
        }
    }
}

/* ---- the log's rate limit ---- */

static struct ps_log_limit limit;
static struct ps_log_limit_entry *entry, evicted;
static uint64_t held;

static bool admit(const char *format, uint64_t mono_ns)
{
    return ps_log_limit_admit(&limit, format, "c", mono_ns, &held, &entry, &evicted);
}

/* The line with this number in a window is the last one that is written; a window ends exactly after its time. */
static void test_lines_of_a_window(void **state)
{
    static const char format[] = "f";
    memset(&limit, 0, sizeof limit);
    uint64_t begin = 1000;
    for (unsigned window = 0; window < 3; window++) {
        for (unsigned line = 1; line <= PS_LOG_LIMIT_LINES + 1; line++)
            assert_int_equal(admit(format, begin + (line > 1)), line <= PS_LOG_LIMIT_LINES);
        assert_int_equal(entry->held, 1);
        assert_false(admit(format, begin + PS_LOG_LIMIT_WINDOW_NS - 1));
        assert_int_equal(entry->held, 2);
        assert_int_equal(entry->held_first_ns, begin + 1);
        assert_int_equal(entry->held_last_ns, begin + PS_LOG_LIMIT_WINDOW_NS - 1);
        begin += PS_LOG_LIMIT_WINDOW_NS + (window == 1); /* exactly at the end, and 1 ns later */
        assert_true(admit(format, begin));
        assert_int_equal(held, 2);
        begin += PS_LOG_LIMIT_WINDOW_NS; /* of the line above */
    }
}

/* The search for counts that are owed runs once in a window, and finds windows that have just ended. */
static void test_windows_that_are_over(void **state)
{
    static const char format[] = "f";
    memset(&limit, 0, sizeof limit);
    const uint64_t begin = 5;
    for (unsigned line = 0; line <= PS_LOG_LIMIT_LINES; line++)
        (void)admit(format, begin);
    assert_null(ps_log_limit_owing(&limit, PS_LOG_LIMIT_WINDOW_NS - 1, false));
    assert_null(ps_log_limit_owing(&limit, begin + PS_LOG_LIMIT_WINDOW_NS - 1, false)); /* a search */
    assert_null(ps_log_limit_owing(&limit, begin + 2 * PS_LOG_LIMIT_WINDOW_NS - 2, false));
    assert_ptr_equal(ps_log_limit_owing(&limit, begin + 2 * PS_LOG_LIMIT_WINDOW_NS - 1, false), entry);
    assert_ptr_equal(ps_log_limit_owing(&limit, 0, true), entry);
    entry->held = 0;
    assert_null(ps_log_limit_owing(&limit, begin + 2 * PS_LOG_LIMIT_WINDOW_NS, false));
    memset(&limit, 0, sizeof limit);
    for (unsigned line = 0; line <= PS_LOG_LIMIT_LINES; line++)
        (void)admit(format, begin);
    assert_ptr_equal(ps_log_limit_owing(&limit, begin + PS_LOG_LIMIT_WINDOW_NS, false), entry);
}

/* The text is cut so that it fits with its terminator. */
static void test_text_of_a_line(void **state)
{
    static struct ps_log_limit_entry one;
    char text[PS_LOG_LIMIT_TEXT + 2];
    for (unsigned length = PS_LOG_LIMIT_TEXT - 2; length <= PS_LOG_LIMIT_TEXT + 1; length++) {
        memset(text, 'x', length);
        text[length] = '\0';
        ps_log_limit_hold(&one, 0, "c", text);
        assert_int_equal(strlen(one.text), length < PS_LOG_LIMIT_TEXT ? length : PS_LOG_LIMIT_TEXT - 1);
    }
}

/* With more keys than entries, at most one key for each entry is kept, and no key's count goes to another key. */
static void test_more_keys_than_entries(void **state)
{
    static char formats[2 * PS_LOG_LIMIT_ENTRIES];
    memset(&limit, 0, sizeof limit);
    uint64_t counted = 0, lines = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < PS_COUNT_OF(formats); i++) {
            for (unsigned line = 0; line < PS_LOG_LIMIT_LINES + 2; line++) {
                lines++;
                if (admit(&formats[i], 1 + i))
                    counted += 1 + held;
                counted += evicted.held;
                assert_ptr_equal(entry->format, &formats[i]);
            }
        }
    }
    unsigned used = 0;
    for (unsigned i = 0; i < PS_LOG_LIMIT_ENTRIES; i++) {
        used += limit.entries[i].format != NULL;
        counted += limit.entries[i].held;
    }
    assert_int_equal(counted, lines); /* each line was written, or is counted once */
    assert_true(used > PS_LOG_LIMIT_ENTRIES / 2);
}

/* ---- histograms ---- */

#define BUCKETS_BELOW(steps) ((uint32_t)(steps) << PS_HISTOGRAM_BITS)

static void test_buckets(void **state)
{
    const uint64_t linear = UINT64_C(1) << PS_HISTOGRAM_BITS, last = UINT64_C(1) << PS_HISTOGRAM_BITS_MAX;
    const struct {
        uint64_t value;
        uint32_t bucket;
    } rows[] = {
        {linear - 1, BUCKETS_BELOW(1) - 1},
        {linear, BUCKETS_BELOW(1)},
        {2 * linear - 1, BUCKETS_BELOW(2) - 1}, /* the last one of width 1 */
        {2 * linear, BUCKETS_BELOW(2)},
        {2 * linear + 1, BUCKETS_BELOW(2)},
        {2 * linear + 2, BUCKETS_BELOW(2) + 1},
        {last - 1, PS_HISTOGRAM_BUCKETS - 1},
        {last, PS_HISTOGRAM_BUCKETS - 1},
        {last + 1, PS_HISTOGRAM_BUCKETS - 1},
        {UINT64_MAX, PS_HISTOGRAM_BUCKETS - 1},
        {last - (last >> (PS_HISTOGRAM_BITS + 1)) - 1, PS_HISTOGRAM_BUCKETS - 2},
        {last - (last >> (PS_HISTOGRAM_BITS + 1)), PS_HISTOGRAM_BUCKETS - 1},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        if (ps_histogram_bucket(rows[i].value) != rows[i].bucket)
            fail_msg("row %zu: bucket %u, not %u", i, ps_histogram_bucket(rows[i].value), rows[i].bucket);
    }
    for (uint32_t bucket = 0; bucket + 1 < PS_HISTOGRAM_BUCKETS; bucket++) {
        uint64_t most = ps_histogram_bucket_max(bucket);
        if (ps_histogram_bucket(most) != bucket || ps_histogram_bucket(most + 1) != bucket + 1)
            fail_msg("bucket %u does not end at %llu", bucket, (unsigned long long)most);
    }
}

/* ---- files ---- */

static void test_token(void **state)
{
    char token[PS_ACCESS_TOKEN_BYTES], name[32], text[PS_ACCESS_TOKEN_BYTES + 1];
    for (unsigned length = PS_ACCESS_TOKEN_BYTES - 2; length <= PS_ACCESS_TOKEN_BYTES + 1; length++) {
        struct ps_err err = {.length = 0};
        bool fits = length < PS_ACCESS_TOKEN_BYTES;
        memset(text, 't', length);
        snprintf(name, sizeof name, "token%u", length);
        ps_test_folder_append(name, text, length);
        assert_int_equal(ps_metrics_token_read(ps_test_folder_path(name), token, &err),
                         fits ? PS_OK : PS_FAIL);
        if (fits)
            assert_int_equal(strlen(token), length);
        else
            assert_non_null(strstr(err.text, "is longer than 1,023 bytes"));
    }
}

static enum ps_status append_letter(struct ps_dead_letter_file *file, int64_t wall_ms)
{
    struct ps_err err = {.length = 0};
    char line[] = "{}\n";
    struct iovec part = {line, 3};
    return ps_dead_letter_file_append(file, &part, 1, (struct ps_now){.mono_ns = 1, .wall_ms = wall_ms},
                                      &err);
}

/* A file of dead letters ends at its size, and with its hour. */
static void test_file_of_letters(void **state)
{
    const int64_t hour_ms = 3600000, begin_ms = 490000 * hour_ms;
    static const struct {
        uint64_t bytes; /* that the file has */
        int64_t ms;     /* of the hour */
        bool is_new;
    } rows[] = {
        {3, 0, false},
        {PS_DEAD_LETTER_FILE_BYTES_MAX - 1, 0, false},
        {PS_DEAD_LETTER_FILE_BYTES_MAX, 0, true},
        {PS_DEAD_LETTER_FILE_BYTES_MAX + 1, 0, true},
        {3, 3600000 - 1, false},
        {3, 3600000, true},
        {3, 3600000 + 1, true},
        {3, -1, true}, /* the clock was set back */
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_dead_letter_file file;
        struct ps_err err = {.length = 0};
        char path[4096];
        assert_int_equal(ps_dead_letter_file_init(&file, ps_test_folder_path("dead"), "a1", &err), PS_OK);
        for (unsigned round = 0; round < 2; round++) {
            assert_int_equal(append_letter(&file, begin_ms + 10 * (int64_t)round * hour_ms), PS_OK);
            snprintf(path, sizeof path, "%s", file.path);
            file.bytes = rows[i].bytes;
            assert_int_equal(append_letter(&file, begin_ms + 10 * (int64_t)round * hour_ms + rows[i].ms),
                             PS_OK);
            if ((strcmp(path, file.path) != 0) != rows[i].is_new)
                fail_msg("row %zu: the file is %s", i, rows[i].is_new ? "the same" : "another one");
        }
        ps_dead_letter_file_fini(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_of_an_event),
        cmocka_unit_test(test_lines_of_a_window),
        cmocka_unit_test(test_windows_that_are_over),
        cmocka_unit_test(test_text_of_a_line),
        cmocka_unit_test(test_more_keys_than_entries),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test_setup_teardown(test_token, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_file_of_letters, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
