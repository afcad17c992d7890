/* Source taildir with many files that are all new at once, some with equal beginnings: each line comes once, and each
 * cycle of the worker does a limited amount of work. With four times as many files the worker does not much more than four times
 * as much. A source that is killed again and again reads all of them. PENSTOCK_FILES=100000 tries that number, and prints the CPU
 * seconds and the longest cycle. */
#include "tests/support/allocations.h"
#include "tests/support/work.h"

#include "tests/stages/sources/taildir_positions.h"
#include "tests/stages/sources/taildir_support.h"

#include <fcntl.h>
#include <limits.h>
#include <time.h>

#define FILES 6000U
#define KILLED_FILES 4280U
#define LINES 2U
/* Measured for one cycle, including a batch of lines. The test's copies of events are not counted. */
#define CYCLE_ALLOCATIONS_MAX 14000U
/* Of the worker's work (tests/support/work.h), each about twice what was measured: for a file that is found and read; for one cycle; for one that
 * looks for the originals of 32 files, each among 1,024 that begin alike. */
#define FILE_WORK_MAX 1600U
#define CYCLE_WORK_MAX 500000U
#define CYCLE_WORK_ALIKE_MAX 8000000U
/* A cycle that does no more found nothing to do: how many of these there are depends on the time. */
#define IDLE_WORK 150U
#define WORK_SLACK 100000U /* of timers */
/* One file of the position file: its position and its name. */
#define POSITION_SCAN "%*[^{]{\"inode\":%*u,\"pos\":%lld,\"file\":\"%511[^\"]\"}"

enum phase { NEW, GROWN, RENAMED, AGAIN, PHASES };
static const char *const phases[PHASES] = {"new", "100 grow", "renamed, and grow", "started again"};

static unsigned file_count;
static unsigned char *came;
static unsigned char
    *saved; /* by file: how many lines its saved position has behind it; they may not come again */
static bool begin_alike; /* all files have the banner */
static char banner[1200];
static uint64_t cycle_count, longest_allocations, longest_cpu_ns, worker_cpu_ns;
static unsigned kills;
static uint64_t work, longest_work; /* of the worker, in all cycles and in one */

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

/* Makes the files, all of them new. */
static void files_make(unsigned count)
{
    char name[32];
    file_count = count;
    kills = 0;
    came = calloc(file_count, 8);
    saved = calloc(file_count, 1);
    assert_true(came != NULL && saved != NULL);
    memset(banner, '#', sizeof banner);
    banner[sizeof banner - 1] = '\n';
    for (unsigned i = 0; i < file_count; i++) {
        snprintf(name, sizeof name, "app.%06u", i);
        lines_write(name, i, 0, LINES, begin_alike);
    }
}

static void files_forget(void)
{
    free(came);
    free(saved);
}

static void count_begin(void)
{
    cycle_count = longest_allocations = longest_cpu_ns = worker_cpu_ns = 0;
    work = longest_work = 0;
}

/* Runs one cycle like the worker. */
static enum ps_result cycle(void)
{
    static uint64_t before_ns;
    uint64_t now_ns = ps_clock_now().mono_ns, allocations = ps_test_allocation_count;
    if (before_ns != 0)
        ps_test_stage_pass_ms(&stage, (now_ns - before_ns) / PS_NS_PER_MS);
    before_ns = before_ns == 0 ? now_ns : now_ns - (now_ns - before_ns) % PS_NS_PER_MS;
    uint64_t cpu = cpu_ns(CLOCK_THREAD_CPUTIME_ID), done = ps_test_work;
    enum ps_result result = ps_test_source_work(&stage);
    done = ps_test_work - done;
    cpu = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
    allocations = ps_test_allocation_count - allocations;
    cycle_count++;
    worker_cpu_ns += cpu;
    if (allocations > longest_allocations)
        longest_allocations = allocations;
    if (cpu > longest_cpu_ns)
        longest_cpu_ns = cpu;
    if (done > IDLE_WORK)
        work += done;
    if (done > longest_work)
        longest_work = done;
    ps_test_source_close_batch(&stage);
    return result;
}

/* Returns how many lines came for the first time. */
static unsigned take(unsigned lines)
{
    unsigned count = 0;
    for (size_t i = 0; i < stage.event_count; i++) {
        unsigned file, line;
        if (stage.events[i].body[0] == '#')
            continue;
        assert_int_equal(sscanf(stage.events[i].body, "%u %u", &file, &line), 2);
        assert_true(file < file_count && line < lines);
        if (came[file * 8 + line] == 0)
            count++;
        else if (kills == 0 || line < saved[file])
            fail_msg("line %u of file %u came again", line, file);
        came[file * 8 + line] = 1;
    }
    ps_test_source_clear(&stage);
    return count;
}

