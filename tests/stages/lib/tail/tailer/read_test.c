/* Steps of reading: what an earlier batch had no room for is given up when another file is read, and a text that was opened again must have the
 * bytes that were read before its position. */
#include "core/flow/bump.h"
#include "stages/lib/tail/tailer/internal.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define BATCH_MAX 2U

static struct ps_depot *depot;
static struct ps_pool *pool;
static struct ps_bump bump;
static struct ps_counters counters;
static struct ps_port port = {.component = "source t1", .counters = &counters};
static const struct ps_tail_group group = {.name = "g"};
static const struct ps_tail_settings settings = {
    .groups = &group, .group_count = 1, .batch_events_max = BATCH_MAX, .line_max_bytes = 1000000};
static struct ps_tailer *tailer;

static int setup(void **unused)
{
    struct ps_err err = {.length = 0};
    ps_test_folder_setup(unused);
    depot = ps_depot_create(64 * (uint64_t)PS_BLOCK_BYTES, &err);
    pool = ps_pool_create(depot, 0);
    ps_bump_init(&bump, pool);
    tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    tailer->settings = &settings;
    tailer->port = &port;
    assert_int_equal(ps_tail_thread_start(&tailer->thread, "t-read", -1, tailer, &err), PS_OK);
    ps_tail_reader_init(&tailer->reader, &tailer->thread);
    ps_tail_slots_grow(&tailer->saves.changed, 4);
    return 0;
}

static int teardown(void **unused)
{
    while (!ps_tail_thread_is_idle(&tailer->thread))
        (void)ps_tail_thread_wait(&tailer->thread, 100);
    ps_tail_thread_stop(&tailer->thread, PS_TEST_PATIENCE_MS);
    ps_tail_fingerprint_index_free(&tailer->fingerprints);
    ps_tail_slots_free(&tailer->saves.changed);
    free(tailer);
    ps_bump_fini(&bump);
    ps_pool_destroy(pool);
    assert_int_equal(ps_depot_used_bytes(depot), 0);
    ps_depot_destroy(depot);
    return ps_test_folder_teardown(unused);
}

/* Makes a file that is open. */
static void log_init(struct ps_tail_log *log, uint32_t number, const char *name, const char *text)
{
    ps_test_folder_append(name, text, strlen(text));
    *log = (struct ps_tail_log){.number = number,
                                .pass = 1,
                                .path = (char *)(uintptr_t) "/x",
                                .state = PS_TAIL_LOG_OPEN,
                                .named = true};
    log->head.owner = log;
    ps_tail_file_set(&log->file, open(ps_test_folder_path(name), O_RDONLY | O_CLOEXEC), PS_TAIL_MEMORY);
    assert_true(log->file.fd >= 0);
    ps_tail_log_active(&tailer->open, log, 1);
    ps_tail_opened(tailer);
}

static void log_fini(struct ps_tail_log *log)
{
    ps_tail_log_close(tailer, log);
    ps_tail_marks_free(&log->marks);
    ps_tail_fingerprint_index_put(&tailer->fingerprints, &log->head, 0, 0);
}

static struct ps_batch *batch_new(void)
{
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    assert_non_null(batch);
    batch->capacity = BATCH_MAX;
    return batch;
}

static void expect_lines(const struct ps_batch *batch, const char *first, const char *second)
{
    const char *const lines[] = {first, second};
    for (uint32_t i = 0; i < batch->count; i++) {
        assert_int_equal(batch->events[i].body_length, strlen(lines[i]));
        assert_memory_equal(batch->events[i].body, lines[i], strlen(lines[i]));
    }
    assert_int_equal(batch->count, (first != NULL) + (second != NULL));
}

/* ---- bytes that are left ---- */

/* The first file has more lines than a batch. Then the other file has its turn: with lines, with a part of a line, without anything, or with a
 * long line that the thread has found. Nothing of the first file is left then, and its lines come afterwards, each once. */
