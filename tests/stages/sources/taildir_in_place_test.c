/* Source taildir and files whose bytes are changed in place. A file is the same one if the bytes before the position are, whatever its beginning is
 * now. If they differ it is read from its beginning, but not each time. */
#include "stages/lib/tail/tailer/tailer.h"
#include "tests/stages/sources/taildir_support.h"

#include <string.h>

#define TRUNCATED ((enum ps_counter)PS_TAIL_COUNTER_truncated)

static void put(const char *name, off_t offset, const char *text)
{
    int fd = open(ps_test_folder_path(name), O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, strlen(text), offset), strlen(text));
    close(fd);
}

/* The first line counts the lines of the file. */
static void counted(unsigned count)
{
    char line[32];
    snprintf(line, sizeof line, "lines=%08u\n", count);
    if (access(ps_test_folder_path("app.log"), F_OK) != 0)
        append("app.log", line);
    else
        put("app.log", 0, line);
}

static void line_write(unsigned number)
{
    char line[64];
    snprintf(line, sizeof line, "%u with some text of a line\n", number);
    append("app.log", line);
}

/* Works without delivering a batch, until this many lines have come. */
static void work_until_received(uint64_t lines)
{
    uint64_t until = ps_test_patience_end_ns();
    while (ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount) < lines) {
        ps_test_stage_pass_ms(&stage, 1);
        (void)ps_test_source_work(&stage);
        usleep(200); /* the source's thread works */
        assert_true(ps_test_patient_ns() < until);
    }
}

/* The source is open, open and closed at rest, or stopped, while the counter in the first line is changed. If that line is among the bytes that
 * are compared, the file may be another one, and is read again: once. */
static void test_counter_in_the_first_line(void **unused)
{
    static const unsigned before[] = {1, 4, 8, 9, 10, 40, 1000}; /* lines when the counter changes first */
    for (size_t i = 0; i < PS_COUNT_OF(before); i++) {
        for (unsigned kind = 0; kind < 3; kind++) {
            unsigned lines = 0;
            counted(0);
            while (lines < before[i])
                line_write(++lines);
            PS_START("idleTimeout", kind == 1 ? "20" : "100000");
            ps_test_source_wait(&stage, lines + 1, PS_TEST_PATIENCE_MS);
            assert_int_equal(stage.event_count, lines + 1);
            ps_test_source_clear(&stage);
            for (unsigned round = 0; round < 5; round++) {
                if (kind == 1)
                    wait_for_open(0);
                if (kind == 2)
                    ps_test_stage_close(&stage);
                counted(++lines);
                line_write(lines);
                uint64_t again = ps_test_stage_counter(&stage, TRUNCATED);
                if (kind == 2)
                    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
                ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
                again = ps_test_stage_counter(&stage, TRUNCATED) - again;
                ps_test_source_wait(&stage, again > 0 ? lines + 1 : 1, PS_TEST_PATIENCE_MS);
                assert_int_equal(stage.event_count, again > 0 ? lines + 1 : 1);
                assert_int_equal(strtoul(stage.events[stage.event_count - 1].body, NULL, 10), lines);
                ps_test_source_clear(&stage);
            }
            expect_nothing();
            bool may_repeat = before[i] <= 10 && (kind == 2 || before[i] >= 8);
            assert_in_range(ps_test_stage_counter(&stage, TRUNCATED), 0, may_repeat ? 1 : 0);
            ps_test_stage_fini(&stage);
            assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
            assert_int_equal(unlink(positions), 0);
        }
    }
}

/* The beginning is written when the rest is there already. */
static void test_beginning_comes_last(void **unused)
{
    append("app.log", "name=    \n");
    for (unsigned i = 0; i < 40; i++)
        line_write(i);
    PS_START(NULL);
    ps_test_source_wait(&stage, 41, PS_TEST_PATIENCE_MS);
    ps_test_source_clear(&stage);
    put("app.log", 5, "late");
    move("app.log", "app.log.1");
    append("app.log", "new\n");
    expect("new");
    append("app.log.1", "more\n");
    expect("more");
    restart();
    put("app.log.1", 5, "soon");
    append("app.log.1", "end\n");
    expect("end");
    ps_test_stage_fini(&stage);
}

