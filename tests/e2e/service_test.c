/* The agent under systemd: readiness, watchdog, reload and stopping over the notification socket, journal
 * priorities on standard error, exit code 0; a reload that takes long. */
#include "tests/support/support.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 60000

static struct {
    char directory[64], config[96], filter[96];
    int notify_fd, error_fd;
    pid_t agent;
} service;

static void config_write(const char *total, const char *more)
{
    FILE *file = fopen(service.config, "w");
    assert_non_null(file);
    fputs(more, file);
    fprintf(file,
            "a1.sources = r1\na1.channels = c1\na1.sinks = k1\na1.sources.r1.type = "
            "seq\na1.sources.r1.channels = c1\n"
            "a1.sources.r1.totalEvents = %s\na1.channels.c1.type = memory\na1.sinks.k1.type = null\n"
            "a1.sinks.k1.channel = c1\n",
            total);
    fclose(file);
}

static _Noreturn void exec_agent(const char *program, const char *socket_name, int error_fd)
{
    struct stat status;
    char stream[64];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(error_fd, STDERR_FILENO);
    if (fstat(STDERR_FILENO, &status) != 0)
        _exit(126);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    setenv("NOTIFY_SOCKET", socket_name, 1);
    setenv("WATCHDOG_USEC", "1000000", 1);
    unsetenv("WATCHDOG_PID");
    execl(program, "penstock", "agent", "-n", "a1", "-f", service.config, (char *)NULL);
    _exit(127);
}

static int setup(void **state)
{
    const char *program = getenv("PENSTOCK");
    if (program == NULL || access(program, X_OK) != 0) {
        puts("SKIP: no program to run");
        exit(77);
    }
    snprintf(service.directory, sizeof service.directory, "/tmp/ps_service_test_XXXXXX");
    assert_non_null(mkdtemp(service.directory));
    snprintf(service.config, sizeof service.config, "%s/a1.properties", service.directory);
    snprintf(service.filter, sizeof service.filter, "%s/filter", service.directory);
    config_write("1000", "");
    /* An abstract name, which systemd may use. */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    int length = snprintf(name, sizeof name, "@ps_service_test_%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
    service.notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(service.notify_fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)),
                     0);
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    service.agent = fork();
    if (service.agent == 0)
        exec_agent(program, name, pipes[1]);
    close(pipes[1]);
    service.error_fd = pipes[0];
    return service.agent < 0;
}

static int teardown(void **state)
{
    if (service.agent > 0) {
        kill(service.agent, SIGKILL);
        waitpid(service.agent, NULL, 0);
    }
    close(service.notify_fd);
    close(service.error_fd);
    unlink(service.config);
    unlink(service.filter);
    return rmdir(service.directory);
}

/* Waits until a message begins like this; skips others before it unless they are `never`. */
static void expect(const char *begin, const char *never)
{
    for (;;) {
        char text[1024];
        struct pollfd ready = {.fd = service.notify_fd, .events = POLLIN};
        if (poll(&ready, 1, PATIENCE_MS) <= 0)
            fail_msg("no %s", begin);
        ssize_t length = recv(service.notify_fd, text, sizeof text - 1, 0);
        assert_true(length > 0);
        text[length] = '\0';
        if (strncmp(text, begin, strlen(begin)) == 0)
            return;
        if (never != NULL && strncmp(text, never, strlen(never)) == 0)
            fail_msg("%s before %s", text, begin);
    }
}