static void test_other_file(void **unused)
{
    static const struct {
        const char *text;
        bool found; /* as a long line */
        enum ps_tail_step step;
        uint32_t lines;
    } rows[] = {{"x\n", false, PS_TAIL_STEP_END, 1},        {"x\ny\n", false, PS_TAIL_STEP_END, 2},
                {"x", false, PS_TAIL_STEP_END, 0},          {"", false, PS_TAIL_STEP_END, 0},
                {"x\ny\nz\n", false, PS_TAIL_STEP_FULL, 2}, {"x\n", true, PS_TAIL_STEP_MOVED, 1}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_tail_log first, other;
        char name[16];
        snprintf(name, sizeof name, "first.%zu", i);
        log_init(&first, 0, name, "1\n22\n333\n4444\n");
        snprintf(name, sizeof name, "other.%zu", i);
        log_init(&other, 1, name, rows[i].text);
        struct ps_batch *batch = batch_new();
        assert_int_equal(ps_tail_log_read(tailer, &first, batch), PS_TAIL_STEP_FULL);
        expect_lines(batch, "1", "22");
        assert_true(batch->full);
        assert_int_equal(ps_batch_left(batch), strlen("333\n4444\n"));
        assert_ptr_equal(tailer->left, &first);
        ps_batch_give(batch);
        batch = batch_new();
        if (rows[i].found) {
            assert_int_equal(ps_tail_line_begin(tailer, &other), PS_TAIL_STEP_WAIT);
            while (!ps_tail_log_answered(&other))
                (void)ps_tail_thread_wait(&tailer->thread, 100);
        }
        enum ps_tail_step step = ps_tail_log_read(tailer, &other, batch);
        if (step != rows[i].step)
            fail_msg("row %zu: step %d, and not %d", i, (int)step, (int)rows[i].step);
        expect_lines(batch, rows[i].lines > 0 ? "x" : NULL, rows[i].lines > 1 ? "y" : NULL);
        assert_int_equal(ps_batch_left(batch), step == PS_TAIL_STEP_FULL ? 2 : 0);
        assert_ptr_equal(tailer->left, step == PS_TAIL_STEP_FULL ? &other : NULL);
        ps_batch_give(batch);
        batch = batch_new();
        assert_int_equal(ps_tail_log_read(tailer, &first, batch), PS_TAIL_STEP_END);
        expect_lines(batch, "333", "4444");
        assert_int_equal(first.read_offset, strlen("1\n22\n333\n4444\n"));
        assert_null(tailer->left);
        ps_batch_give(batch);
        log_fini(&first);
        log_fini(&other);
    }
}

/* ---- marks in a piece ---- */

#define PIECES_MAX 200000U

/* The marks that a piece leaves: at the beginnings of its last four lines; at the beginnings of lines that are 64, 16, 4 and 1 KiB before its end, if
 * 256 bytes of the piece are before them; and at its end. */
static uint32_t marks_of(struct ps_tail_mark *marks, const char *text, size_t begin, size_t length)
{
    uint32_t count = 0, lines = 0, line = 0;
    for (size_t at = 1; at < length; at++)
        lines += text[begin + at - 1] == '\n';
    for (size_t at = 1, next; at < length; at = next) {
        for (next = at + 1; next < length && text[begin + next - 1] != '\n';)
            next++;
        if (text[begin + at - 1] != '\n')
            continue;
        bool wanted = ++line + 4 > lines;
        for (size_t before = 65536; before >= 1024; before /= 4)
            wanted |= at >= PS_TAIL_MARK_BYTES && at + before <= length && next + before > length;
        if (wanted)
            marks[count++] = ps_tail_mark_of((int64_t)(begin + at), text, begin + at);
    }
    marks[count++] = ps_tail_mark_of((int64_t)(begin + length), text, begin + length);
    return count;
}

