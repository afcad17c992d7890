/* The life of the Java host's process: how it ends, and the log message about one that ends by itself. The process is a
 * shell. (Its messages: tests/stages/sinks/java_test.c and tests/stages/sources/java_test.c.) */
#include "core/clock.h"
#include "stages/lib/java/host.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 20000U

static struct ps_java_host *host;

static void start(const char *script, uint64_t rest_ms)
{
    struct ps_err err = {.length = 0};
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    const struct ps_java_launch launch = {.argv = argv,
                                          .silence_ns = 3600 * PS_NS_PER_S,
                                          .rest_ns = rest_ms * PS_NS_PER_MS,
                                          .rest_max_ns = 2 * rest_ms * PS_NS_PER_MS};
    host = ps_java_host_create(&launch, &err);
    assert_non_null(host);
}

static long number_in(const char *name)
{
    long number = 0;
    FILE *file = fopen(ps_test_folder_path(name), "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld", &number) != 1)
        number = 0;
    fclose(file);
    return number;
}

/* Waits until the shell has written the number. */
static long await_number(const char *name)
{
    long number = 0;
    for (unsigned i = 0; (number = number_in(name)) == 0; i++) {
        assert_true(i < PATIENCE_MS);
        usleep(1000);
    }
    return number;
}

static void await_down(const char *wanted)
{
    char text[600] = "";
    for (unsigned i = 0; !ps_java_host_is_down(host, text, sizeof text) || strstr(text, wanted) == NULL;
         i++) {
        if (i >= PATIENCE_MS)
            fail_msg("it is \"%s\", not \"%s\"", text, wanted);
        usleep(1000);
    }
}

static void await_attached(struct ps_java_link *link)
{
    for (unsigned i = 0; !ps_java_link_attach(link, host, -1); i++) {
        assert_true(i < PATIENCE_MS);
        usleep(1000);
    }
}

/* Writes a script that gives a sign of life, so that links can be attached, and goes on with `then`. */
static void print_running(char *script, size_t room, const char *then)
{
    snprintf(script, room, "printf '\\%03o%s\\%03o%s%s\\001%s\\%03o%s\\000\\000\\000\\000' >&3; %s",
             (unsigned)sizeof(struct ps_java_head) + 8, "\\000\\000\\000", (unsigned)PS_JAVA_BEAT,
             "\\000\\000\\000", "\\000\\000\\000\\000", "\\000\\000\\000", PS_JAVA_PROTOCOL,
             "\\000\\000\\000", then);
}

/* Starts a host that gives a sign of life, and waits until components can be attached. */
static void start_running(const char *then)
{
    static struct ps_java_link link;
    char script[2048];
    print_running(script, sizeof script, then);
    start(script, 1000);
    await_attached(&link);
    ps_java_link_detach(&link);
}

/* When its input ends, the host has a limited time to stop its components. */
static void test_a_host_that_ends_in_time(void **unused)
{
    char then[1024];
    (void)remove(ps_test_folder_path("ended"));
    snprintf(then, sizeof then, "cat <&5 >/dev/null; sleep 0.3; echo 1 >%s", ps_test_folder_path("ended"));
    start_running(then);
    ps_java_host_destroy(host, PATIENCE_MS);
    assert_int_equal(number_in("ended"), 1);
}

/* A host that does not end in time is killed. */
static void test_a_host_that_does_not_end(void **unused)
{
    char then[1024];
    (void)remove(ps_test_folder_path("pid"));
    snprintf(then, sizeof then, "trap '' TERM INT HUP; echo $$ >%s; exec sleep 3600",
             ps_test_folder_path("pid"));
    start_running(then);
    pid_t pid = (pid_t)await_number("pid");
    assert_int_equal(kill(pid, 0), 0);
    ps_java_host_destroy(host, 50);
    assert_int_equal(kill(pid, 0), -1);
}

/* A host that is still starting has no components to stop: it is killed at once, and does not use its time. */
static void test_a_host_that_is_starting(void **unused)
{
    char script[1024];
    (void)remove(ps_test_folder_path("ended"));
    (void)remove(ps_test_folder_path("pid"));
    snprintf(script, sizeof script, "echo $$ >%s; cat <&5 >/dev/null; sleep 3; echo 1 >%s",
             ps_test_folder_path("pid"), ps_test_folder_path("ended"));
    start(script, 1000);
    pid_t pid = (pid_t)await_number("pid");
    ps_java_host_destroy(host, PATIENCE_MS);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(number_in("ended"), 0);
}

