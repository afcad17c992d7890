/* Source taildir while each of its system calls, and each of its allocations, fails once, at every point of a small history: files grow,
 * are renamed, copied and truncated; lines are longer than a block; the source is stopped and started. No line is lost.
 * None comes twice, except after a start those that the last good save of the positions does not have. The source goes on, or ends the
 * process because there is no memory: then the next process goes on. */
#define PS_TEST_CALLS_OF_ALL_THREADS
#define PS_TEST_ALLOCATIONS_OF_ALL_THREADS

#include "stages/lib/tail/tailer/internal.h"
#include "tests/stages/sources/taildir_positions.h"
#include "tests/stages/sources/taildir_support.h"
#include "tests/support/allocations.h"
#include "tests/support/system_calls.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define LINES_MAX 32U
#define LONG_BYTES (PS_BLOCK_BYTES + 1000U)
#define SETTLE_MS 300U /* a copy is found, and the positions are saved */
#define STUCK_NS (60 * PS_NS_PER_S)
#define EVENTS_BYTES_MIN 4096U
#define BUDGET_BYTES (UINT64_C(16) << 20)
#define SHARES 8U

/* A step: what happens to the files, or to the source. */
enum what { WRITE, WRITE_LONG, MOVE, COPY, CUT, READ, SETTLE, CLOSE, OPEN, END };

struct step {
    enum what what;
    const char *name, *to;
};

static const struct step renamed[] = {
    {WRITE, "app.log", NULL},
    {WRITE, "app.log", NULL},
    {READ, NULL, NULL},
    {WRITE, "app.log", NULL},
    {MOVE, "app.log", "app.log.1"},
    {WRITE, "app.log.1", NULL},
    {WRITE, "app.log", NULL},
    {READ, NULL, NULL},
    {CLOSE, NULL, NULL},
    {WRITE, "app.log", NULL},
    {OPEN, NULL, NULL},
    {READ, NULL, NULL},
    {WRITE, "app.log.1", NULL},
    {SETTLE, NULL, NULL},
    {END, NULL, NULL},
};

static const struct step copied[] = {
    {WRITE, "app.log", NULL}, {WRITE, "app.log", NULL},
    {READ, NULL, NULL},       {COPY, "app.log", "app.log.1"},
    {SETTLE, NULL, NULL},     {CUT, "app.log", NULL},
    {WRITE, "app.log", NULL}, {READ, NULL, NULL},
    {WRITE, "app.log", NULL}, {CLOSE, NULL, NULL},
    {OPEN, NULL, NULL},       {SETTLE, NULL, NULL},
    {END, NULL, NULL},
};

static const struct step long_lines[] = {
    {WRITE_LONG, "app.log", NULL},
    {READ, NULL, NULL},
    {SETTLE, NULL, NULL},
    {CLOSE, NULL, NULL},
    {OPEN, NULL, NULL},
    {WRITE, "app.log", NULL},
    {READ, NULL, NULL},
    {END, NULL, NULL},
};

static const struct step *const histories[] = {renamed, copied, long_lines};

/* A line: its text begins with its number. */
struct line {
    uint64_t inode, copy; /* files that have it; 0: none */
    long long end;        /* offset after its newline in them */
    unsigned came;
    bool saved; /* a position file had a position behind it */
    bool again; /* it may come again: the source was started from positions before it */
};

/* The processes of one play share it. */
struct record {
    unsigned step, line_count;
    struct line lines[LINES_MAX];
    char positions[4096]; /* the position file when it was last looked at */
    bool failed;          /* the call or the allocation */
};

static struct record *record;

static struct ps_stage_ops ops;
static struct ps_source_ops source_ops;
static uint64_t next_ns;           /* as `tick` returned it */
static unsigned play_count, ended; /* histories that were played, processes that ended for want of memory */

/* ---- the system ---- */

/* Replaces libc's function. Events of directories: they are lost, and the kernel reports it. */
ssize_t read(int fd, void *to, size_t length)
{
    static const struct inotify_event lost = {.wd = -1, .mask = IN_Q_OVERFLOW};
    bool wakes = length <= sizeof(uint64_t); /* a counter that wakes a thread */
    if (length < EVENTS_BYTES_MIN)
        return wakes || ps_test_call_may("read") ? PS_TEST_REAL(read)(fd, to, length) : -1;
    ssize_t got = PS_TEST_REAL(read)(fd, to, length);
    if (got <= 0 || ps_test_call_may("events"))
        return got;
    memcpy(to, &lost, sizeof lost);
    return sizeof lost;
}