/* Returns whether the position file has each file to its end. */
static bool all_saved(void)
{
    unsigned whole = 0;
    long long position;
    char name[512];
    struct stat status;
    FILE *file = fopen(positions, "re");
    while (file != NULL && fscanf(file, POSITION_SCAN, &position, name) == 2)
        whole += stat(name, &status) == 0 && status.st_size == position;
    if (file != NULL)
        fclose(file);
    return whole == file_count;
}

/* Works until all positions are saved. A save's work grows with the number of positions that changed, so the save of the new files must not
 * come while 100 of them grow. */
static void wait_for_save(void)
{
    uint64_t until = ps_test_patience_end_ns();
    uint64_t inode = 0;
    for (bool ends = false; !ends;) {
        if (cycle() == PS_IDLE)
            usleep(200);
        if (inode != ps_test_inode_of(positions)) {
            inode = ps_test_inode_of(positions);
            ends = all_saved();
        }
        if (ps_test_patient_ns() > until)
            fail_msg("not all positions were saved");
    }
}

/* Works until this many lines came, with numbers below `lines`. */
static void wait_for(const char *what, unsigned count, unsigned lines)
{
    uint64_t all = cpu_ns(CLOCK_PROCESS_CPUTIME_ID), begin = ps_clock_now().mono_ns;
    uint64_t until = ps_test_patience_end_ns();
    count_begin();
    while (count > 0) {
        if (cycle() == PS_IDLE)
            usleep(200);
        unsigned came_now = take(lines);
        assert_true(came_now <= count);
        count -= came_now;
        if (came_now > 0)
            until = ps_test_patience_end_ns();
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
        "and %llu allocations and work %llu\n",
        what, file_count, (double)(ps_clock_now().mono_ns - begin) / 1e9,
        (double)(cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - all) / 1e9, (double)worker_cpu_ns / 1e9,
        (unsigned long long)cycle_count, (double)longest_cpu_ns / 1e6,
        (unsigned long long)longest_allocations, (unsigned long long)longest_work);
    assert_true(longest_allocations <= CYCLE_ALLOCATIONS_MAX);
    if (file_count <= FILES) /* of more, the table that grows takes longer */
        assert_true(longest_work <= (begin_alike ? CYCLE_WORK_ALIKE_MAX : CYCLE_WORK_MAX));
}

/* All files are new; some grow; all are renamed; the source is restarted. */
static void play(unsigned count, uint64_t *works)
{
    char name[32], to[32];
    files_make(count);
    PS_START("writePosInterval", "200", NULL);
    wait_for("new", file_count * LINES, LINES);
    wait_for_save();
    works[NEW] = work;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "app.%06u", i * (file_count / 100));
        lines_write(name, i * (file_count / 100), LINES, LINES + 1, false);
    }
    wait_for("100 grow", 100, LINES + 1);
    works[GROWN] = work;
    for (unsigned i = 0; i < file_count; i++) {
        snprintf(name, sizeof name, "app.%06u", i);
        snprintf(to, sizeof to, i % 2 == 0 ? "app.%06u.1" : "old.%06u", i);
        move(name, to);
        lines_write(to, i, LINES + 1, LINES + 2, false);
    }
    wait_for("renamed, and grow", file_count, LINES + 2);
    works[RENAMED] = work;
    uint64_t begin = ps_clock_now().mono_ns;
    ps_test_stage_close(&stage);
    print_message("closed in %.2f s\n", (double)(ps_clock_now().mono_ns - begin) / 1e9);
    for (unsigned i = 0; i < file_count; i++) {
        snprintf(to, sizeof to, i % 2 == 0 ? "app.%06u.1" : "old.%06u", i);
        lines_write(to, i, LINES + 2, LINES + 3, false);
    }
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    wait_for("started again", file_count, LINES + 3);
    works[AGAIN] = work;
    ps_test_stage_fini(&stage);
    files_forget();
}