static void test_marks_in_pieces(void **unused)
{
    static const size_t lengths[][2] = {{PIECES_MAX - 300, 300},
                                        {65536 + 256, 65536 + 257},
                                        {1024 + 256, 1024 + 255},
                                        {1024, 1025},
                                        {4096 + 300, 16384 + 300},
                                        {70, 100},
                                        {65536, 65537},
                                        {2000, PIECES_MAX - 2000}};
    static const struct ps_tail_settings large = {
        .groups = &group, .group_count = 1, .batch_events_max = 1024, .line_max_bytes = 1000000};
    static char text[PIECES_MAX + 1];
    uint64_t state = ps_test_seed() | 1;
    tailer->settings = &large;
    for (size_t i = 0; i < PS_COUNT_OF(lengths); i++) {
        struct ps_tail_log log;
        struct ps_tail_mark expected[32];
        uint32_t count = 0, first = 0;
        size_t begin = 0;
        char name[16];
        snprintf(name, sizeof name, "app.%zu", i);
        for (size_t at = 0; at < PIECES_MAX; at++) /* lines of 512 bytes on average */
            text[at] = ps_test_random(&state) % 512 == 0 ? '\n' : (char)('a' + ps_test_random(&state) % 26);
        text[PS_TAIL_MARK_BYTES - 1] = '\n'; /* so that a mark may cover exactly the beginning of the piece */
        text[lengths[i][0] - 1] = text[lengths[i][0] + lengths[i][1] - 1] = '\n';
        log_init(&log, 0, name, "");
        for (unsigned piece = 0; piece < 2; piece++) {
            struct ps_batch *batch = batch_new();
            batch->capacity = large.batch_events_max;
            assert_true(ps_bump_new_bytes(&bump)); /* the piece is read at once */
            ps_test_folder_append(name, text + begin, lengths[i][piece]);
            while (log.read_offset < (int64_t)(begin + lengths[i][piece]))
                (void)ps_tail_log_read(tailer, &log, batch);
            count += marks_of(expected + count, text, begin, lengths[i][piece]);
            first = piece == 0 ? count : first;
            begin += lengths[i][piece];
            ps_batch_give(batch);
        }
        if (log.marks.count != count)
            fail_msg("%zu and %zu bytes: %u marks, and not %u", lengths[i][0], lengths[i][1], log.marks.count,
                     count);
        for (uint32_t k = 0; k < count; k++) {
            const struct ps_tail_mark *mark = &log.marks.items[k];
            assert_int_equal(mark->offset, expected[k].offset);
            assert_int_equal(mark->length, expected[k].length);
            assert_true(mark->hash == expected[k].hash);
            assert_int_equal(mark->ends_batch, k == first - 1); /* the next batch began there */
        }
        log_fini(&log);
    }
    tailer->settings = &settings;
}

/* ---- the end of a file ---- */

static struct ps_batch *batch_next(struct ps_batch *batch)
{
    ps_batch_give(batch);
    return batch_new();
}

/* A last line without a newline counts when the file rests, and has not grown since its end was seen; each has a rest of its own. What was read to
 * its end can be read. */
static void test_last_line(void **unused)
{
    struct ps_tail_log log;
    struct ps_batch *batch = batch_new();
    log_init(&log, 0, "app.log", "x\nab");
    log.unreadable = true;
    tailer->now_ns = 50;
    assert_int_equal(ps_tail_log_read(tailer, &log, batch), PS_TAIL_STEP_END);
    expect_lines(batch, "x", NULL);
    assert_true(log.partial && !log.unreadable);
    assert_int_equal(log.partial_end, 4);
    tailer->now_ns = 60;
    assert_int_equal(ps_tail_log_read(tailer, &log, batch), PS_TAIL_STEP_END); /* it does not rest yet */
    assert_int_equal(batch->count, 1);
    assert_int_equal(log.active_ns, 50); /* nothing new was seen */
    log.rest = log.unreadable = true;
    assert_int_equal(ps_tail_log_read(tailer, &log, batch), PS_TAIL_STEP_END);
    expect_lines(batch, "x", "ab");
    assert_int_equal(log.read_offset, 4);
    assert_false(log.partial || log.rest || log.unreadable);
    batch = batch_next(batch);
    log.unreadable = true;
    assert_int_equal(ps_tail_log_read(tailer, &log, batch), PS_TAIL_STEP_END);
    assert_false(log.unreadable || log.partial);
    ps_test_folder_append("app.log", "c", 1); /* while it rests: its writer is at work */
    log.rest = true;
    tailer->now_ns = 70;
    assert_int_equal(ps_tail_log_read(tailer, &log, batch), PS_TAIL_STEP_END);
    assert_int_equal(batch->count, 0);
    assert_true(log.partial && !log.rest);
    assert_int_equal(log.active_ns, 70);
    assert_int_equal(log.partial_end, 5);
    ps_test_folder_append("app.log", "d\n", 2);
    assert_int_equal(ps_tail_log_read(tailer, &log, batch), PS_TAIL_STEP_END);
    expect_lines(batch, "cd", NULL);
    assert_false(log.partial);
    ps_batch_give(batch);
    log_fini(&log);
}

