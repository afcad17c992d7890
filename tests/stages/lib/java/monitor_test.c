/* The process of a monitor: its input, its restarts; one that reads nothing or does not stop does not delay the
 * agent. */
#include "stages/lib/java/monitor.h"

#include "core/clock.h"
#include "core/log/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/support.h"

static const struct ps_pair pairs[] = {{.key = "type", .value = "a.B"}, {.key = "hosts", .value = ""}};

static struct ps_java_monitor *create(const char *script, uint64_t rest_ns)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    return ps_java_monitor_create_command(argv, "a.B", &(struct ps_pairs){PS_COUNT_OF(pairs), pairs},
                                          rest_ns);
}

/* Takes turns, a millisecond of its clock each, until the file has this number of bytes. Returns how often the process was fed. */
static unsigned until_file(struct ps_java_monitor *monitor, uint64_t *now_ns, const char *file, size_t bytes)
{
    const uint64_t begin_ns = ps_test_patient_ns();
    unsigned fed = 0;
    struct stat status;
    while (stat(ps_test_folder_path(file), &status) != 0 || (size_t)status.st_size < bytes) {
        assert_true(ps_test_patient_ns() - begin_ns < PS_TEST_PATIENCE_MS * PS_NS_PER_MS);
        *now_ns += PS_NS_PER_MS;
        if (ps_java_monitor_turn(monitor, *now_ns)) {
            ps_java_monitor_feed(monitor, "{}", 2);
            fed++;
        }
        usleep(200);
    }
    return fed;
}

static const char wanted[] = "\0\0\0\5\0\0\0\3a.B\0\0\0\4type\0\0\0\3a.B\0\0\0\5hosts\0\0\0\0\0\0\0\2{}";
#define CLASS_BYTES (sizeof wanted - 1)

static void test_gets(void **state)
{
    char script[512], got[CLASS_BYTES + 6];
    snprintf(script, sizeof script, "cat >%s; echo >%s", ps_test_folder_path("got"),
             ps_test_folder_path("ended"));
    struct ps_java_monitor *monitor = create(script, PS_NS_PER_S);
    uint64_t now_ns = PS_NS_PER_S;
    unsigned fed =
        until_file(monitor, &now_ns, "got", CLASS_BYTES + 6); /* the metrics twice, a second apart */
    assert_true(fed >= 2);
    assert_true(now_ns >= 2 * PS_NS_PER_S);
    ps_java_monitor_destroy(monitor);
    FILE *file = fopen(ps_test_folder_path("got"), "r");
    assert_non_null(file);
    assert_int_equal(fread(got, 1, sizeof got, file), sizeof got);
    fclose(file);
    assert_memory_equal(got, wanted, CLASS_BYTES);
    assert_memory_equal(got + CLASS_BYTES, "\0\0\0\2{}", 6);
    assert_non_null(ps_test_folder_read("ended")); /* the process ended by itself, and was not killed */
}

/* The backoffs before restarts are 1 s, 2 s, 4 s; no turn before the end of a backoff starts the process. */
static void test_started_again(void **state)
{
    char script[512];
    snprintf(script, sizeof script, "echo x >>%s; exit 3", ps_test_folder_path("starts"));
    struct ps_java_monitor *monitor = create(script, PS_NS_PER_S);
    uint64_t now_ns = PS_NS_PER_S;
    (void)until_file(monitor, &now_ns, "starts", 2);
    uint64_t first_ns = now_ns;
    (void)until_file(monitor, &now_ns, "starts", 4);
    assert_true(now_ns - first_ns >= PS_NS_PER_S);
    uint64_t second_ns = now_ns;
    (void)until_file(monitor, &now_ns, "starts", 6);
    assert_true(now_ns - second_ns >= 2 * PS_NS_PER_S);
    ps_java_monitor_destroy(monitor);
}