/* The last line is changed in place all the time: the file is read from its beginning once. */
static void test_last_line_changes(void **unused)
{
    enum { LINES = 200, TIMES = 20 };
    struct stat status;
    for (unsigned i = 0; i < LINES; i++)
        line_write(i);
    append("app.log", "00 percent\n");
    PS_START(NULL);
    ps_test_source_wait(&stage, LINES + 1, PS_TEST_PATIENCE_MS);
    ps_test_source_clear(&stage);
    assert_int_equal(stat(ps_test_folder_path("app.log"), &status), 0);
    size_t came = 0;
    for (unsigned i = 1; i <= TIMES; i++) {
        char line[16], last[16];
        snprintf(line, sizeof line, "%02u percent\n", i);
        snprintf(last, sizeof last, "end of %u", i);
        put("app.log", status.st_size - 11, line);
        append("app.log", last);
        append("app.log", "\n");
        uint64_t until = ps_test_patience_end_ns();
        while (stage.event_count == 0 || strcmp(stage.events[stage.event_count - 1].body, last) != 0) {
            ps_test_source_wait(&stage, stage.event_count + 1, PS_TEST_PATIENCE_MS);
            assert_true(ps_test_patient_ns() < until);
        }
        came += stage.event_count;
        ps_test_source_clear(&stage);
    }
    assert_in_range(came, TIMES, LINES + 2 + TIMES * 60);
    ps_test_stage_fini(&stage);
}

/* A program writes the end of its file again and adds to it. */
static const struct ending {
    const char *before, *after; /* around the number of what is added */
    unsigned over_bytes;        /* so much of the end is written over */
    unsigned lines;             /* lines from the first one that changes on */
} endings[] = {
    {"<event ", "/>\n</log>\n", 7, 2},
    {"<tr>", "</tr>\n</table>\n</body>\n</html>\n", 25, 4},
    {",\n{\"i\":", "}\n]\n", 3, 3},
    {"count ", "\n", 13, 1},
};

/* `cuts`: the program cuts the end off before it writes. */
static void end_write(const struct ending *ending, unsigned number, bool cuts)
{
    char text[128];
    struct stat status;
    const char *path = ps_test_folder_path("app.log");
    snprintf(text, sizeof text, "%s%06u%s", ending->before, number, ending->after);
    assert_int_equal(stat(path, &status), 0);
    off_t offset = status.st_size - (number > 0 ? ending->over_bytes : 0);
    if (cuts && number > 0)
        assert_int_equal(truncate(path, offset), 0);
    put("app.log", offset, text);
}

enum { AT_WORK, AT_REST, STOPPED, KILLED, WAYS };

/* Only the lines that have changed come again, in whichever state the source is meanwhile. */
static void end_is_written_again(const struct ending *ending, unsigned way, bool cuts)
{
    enum { LINES = 100, ROUNDS = 3 };
    for (unsigned i = 0; i < LINES; i++)
        line_write(i);
    end_write(ending, 0, false);
    PS_START("idleTimeout", way == AT_REST ? "20" : "100000", "writePosInterval",
             way == KILLED ? "10" : "100000");
    ps_test_source_wait(&stage, LINES + ending->lines, PS_TEST_PATIENCE_MS);
    ps_test_source_clear(&stage);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        char number[16];
        snprintf(number, sizeof number, "%06u", round);
        if (way == AT_REST)
            wait_for_open(0);
        if (way == KILLED)
            await_saved("app.log");
        if (way == STOPPED || way == KILLED)
            ps_test_stage_close(&stage);
        end_write(ending, round, cuts);
        if (way == STOPPED || way == KILLED)
            assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        ps_test_source_wait(&stage, ending->lines, PS_TEST_PATIENCE_MS);
        ps_test_source_settle(&stage, ending->lines, 10);
        bool came = false;
        for (size_t i = 0; i < ending->lines; i++)
            came |= strstr(stage.events[i].body, number) != NULL;
        assert_true(came);
        ps_test_source_clear(&stage);
    }
    assert_true(ps_test_stage_counter(&stage, TRUNCATED) >= ROUNDS);
    restart();
    expect_nothing();
    ps_test_stage_fini(&stage);
    assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
    assert_int_equal(unlink(positions), 0);
}

static void test_end_is_written_again(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(endings); i++) {
        for (unsigned way = 0; way < WAYS; way++)
            end_is_written_again(&endings[i], way, (i + way) % 2 > 0);
    }
}