/* A batch that has no room for the last line: it comes in the next one, after a rest of its own. */
static void test_last_line_without_room(void **unused)
{
    struct ps_tail_log log;
    struct ps_batch *batch = batch_new();
    batch->capacity = BATCH_MAX + 1; /* the source's own limit counts */
    log_init(&log, 0, "app.log", "1\n2\n3");
    log.partial_end = 5; /* its end was seen before */
    log.rest = true;
    assert_int_equal(ps_tail_log_read(tailer, &log, batch), PS_TAIL_STEP_FULL);
    expect_lines(batch, "1", "2");
    assert_true(batch->full && log.partial);
    assert_int_equal(ps_batch_left(batch), 1);
    batch = batch_next(batch);
    assert_int_equal(ps_tail_log_read(tailer, &log, batch), PS_TAIL_STEP_MOVED);
    assert_int_equal(ps_tail_log_read(tailer, &log, batch), PS_TAIL_STEP_END);
    assert_int_equal(batch->count, 0);
    log.rest = true;
    assert_int_equal(ps_tail_log_read(tailer, &log, batch), PS_TAIL_STEP_END);
    expect_lines(batch, "3", NULL);
    assert_int_equal(log.read_offset, 5);
    ps_batch_give(batch);
    log_fini(&log);
}

/* ---- a file without a fingerprint ---- */

/* Its copy took over: its fingerprint is gone. It is checked when it has more bytes, and not before: then it is a file of its own, and no
 * longer the one that was copied. */
static void test_without_fingerprint(void **unused)
{
    static struct ps_tail_place place;
    struct ps_tail_log log, *logs[] = {&log};
    struct ps_batch *batch = batch_new();
    place.path = (char *)(uintptr_t)ps_test_folder();
    tailer->places = &place;
    tailer->table.logs = logs;
    tailer->table.room = 1;
    log_init(&log, 0, "app.log", "x\n");
    log.name = (char *)(uintptr_t) "app.log";
    log.resolved = true;
    assert_true(ps_tail_identity_read(log.file.fd, &log.identity, NULL));
    assert_int_equal(ps_tail_log_read(tailer, &log, batch), PS_TAIL_STEP_END);
    expect_lines(batch, "x", NULL);
    log.identity.head_length = 0;
    assert_int_equal(ps_tail_log_read(tailer, &log, batch), PS_TAIL_STEP_END);
    assert_int_equal(log.state, PS_TAIL_LOG_OPEN);
    ps_test_folder_append("app.log", "y\n", 2);
    assert_int_equal(ps_tail_log_read(tailer, &log, batch), PS_TAIL_STEP_END);
    assert_int_equal(batch->count, 1);
    assert_int_equal(log.state, PS_TAIL_LOG_OPENING);
    while (log.state == PS_TAIL_LOG_OPENING)
        (void)ps_tail_thread_wait(&tailer->thread, 100);
    assert_int_equal(log.identity.head_length, 4);
    assert_true(log.queued);
    ps_tail_log_unqueue_first(tailer);
    assert_int_equal(ps_tail_log_read(tailer, &log, batch), PS_TAIL_STEP_END);
    expect_lines(batch, "x", "y");
    ps_batch_give(batch);
    log_fini(&log);
    tailer->table.logs = NULL;
    tailer->table.room = 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_last_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_last_line_without_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_marks_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_fingerprint, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