/* Plays with a quarter of the files, then with all of them. */
static void play_both(void)
{
    /* The time decides how often a new file is compared with others that begin alike: CYCLE_WORK_ALIKE_MAX counts there. */
    const unsigned growth_max[PHASES] = {
        [NEW] = begin_alike ? UINT_MAX : 7, [GROWN] = 2, [RENAMED] = 7, [AGAIN] = 7};
    uint64_t few[PHASES], all[PHASES];
    const char *more = getenv("PENSTOCK_FILES");
    unsigned count = more != NULL ? (unsigned)strtoul(more, NULL, 10) : FILES;
    if (PS_TEST_WORK) {
        play(count / 4, few);
        ps_test_folder_teardown(NULL);
        setup(NULL);
    }
    play(count, all);
    for (unsigned i = 0; PS_TEST_WORK && i < PHASES; i++) {
        print_message("%s: work %llu and %llu\n", phases[i], (unsigned long long)few[i],
                      (unsigned long long)all[i]);
        assert_true(few[i] > 0 && all[i] <= growth_max[i] * few[i] + WORK_SLACK);
    }
}

static void test_many(void **unused)
{
    begin_alike = false;
    play_both();
}

static void test_many_that_begin_alike(void **unused)
{
    begin_alike = true;
    play_both();
}

/* Reads which lines the position file has. Returns the number of files that it has to their end. */
static unsigned saved_read(const char *path)
{
    unsigned whole = 0, number;
    long long position;
    char name[512];
    FILE *file = fopen(path, "re");
    while (file != NULL && fscanf(file, POSITION_SCAN, &position, name) == 2) {
        assert_int_equal(sscanf(strrchr(name, '.'), ".%u", &number), 1);
        long long lines = position / snprintf(NULL, 0, "%u 0\n", number);
        assert_true(number < file_count && lines >= saved[number] && lines <= LINES);
        saved[number] = (unsigned char)lines;
        whole += lines == LINES;
    }
    if (file != NULL)
        fclose(file);
    return whole;
}

/* Works until all of these lines came, or the positions were saved and the position file has this many files to their end. Time passes with progress,
 * so that positions are saved meanwhile. Returns how many lines did not come. */
static unsigned live(unsigned missing, unsigned enough)
{
    uint64_t until = ps_test_patience_end_ns();
    const uint64_t inode = ps_test_inode_of(positions);
    unsigned has = 0;
    bool ends = false;
    count_begin();
    while (missing > 0 && !ends) {
        uint64_t open_files = ps_test_stage_counter(&stage, PS_COUNTER_extra + 1);
        bool moved = cycle() != PS_IDLE || ps_test_stage_counter(&stage, PS_COUNTER_extra + 1) != open_files;
        missing -= take(LINES);
        if (ps_test_inode_of(positions) != inode) {
            has = saved_read(positions);
            ends = has >= enough;
        }
        if (moved) {
            ps_test_stage_pass_ms(&stage, 20);
            until = ps_test_patience_end_ns();
        } else {
            usleep(200);
        }
        if (ps_test_patient_ns() > until)
            fail_msg("%u lines did not come, and %u files are saved", missing, has);
    }
    print_message("life %u: %u files saved, %u lines missing, work %llu in %llu cycles\n", kills, has,
                  missing, (unsigned long long)work, (unsigned long long)cycle_count);
    assert_true(work <= FILE_WORK_MAX * KILLED_FILES);
    return missing;
}

/* Ends the source and takes back what its end saved, as if it had been killed. Returns how many files the position file has to their end. */
static unsigned kill_source(void)
{
    char left[600];
    snprintf(left, sizeof left, "%s.left", positions);
    ps_test_positions_copy(positions, left);
    ps_test_stage_close(&stage);
    ps_test_stage_recycle(&stage);
    ps_test_positions_copy(left, positions);
    kills++;
    return saved_read(positions);
}

/* A source that is killed again and again reads all files: each second time at its first save, when it knows few files again, else when some more
 * files are saved. A start after a kill does no more than the first one. */
static void test_killed_again_and_again(void **unused)
{
    begin_alike = false;
    files_make(KILLED_FILES);
    unsigned missing = KILLED_FILES * LINES, has = 0;
    PS_START("writePosInterval", "20", "batchSize", "20", NULL);
    while ((missing = live(missing, kills % 2 == 0 ? 0 : has + KILLED_FILES / 8)) > 0) {
        unsigned before = has;
        has = kill_source();
        assert_true(has >= before);
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    }
    assert_true(kills > 0);
    ps_test_stage_fini(&stage);
    files_forget();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    (void)test_many;
    (void)test_many_that_begin_alike;
    (void)test_killed_again_and_again;
    const struct CMUnitTest tests[] = {TEST(many), TEST(many_that_begin_alike), TEST(killed_again_and_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
