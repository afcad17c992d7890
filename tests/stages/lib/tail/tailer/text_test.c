/* A compressed file whose text was read, and that is opened again: as another format, and as a file that is no longer compressed. And the state of a
 * text: whether it is final, whose it is, and when its file is opened. */
#include "stages/lib/tail/tailer/internal.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

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

/* ---- surveys ---- */

static void survey_end(struct ps_tailer *tailer)
{
    while (tailer->unpacking->state == PS_TAIL_LOG_OPENING)
        (void)ps_tail_thread_wait(&tailer->thread, 100);
}

/* Surveys a file that is compared with a file that began alike. `repeated`: that one was read on meanwhile, so the file is surveyed
 * again. It stays open until then: its name is gone. Otherwise that one was read to the end of the text: the file is closed. */
static void survey(bool repeated)
{
    static const char text[] = "one\ntwo\n";
    const uint16_t head_length = repeated ? 4 : sizeof text - 1;
    const int64_t read_offset = repeated ? 50 : sizeof text - 1;
    struct stat status;
    gzFile file = gzopen(ps_test_folder_path("app.1.gz"), "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, text, sizeof text - 1), sizeof text - 1);
    assert_int_equal(gzclose(file), Z_OK);
    assert_int_equal(stat(ps_test_folder_path("app.1.gz"), &status), 0);
    struct ps_counters counters = {{0}};
    struct ps_port port = {.component = "source t1", .counters = &counters};
    struct ps_tail_place place = {.path = (char *)(uintptr_t)ps_test_folder(), .looked = true};
    const struct ps_tail_settings settings = {.decompress = true, .idle_ns = PS_NS_PER_MS};
    uint32_t generations[] = {1, 1};
    struct ps_tail_log log = {.generation = 1,
                              .name = (char *)(uintptr_t) "app.1.gz",
                              .path = (char *)(uintptr_t)ps_test_folder_path("app.1.gz"),
                              .named = true,
                              .matches = true,
                              .matched = true,
                              .identity = {.device = status.st_dev, .inode = status.st_ino}};
    struct ps_tail_log other = {
        .number = 1, /* it begins like the text, and was read to its end or further than that goes */
        .generation = 1,
        .resolved = true,
        .identity = {.head = ps_tail_head(text, head_length), .head_length = head_length},
        .read_offset = read_offset,
        .delivered_offset = read_offset};
    struct ps_tail_log *logs[] = {&log, &other};
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    struct ps_tail_slots *sets[] = {&tailer->saves.changed, &tailer->heirs,   &tailer->unresolved,
                                    &tailer->texts,         &tailer->unsaved, &tailer->unnumbered,
                                    &tailer->unreadable,    &tailer->loose};
    for (size_t k = 0; k < PS_COUNT_OF(sets); k++)
        ps_tail_slots_grow(sets[k], 4);
    tailer->port = &port;
    tailer->settings = &settings;
    tailer->places = &place;
    tailer->place_count = 1;
    tailer->open.max = 100;
    tailer->table = (struct ps_tail_table){.logs = logs, .generations = generations, .room = 2, .count = 2};
    tailer->now_ns = PS_NS_PER_S;
    assert_int_equal(ps_tail_thread_start(&tailer->thread, "tail", -1, tailer, NULL), PS_OK);
    ps_tail_reader_init(&tailer->reader, &tailer->thread);
    ps_tail_file_set(&log.file, -1, PS_TAIL_CACHE);
    ps_tail_file_set(&other.file, -1, PS_TAIL_CACHE);
    log.head.owner = log.earlier_head.owner = &log;
    other.head.owner = other.earlier_head.owner = &other;
    ps_tail_log_index(tailer, &other);
    log.text.kind = PS_COMPRESSION_GZIP;
    ps_tail_text_state_forget(&log.text);
    ps_tail_text_ask(tailer, &log);
    for (unsigned times = 1; times <= 2; times++) {
        (void)ps_tail_texts_tick(tailer);
        assert_ptr_equal(tailer->unpacking, &log);
        while (log.file.fd < 0) /* it is opened, and its survey begins: no further answer is taken */
            if (ps_tail_thread_some_answers(&tailer->thread, 1) == 0)
                usleep(500);
        if (repeated)
            other.read_offset = other.delivered_offset += times == 1;
        survey_end(tailer);
        if (!repeated) {
            assert_true(log.file.fd < 0);
            assert_int_equal(log.state, PS_TAIL_LOG_CLOSED);
            assert_true(log.text.done);
            break;
        }
        assert_true(log.file.fd >= 0);
        assert_int_equal(tailer->open.count, 1);
        assert_int_equal(log.state, PS_TAIL_LOG_OPEN);
        assert_int_equal(log.resolved, times == 2);
        assert_int_equal(log.queued, times == 2);
        assert_int_equal(ps_tail_log_survey_waits(&log), times == 1);
        if (times == 2)
            break;
        assert_int_equal(unlink(ps_test_folder_path("app.1.gz")), 0);
        log.named = log.matches = false;
        ps_tail_log_queue(tailer, &log); /* as a look does that misses it */
        ps_tail_slots_put(&tailer->loose, log.number);
        tailer->now_ns += 20 * PS_NS_PER_S;
        (void)ps_tail_rests_tick(tailer); /* it does not count as idle */
        assert_false(log.queued);
    }
    assert_int_equal(log.text.bytes, sizeof text - 1);
    if (repeated) {
        ps_tail_log_unqueue_first(tailer);
        ps_tail_log_close(tailer, &log);
    }
    ps_tail_thread_stop(&tailer->thread, PS_TEST_PATIENCE_MS);
    for (size_t k = 0; k < PS_COUNT_OF(sets); k++)
        ps_tail_slots_free(sets[k]);
    ps_tail_marks_free(&log.marks);
    ps_tail_fingerprint_index_put(&tailer->fingerprints, &log.head, 0, 0);
    ps_tail_fingerprint_index_put(&tailer->fingerprints, &other.head, 0, 0);
    ps_tail_fingerprint_index_free(&tailer->fingerprints);
    free(tailer);
}

static void test_survey_is_repeated(void **unused)
{
    survey(true);
}

static void test_survey_finds_no_rest(void **unused)
{
    survey(false);
}

/* ---- the state ---- */

#define SINCE_NS (1000 * PS_NS_PER_S)

/* A changed file is opened after its wait; an incomplete or damaged one when it has been idle, and an incomplete one again after an hour. */
static void test_states(void **unused)
{
    static const struct {
        enum ps_compression kind;
        int64_t bytes;
        enum ps_tail_text_end end;
        bool news, settled;
        bool final;
        uint64_t due_ns;
    } rows[] = {
        {PS_COMPRESSION_NONE, 5, PS_TAIL_TEXT_WHOLE, true, false, true, PS_NEVER},
        {PS_COMPRESSION_GZIP, -1, PS_TAIL_TEXT_WHOLE, true, false, false, 77},
        {PS_COMPRESSION_GZIP, -1, PS_TAIL_TEXT_WHOLE, false, false, false, PS_NEVER},
        {PS_COMPRESSION_GZIP, -1, PS_TAIL_TEXT_DAMAGED, false, true, false, PS_NEVER},
        {PS_COMPRESSION_GZIP, -1, PS_TAIL_TEXT_EARLY, false, false, false, PS_NEVER},
        {PS_COMPRESSION_GZIP, 0, PS_TAIL_TEXT_WHOLE, false, false, true, PS_NEVER},
        {PS_COMPRESSION_ZSTD, 5, PS_TAIL_TEXT_WHOLE, true, false, true, 77},
        {PS_COMPRESSION_ZSTD, 5, PS_TAIL_TEXT_EARLY, true, false, false, 77},
        {PS_COMPRESSION_ZSTD, 5, PS_TAIL_TEXT_EARLY, false, false, false, SINCE_NS + PS_TAIL_TEXT_IDLE_NS},
        {PS_COMPRESSION_ZSTD, 0, PS_TAIL_TEXT_EARLY, false, false, false, SINCE_NS + PS_TAIL_TEXT_IDLE_NS},
        {PS_COMPRESSION_ZSTD, 5, PS_TAIL_TEXT_EARLY, false, true, false, SINCE_NS + PS_TAIL_TEXT_PAUSE_NS},
        {PS_COMPRESSION_ZSTD, 5, PS_TAIL_TEXT_DAMAGED, false, false, false, SINCE_NS + PS_TAIL_TEXT_IDLE_NS},
        {PS_COMPRESSION_ZSTD, 5, PS_TAIL_TEXT_DAMAGED, false, true, true, PS_NEVER},
        {PS_COMPRESSION_ZSTD, 5, PS_TAIL_TEXT_DAMAGED, true, true, true, 77},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct ps_tail_text_state text = {.kind = rows[i].kind,
                                                .bytes = rows[i].bytes,
                                                .end = rows[i].end,
                                                .news = rows[i].news,
                                                .settled = rows[i].settled,
                                                .since_ns = SINCE_NS,
                                                .again_ns = 77};
        if (ps_tail_text_state_is_final(&text) != rows[i].final ||
            ps_tail_text_state_due_ns(&text) != rows[i].due_ns)
            fail_msg("row %zu: %sfinal, due at %llu", i, ps_tail_text_state_is_final(&text) ? "" : "not ",
                     (unsigned long long)ps_tail_text_state_due_ns(&text));
    }
}

/* What is known of a text ends with a change of its file, in size or time. */
static void test_changes_of_a_text(void **unused)
{
    static const struct ps_tail_stamp stamp = {.size = 100, .modified = {5, 6}},
                                      others[] = {{.size = 101, .modified = {5, 6}},
                                                  {.size = 100, .modified = {4, 6}},
                                                  {.size = 100, .modified = {5, 7}}};
    struct ps_tail_text_state text = {.kind = PS_COMPRESSION_GZIP, .end = PS_TAIL_TEXT_DAMAGED};
    ps_tail_text_state_remembered(&text, &stamp, 0);
    assert_true(text.done && text.bytes == 0 && ps_tail_text_state_is_final(&text));
    assert_true(ps_tail_text_state_is_of(&text, &stamp));
    for (size_t i = 0; i < PS_COUNT_OF(others); i++)
        assert_false(ps_tail_text_state_is_of(&text, &others[i]));
    text.settled = true;
    ps_tail_text_state_changed(&text, &others[0], SINCE_NS);
    assert_false(text.done || text.settled || ps_tail_text_state_is_final(&text));
    assert_int_equal(text.since_ns, SINCE_NS);
    assert_false(ps_tail_text_state_is_of(&text, &others[0])); /* it was not surveyed */
    text.bytes = 7;
    assert_true(ps_tail_text_state_is_of(&text, &others[0]));
    assert_false(ps_tail_text_state_is_of(&text, &stamp));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats), cmocka_unit_test(test_states),
        cmocka_unit_test(test_changes_of_a_text),
        cmocka_unit_test_setup_teardown(test_survey_finds_no_rest, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_survey_is_repeated, ps_test_folder_setup,
                                        ps_test_folder_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
