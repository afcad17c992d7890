/* What the log tells of a compressed file that is not read: one line at its level, for each format and each thing that is known of its text. */
#include "stages/lib/tail/tailer/internal.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdlib.h>

#define TEXT "one\ntwo\n"

struct row {
    const char *format;
    size_t text_length; /* 0: its format cannot be decompressed */
    int64_t text_bytes;
    bool is_certain;
    int64_t read;         /* its original was read up to here, and is gone; -1: there is no original */
    const char *expected; /* the only line has it; NULL: there is no line of the level INFO or above */
    int64_t lost;
};

static const struct row rows[] = {
    {"xz", 0, 0, false, -1, "compressed with xz: it is not read, and not compared", 0},
    {"xz", 0, 0, false, 4, "compressed with xz: it is not read, and not compared", 0},
    {"gzip", 0, 0, false, -1, "compressed with gzip: it is not read, and not compared", 0},
    {"gzip", 8, 8, true, -1, "compressed with gzip, and begins like no file that was read before", 0},
    {"zstd", 8, 0, false, -1, "compressed with zstd, and begins like no file that was read before", 0},
    {"gzip", 8, 8, true, 8, NULL, 0},
    {"gzip", 8, 7, true, 8, NULL, 0},
    {"gzip", 8, 9, true, 8, "with gzip before its rest was read: these 1 bytes are not read", 1},
    {"gzip", 8, 900, true, 8, "with gzip before its rest was read: these 892 bytes are not read", 892},
    {"zstd", 8, 8, false, 8, NULL, 0},
    {"zstd", 8, 7, false, 8, "with zstd: it is not complete, or may be longer", 0},
    {"zstd", 8, 0, false, 8, "with zstd: it is not complete, or may be longer", 0},
};

static void expect_line(const struct row *row, size_t number, const char *text)
{
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    if (lines != (row->expected != NULL) || (row->expected != NULL && strstr(text, row->expected) == NULL))
        fail_msg("row %zu: %zu lines: %s", number, lines, text);
}

static void test_lines(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        struct ps_counters counters = {{0}};
        struct ps_port port = {.component = "source t1", .counters = &counters};
        struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
        struct ps_tail_start start = {.format = row->format,
                                      .text_length = row->text_length,
                                      .text_bytes = row->text_bytes,
                                      .is_certain = row->is_certain};
        struct ps_tail_log log = {.path = (char *)(uintptr_t) "/app.1", .size = 5}, original = log;
        char file[16];
        snprintf(file, sizeof file, "log%zu", i);
        memcpy(start.text, TEXT, row->text_length);
        tailer->port = &port;
        ps_tail_slots_grow(&tailer->saves.changed, 4);
        original.resolved = true;
        original.read_offset = row->read;
        original.head.owner = &original;
        ps_tail_file_set(&original.file, -1, PS_TAIL_CACHE);
        if (row->read >= 0)
            ps_tail_fingerprint_index_put(&tailer->fingerprints, &original.head, ps_tail_head(TEXT, 8), 8);
        assert_int_equal(ps_log_open(ps_test_folder_path(file), NULL), PS_OK);
        ps_tail_compressed_found(tailer, &log, &start);
        ps_log_flush();
        expect_line(row, i, ps_test_folder_read(file));
        assert_true(log.compressed);
        assert_int_equal(log.read_offset, 5);
        assert_int_equal(log.delivered_offset, 5);
        assert_int_equal(ps_counter_read(&counters, (enum ps_counter)PS_TAIL_COUNTER_lost_bytes), row->lost);
        ps_tail_fingerprint_index_put(&tailer->fingerprints, &original.head, 0, 0);
        ps_tail_fingerprint_index_free(&tailer->fingerprints);
        ps_tail_slots_free(&tailer->saves.changed);
        free(tailer);
    }
    assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines, ps_test_folder_setup, ps_test_folder_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
