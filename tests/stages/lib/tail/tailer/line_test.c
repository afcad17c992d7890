/* Lines that are longer than a block, as the source's thread finds them: drawn files, searched from any offset, compared with a model. Offsets and
 * limits are around the pieces in which a file is searched. */
#include "stages/lib/tail/tailer/internal.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE (128 * 1024)
#define SIZE_MAX_BYTES (3 * PIECE)
#define ROUNDS 3000

static uint64_t state;
static char text[SIZE_MAX_BYTES];

static int64_t draw(int64_t below)
{
    return (int64_t)(ps_test_random(&state) % (uint64_t)below);
}

/* A number near 0, 1 or 2 pieces, most of the time. */
static int64_t draw_place(void)
{
    int64_t place = draw(5) == 0 ? draw(SIZE_MAX_BYTES) : draw(3) * PIECE + draw(9) - 4;
    return place < 0 ? 0 : place;
}

struct expected {
    bool found, cut;
    int64_t length, consumed, scanned; /* scanned: if it was not found */
};

/* What the file of `size` bytes has at the offset of the line, if it was searched up to `scanned` before. */
static struct expected model(int64_t size, int64_t offset, int64_t scanned, int64_t max, bool rest)
{
    int64_t from =
        size < scanned ? offset : scanned; /* it was cut: it is searched from the line's beginning */
    const char *newline = from < size ? memchr(text + from, '\n', (size_t)(size - from)) : NULL;
    int64_t end = newline != NULL ? newline - text : size;
    const char *first = offset < size ? memchr(text + offset, '\n', (size_t)(size - offset)) : NULL;
    bool is_long = end > from && end - offset > max;
    bool ends = newline != NULL || is_long || (rest && from == size && from > offset);
    if (!ends)
        return (struct expected){.scanned = end > from ? end : from};
    int64_t length = is_long ? max : end - offset;
    if (first != NULL &&
        first - text - offset < length + (newline != NULL && !is_long)) /* it was written over */
        return (struct expected){true, false, first - text - offset, first - text - offset + 1, 0};
    return (struct expected){true, is_long, length, length, 0};
}

static void expect(const struct ps_tail_line *line, const struct expected *expected, int64_t offset)
{
    assert_int_equal(line->error, 0);
    assert_true(line->same);
    if (line->found != expected->found || line->cut != expected->cut)
        fail_msg("the line is %sfound%s, and not %sfound%s", line->found ? "" : "not ",
                 line->cut ? ", too long" : "", expected->found ? "" : "not ",
                 expected->cut ? ", too long" : "");
    if (!expected->found) {
        assert_int_equal(line->scanned, expected->scanned);
        return;
    }
    assert_int_equal(line->length, expected->length);
    assert_int_equal(line->consumed, expected->consumed);
    assert_memory_equal(line->bytes, text + offset, line->length);
}

static void test_drawn(void **unused)
{
    struct ps_tail_settings settings = {.line_max_bytes = 0};
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    struct ps_err err = {.length = 0};
    unsigned found = 0, cut = 0;
    tailer->settings = &settings;
    assert_int_equal(ps_tail_thread_start(&tailer->thread, "t-line", -1, tailer, &err), PS_OK);
    int fd = open(ps_test_folder_path("app"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct ps_tail_log log = {.rest = draw(2) == 0};
        int64_t size = draw_place();
        memset(text, 'a', sizeof text);
        for (int64_t newlines = draw(3); newlines > 0; newlines--)
            text[draw_place() % SIZE_MAX_BYTES] = '\n';
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, text, (size_t)size, 0), size);
        log.read_offset = draw(3) == 0 ? draw_place() : draw(4);
        log.line_scanned = draw(3) == 0 ? size : draw_place();
        settings.line_max_bytes = (uint32_t)(1 + draw_place());
        int64_t scanned = log.line_scanned > log.read_offset ? log.line_scanned : log.read_offset;
        if (settings.line_max_bytes < scanned - log.read_offset) /* no line is searched further than that */
            settings.line_max_bytes = (uint32_t)(scanned - log.read_offset);
        ps_tail_file_set(&log.file, fd, PS_TAIL_CACHE);
        struct expected expected = model(size, log.read_offset, scanned, settings.line_max_bytes, log.rest);
        assert_int_equal(ps_tail_line_begin(tailer, &log), PS_TAIL_STEP_WAIT);
        while (!ps_tail_log_answered(&log))
            (void)ps_tail_thread_wait(&tailer->thread, 100);
        expect(log.line, &expected, log.read_offset);
        found += expected.found;
        cut += expected.cut;
        ps_tail_line_forget(&log);
    }
    assert_true(found > ROUNDS / 10 && cut > ROUNDS / 20 && found < ROUNDS - ROUNDS / 10);
    close(fd);
    ps_tail_thread_stop(&tailer->thread, PS_TEST_PATIENCE_MS);
    free(tailer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_drawn, ps_test_folder_setup, ps_test_folder_teardown)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