/* Makes the process end, and takes turns until the monitor has noticed it. The clock does not move. */
static void end_process(struct ps_java_monitor *monitor, uint64_t now_ns)
{
    const uint64_t begin_ns = ps_test_patient_ns();
    pid_t pid = (pid_t)atoi(ps_test_folder_read("pid"));
    assert_true(pid > 0);
    assert_int_equal(kill(pid, SIGTERM), 0);
    while (kill(pid, 0) == 0) {
        assert_true(ps_test_patient_ns() - begin_ns < PS_TEST_PATIENCE_MS * PS_NS_PER_MS);
        (void)ps_java_monitor_turn(monitor, now_ns);
        usleep(200);
    }
}

/* Takes turns until the file has this number of bytes. The clock does not move. */
static void await_file(struct ps_java_monitor *monitor, uint64_t now_ns, const char *file, size_t bytes)
{
    const uint64_t begin_ns = ps_test_patient_ns();
    struct stat status;
    while (stat(ps_test_folder_path(file), &status) != 0 || (size_t)status.st_size < bytes) {
        assert_true(ps_test_patient_ns() - begin_ns < PS_TEST_PATIENCE_MS * PS_NS_PER_MS);
        (void)ps_java_monitor_turn(monitor, now_ns);
        usleep(200);
    }
}

/* After a process that ran for a minute the backoffs begin again with the shortest; after a shorter run they keep growing. */
static void test_ran_for_a_minute(void **state)
{
    static const uint64_t ran_s[] = {0, 59, 60, 0, 61}, rests_s[] = {1, 2, 1, 2, 1};
    char script[512], pid[128];
    snprintf(pid, sizeof pid, "%s", ps_test_folder_path("pid"));
    snprintf(script, sizeof script, "echo $$ >%s; echo x >>%s; exec cat >/dev/null", pid,
             ps_test_folder_path("starts"));
    struct ps_java_monitor *monitor = create(script, PS_NS_PER_S);
    uint64_t now_ns = PS_NS_PER_S;
    for (size_t i = 0; i < PS_COUNT_OF(ran_s); i++) {
        assert_true(ps_java_monitor_turn(monitor, now_ns)); /* the process is started, and has to be fed */
        await_file(monitor, now_ns, "starts", 2 * (i + 1));
        now_ns += ran_s[i] * PS_NS_PER_S;
        (void)ps_java_monitor_turn(monitor, now_ns);
        end_process(monitor, now_ns);
        now_ns += rests_s[i] * PS_NS_PER_S - 1;
        assert_false(ps_java_monitor_turn(monitor, now_ns));
        now_ns++;
    }
    assert_true(ps_java_monitor_turn(monitor, now_ns));
    ps_java_monitor_destroy(monitor);
}