/* Each way in which the host may end by itself is logged with a message of its own; the host is started again each time. */
static void test_a_host_that_ends_by_itself(void **unused)
{
    static const struct {
        const char *script, *words;
    } cases[] = {
        {"exit 3", "the Java host ended with exit code 3"},
        {"exit 0", "the Java host ended with exit code 0"},
        {"echo Invalid maximum heap size: -Xmx10q; exit 1",
         "the Java host ended with exit code 1: Invalid maximum heap size: -Xmx10q"},
        {"kill -9 $$", "the Java host was killed by signal 9"},
        {"kill -15 $$", "the Java host was killed by signal 15"},
        {"printf '\\377\\377\\377\\377%0100d' 0 >&3; cat <&5", "it sent bytes that are not a message"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char script[1024];
        const char *starts = ps_test_folder_path("starts");
        (void)remove(starts);
        snprintf(script, sizeof script, "echo $$ >>%s; [ $(wc -l <%s) -lt 3 ] || echo 1 >%s.3; %s", starts,
                 starts, starts, cases[i].script);
        start(script, 20);
        await_down(cases[i].words);
        await_number("starts.3");
        await_down(cases[i].words); /* the same each time */
        ps_java_host_destroy(host, PATIENCE_MS);
        (void)remove(ps_test_folder_path("starts.3"));
    }
}

static unsigned log_lines(const char *part)
{
    unsigned count = 0;
    const char *at = ps_test_folder_read("log");
    for (; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

/* The log goes to a file of the test's folder; returns the descriptor for log_end. */
static int log_begin(void)
{
    int before = dup(2),
        log = open(ps_test_folder_path("log"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(dup2(log, 2) == 2);
    close(log);
    return before;
}

static void log_end(int before)
{
    assert_true(dup2(before, 2) == 2);
    close(before);
}

/* A reload finds the same jars, a changed jar, and another command; after a change the host has time to stop its
 * components. */
static void test_a_host_whose_jars_change(void **unused)
{
    char script[1024], second[1024], jar[256];
    struct ps_err err = {.length = 0};
    snprintf(jar, sizeof jar, "%s:/none.jar", ps_test_folder_path("a.jar"));
    ps_test_folder_append("a.jar", "one", 3);
    (void)remove(ps_test_folder_path("pid"));
    (void)remove(ps_test_folder_path("other"));
    snprintf(script, sizeof script, "echo $$ >%s; cat <&5 >/dev/null; echo stopped >>%s",
             ps_test_folder_path("pid"), ps_test_folder_path("stops"));
    const char *const argv[] = {"/bin/sh", "-c", script, "-cp", jar, NULL};
    const struct ps_java_launch launch = {
        .argv = argv, .silence_ns = 3600 * PS_NS_PER_S, .rest_ns = PS_NS_PER_S, .rest_max_ns = PS_NS_PER_S};
    int before = log_begin();
    host = ps_java_host_create(&launch, &err);
    assert_non_null(host);
    ps_java_host_renew(host, argv); /* before or during its start */
    long first = await_number("pid");
    ps_java_host_renew(host, NULL);
    ps_java_host_renew(host, argv);
    usleep(300000); /* the host's thread looks every 200 ms */
    assert_int_equal(kill((pid_t)first, 0), 0);
    (void)remove(ps_test_folder_path("pid"));
    ps_test_folder_append("a.jar", "two", 3);
    ps_java_host_renew(host, NULL);
    long next = await_number("pid");
    assert_int_not_equal(next, first);
    assert_string_equal(ps_test_folder_read("stops"), "stopped\n");
    snprintf(second, sizeof second, "echo $$ >%s; cat <&5 >/dev/null", ps_test_folder_path("other"));
    const char *const other[] = {"/bin/sh", "-c", second, "-cp", jar, NULL};
    ps_java_host_renew(host, other);
    (void)await_number("other");
    assert_string_equal(ps_test_folder_read("stops"), "stopped\nstopped\n");
    ps_java_host_destroy(host, PATIENCE_MS);
    log_end(before);
    assert_int_equal(log_lines("a.jar has changed: the Java process stops its components and starts again\n"),
                     1);
    assert_int_equal(log_lines("its class path or options have changed: the Java process stops"), 1);
    assert_int_equal(log_lines("ERROR"), 0);
}

/* A class calls System.exit when it is asked to stop. The log promises a start only if a component is left that was not asked. */
static void test_an_end_while_components_stop(void **unused)
{
    static const struct {
        bool second_stops, detached, attached_again, promised;
    } cases[] = {{.promised = true},
                 {.second_stops = true},
                 {.second_stops = true, .detached = true},
                 {.second_stops = true, .detached = true, .attached_again = true, .promised = true}};
    static struct ps_java_link first, second;
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char script[1024], then[512];
        snprintf(then, sizeof then, "until [ -e %s ]; do sleep 0.02; done; exit 3",
                 ps_test_folder_path("stopped"));
        print_running(script, sizeof script, then);
        (void)remove(ps_test_folder_path("stopped"));
        int before = log_begin();
        start(script, 3600000);
        await_attached(&first);
        await_attached(&second);
        assert_int_equal(ps_java_link_send(&first, PS_JAVA_STOP, NULL, 0, NULL), PS_JAVA_SENT);
        if (cases[i].second_stops)
            ps_java_link_stop(&second);
        if (cases[i].detached) {
            ps_java_link_detach(&first);
            ps_java_link_detach(&second);
        }
        if (cases[i].attached_again)
            await_attached(&first);
        ps_test_folder_append("stopped", "", 0);
        await_down("the Java host ended with exit code 3");
        ps_java_link_detach(&first);
        ps_java_link_detach(&second);
        ps_java_host_destroy(host, PATIENCE_MS);
        log_end(before);
        assert_int_equal(log_lines("ended with exit code 3; it is started again in "), cases[i].promised);
        assert_int_equal(log_lines("code 3, while all of its components were being stopped\n"),
                         !cases[i].promised);
    }
}

/* A link to the run that ended because of a changed jar says so; a link to the next run does not. */
static void test_links_of_a_host_whose_jars_change(void **unused)
{
    char script[1024], text[600];
    struct ps_err err = {.length = 0};
    static struct ps_java_link first, second;
    ps_test_folder_append("c.jar", "one", 3);
    print_running(script, sizeof script, "cat <&5 >/dev/null");
    const char *const argv[] = {"/bin/sh", "-c", script, "-cp", ps_test_folder_path("c.jar"), NULL};
    const struct ps_java_launch launch = {
        .argv = argv, .silence_ns = 3600 * PS_NS_PER_S, .rest_ns = PS_NS_PER_S, .rest_max_ns = PS_NS_PER_S};
    host = ps_java_host_create(&launch, &err);
    assert_non_null(host);
    await_attached(&first);
    assert_false(ps_java_link_end(&first, text, sizeof text));
    ps_test_folder_append("c.jar", "two", 3);
    ps_java_host_renew(host, NULL);
    assert_true(ps_java_link_end(&first, text, sizeof text));
    assert_non_null(strstr(text, "c.jar has changed: the Java process starts again"));
    await_attached(&second);
    assert_true(ps_java_link_is_lost(&first));
    assert_true(ps_java_link_end(&first, text, sizeof text));
    assert_false(ps_java_link_end(&second, text, sizeof text));
    ps_java_link_detach(&first);
    ps_java_link_detach(&second);
    ps_java_host_destroy(host, PATIENCE_MS);
}

/* A file system that does not answer: `stat`, which the test replaces, waits. */
static _Atomic bool stat_waits, stat_hangs;
int stat(const char *path, struct stat *status)
{
    while (stat_hangs && strstr(path, "slow.jar") != NULL) {
        stat_waits = true;
        usleep(1000);
    }
    return fstatat(AT_FDCWD, path, status, 0);
}

static void *renew(void *unused)
{
    ps_java_host_renew(host, NULL);
    return NULL;
}

/* A reload checks the jars without the lock that workers take. */
static void test_a_jar_that_hangs_holds_up_nobody_else(void **unused)
{
    char script[1024], text[600];
    struct ps_err err = {.length = 0};
    pthread_t thread;
    (void)remove(ps_test_folder_path("pid"));
    snprintf(script, sizeof script, "echo $$ >%s; cat <&5 >/dev/null", ps_test_folder_path("pid"));
    ps_test_folder_append("slow.jar", "one", 3);
    const char *const argv[] = {"/bin/sh", "-c", script, "-cp", ps_test_folder_path("slow.jar"), NULL};
    const struct ps_java_launch launch = {
        .argv = argv, .silence_ns = 3600 * PS_NS_PER_S, .rest_ns = PS_NS_PER_S, .rest_max_ns = PS_NS_PER_S};
    host = ps_java_host_create(&launch, &err);
    assert_non_null(host);
    long first = await_number("pid");
    ps_test_folder_append("slow.jar", "two", 3);
    (void)remove(ps_test_folder_path("pid"));
    stat_hangs = true;
    assert_int_equal(pthread_create(&thread, NULL, renew, NULL), 0);
    while (!stat_waits)
        usleep(1000);
    assert_false(ps_java_host_is_down(host, text, sizeof text)); /* takes the lock */
    stat_hangs = false;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_not_equal(await_number("pid"), first);
    ps_java_host_destroy(host, PATIENCE_MS);
}

/* ---- a clock that the test moves ---- */

static _Atomic int64_t moved_s;
int clock_gettime(clockid_t id, struct timespec *now)
{
    long failed = syscall(SYS_clock_gettime, id, now);
    if (id == CLOCK_MONOTONIC)
        now->tv_sec += moved_s;
    return (int)failed;
}

/* This process was stopped for longer than a host may be silent. The host, which may have been stopped as well, is not
 * killed for that. */
static void test_a_pause_of_this_process(void **unused)
{
    char script[1024], text[600];
    struct ps_err err = {.length = 0};
    (void)remove(ps_test_folder_path("pid"));
    snprintf(script, sizeof script, "echo $$ >%s; cat <&5 >/dev/null", ps_test_folder_path("pid"));
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    const struct ps_java_launch launch = {
        .argv = argv, .silence_ns = 60 * PS_NS_PER_S, .rest_ns = PS_NS_PER_S, .rest_max_ns = PS_NS_PER_S};
    host = ps_java_host_create(&launch, &err);
    assert_non_null(host);
    long pid = await_number("pid");
    for (unsigned i = 0; i < 3; i++) {
        usleep(400000); /* the host's thread looks every 200 ms */
        moved_s += 100;
    }
    usleep(400000);
    assert_false(ps_java_host_is_down(host, text, sizeof text));
    assert_int_equal(number_in("pid"), pid);
    assert_int_equal(kill((pid_t)pid, 0), 0);
    ps_java_host_destroy(host, PATIENCE_MS);
}

static _Atomic unsigned polls; /* calls of `poll`, below: the host's thread begins each look with one */

/* Waits until the host has looked at its process, which it does each 200 ms, and no longer: its limits are the machine's time. */
static void let_it_look(void)
{
    for (unsigned before = polls; polls - before < 3;)
        usleep(1000);
}

/* Returns when the process is in one of the states. */
static void await_state(pid_t pid, const char *states)
{
    char path[64], state = ' ';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    while (strchr(states, state) == NULL) {
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        assert_int_equal(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
        fclose(file);
        usleep(1000);
    }
}

/* Sends SIGSTOP, and waits until the process is stopped: on a busy machine that takes a moment. */
static void stop_process(pid_t pid)
{
    assert_int_equal(kill(pid, SIGSTOP), 0);
    await_state(pid, "Tt"); /* t: by somebody who traces it, as tests/hold does */
}

/* ---- what a process leaves in its pipes ---- */

#define LAST_MESSAGES 4000U /* of 16 bytes: a pipe holds 64 KiB */

static pid_t late_for; /* the host's thread does not look before this process has ended; 0: it does */

/* Called by the host's thread, which has not looked after the end of the process yet, or has. */
int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    pid_t pid = __atomic_load_n(&late_for, __ATOMIC_RELAXED);
    polls++;
    if (pid != 0 && kill(pid, 0) == 0)
        await_state(pid, "Z");
    return ppoll(fds, count, &(struct timespec){timeout_ms / 1000, timeout_ms % 1000 * 1000000L}, NULL);
}

static void write_messages(const char *name, uint32_t link)
{
    const struct ps_java_head head = {.length = sizeof head, .type = PS_JAVA_TROUBLE, .link = link};
    FILE *file = fopen(ps_test_folder_path(name), "w");
    assert_non_null(file);
    for (unsigned i = 0; i < LAST_MESSAGES; i++)
        assert_int_equal(fwrite(&head, sizeof head, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

/* A process ends with as many messages in its pipe as this can hold, such as commits: all of them arrive. */
static void test_the_last_messages(void **unused)
{
    static struct ps_java_link link;
    static struct ps_java_message message;
    char script[2048], then[1024], go[256];
    unsigned count = 0;
    bool lost = false;
    (void)remove(ps_test_folder_path("pid"));
    snprintf(go, sizeof go, "%s", ps_test_folder_path("go"));
    snprintf(then, sizeof then, "echo $$ >%s; until [ -e %s ]; do sleep 0.01; done; cat %s >&3",
             ps_test_folder_path("pid"), go, go);
    print_running(script, sizeof script, then);
    start(script, 3600000);
    await_attached(&link);
    __atomic_store_n(&late_for, (pid_t)await_number("pid"), __ATOMIC_RELAXED);
    write_messages("go.new", link.number);
    assert_int_equal(rename(ps_test_folder_path("go.new"), go), 0);
    for (unsigned i = 0; !lost && i < PATIENCE_MS; i++) {
        usleep(1000);
        while (ps_java_link_next(&link, &message, &lost))
            count++;
    }
    __atomic_store_n(&late_for, 0, __ATOMIC_RELAXED);
    assert_int_equal(count, LAST_MESSAGES);
    ps_java_link_detach(&link);
    ps_java_host_destroy(host, PATIENCE_MS);
}

/* A child of the process has its output, and writes without end: the host is started again all the same, and a stop ends. */
static void test_a_child_that_writes_without_end(void **unused)
{
    start_running("yes & exit 7");
    await_down("ended with exit code 7");
    ps_java_host_destroy(host, PATIENCE_MS);
}

/* A class has called System.exit, and a shutdown hook does not return; or the pipe has ended and the process has not. It is killed after 5 s,
 * although it is not silent, and started again. */
static void test_an_end_that_takes_too_long(void **unused)
{
    static const char *const reasons[] = {"it was ending by System.exit", "it closed its pipe to the agent"};
    char scripts[2][1024];
    snprintf(scripts[0], sizeof scripts[0], "printf '\\%03o%s\\%03o%s%s%s' >&3; echo $$ >%s; exec sleep 3600",
             (unsigned)sizeof(struct ps_java_head), "\\000\\000\\000", (unsigned)PS_JAVA_ENDS,
             "\\000\\000\\000", "\\000\\000\\000\\000", "\\000\\000\\000\\000", ps_test_folder_path("pid"));
    snprintf(scripts[1], sizeof scripts[1], "exec 3>&-; echo $$ >%s; exec sleep 3600",
             ps_test_folder_path("pid"));
    for (size_t i = 0; i < PS_COUNT_OF(scripts); i++) {
        char text[600];
        (void)remove(ps_test_folder_path("pid"));
        start(scripts[i], 20);
        pid_t pid = (pid_t)await_number("pid");
        let_it_look(); /* and note how the process ends */
        assert_int_equal(kill(pid, 0), 0);
        assert_false(ps_java_host_is_down(host, text, sizeof text));
        /* Time in which the process is stopped is not counted. */
        stop_process(pid);
        moved_s += 6;
        let_it_look();
        assert_false(ps_java_host_is_down(host, text, sizeof text));
        assert_int_equal(kill(pid, SIGCONT), 0);
        let_it_look();
        assert_false(ps_java_host_is_down(host, text, sizeof text));
        moved_s += 6;
        char reason[200];
        snprintf(reason, sizeof reason, "the Java host was ended: %s, and had not ended after 5 s",
                 reasons[i]);
        await_down(reason);
        assert_int_equal(kill(pid, 0), -1);
        (void)remove(ps_test_folder_path("pid"));
        (void)await_number("pid");
        ps_java_host_destroy(host, 50);
    }
}

/* The program is deleted after a run of more than a minute: the backoff before each further start grows. */
static void test_rests_grow_behind_a_good_run(void **unused)
{
    struct ps_err err = {.length = 0};
    char script[1024], path[1024];
    snprintf(path, sizeof path, "%s", ps_test_folder_path("program"));
    (void)remove(ps_test_folder_path("pid"));
    snprintf(script, sizeof script, "#!/bin/sh\necho $$ >%s\nexec sleep 3600\n", ps_test_folder_path("pid"));
    ps_test_folder_append("program", script, strlen(script));
    assert_int_equal(chmod(path, 0700), 0);
    const char *const argv[] = {path, NULL};
    const struct ps_java_launch launch = {.argv = argv,
                                          .silence_ns = 3600 * PS_NS_PER_S,
                                          .rest_ns = 20 * PS_NS_PER_MS,
                                          .rest_max_ns = 3600 * PS_NS_PER_S};
    int before = log_begin();
    host = ps_java_host_create(&launch, &err);
    assert_non_null(host);
    pid_t pid = (pid_t)await_number("pid");
    assert_int_equal(remove(path), 0);
    moved_s += 100;
    uint64_t killed_ns = ps_clock_now().mono_ns;
    assert_int_equal(kill(pid, SIGKILL), 0);
    for (unsigned i = 0; i < 1500 || (i < PATIENCE_MS && log_lines("cannot be started") < 2); i++)
        usleep(1000);
    ps_java_host_destroy(host, PATIENCE_MS);
    uint64_t rests = (ps_clock_now().mono_ns - killed_ns) / launch.rest_ns; /* 1, then 2, 4, 8 .. more */
    log_end(before);
    assert_in_range(log_lines("cannot be started"), 2, 64 - __builtin_clzll(rests + 1));
}

/* A JVM on a slow machine takes longer to start than a running JVM may be silent: the start has its own limit. */
static void test_a_start_that_takes_long(void **unused)
{
    char script[1024];
    struct ps_err err = {.length = 0};
    (void)remove(ps_test_folder_path("pid"));
    snprintf(script, sizeof script, "echo $$ >%s; cat <&5 >/dev/null", ps_test_folder_path("pid"));
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    const struct ps_java_launch launch = {.argv = argv,
                                          .silence_ns = 200 * PS_NS_PER_MS,
                                          .start_ns = 3 * PS_NS_PER_S,
                                          .rest_ns = 3600 * PS_NS_PER_S,
                                          .rest_max_ns = 3600 * PS_NS_PER_S};
    host = ps_java_host_create(&launch, &err);
    assert_non_null(host);
    uint64_t began_ns = ps_clock_now().mono_ns;
    (void)await_number("pid");
    await_down("it took too long to start");
    assert_true(ps_clock_now().mono_ns - began_ns >= 3 * PS_NS_PER_S);
    ps_java_host_destroy(host, PATIENCE_MS);
}

static void test_a_program_that_is_not_there(void **unused)
{
    struct ps_err err = {.length = 0};
    static const char *const argv[] = {"/none/java", NULL};
    const struct ps_java_launch launch = {
        .argv = argv, .silence_ns = 3600 * PS_NS_PER_S, .rest_ns = PS_NS_PER_MS, .rest_max_ns = PS_NS_PER_MS};
    host = ps_java_host_create(&launch, &err);
    assert_non_null(host);
    await_down("/none/java cannot be started: No such file");
    ps_java_host_destroy(host, PATIENCE_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_end_while_components_stop), /* first, before the log suppresses such lines */
        cmocka_unit_test(test_a_host_that_ends_in_time),
        cmocka_unit_test(test_a_host_that_does_not_end),
        cmocka_unit_test(test_a_host_that_is_starting),
        cmocka_unit_test(test_a_host_that_ends_by_itself),
        cmocka_unit_test(test_a_host_whose_jars_change),
        cmocka_unit_test(test_links_of_a_host_whose_jars_change),
        cmocka_unit_test(test_a_program_that_is_not_there),
        cmocka_unit_test(test_a_start_that_takes_long),
        cmocka_unit_test(test_a_pause_of_this_process),
        cmocka_unit_test(test_an_end_that_takes_too_long),
        cmocka_unit_test(test_the_last_messages),
        cmocka_unit_test(test_a_child_that_writes_without_end),
        cmocka_unit_test(test_rests_grow_behind_a_good_run),
        cmocka_unit_test(test_a_jar_that_hangs_holds_up_nobody_else),
    };
    return cmocka_run_group_tests(tests, ps_test_folder_setup, ps_test_folder_teardown);
}
