/* A compressed file whose text was read, and that is opened again: as another format, and as a file that is no longer compressed. */
#include "stages/lib/tail/tailer/internal.h"
#include "tests/support/support.h"

#include <stdlib.h>

/* It is another file's turn, so nothing is surveyed yet. Only a file that is no longer compressed is read as any other, from its beginning. */
static void test_formats(void **unused)
{
    static const enum ps_compression kinds[] = {PS_COMPRESSION_NONE, PS_COMPRESSION_GZIP,
                                                PS_COMPRESSION_ZSTD};
    for (size_t i = 0; i < PS_COUNT_OF(kinds); i++) {
        struct ps_counters counters = {{0}};
        struct ps_port port = {.component = "source t1", .counters = &counters};
        uint32_t generations[] = {1};
        const struct ps_tail_start start = {.text_length = 0};
        const struct ps_tail_text_opening opening = {
            .fd = -1, .kind = kinds[i], .begins = true, .start = &start};
        struct ps_tail_log log = {.generation = 1,
                                  .path = (char *)(uintptr_t) "/app.1",
                                  .named = true,
                                  .matches = true,
                                  .resolved = true,
                                  .read_offset = 8,
                                  .delivered_offset = 8};
        struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
        struct ps_tail_slots *sets[] = {&tailer->saves.changed, &tailer->heirs, &tailer->unresolved,
                                        &tailer->texts};
        for (size_t k = 0; k < PS_COUNT_OF(sets); k++)
            ps_tail_slots_grow(sets[k], 4);
        tailer->port = &port;
        tailer->table.generations = generations;
        log.text.kind = PS_COMPRESSION_GZIP;
        log.head.owner = log.earlier_head.owner = &log;
        ps_tail_file_set(&log.file, -1, PS_TAIL_THREAD);
        bool keeps = false, is_text = kinds[i] != PS_COMPRESSION_NONE;
        assert_int_equal(ps_tail_text_opened(tailer, &log, &opening, &keeps), is_text);
        assert_false(keeps);
        assert_int_equal(log.text.kind, kinds[i]);
        assert_int_equal(log.resolved, is_text);
        assert_int_equal(log.read_offset, is_text ? 8 : 0);
        assert_int_equal(log.generation, is_text ? 1 : 2);
        assert_int_equal(tailer->texts.count, is_text); /* it waits for its turn */
        for (size_t k = 0; k < PS_COUNT_OF(sets); k++)
            ps_tail_slots_free(sets[k]);
        ps_tail_marks_free(&log.earlier.marks);
        ps_tail_fingerprint_index_put(&tailer->fingerprints, &log.earlier_head, 0, 0);
        ps_tail_fingerprint_index_free(&tailer->fingerprints);
        free(tailer);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_formats)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