/* A file of equal lines is cut to nothing and has almost as many again at its next look, a few less than the source looks back: they are new. */
static void test_equal_lines(void **unused)
{
    enum { LINES = 200, FEWER = 4 };
    for (unsigned kind = 0; kind < 3; kind++) { /* it is open, closed, or the source is stopped */
        for (unsigned i = 0; i < LINES; i++)
            append("app.log", "the same line\n");
        PS_START("idleTimeout", kind == 1 ? "20" : "100000");
        ps_test_source_wait(&stage, LINES, PS_TEST_PATIENCE_MS);
        ps_test_source_clear(&stage);
        for (unsigned fewer = 1; fewer <= FEWER; fewer++) {
            if (kind == 1)
                wait_for_open(0);
            if (kind == 2)
                ps_test_stage_close(&stage);
            assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
            for (unsigned i = 0; i < LINES - fewer; i++)
                append("app.log", "the same line\n");
            if (kind == 2)
                assert_int_equal(ps_test_stage_open(&stage), PS_OK);
            ps_test_source_wait(&stage, LINES - fewer, PS_TEST_PATIENCE_MS);
            ps_test_source_clear(&stage);
            for (unsigned i = 0; i < fewer; i++) /* the next content is shorter than this one */
                append("app.log", "the same line\n");
            ps_test_source_wait(&stage, fewer, PS_TEST_PATIENCE_MS);
            ps_test_source_clear(&stage);
        }
        ps_test_stage_fini(&stage);
        assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
        assert_int_equal(unlink(positions), 0);
    }
}

/* While the source is stopped, a line further back is changed, and again: the file is read from its beginning once, and not again after the next
 * start. A content that has nothing of the former one is read from its beginning all the same. */
static void test_written_over_while_stopped(void **unused)
{
    enum { LINES = 200, LINE = 40, BACK = 10, FEW = 60 };
    char line[64];
    for (unsigned i = 0; i < LINES; i++) {
        snprintf(line, sizeof line, "%06u%*s\n", i, LINE - 7, "of the lines");
        append("app.log", line);
    }
    PS_START(NULL);
    ps_test_source_wait(&stage, LINES, PS_TEST_PATIENCE_MS);
    for (unsigned round = 1; round <= 2; round++) {
        uint64_t before = ps_test_stage_counter(&stage, TRUNCATED);
        ps_test_stage_close(&stage);
        ps_test_source_clear(&stage);
        snprintf(line, sizeof line, "%06u", 1000 * round);
        put("app.log", (LINES - BACK) * LINE, line);
        snprintf(line, sizeof line, "%06u%*s\n", LINES + round - 1, LINE - 7, "of the lines");
        append("app.log", line);
        snprintf(line, sizeof line, "%06u", 1000 * round + 1);
        put("app.log", (off_t)(LINES + round - 2) * LINE, line);
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        ps_test_source_wait(&stage, round == 1 ? LINES + 1 : BACK + round, PS_TEST_PATIENCE_MS);
        ps_test_source_settle(&stage, stage.event_count, 50);
        assert_in_range(stage.event_count, round == 1 ? LINES + 1 : BACK + round,
                        round == 1 ? LINES + 1 : FEW);
        assert_int_equal(strtoul(stage.events[stage.event_count - 1].body, NULL, 10), LINES + round - 1);
        assert_true(ps_test_stage_counter(&stage, TRUNCATED) > before);
    }
    ps_test_stage_close(&stage);
    ps_test_source_clear(&stage);
    for (unsigned i = 0; i < LINES + 2; i++) {
        snprintf(line, sizeof line, "%06u%*s\n", 5000 + i, LINE - 7, "of another content");
        put("app.log", i * LINE, line);
    }
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    ps_test_source_wait(&stage, LINES + 2, PS_TEST_PATIENCE_MS);
    assert_int_equal(strtoul(stage.events[0].body, NULL, 10), 5000);
    ps_test_stage_fini(&stage);
}

/* While the source is stopped, a program writes its small log anew: only the time in the first line differs, and the file is as long as before,
 * or longer. All of it comes, and is not read again after each start. */
static void test_short_log_of_each_run(void **unused)
{
    static const char *const run[] = {"run at 11:00\ndone\n", "run at 11:00\ndone\nmore\n"};
    for (unsigned lines = 2; lines <= 3; lines++) {
        append("app.log", "run at 10:00\ndone\n");
        PS_START(NULL);
        ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
        for (unsigned round = 0; round < 3; round++) {
            ps_test_stage_close(&stage);
            ps_test_source_clear(&stage);
            if (round == 0)
                put("app.log", 0, run[lines - 2]);
            assert_int_equal(ps_test_stage_open(&stage), PS_OK);
            if (round == 0)
                ps_test_source_wait(&stage, lines, PS_TEST_PATIENCE_MS);
            else
                expect_nothing();
            assert_int_equal(stage.event_count, round == 0 ? lines : 0);
        }
        ps_test_stage_fini(&stage);
        assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
        assert_int_equal(unlink(positions), 0);
    }
}

