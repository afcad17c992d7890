/* Source taildir: the agent stops or is killed while a copy waits, because a longer file is gone that begins alike: the copy may be that file's, and
 * still grow. Its original, which was truncated, has begun anew meanwhile, and lines of it were delivered. Or it stops after a
 * file was read on whose copy took over. */
#include "tests/stages/sources/taildir_positions.h"
#include "tests/stages/sources/taildir_support.h"

#define FIRST 12U /* lines of the original */
#define LATER 5U  /* lines after its truncation */
#define SLOWER 5U

static void write_banner(const char *name)
{
    for (unsigned i = 0; i < 30; i++) {
        char line[101];
        memset(line, '#', sizeof line);
        line[99] = '\n';
        line[100] = '\0';
        append(name, line);
    }
}

/* Lines of 40 bytes that differ in their number alone. */
static void write_lines(const char *name, const char *what, unsigned from, unsigned to)
{
    FILE *file = fopen(ps_test_folder_path(name), "a");
    assert_non_null(file);
    for (unsigned i = from; i < to; i++)
        fprintf(file, "%-5s %06u ..........................\n", what, i);
    assert_int_equal(fclose(file), 0);
}

/* Returns how many of the lines with these numbers came. */
static unsigned count_lines(const char *what, unsigned from, unsigned to)
{
    unsigned count = 0;
    for (size_t i = 0; i < stage.event_count; i++) {
        char kind[8];
        unsigned number;
        count += sscanf(stage.events[i].body, "%5s %u", kind, &number) == 2 && strcmp(kind, what) == 0 &&
                 number >= from && number < to;
    }
    return count;
}

/* Works until these lines came, and for 60 ms of the stage's clock, which is slow: long enough for a save, and not for the copy. */
static void work_slowly(unsigned from, unsigned to)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    for (unsigned left = 60 * SLOWER; left > 0 || count_lines("new", from, to) < to - from; left--) {
        ps_test_stage_pass_ms(&stage, left % SLOWER == 0 ? 1 : 0);
        (void)ps_test_source_work(&stage);
        ps_test_source_close_batch(&stage);
        usleep(100);
        assert_true(ps_test_patient_ns() < until_ns);
        left += left == 0;
    }
}

static void work_for(unsigned ms)
{
    uint64_t until_ns = ps_clock_now().mono_ns + ms * PS_NS_PER_MS;
    while (ps_clock_now().mono_ns < until_ns) {
        ps_test_stage_real_clock(&stage);
        (void)ps_test_source_work(&stage);
        ps_test_source_close_batch(&stage);
        usleep(500);
    }
}

enum ending { STOPPED, KILLED, DRAINED_AND_KILLED };

static void drain(void)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    while (!stage.ops->source->drain(stage.plan, stage.state, &stage.now)) {
        (void)ps_test_source_work(&stage);
        usleep(1000);
        assert_true(ps_test_patient_ns() < until_ns);
    }
}

/* Ends the source. After a kill the position file is the one of this moment, or of the moment when the source has saved its positions
 * and waits for others to end. */
static void end_source(enum ending ending)
{
    char kept[700];
    if (ending == DRAINED_AND_KILLED)
        drain();
    snprintf(kept, sizeof kept, "%s.kept", positions);
    ps_test_positions_copy(positions, kept);
    ps_test_stage_close(&stage);
    if (ending != STOPPED)
        ps_test_positions_copy(kept, positions);
    ps_test_source_clear(&stage);
}

/* The copy's lines do not come again. */
static void ended_while_a_copy_waits(enum ending ending)
{
    PS_START("writePosInterval", "20");
    write_banner("longer");
    write_lines("longer", "b", 0, 75);
    move("longer", "app.b");
    ps_test_source_wait(&stage, 30 + 75, PS_TEST_PATIENCE_MS);
    write_banner("fresh");
    write_lines("fresh", "a", 0, FIRST);
    move("fresh", "app.a");
    ps_test_source_wait(&stage, 30 + 75 + 30 + FIRST, PS_TEST_PATIENCE_MS);
    await_saved("app.a");
    write_banner("copy"); /* before app.b is gone, whose inode it would get */
    write_lines("copy", "a", 0, FIRST);
    end_source(STOPPED);
    assert_int_equal(unlink(ps_test_folder_path("app.b")), 0);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    wait_for_open(1);
    move("copy", "app.a.1");
    assert_int_equal(truncate(ps_test_folder_path("app.a"), 0), 0);
    write_banner("app.a");
    write_lines("app.a", "new", 0, LATER);
    work_slowly(0, LATER);
    end_source(ending);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    write_lines("app.a", "new", LATER, 2 * LATER);
    while (count_lines("new", LATER, 2 * LATER) < LATER)
        ps_test_source_wait(&stage, stage.event_count + 1, PS_TEST_PATIENCE_MS);
    work_for(600); /* the copy waits for 250 ms, and is compared again */
    assert_int_equal(count_lines("a", 0, FIRST), 0);
    if (ending != KILLED)
        assert_int_equal(count_lines("new", 0, LATER), 0);
    ps_test_stage_fini(&stage);
}

/* A file is copied and cut while the channel is full. The copy takes over, and the file begins as before up to its position: nobody notices,
 * and it is read on. The next process goes on behind the lines that were read. */
static void test_read_on_behind_a_copy(void **unused)
{
    const uint64_t until_ns = ps_test_patience_end_ns();
    write_banner("app.log");
    PS_START(NULL);
    ps_test_source_wait(&stage, 30, PS_TEST_PATIENCE_MS);
    await_saved("app.log");
    wait_for_open(1);
    ps_test_source_clear(&stage);
    write_banner("copy");
    move("copy", "app.log.1");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    while (ps_test_stage_counter(&stage, PS_COUNTER_extra + 1) < 2) { /* until the copy is open */
        ps_test_stage_pass_ms(&stage, 1);
        (void)ps_source_taildir.source->tick(stage.plan, stage.state, &stage.now);
        usleep(500);
        assert_true(ps_test_patient_ns() < until_ns);
    }
    write_banner("app.log");
    write_lines("app.log", "new", 0, LATER);
    ps_test_source_wait(&stage, LATER, PS_TEST_PATIENCE_MS);
    assert_int_equal(count_lines("new", 0, LATER), LATER);
    end_source(STOPPED);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    write_lines("app.log", "new", LATER, 2 * LATER);
    ps_test_source_wait(&stage, LATER, PS_TEST_PATIENCE_MS);
    work_for(100);
    assert_int_equal(count_lines("new", LATER, 2 * LATER), LATER);
    assert_int_equal(stage.event_count, LATER);
    ps_test_stage_fini(&stage);
}

static void test_stopped(void **unused)
{
    ended_while_a_copy_waits(STOPPED);
}

static void test_killed(void **unused)
{
    ended_while_a_copy_waits(KILLED);
}

static void test_killed_when_it_is_drained(void **unused)
{
    ended_while_a_copy_waits(DRAINED_AND_KILLED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(stopped), TEST(killed), TEST(killed_when_it_is_drained),
                                       TEST(read_on_behind_a_copy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
