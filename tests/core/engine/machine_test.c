/* Limits of the process, read below a made-up root: /proc/self/cgroup, the quotas of CPU time and the limits of
 * memory of cgroup v1 and v2. The test narrows or keeps only its own affinity mask. */
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/engine/plan.h"
#include "tests/support/support.h"

static char root[64];

static int setup(void **state)
{
    snprintf(root, sizeof root, "/tmp/penstock-machine-XXXXXX");
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

/* Writes `text` to root/path and makes the directories above it. */
static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static unsigned allowed(void)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    return (unsigned)CPU_COUNT(&set);
}

static struct ps_machine machine(void)
{
    struct ps_machine read;
    ps_machine_read(&read, root);
    return read;
}

/* A quota never raises the number of CPUs: expects the lower of both. */
static void expect_cores(unsigned quota)
{
    assert_int_equal(machine().cores, quota < allowed() ? quota : allowed());
}

static void test_no_limit(void **state)
{
    assert_int_equal(machine().cores, allowed());
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/memory.max", "max\n");
    assert_int_equal(machine().cores, allowed());
    assert_true(machine().memory_bytes > 1 << 20);
}

static void test_v2(void **state)
{
    put("/proc/self/cgroup", "0::/kubepods/pod1/c1\n");
    put("/sys/fs/cgroup/kubepods/pod1/c1/cpu.max", "100000 100000\n");
    put("/sys/fs/cgroup/kubepods/pod1/c1/memory.max", "1048576\n");
    expect_cores(1);
    assert_int_equal(machine().memory_bytes, 1048576);
    put("/sys/fs/cgroup/kubepods/pod1/c1/cpu.max", "1 100000\n"); /* rounded up */
    expect_cores(1);
    put("/sys/fs/cgroup/kubepods/pod1/c1/cpu.max", "100001 100000\n");
    expect_cores(2);
    put("/sys/fs/cgroup/kubepods/pod1/c1/cpu.max", "6400000 100000\n");
    expect_cores(64);
}

/* The lowest of the limits of the group and of those above it applies. */
static void test_v2_above(void **state)
{
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/a/b/memory.max", "4194304\n");
    put("/sys/fs/cgroup/a/cpu.max", "50000 100000\n");
    put("/sys/fs/cgroup/a/memory.max", "2097152\n");
    expect_cores(1);
    assert_int_equal(machine().memory_bytes, 2097152);
}

/* A container without a cgroup namespace sees the host's path, but its own group as the root. */
static void test_v2_host_path(void **state)
{
    put("/proc/self/cgroup", "0::/system.slice/docker-1.scope\n");
    put("/sys/fs/cgroup/cpu.max", "100000 100000\n");
    expect_cores(1);
}

static void test_v1(void **state)
{
    put("/proc/self/cgroup", "5:memory:/pod\n4:cpuset:/pod\n3:cpuacct,cpu:/pod\n");
    put("/sys/fs/cgroup/cpu/pod/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/pod/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/memory/pod/memory.limit_in_bytes", "3145728\n");
    assert_int_equal(machine().cores, allowed());
    assert_int_equal(machine().memory_bytes, 3145728);
    put("/sys/fs/cgroup/cpu/pod/cpu.cfs_quota_us", "20000\n");
    expect_cores(1);
}

/* A controller whose name begins like another's has groups of its own. */
static void test_v1_names_that_begin_alike(void **state)
{
    put("/proc/self/cgroup", "4:cpuset:/set\n3:cpuacct:/account\n2:memory2:/pod\n");
    put("/sys/fs/cgroup/cpu/set/cpu.cfs_quota_us", "20000\n");
    put("/sys/fs/cgroup/cpu/set/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu/account/cpu.cfs_quota_us", "20000\n");
    put("/sys/fs/cgroup/cpu/account/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/memory/pod/memory.limit_in_bytes", "3145728\n");
    assert_int_equal(machine().cores, allowed());
    assert_true(machine().memory_bytes > 3145728);
}

static void test_mask(void **state)
{
    cpu_set_t before, one;
    unsigned cpu = 0;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    while (!CPU_ISSET(cpu, &before))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(machine().cores, 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_v2, setup, teardown),
        cmocka_unit_test_setup_teardown(test_v2_above, setup, teardown),
        cmocka_unit_test_setup_teardown(test_v2_host_path, setup, teardown),
        cmocka_unit_test_setup_teardown(test_v1, setup, teardown),
        cmocka_unit_test_setup_teardown(test_v1_names_that_begin_alike, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mask, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