/* All of a file is written over, once and again: all that is new comes. */
static void test_written_over(void **unused)
{
    append("app.log", "a1\na2\na3\n");
    PS_START(NULL);
    expect("a1 a2 a3");
    put("app.log", 0, "b1\nb2\nb3\n");
    expect("b1 b2 b3");
    put("app.log", 0, "c1\nc2\nc3\nc4\n");
    expect("c1 c2 c3 c4");
    assert_int_equal(ps_test_stage_counter(&stage, TRUNCATED), 2);
    ps_test_stage_fini(&stage);
}

/* Files that begin alike are written over with another content, again: from the second time on, what they have in common does not come. */
static void test_written_over_alike(void **unused)
{
    enum { ALIKE = 100, LINES = 150 };
    static char text[LINES * 32 + 1];
    for (unsigned round = 0; round < 3; round++) {
        text[0] = '\0';
        for (unsigned i = 0; i < LINES; i++)
            snprintf(text + strlen(text), 32, "%06u of the lines of it\n", i < ALIKE ? i : 1000 * round + i);
        if (round == 0)
            append("app.log", text);
        else
            put("app.log", 0, text);
        if (round == 0)
            PS_START(NULL);
        size_t want = round == 2 ? LINES - ALIKE : LINES;
        ps_test_source_wait(&stage, want, PS_TEST_PATIENCE_MS);
        ps_test_source_settle(&stage, stage.event_count, 50);
        assert_in_range(stage.event_count, want, round == 2 ? LINES - 1 : LINES);
        for (size_t i = 0; i < LINES - ALIKE; i++)
            assert_int_equal(strtoul(stage.events[stage.event_count - 1 - i].body, NULL, 10),
                             1000 * round + LINES - 1 - i);
        ps_test_source_clear(&stage);
    }
    append("app.log", "end\n");
    expect("end");
    ps_test_stage_fini(&stage);
}

/* The file is written over again while its last lines are not delivered. Reading goes on behind those that are the same; after a crash they come
 * again. */
static void test_written_over_before_it_is_delivered(void **unused)
{
    enum { LINES = 20 };
    struct stat status;
    append("app.log", "a1\na2\na3\n");
    PS_START(NULL);
    expect("a1 a2 a3");
    put("app.log", 0, "b1\nb2\nb3\n");
    expect("b1 b2 b3");
    for (unsigned i = 0; i < LINES; i++) {
        line_write(100 + i);
        assert_int_equal(stat(ps_test_folder_path("app.log"), &status), 0);
        work_until_received(6 + i + 1);
    }
    put("app.log", status.st_size - 10, "another\n!");
    append("app.log", "\n");
    work_until_received(6 + LINES + 2);
    assert_int_equal(ps_test_stage_counter(&stage, TRUNCATED), 2);
    ps_test_stage_close(&stage);
    ps_test_stage_recycle(&stage); /* the batches are lost */
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    ps_test_source_wait(&stage, LINES + 1, PS_TEST_PATIENCE_MS);
    for (unsigned i = 0; i + 1 < LINES; i++)
        assert_int_equal(strtoul(stage.events[i].body, NULL, 10), 100 + i);
    ps_test_stage_fini(&stage);
}

/* While the source is stopped, the file gets another content that ends in the same way. */
static void test_other_content_with_the_same_end(void **unused)
{
    enum { LINES = 2000, TICKS = 60 };
    static char text[LINES * 32 + TICKS * 8 + 1];
    for (unsigned round = 0; round < 2; round++) {
        size_t length = 0;
        for (unsigned i = 0; i < LINES; i++)
            length += (size_t)snprintf(text + length, 32, "%06u of the lines of it\n", LINES * round + i);
        for (unsigned i = 0; i < TICKS; i++)
            length += (size_t)snprintf(text + length, 8, "tick\n");
        if (round == 0)
            append("app.log", text);
        else
            put("app.log", 0, text);
        if (round == 0)
            PS_START(NULL);
        else
            assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        ps_test_source_wait(&stage, LINES + TICKS, PS_TEST_PATIENCE_MS);
        assert_int_equal(stage.event_count, LINES + TICKS);
        assert_int_equal(strtoul(stage.events[0].body, NULL, 10), LINES * round);
        ps_test_source_clear(&stage);
        ps_test_stage_close(&stage);
    }
    ps_test_stage_fini(&stage);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(counter_in_the_first_line),
                                       TEST(beginning_comes_last),
                                       TEST(last_line_changes),
                                       TEST(end_is_written_again),
                                       TEST(equal_lines),
                                       TEST(written_over_while_stopped),
                                       TEST(short_log_of_each_run),
                                       TEST(written_over),
                                       TEST(written_over_alike),
                                       TEST(written_over_before_it_is_delivered),
                                       TEST(other_content_with_the_same_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
