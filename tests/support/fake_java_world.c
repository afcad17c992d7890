#include "tests/support/fake_java_world.h"

#include "core/engine/engine.h"
#include "core/spawn.h"
#include "core/thread.h"
#include "stages/lib/java/launch.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

/* Process numbers of the world: the kernel has none of them. */
#define PID_FIRST 0x10000000
#define FDS_MAX 4U
#define STACK_BYTES (512U * 1024U)

#if defined(__SANITIZE_THREAD__)
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
#elif defined(__SANITIZE_ADDRESS__)
void __sanitizer_start_switch_fiber(void **fake_stack, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack, const void **bottom, size_t *size);
#endif

uint64_t java_world_starts;

static struct {
    struct sim *sim; /* NULL: there is no world */
    struct java_chances chances;
    struct java_process process; /* the present one */
    pid_t pid;
    unsigned command;
    unsigned descriptors; /* of this program at the beginning */
    struct {
        const struct ps_worker *worker;
        int fd;
    } wakes[PS_WORKERS_MAX];
    /* The thread of the host, which has a stack and no more. */
    ucontext_t main, thread;
    char *stack;
    void *main_fiber, *fiber; /* for a sanitizer */
    const void *main_stack;
    size_t main_bytes;
    bool has_thread, is_inside, ended;
    void *(*run)(void *argument);
    void *argument;
    struct pollfd fds[FDS_MAX]; /* what it waits for */
    nfds_t fd_count;
    uint64_t until_ns;
} world;

/* ---- the functions that are replaced ---- */

struct ps_now __real_ps_clock_now(void);
struct ps_now __wrap_ps_clock_now(void);
int __real_ps_spawn(pid_t *pid, const struct ps_spawn *spawn);
int __wrap_ps_spawn(pid_t *pid, const struct ps_spawn *spawn);
bool __real_ps_spawn_poll(pid_t pid, int *status);
bool __wrap_ps_spawn_poll(pid_t pid, int *status);
int __real_ps_thread_start(pthread_t *thread, const char *name, void *(*run)(void *argument), void *argument);
int __wrap_ps_thread_start(pthread_t *thread, const char *name, void *(*run)(void *argument), void *argument);
bool __real_ps_thread_join(pthread_t thread, uint32_t patience_ms);
bool __wrap_ps_thread_join(pthread_t thread, uint32_t patience_ms);
int __wrap_ps_worker_wake_fd(const struct ps_worker *worker);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __real_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number);
FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);

struct ps_now __wrap_ps_clock_now(void)
{
    return world.sim != NULL ? world.sim->now : __real_ps_clock_now();
}

int __wrap_ps_spawn(pid_t *pid, const struct ps_spawn *spawn)
{
    if (world.sim == NULL)
        return __real_ps_spawn(pid, spawn);
    if (sim_pick(world.sim, 1000) < world.chances.start)
        return EAGAIN;
    assert_int_equal(spawn->further_count, 3);
    *pid = world.pid = PID_FIRST + (pid_t)++java_world_starts;
    java_process_begin(&world.process, dup(spawn->further[2]), dup(spawn->further[0]),
                       dup(spawn->further[1]));
    return 0;
}

bool __wrap_ps_spawn_poll(pid_t pid, int *status)
{
    if (pid < PID_FIRST)
        return __real_ps_spawn_poll(pid, status);
    assert_int_equal(pid, world.pid);
    if (world.process.killed && world.process.runs)
        java_process_end(&world.process, SIGKILL);
    *status = world.process.status;
    return !world.process.runs;
}

int __wrap_kill(pid_t pid, int number)
{
    if (pid < PID_FIRST)
        return __real_kill(pid, number);
    assert_int_equal(pid, world.pid);
    assert_int_equal(number, SIGKILL);
    world.process.killed = true;
    return 0;
}

