/* stages/lib/process/pipe_lines.h against a simple version of BufferedReader.readLine: random lines, written in
 * random pieces, taken in random batches. */
#include "stages/lib/process/pipe_lines.h"
#include "tests/support/stage.h"

#include <fcntl.h>
#include <unistd.h>

#define BYTES_MAX (3U << 20)

struct text {
    char *data;
    size_t length;
};

/* A line of the model: a slice of the whole. */
struct line {
    size_t start, length;
};

static void make_text(struct text *text, uint64_t *random)
{
    static const char *const ends[] = {"\n", "\r", "\r\n", "\n\n", "\n\r", "\r\r\n"};
    text->length = 0;
    size_t lines = ps_test_random(random) % 400;
    for (size_t i = 0; i < lines && text->length < BYTES_MAX - 1100000; i++) {
        size_t length = ps_test_random(random) % 60;
        if (ps_test_random(random) % 100 == 0)
            length = ps_test_random(random) % 1000000;
        memset(text->data + text->length, 'a' + (int)(i % 26), length);
        text->length += length;
        const char *end = ends[ps_test_random(random) % PS_COUNT_OF(ends)];
        if (i + 1 == lines && ps_test_random(random) % 2)
            end = "";
        memcpy(text->data + text->length, end, strlen(end));
        text->length += strlen(end);
    }
}

/* readLine over the whole text; lines above the limit are cut. */
static size_t model(const struct text *text, size_t line_max, struct line *lines)
{
    size_t count = 0, at = 0;
    while (at < text->length) {
        size_t end = at;
        while (end < text->length && text->data[end] != '\n' && text->data[end] != '\r')
            end++;
        for (; end - at > line_max; at += line_max)
            lines[count++] = (struct line){at, line_max};
        lines[count++] = (struct line){at, end - at};
        if (end + 1 < text->length && text->data[end] == '\r' && text->data[end + 1] == '\n')
            end++;
        at = end + 1;
    }
    return count;
}

static void run(uint64_t *random, struct text *text, struct line *lines)
{
    struct ps_test_stage stage;
    struct ps_pipe_lines reader;
    int fds[2];
    size_t line_max = ps_test_random(random) % 2 ? 1U << 24 : 1 + ps_test_random(random) % 300000;
    make_text(text, random);
    size_t expected = model(text, line_max, lines), seen = 0, written = 0;
    ps_test_stage_init(&stage, &ps_sink_null);
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    ps_pipe_lines_init(&reader, &stage.port, PS_PIPE_CHARSET_SINGLE, (uint32_t)line_max);
    ps_pipe_lines_begin(&reader, fds[0]);
    struct ps_batch *batch = NULL;
    uint64_t until = ps_test_patience_end_ns();
    bool over = false;
    while (!over || batch != NULL) {
        assert_true(ps_test_patient_ns() < until);
        size_t piece =
            ps_test_random(random) % 3 ? ps_test_random(random) % 100 : ps_test_random(random) % 70000;
        if (piece > text->length - written)
            piece = text->length - written;
        ssize_t put = piece > 0 ? write(fds[1], text->data + written, piece) : 0;
        if (put > 0)
            written += (size_t)put;
        if (written == text->length && fds[1] >= 0) {
            close(fds[1]);
            fds[1] = -1;
        }
        if (batch == NULL) {
            batch = ps_batch_take(&stage.bump, stage.now);
            assert_non_null(batch);
        }
        if (!over)
            (void)ps_pipe_lines_work(&reader, batch);
        over = ps_pipe_lines_over(&reader);
        if (!over && !batch->full && ps_test_random(random) % 4 > 0)
            continue;
        ps_batch_close(batch);
        for (uint32_t row = 0; row < batch->count; row++, seen++) {
            assert_true(seen < expected);
            assert_int_equal(batch->events[row].body_length, lines[seen].length);
            assert_memory_equal(batch->events[row].body, text->data + lines[seen].start, lines[seen].length);
        }
        ps_batch_give(batch);
        batch = NULL;
    }
    assert_int_equal(seen, expected);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount), expected);
    ps_pipe_lines_fini(&reader);
    close(fds[0]);
    ps_test_stage_fini(&stage);
}

static void test_against_read_line(void **unused)
{
    uint64_t random = ps_test_seed();
    struct text text = {.data = malloc(BYTES_MAX)};
    struct line *lines = malloc(BYTES_MAX * sizeof *lines);
    assert_true(text.data != NULL && lines != NULL);
    for (int i = 0; i < 60; i++)
        run(&random, &text, lines);
    free(lines);
    free(text.data);
}

/* Adds the lines of a pipe with this text to the batch. */
static void read_text(struct ps_pipe_lines *reader, struct ps_batch *batch, const char *text)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(write(fds[1], text, strlen(text)), strlen(text));
    close(fds[1]);
    ps_pipe_lines_begin(reader, fds[0]);
    for (int i = 0; i < 100 && !ps_pipe_lines_over(reader); i++)
        (void)ps_pipe_lines_work(reader, batch);
    assert_true(ps_pipe_lines_over(reader));
    close(fds[0]);
}