/* Calls and allocations of all threads are counted, and fail, while the source works and while its thread does. */
static void count(bool counts)
{
    ps_test_calls_count = counts;
    ps_test_allocations_count = counts;
}

static enum ps_status counted_open(const void *plan, void *state, struct ps_port *port, struct ps_err *err)
{
    count(true);
    enum ps_status status = ps_source_taildir.open(plan, state, port, err);
    count(false);
    return status;
}

static void counted_close(const void *plan, void *state)
{
    count(true);
    ps_source_taildir.close(plan, state);
    count(false);
}

static enum ps_result counted_work(const void *plan, void *state, struct ps_batch *batch,
                                   const struct ps_now *now)
{
    count(true);
    enum ps_result result = ps_source_taildir.source->work(plan, state, batch, now);
    count(false);
    return result;
}

static uint64_t counted_tick(const void *plan, void *state, const struct ps_now *now)
{
    count(true);
    next_ns = ps_source_taildir.source->tick(plan, state, now);
    count(false);
    return next_ns;
}

static void counted_delivered(const void *plan, void *state, const struct ps_batch *batch,
                              const struct ps_now *now)
{
    count(true);
    ps_source_taildir.source->delivered(plan, state, batch, now);
    count(false);
}

/* ---- lines ---- */

#define FAIL(...)                                                                                            \
    do {                                                                                                     \
        const char *call = ps_test_call_failed;                                                              \
        print_error("after %s failed: ", call != NULL ? call : "an allocation or nothing");                  \
        fail_msg(__VA_ARGS__);                                                                               \
    } while (0)

/* Returns whether the file has a line that ends at this position, and the line is not behind it. A position in what the file had
 * before it was truncated is none of its lines' ends: their lengths differ. */
static bool is_before(const struct line *line, uint64_t inode, long long position)
{
    const struct line *end = record->lines;
    while (end < record->lines + record->line_count &&
           ((end->inode != inode && end->copy != inode) || end->end != position))
        end++;
    return inode != 0 && end < record->lines + record->line_count && line->end <= position;
}

/* Notes the lines before the positions that a new position file has. */
static void note_saved(void)
{
    const char *text = access(positions, F_OK) == 0 ? read_positions() : "";
    if (strcmp(text, record->positions) == 0)
        return;
    snprintf(record->positions, sizeof record->positions, "%s", text);
    for (struct line *line = record->lines; line < record->lines + record->line_count; line++)
        line->saved |=
            line->came > 0 && (is_before(line, line->inode, ps_test_position_in(text, line->inode)) ||
                               is_before(line, line->copy, ps_test_position_in(text, line->copy)));
}

/* The source is started: lines that were not saved may come again. */
static void note_start(void)
{
    note_saved();
    for (struct line *line = record->lines; line < record->lines + record->line_count; line++)
        line->again = line->came > 0 && !line->saved;
}

static void take_lines(void)
{
    note_saved(); /* no save has these lines */
    for (size_t i = 0; i < stage.event_count; i++) {
        unsigned number = (unsigned)strtoul(stage.events[i].body, NULL, 10);
        assert_true(number < record->line_count);
        struct line *line = &record->lines[number];
        if (line->came > 0 && !line->again)
            FAIL("line %u comes again, which %s", number,
                 line->saved ? "was saved" : "came since the last start");
        line->came++;
        line->again = false;
    }
    ps_test_source_clear(&stage);
}

static unsigned missing_count(void)
{
    unsigned missing = 0;
    for (unsigned i = 0; i < record->line_count; i++)
        missing += record->lines[i].came == 0;
    return missing;
}

/* ---- the source ---- */

/* Opens the source; after a failed call it tries again, like the engine. */
static void open_source(void)
{
    note_start();
    stage.failed = false;
    if (ps_test_stage_open(&stage) != PS_OK)
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
}

/* An orderly stop saves the positions of all lines, also after one failure. */
static void close_source(void)
{
    uint64_t begun_ns = ps_clock_now().mono_ns;
    ps_test_stage_close(&stage);
    note_saved();
    bool patient = ps_clock_now().mono_ns - begun_ns < PS_NS_PER_S;
    for (unsigned i = 0; i < record->line_count && patient; i++)
        if (record->lines[i].came > 0 && !record->lines[i].again && !record->lines[i].saved)
            FAIL("line %u is not saved at the stop", i);
}