/* /proc/PID/stat of the process: whether a signal has stopped it. */
FILE *__wrap_fopen(const char *path, const char *mode)
{
    static char still[] = "1 (java) T 1", running[] = "1 (java) S 1";
    long pid;
    if (world.sim == NULL || sscanf(path, "/proc/%ld/stat", &pid) != 1 || pid < PID_FIRST)
        return __real_fopen(path, mode);
    char *text = world.process.still_until_ns != 0 ? still : running;
    return fmemopen(text, strlen(text), "r");
}

int __wrap_ps_worker_wake_fd(const struct ps_worker *worker)
{
    for (unsigned i = 0; world.sim != NULL && i < PS_WORKERS_MAX; i++) {
        if (world.wakes[i].worker == NULL) {
            world.wakes[i].worker = worker;
            world.wakes[i].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
            assert_true(world.wakes[i].fd >= 0);
        }
        if (world.wakes[i].worker == worker)
            return world.wakes[i].fd;
    }
    return -1;
}

/* ---- the thread ---- */

/* Switches between the simulator and the thread. A sanitizer is told of it. */
static void switch_stacks(ucontext_t *from, ucontext_t *to, bool for_good)
{
    bool inward = to == &world.thread;
    world.is_inside = inward;
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(inward ? world.fiber : world.main_fiber, 0);
#elif defined(__SANITIZE_ADDRESS__)
    void *fake = NULL;
    __sanitizer_start_switch_fiber(for_good ? NULL : &fake, inward ? world.stack : world.main_stack,
                                   inward ? STACK_BYTES : world.main_bytes);
#endif
    assert_int_equal(swapcontext(from, to), 0);
#if defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
    (void)for_good;
}

static void host_thread(void)
{
#if defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    __sanitizer_finish_switch_fiber(NULL, &world.main_stack, &world.main_bytes);
#endif
    (void)world.run(world.argument);
    world.ended = true;
    switch_stacks(&world.thread, &world.main, true);
}

int __wrap_ps_thread_start(pthread_t *thread, const char *name, void *(*run)(void *argument), void *argument)
{
    if (world.sim == NULL || strcmp(name, "java-host") != 0)
        return __real_ps_thread_start(thread, name, run, argument);
    world.run = run;
    world.argument = argument;
    world.ended = false;
    world.has_thread = true;
    world.fd_count = 0;
    world.until_ns = 0;
    world.stack =
        mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    assert_true(world.stack != MAP_FAILED && getcontext(&world.thread) == 0);
    world.thread.uc_stack.ss_sp = world.stack;
    world.thread.uc_stack.ss_size = STACK_BYTES;
    makecontext(&world.thread, host_thread, 0);
#if defined(__SANITIZE_THREAD__)
    world.main_fiber = __tsan_get_current_fiber();
    world.fiber = __tsan_create_fiber(0);
#endif
    *thread = pthread_self();
    return 0;
}

/* The thread waits until the simulator lets it run, and something has come or the time has passed. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    if (!world.is_inside || fds[0].events != POLLIN) /* the log's */
        return __real_poll(fds, count, timeout_ms);
    assert_true(count <= FDS_MAX);
    memcpy(world.fds, fds, count * sizeof *fds);
    world.fd_count = count;
    world.until_ns = world.sim->now.mono_ns + (uint64_t)timeout_ms * PS_NS_PER_MS;
    switch_stacks(&world.thread, &world.main, false);
    return __real_poll(fds, count, 0);
}

/* Lets the thread run to its next `poll`, if it has something to do. */
static void run_thread(void)
{
    struct pollfd fds[FDS_MAX];
    memcpy(fds, world.fds, sizeof fds);
    if (!world.has_thread || world.ended ||
        (world.sim->now.mono_ns < world.until_ns && __real_poll(fds, world.fd_count, 0) == 0))
        return;
    switch_stacks(&world.main, &world.thread, false);
}