/* A new pipe gets a new reader: a \r at the end of the last pipe and a \n here are two line ends. */
static void test_next_pipe(void **unused)
{
    static const char *const bodies[] = {"a", "", "b", "", "c", "d"};
    struct ps_test_stage stage;
    struct ps_pipe_lines reader;
    ps_test_stage_init(&stage, &ps_sink_null);
    ps_pipe_lines_init(&reader, &stage.port, PS_PIPE_CHARSET_UTF8, 1000);
    struct ps_batch *batch = ps_batch_take(&stage.bump, stage.now);
    read_text(&reader, batch, "a\r");
    read_text(&reader, batch, "\nb\r\n");
    read_text(&reader, batch, "\nc");
    read_text(&reader, batch, "d");
    assert_int_equal(batch->count, PS_COUNT_OF(bodies));
    for (size_t i = 0; i < PS_COUNT_OF(bodies); i++) {
        assert_int_equal(batch->events[i].body_length, strlen(bodies[i]));
        assert_memory_equal(batch->events[i].body, bodies[i], strlen(bodies[i]));
    }
    ps_batch_close(batch);
    ps_batch_give(batch);
    ps_pipe_lines_fini(&reader);
    ps_test_stage_fini(&stage);
}

/* A pipe without lines gives PS_IDLE each time: with another result the worker would never sleep. */
static void test_idle(void **unused)
{
    static const struct {
        const char *text; /* written before the call */
        enum ps_result result;
        uint32_t events;
    } rows[] = {{"", PS_IDLE, 0}, {"", PS_IDLE, 0},       {"a\n", PS_DONE, 1},
                {"", PS_IDLE, 1}, {"b\nc\n", PS_DONE, 3}, {"", PS_IDLE, 3}};
    struct ps_test_stage stage;
    struct ps_pipe_lines reader;
    int fds[2];
    ps_test_stage_init(&stage, &ps_sink_null);
    ps_pipe_lines_init(&reader, &stage.port, PS_PIPE_CHARSET_UTF8, 1000);
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    ps_pipe_lines_begin(&reader, fds[0]);
    struct ps_batch *batch = ps_batch_take(&stage.bump, stage.now);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        assert_int_equal(write(fds[1], rows[i].text, strlen(rows[i].text)), strlen(rows[i].text));
        assert_int_equal(ps_pipe_lines_work(&reader, batch), rows[i].result);
        assert_int_equal(batch->count, rows[i].events);
        assert_false(ps_pipe_lines_over(&reader));
    }
    ps_batch_close(batch);
    ps_batch_give(batch);
    ps_pipe_lines_fini(&reader);
    close(fds[0]);
    close(fds[1]);
    ps_test_stage_fini(&stage);
}

/* There is no memory for a line that is longer than a block, and complete: PS_IDLE each time, until there is some. */
static void test_no_memory_for_a_long_line(void **unused)
{
    enum { LENGTH = 300000 };
    static char line[LENGTH];
    struct ps_test_stage stage;
    struct ps_pipe_lines reader;
    struct ps_block *taken = NULL, *block;
    int fds[2];
    size_t written = 0;
    memset(line, 'a', sizeof line);
    ps_test_stage_init_sized(&stage, &ps_sink_null, 4U << 20);
    ps_pipe_lines_init(&reader, &stage.port, PS_PIPE_CHARSET_UTF8, 1U << 20);
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    ps_pipe_lines_begin(&reader, fds[0]);
    struct ps_batch *batch = ps_batch_take(&stage.bump, stage.now);
    for (unsigned turns = 0; reader.carry.length < LENGTH; turns++) {
        assert_in_range(turns, 0, 1000);
        size_t left = sizeof line - written;
        ssize_t put = left > 0 ? write(fds[1], line + written, left < 4096 ? left : 4096) : 0;
        written += put > 0 ? (size_t)put : 0;
        (void)ps_pipe_lines_work(&reader, batch);
    }
    while ((block = ps_block_take(stage.port.blocks)) != NULL) {
        block->next = taken;
        taken = block;
    }
    assert_int_equal(write(fds[1], "\n", 1), 1);
    for (unsigned i = 0; reader.carry_next == 0; i++) {
        assert_in_range(i, 0, 10);
        (void)ps_pipe_lines_work(&reader, batch);
    }
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(ps_pipe_lines_work(&reader, batch), PS_IDLE);
    assert_int_equal(batch->count, 0);
    for (; taken != NULL; taken = block) {
        block = taken->next;
        ps_block_drop(stage.port.blocks, taken);
    }
    assert_int_equal(ps_pipe_lines_work(&reader, batch), PS_DONE);
    assert_int_equal(batch->count, 1);
    assert_int_equal(batch->events[0].body_length, LENGTH);
    assert_int_equal(ps_pipe_lines_work(&reader, batch), PS_IDLE);
    ps_batch_close(batch);
    ps_batch_give(batch);
    ps_pipe_lines_fini(&reader);
    close(fds[0]);
    close(fds[1]);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_read_line),
                                       cmocka_unit_test(test_next_pipe), cmocka_unit_test(test_idle),
                                       cmocka_unit_test(test_no_memory_for_a_long_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
