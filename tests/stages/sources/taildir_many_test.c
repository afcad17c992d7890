/* Source taildir with many files that are all new at once, some with equal beginnings: each line comes once, and each
 * cycle of the worker does a limited amount of work. PENSTOCK_FILES=100000 tries that number, and prints the CPU
 * seconds and the longest cycle. */
#include "tests/support/allocations.h"

#include "tests/stages/sources/taildir_support.h"

#include <fcntl.h>
#include <time.h>

#define FILES 6000U
#define LINES 2U
/* Measured for one cycle, including a batch of lines. The test's copies of events are not counted. */
#define CYCLE_ALLOCATIONS_MAX 14000U

static unsigned file_count;
static unsigned char *came;
static char banner[1200];
static uint64_t cycle_count, longest_allocations, longest_cpu_ns, worker_cpu_ns;

static uint64_t cpu_ns(clockid_t clock)
{
    struct timespec at;
    assert_int_equal(clock_gettime(clock, &at), 0);
    return (uint64_t)at.tv_sec * PS_NS_PER_S + (uint64_t)at.tv_nsec;
}

static void lines_write(const char *name, unsigned file, unsigned from, unsigned to, bool with_banner)
{
    char text[2048];
    size_t length = 0;
    if (with_banner) {
        memcpy(text, banner, sizeof banner);
        length = sizeof banner;
    }
    for (unsigned i = from; i < to; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%u %u\n", file, i);
    int fd = open(ps_test_folder_path(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), length);
    close(fd);
}

/* Runs one cycle like the worker. */
static enum ps_result cycle(void)
{
    static uint64_t before_ns;
    uint64_t now_ns = ps_clock_now().mono_ns, allocations = ps_test_allocation_count;
    if (before_ns != 0)
        ps_test_stage_pass_ms(&stage, (now_ns - before_ns) / PS_NS_PER_MS);
    before_ns = before_ns == 0 ? now_ns : now_ns - (now_ns - before_ns) % PS_NS_PER_MS;
    uint64_t cpu = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    enum ps_result result = ps_test_source_work(&stage);
    cpu = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
    allocations = ps_test_allocation_count - allocations;
    cycle_count++;
    worker_cpu_ns += cpu;
    if (allocations > longest_allocations)
        longest_allocations = allocations;
    if (cpu > longest_cpu_ns)
        longest_cpu_ns = cpu;
    ps_test_source_close_batch(&stage);
    return result;
}

static unsigned take(unsigned lines)
{
    unsigned count = 0;
    for (size_t i = 0; i < stage.event_count; i++) {
        unsigned file, line;
        if (stage.events[i].body[0] == '#')
            continue;
        assert_int_equal(sscanf(stage.events[i].body, "%u %u", &file, &line), 2);
        assert_true(file < file_count && line < lines);
        assert_int_equal(came[file * 8 + line]++, 0);
        count++;
    }
    ps_test_source_clear(&stage);
    return count;
}

/* Works until this many lines came, with numbers below `lines`. */
static void wait_for(const char *what, unsigned count, unsigned lines)
{
    uint64_t all = cpu_ns(CLOCK_PROCESS_CPUTIME_ID), begin = ps_clock_now().mono_ns;
    uint64_t until = ps_test_patient_ns() + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
    cycle_count = longest_allocations = longest_cpu_ns = worker_cpu_ns = 0;
    while (count > 0) {
        if (cycle() == PS_IDLE)
            usleep(200);
        unsigned came_now = take(lines);
        assert_true(came_now <= count);
        count -= came_now;
        if (came_now > 0)
            until = ps_test_patient_ns() + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
        if (ps_test_patient_ns() > until)
            fail_msg("%s: %u lines did not come", what, count);
    }
    for (unsigned i = 0; i < 20; i++) {
        (void)cycle();
        usleep(500);
        assert_int_equal(take(lines), 0);
    }
    print_message(
        "%s: %u files: %.2f s, CPU %.2f s, of the worker %.2f s in %llu cycles, the longest %.2f ms "
        "and %llu allocations\n",
        what, file_count, (double)(ps_clock_now().mono_ns - begin) / 1e9,
        (double)(cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - all) / 1e9, (double)worker_cpu_ns / 1e9,
        (unsigned long long)cycle_count, (double)longest_cpu_ns / 1e6,
        (unsigned long long)longest_allocations);
    assert_true(longest_allocations <= CYCLE_ALLOCATIONS_MAX);
}

/* All files are new; some grow; all are renamed; the source is restarted. */
static void play(bool with_banner)
{
    char name[32], to[32];
    const char *more = getenv("PENSTOCK_FILES");
    file_count = more != NULL ? (unsigned)strtoul(more, NULL, 10) : FILES;
    came = calloc(file_count, 8);
    assert_non_null(came);
    memset(banner, '#', sizeof banner);
    banner[sizeof banner - 1] = '\n';
    for (unsigned i = 0; i < file_count; i++) {
        snprintf(name, sizeof name, "app.%06u", i);
        lines_write(name, i, 0, LINES, with_banner);
    }
    PS_START("writePosInterval", "200", NULL);
    wait_for("new", file_count * LINES, LINES);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "app.%06u", i * (file_count / 100));
        lines_write(name, i * (file_count / 100), LINES, LINES + 1, false);
    }
    wait_for("100 grow", 100, LINES + 1);
    for (unsigned i = 0; i < file_count; i++) {
        snprintf(name, sizeof name, "app.%06u", i);
        snprintf(to, sizeof to, i % 2 == 0 ? "app.%06u.1" : "old.%06u", i);
        move(name, to);
        lines_write(to, i, LINES + 1, LINES + 2, false);
    }
    wait_for("renamed, and grow", file_count, LINES + 2);
    uint64_t begin = ps_clock_now().mono_ns;
    ps_test_stage_close(&stage);
    print_message("closed in %.2f s\n", (double)(ps_clock_now().mono_ns - begin) / 1e9);
    for (unsigned i = 0; i < file_count; i++) {
        snprintf(to, sizeof to, i % 2 == 0 ? "app.%06u.1" : "old.%06u", i);
        lines_write(to, i, LINES + 2, LINES + 3, false);
    }
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    wait_for("started again", file_count, LINES + 3);
    ps_test_stage_fini(&stage);
    free(came);
}

static void test_many(void **unused)
{
    play(false);
}

static void test_many_that_begin_alike(void **unused)
{
    play(true);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(many), TEST(many_that_begin_alike)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