/* The agent waits for the end of the thread, and time passes. */
bool __wrap_ps_thread_join(pthread_t thread, uint32_t patience_ms)
{
    if (world.sim == NULL || !world.has_thread)
        return __real_ps_thread_join(thread, patience_ms);
    uint64_t began_ns = world.sim->now.mono_ns;
    while (!world.ended) {
        world.sim->now.mono_ns += sim_pick(world.sim, 2 * PS_NS_PER_MS);
        java_process_turn(&world.process);
        run_thread();
    }
    if (world.sim->now.mono_ns - began_ns > 6 * PS_NS_PER_S)
        fail_msg("the Java host takes too long to stop (seed %llu)",
                 (unsigned long long)world.sim->flow.seed);
    world.has_thread = false;
#if defined(__SANITIZE_THREAD__)
    __tsan_destroy_fiber(world.fiber);
#endif
    munmap(world.stack, STACK_BYTES);
    return true;
}

/* ---- the world ---- */

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static bool has_shared_memory(void)
{
    char line[512];
    bool has = false;
    FILE *maps = __real_fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL)
        has |= strstr(line, "memfd:penstock-java") != NULL;
    fclose(maps);
    return has;
}

static struct ps_java_host *make(void *argument, struct ps_err *err)
{
    return ps_java_host_create(argument, err);
}

static void change_command(void)
{
    static const char *const commands[][3] = {{"java", "one", NULL}, {"java", "two", NULL}};
    struct ps_err err = {.length = 0};
    ps_java_host_renew(ps_java_host_hold(NULL, NULL, &err), commands[++world.command % 2]);
    ps_java_host_release();
}

/* Passes the writes to the workers' eventfds on. */
static void look_at_wakes(struct sim *sim)
{
    struct pollfd fds[PS_WORKERS_MAX];
    nfds_t count = ps_engine_worker_count(sim->engine);
    for (unsigned i = 0; i < count; i++)
        fds[i] = (struct pollfd){.fd = __wrap_ps_worker_wake_fd(ps_engine_worker(sim->engine, i)),
                                 .events = POLLIN};
    if (__real_poll(fds, count, 0) <= 0)
        return;
    for (unsigned i = 0; i < count; i++) {
        uint64_t writes;
        if (fds[i].revents != 0 && read(fds[i].fd, &writes, sizeof writes) > 0)
            sim->flow.alarms |= UINT64_C(1) << i;
    }
}

static void pass(struct sim *sim)
{
    if (sim_pick(sim, 3) > 0)
        java_process_turn(&world.process);
    if (sim_pick(sim, 3) > 0)
        run_thread();
    if (sim_pick(sim, 100000) < world.chances.renew)
        change_command();
    look_at_wakes(sim);
}

void java_world_begin(struct sim *sim, const struct java_chances *chances)
{
    static const char *const command[] = {"java", "one", NULL};
    struct ps_java_launch launch = {.argv = command,
                                    .silence_ns = 4 * PS_NS_PER_S,
                                    .start_ns = 20 * PS_NS_PER_S,
                                    .rest_ns = 100 * PS_NS_PER_MS,
                                    .rest_max_ns = 2 * PS_NS_PER_S};
    struct ps_err err = {.length = 0};
    assert_null(world.sim);         /* a test that failed has not ended its world */
    (void)signal(SIGPIPE, SIG_IGN); /* as the agent */
    memset(&world.wakes, 0, sizeof world.wakes);
    world.descriptors = count_descriptors();
    world.sim = sim;
    world.chances = *chances;
    world.command = 0;
    world.process = (struct java_process){.in = -1,
                                          .out = -1,
                                          .memory = -1,
                                          .now = &sim->now,
                                          .random = &sim->random,
                                          .flow = &sim->flow,
                                          .chances = &world.chances};
    sim->world = pass;
    if (ps_java_host_hold(make, &launch, &err) == NULL)
        fail_msg("%s", err.text);
}

void java_world_calm(void)
{
    bool promises = world.chances.promises;
    world.chances = (struct java_chances){.late_max_ms = 1, .promises = promises};
}

void java_world_end(void)
{
    ps_java_host_release();
    for (unsigned i = 0; i < PS_WORKERS_MAX; i++) {
        if (world.wakes[i].worker != NULL)
            close(world.wakes[i].fd);
    }
    world.sim->world = NULL;
    world.sim = NULL;
    free(world.process.output);
    assert_int_equal(count_descriptors(), world.descriptors);
    assert_false(has_shared_memory());
}