/* Returns whether the process has ended; it may still be listed, because nobody has waited for it. */
static bool has_ended(pid_t pid)
{
    char name[64], state = '\0';
    snprintf(name, sizeof name, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(name, "r");
    bool ended = file == NULL || (fscanf(file, "%*d %*s %c", &state) == 1 && state == 'Z');
    if (file != NULL)
        fclose(file);
    return ended;
}

/* Output for which the pipe has no room is dropped. At the end the process is killed with its children. */
static void test_reads_nothing(void **state)
{
    static char json[256 << 10];
    char script[512];
    snprintf(script, sizeof script, "trap '' TERM; sleep 1000 & echo $! >%s; mv %s %s; wait",
             ps_test_folder_path("new"), ps_test_folder_path("new"), ps_test_folder_path("child"));
    struct ps_java_monitor *monitor = create(script, PS_NS_PER_S);
    uint64_t now_ns = PS_NS_PER_S;
    unsigned fed = 0;
    await_file(monitor, now_ns, "child", 2);
    const pid_t child = (pid_t)atoi(ps_test_folder_read("child"));
    assert_true(child > 0 && !has_ended(child));
    memset(json, ' ', sizeof json);
    for (int i = 0; i < 50; i++) {
        now_ns += PS_NS_PER_S;
        if (ps_java_monitor_turn(monitor, now_ns)) {
            ps_java_monitor_feed(monitor, json, sizeof json);
            fed++;
        }
    }
    assert_int_equal(fed, 1); /* the pipe never had room for the rest */
    ps_java_monitor_destroy(monitor);
    for (const uint64_t begin_ns = ps_test_patient_ns(); !has_ended(child); usleep(1000))
        assert_true(ps_test_patient_ns() - begin_ns < PS_TEST_PATIENCE_MS * PS_NS_PER_MS);
}

/* At its end the process prints more than a pipe takes: that is read, so that it ends by itself. */
static void test_prints_at_its_end(void **state)
{
    char script[512];
    snprintf(script, sizeof script,
             "cat >/dev/null; i=0; while [ $i -lt 200 ]; do i=$((i + 1)); echo \"$1\"; done; echo >%s",
             ps_test_folder_path("ended"));
    static char line[1000];
    memset(line, 'x', sizeof line - 1);
    const char *const argv[] = {"/bin/sh", "-c", script, "sh", line, NULL};
    struct ps_java_monitor *monitor =
        ps_java_monitor_create_command(argv, "a.B", &(struct ps_pairs){0, NULL}, PS_NS_PER_S);
    ps_log_set_level(PS_LOG_OFF);
    assert_true(ps_java_monitor_turn(monitor, PS_NS_PER_S));
    ps_java_monitor_destroy(monitor);
    ps_log_set_level(PS_LOG_INFO);
    assert_non_null(ps_test_folder_read("ended"));
}

/* While a long message is on its way, the next one is dropped: the process gets the first one whole. */
static void test_one_message_at_a_time(void **state)
{
    enum { LONG = 200 << 10 };
    static char json[LONG], got[CLASS_BYTES + LONG];
    char script[512];
    snprintf(script, sizeof script, "while [ ! -e %s ]; do sleep 0.01; done; cat >%s",
             ps_test_folder_path("go"), ps_test_folder_path("got"));
    struct ps_java_monitor *monitor = create(script, PS_NS_PER_S);
    for (size_t i = 0; i < LONG; i++)
        json[i] = (char)('a' + i % 23);
    assert_true(ps_java_monitor_turn(monitor, PS_NS_PER_S));
    ps_java_monitor_feed(monitor, json, LONG);
    ps_java_monitor_feed(monitor, "{}", 2);
    ps_test_folder_append("go", "", 0);
    const size_t bytes = CLASS_BYTES - 6 + 4 + LONG;
    await_file(monitor, PS_NS_PER_S, "got", bytes);
    ps_java_monitor_destroy(monitor);
    FILE *file = fopen(ps_test_folder_path("got"), "r");
    assert_non_null(file);
    assert_int_equal(fread(got, 1, sizeof got, file), bytes);
    fclose(file);
    assert_memory_equal(got, wanted, CLASS_BYTES - 6);
    assert_memory_equal(got + CLASS_BYTES - 6 + 4, json, LONG);
}

static void test_no_program(void **state)
{
    const char *const argv[] = {"/no/such/java", NULL};
    struct ps_java_monitor *monitor =
        ps_java_monitor_create_command(argv, "a.B", &(struct ps_pairs){0, NULL}, PS_NS_PER_S);
    assert_false(ps_java_monitor_turn(monitor, PS_NS_PER_S));
    assert_false(ps_java_monitor_turn(monitor, PS_NS_PER_S + 1));
    ps_java_monitor_feed(monitor, "{}", 2); /* no process runs */
    ps_java_monitor_destroy(monitor);
    ps_java_monitor_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gets, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_started_again, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_ran_for_a_minute, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_reads_nothing, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_prints_at_its_end, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_one_message_at_a_time, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test(test_no_program),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