static void test_life(void **state)
{
    expect("READY=1", "WATCHDOG=1");
    expect("WATCHDOG=1", NULL);
    expect("WATCHDOG=1", NULL);
    config_write("2000", "");
    kill(service.agent, SIGHUP);
    expect("RELOADING=1\nMONOTONIC_USEC=", NULL);
    expect("READY=1", "STOPPING=1");
    expect("WATCHDOG=1", NULL);
    config_write("not a number",
                 ""); /* a bad file changes nothing: the agent is ready again, and continues */
    kill(service.agent, SIGHUP);
    expect("RELOADING=1", NULL);
    expect("READY=1", "STOPPING=1");
    expect("WATCHDOG=1", NULL);
    kill(service.agent, SIGTERM);
    expect("STOPPING=1", NULL);
    int status;
    assert_int_equal(waitpid(service.agent, &status, 0), service.agent);
    service.agent = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);

    static char log[65536];
    size_t length = 0;
    ssize_t got;
    while (length < sizeof log - 1 &&
           (got = read(service.error_fd, log + length, sizeof log - 1 - length)) > 0)
        length += (size_t)got;
    log[length] = '\0';
    unsigned lines = 0;
    for (char *line = strtok(log, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++) {
        assert_int_equal(line[0], '<');
        assert_in_range(line[1], '3', '7');
        assert_int_equal(line[2], '>');
    }
    assert_true(lines > 3);
}

/* Reads a file that has a filter with this command: for each key it is called once, and killed after 10 s. */
static void reload_with(const char *command, const char *keys)
{
    char more[1024];
    FILE *file = fopen(service.filter, "w");
    assert_non_null(file);
    fprintf(file, "cd %s && %s", service.directory, command);
    fclose(file);
    snprintf(more, sizeof more,
             "a1.configfilters = f1\na1.configfilters.f1.type = external\n"
             "a1.configfilters.f1.command = /bin/sh %s\n%s",
             service.filter, keys);
    config_write("2000", more);
    kill(service.agent, SIGHUP);
    expect("RELOADING=1", NULL);
}

/* The watchdog's limit is 1 s: a reload must not starve it. This one lasts until four messages of the watchdog were there, or 40 s; on a
 * machine that is idle they come within 4 s. */
static void test_long_reload(void **state)
{
    char seen[128];
    snprintf(seen, sizeof seen, "%s/seen", service.directory);
    expect("READY=1", NULL);
    reload_with("until [ -e seen ]; do sleep 0.05; done; echo \"$1\"\n",
                "a1.sources.r1.backoffSleepIncrement = ${f1['1000']}\n"
                "a1.sources.r1.batchSize = ${f1['10']}\na1.channels.c1.capacity = ${f1['1001']}\n"
                "a1.channels.c1.transactionCapacity = ${f1['100']}\n");
    uint64_t until_ns = ps_test_patient_ns() + UINT64_C(4000000000);
    for (unsigned i = 0; i < 4; i++)
        expect("WATCHDOG=1", "READY=1");
    assert_true(ps_test_patient_ns() < until_ns);
    FILE *file = fopen(seen, "w");
    assert_non_null(file);
    fclose(file);
    expect("READY=1", "STOPPING=1");
    expect("WATCHDOG=1", NULL);
    unlink(seen);
}

/* SIGTERM during a reload abandons it: the agent stops before the reload would end. The command needs more than 8 s, and longer on a
 * busy machine, where the agent may need longer, too. */
static void test_stop_during_reload(void **state)
{
    char began[128], ended[128];
    uint64_t until_ns = ps_test_patience_end_ns();
    snprintf(began, sizeof began, "%s/began", service.directory);
    snprintf(ended, sizeof ended, "%s/ended", service.directory);
    expect("READY=1", NULL);
    reload_with("echo >began; i=0\n"
                "while [ $i -lt 80 ] && [ -e began ]; do sleep 0.1; i=$((i + 1)); done\n"
                "[ ! -e began ] || echo >ended\necho 1000\n",
                "a1.sources.r1.backoffSleepIncrement = ${f1['increment']}\n");
    while (access(began, F_OK) != 0) {
        assert_true(ps_test_patient_ns() < until_ns);
        usleep(1000);
    }
    kill(service.agent, SIGTERM);
    expect("STOPPING=1", "READY=1");
    int status;
    assert_int_equal(waitpid(service.agent, &status, 0), service.agent);
    service.agent = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    int ended_is_there = access(ended, F_OK) == 0;
    unlink(began); /* a command that was left behind ends */
    unlink(ended);
    assert_false(ended_is_there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_reload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_during_reload, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
