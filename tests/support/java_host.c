#include "tests/support/java_host.h"

#include "core/clock.h"
#include "stages/lib/java/host.h"
#include "stages/lib/java/launch.h"
#include "tests/support/stage.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct ps_test_java_control *ps_test_java;

static char control_path[64], arrived_path[80], program[4096], text[1 << 20];

static struct ps_java_host *make(void *argument, struct ps_err *err)
{
    return ps_java_host_create(argument, err);
}

static void find_program(void)
{
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 32);
    assert_true(length > 0);
    program[length] = '\0';
    strcpy(strrchr(program, '/') + 1, "java_fake_host");
}

/* Waits until the host runs. */
static void attach(struct ps_java_link *link, struct ps_java_host *host)
{
    uint64_t until = ps_test_patience_end_ns();
    while (!ps_java_link_attach(link, host, -1)) {
        assert_true(ps_test_patient_ns() < until);
        usleep(1000);
    }
}

void ps_test_java_start(unsigned silence_ms, unsigned rest_ms)
{
    snprintf(control_path, sizeof control_path, "/tmp/penstock-java-XXXXXX");
    int fd = mkstemp(control_path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof *ps_test_java), 0);
    ps_test_java = mmap(NULL, sizeof *ps_test_java, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(ps_test_java != MAP_FAILED);
    close(fd);
    snprintf(arrived_path, sizeof arrived_path, "%s-out", control_path);
    ps_test_java_clear();
    find_program();
    const char *const argv[] = {program, control_path, arrived_path, NULL};
    struct ps_java_launch launch = {.argv = argv,
                                    .silence_ns = silence_ms * PS_NS_PER_MS,
                                    .rest_ns = rest_ms * PS_NS_PER_MS,
                                    .rest_max_ns = rest_ms * PS_NS_PER_MS};
    struct ps_err err = {.length = 0};
    struct ps_java_host *host = ps_java_host_hold(make, &launch, &err);
    if (host == NULL)
        fail_msg("%s", err.text);
    struct ps_java_link link = {.host = NULL};
    attach(&link, host);
    ps_java_link_detach(&link);
}

void ps_test_java_stop(void)
{
    ps_java_host_release();
    munmap(ps_test_java, sizeof *ps_test_java);
    ps_test_java = NULL;
    unlink(control_path);
    unlink(arrived_path);
}

void ps_test_java_attach(struct ps_java_link *link)
{
    struct ps_err err = {.length = 0};
    attach(link, ps_java_host_hold(NULL, NULL, &err));
}

void ps_test_java_detach(struct ps_java_link *link)
{
    ps_java_link_detach(link);
    ps_java_host_release();
}

void ps_test_java_clear(void)
{
    int fd = open(arrived_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

const char *ps_test_java_text(void)
{
    int fd = open(arrived_path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t length = read(fd, text, sizeof text - 1);
    assert_true(length >= 0);
    text[length] = '\0';
    close(fd);
    return text;
}

bool ps_test_java_is_opening(const struct ps_test_stage *stage, const char *part)
{
    char reason[600] = "";
    return stage->ops->opening(stage->plan, reason, sizeof reason) && strstr(reason, part) != NULL;
}