/* Returns whether the source has nothing more to do now. */
static bool cycle(void)
{
    struct pollfd waits[] = {{stage.port.wake_fd, POLLIN, 0}, {stage.port.epoll_fd, POLLIN, 0}};
    uint64_t wakes;
    enum ps_result result = ps_test_source_work(&stage);
    ps_test_source_close_batch(&stage);
    take_lines();
    if (stage.failed) {
        close_source();
        open_source();
        return false;
    }
    const struct ps_tailer *tailer = *(struct ps_tailer *const *)stage.state;
    bool idle = ps_tail_thread_is_idle(&tailer->thread);
    if (result == PS_DONE)
        return false;
    count(true);
    int ready = poll(waits, PS_COUNT_OF(waits), idle ? 0 : 1); /* its thread may work meanwhile */
    count(false);
    (void)!read(stage.port.wake_fd, &wakes, sizeof wakes);
    return idle && (ready == 0 || (waits[1].revents & POLLIN) == 0);
}

/* Works until all lines came and the source has nothing to do for this time. While it has nothing to do, its clock moves to the time of
 * its next tick. */
static void catch_up(uint64_t settle_ms)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    uint64_t stuck_ns = stage.now.mono_ns + STUCK_NS, settled_ns = 0;
    for (;;) {
        bool rests = cycle();
        uint64_t now_ns = stage.now.mono_ns;
        if (missing_count() > 0 && (now_ns > stuck_ns || (rests && next_ns == PS_NEVER)))
            FAIL("%u of %u lines do not come", missing_count(), record->line_count);
        assert_true(ps_test_patient_ns() < until_ns);
        if (missing_count() == 0 && settled_ns == 0)
            settled_ns = now_ns + settle_ms * PS_NS_PER_MS;
        if (!rests)
            continue;
        if (settled_ns > 0 && now_ns >= settled_ns)
            return;
        uint64_t to_ns = settled_ns > 0 && settled_ns < next_ns ? settled_ns : next_ns;
        ps_test_stage_pass_ms(&stage, to_ns > now_ns ? (to_ns - now_ns) / PS_NS_PER_MS + 1 : 1);
    }
}

/* ---- the steps ---- */

/* A new line ends at this offset of the file. */
static void line_written(const char *name, long long end)
{
    assert_true(record->line_count < LINES_MAX);
    record->lines[record->line_count++] = (struct line){.inode = inode_of(name), .end = end};
}

/* Makes the text of the next line. Returns its length. */
static size_t line_text(char *text, bool is_long)
{
    size_t filler = is_long ? LONG_BYTES : record->line_count; /* no two lines have the same length */
    size_t length = (size_t)snprintf(text, 32, "%u ", record->line_count);
    memset(text + length, 'x', filler);
    text[length + filler] = '\n';
    return length + filler + 1;
}

static void write_line(const char *name, bool is_long)
{
    static char text[LONG_BYTES + 100];
    struct stat status;
    ps_test_folder_append(name, text, line_text(text, is_long));
    assert_int_equal(stat(ps_test_folder_path(name), &status), 0);
    line_written(name, status.st_size);
}

static void copy(const char *from, const char *to)
{
    uint64_t inode = inode_of(from);
    char source[512];
    snprintf(source, sizeof source, "%s", ps_test_folder_path(from));
    ps_test_file_copy(source, ps_test_folder_path(to));
    for (unsigned i = 0; i < record->line_count; i++)
        if (record->lines[i].inode == inode)
            record->lines[i].copy = inode_of(to);
}

static void cut(const char *name)
{
    uint64_t inode = inode_of(name);
    assert_int_equal(truncate(ps_test_folder_path(name), 0), 0);
    for (unsigned i = 0; i < record->line_count; i++)
        if (record->lines[i].inode == inode)
            record->lines[i].inode = 0;
}

static void step_play(const struct step *step)
{
    switch (step->what) {
    case WRITE:
    case WRITE_LONG:
        write_line(step->name, step->what == WRITE_LONG);
        break;
    case MOVE:
        move(step->name, step->to);
        break;
    case COPY:
        copy(step->name, step->to);
        break;
    case CUT:
        cut(step->name);
        break;
    case READ:
        catch_up(0);
        break;
    case SETTLE:
        catch_up(SETTLE_MS);
        break;
    case CLOSE:
        close_source();
        break;
    default:
        if (!stage.opened)
            open_source();
        while (!cycle()) /* its thread does nothing while the next step changes files */
            ;
        break;
    }
}

/* ---- plays ---- */

/* The number of the call or of the allocation that fails, or the name of a call that always does. */
struct fault {
    uint64_t call, allocation;
    int error;
    const char *broken;
};

/* Plays the rest of the history in this process. */
_Noreturn static void process_run(const struct step *history, const struct fault *fault)
{
    const char *const keys[] = {"filegroups",
                                "g",
                                "filegroups.g",
                                pattern,
                                "positionFile",
                                positions,
                                "idleTimeout",
                                "100",
                                "writePosInterval",
                                "20",
                                NULL};
    assert_non_null(freopen(ps_test_folder_path("said"), "a", stderr));
    setvbuf(stderr, NULL, _IONBF, 0);
    assert_int_equal(setenv("CMOCKA_TEST_ABORT", "1", 1), 0);
    signal(SIGABRT, SIG_DFL); /* cmocka has a handler of its own */
    ops = ps_source_taildir;
    source_ops = *ps_source_taildir.source;
    ops.open = counted_open;
    ops.close = counted_close;
    ops.source = &source_ops;
    source_ops.work = counted_work;
    source_ops.tick = counted_tick;
    source_ops.delivered = counted_delivered;
    ps_test_stage_init_sized(&stage, &ops, BUDGET_BYTES);
    assert_int_equal(ps_test_stage_bind(&stage, keys), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    ps_test_call_error = fault->error;
    ps_test_call_broken = fault->broken;
    ps_test_call_fails = fault->call;
    ps_test_allocation_fails = fault->allocation;
    step_play(&(struct step){.what = OPEN});
    for (; history[record->step].what != END; record->step++)
        step_play(&history[record->step]);
    record->failed |= (fault->call > 0 && ps_test_call_fails == 0) ||
                      (fault->allocation > 0 && ps_test_allocation_fails == 0) || fault->broken != NULL;
    ps_test_stage_fini(&stage);
    exit(0);
}

/* Returns whether the process ended for want of memory. */
static bool is_out_of_memory(int status, const char *said)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
           strstr(said, "penstock: out of memory") != NULL;
}

/* Plays the history in processes of its own: a second one goes on if the first has no memory. Returns whether anything failed. */
static bool play(unsigned history, const struct fault *fault)
{
    static const struct fault none = {.call = 0};
    int status;
    assert_int_equal(setup(NULL), 0);
    *record = (struct record){.step = 0};
    play_count++;
    do {
        fflush(stdout);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            process_run(histories[history], record->failed ? &none : fault);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        bool may_end = fault->allocation > 0 && !record->failed;
        const char *said = ps_test_folder_read("said");
        if (status != 0 && !(may_end && is_out_of_memory(status, said)))
            fail_msg("history %u, call %llu, allocation %llu, error %d, step %u, status %d: %s", history,
                     (unsigned long long)fault->call, (unsigned long long)fault->allocation, fault->error,
                     record->step, status, said);
        record->failed |= status != 0;
        ended += status != 0;
    } while (status != 0);
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
    return record->failed;
}

/* A run plays one of SHARES shares of the calls and allocations, as the seed says; PENSTOCK_SCHEDULES=8 plays all of them. */
static void play_shares(bool allocations)
{
    static const int errors[] = {EIO, EACCES, ENOMEM, ENOSPC};
    const char *more = getenv("PENSTOCK_SCHEDULES");
    uint64_t seed = ps_test_seed(), shares = more != NULL ? strtoull(more, NULL, 10) : 1;
    for (unsigned history = 0; history < PS_COUNT_OF(histories); history++) {
        uint64_t nth = 0;
        bool failed = true;
        while (failed) {
            uint64_t number = ++nth;
            if ((number - seed) % SHARES >= shares)
                continue;
            int error = errors[(number / SHARES + seed / SHARES) % PS_COUNT_OF(errors)];
            failed = play(history, &(struct fault){.call = allocations ? 0 : number,
                                                   .allocation = allocations ? number : 0,
                                                   .error = error});
        }
        assert_in_range(nth, 100, 1000);
    }
}

static void test_each_call(void **unused)
{
    play_shares(false);
}

static void test_each_allocation(void **unused)
{
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("the sanitizer counts allocations of its own");
    play_count = 0;
    play_shares(true);
    assert_in_range(ended, 1, play_count - 1); /* other sources went on */
}

/* Each list of events is lost. */
static void test_lost_events(void **unused)
{
    for (unsigned history = 0; history < PS_COUNT_OF(histories); history++)
        (void)play(history, &(struct fault){.broken = "events"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call),
        cmocka_unit_test(test_each_allocation),
        cmocka_unit_test(test_lost_events),
    };
    if (access("/dev/shm", W_OK) == 0) /* the position file is synced again and again */
        setenv("TMPDIR", "/dev/shm", 1);
    record = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (record == MAP_FAILED)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
