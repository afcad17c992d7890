#include "stages/lib/hadoop/hdfs/lease_holder.h"

#include "tests/support/support.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_own(void **unused)
{
    char name[PS_HDFS_HOLDER_BYTES], other[PS_HDFS_HOLDER_BYTES];
    ps_hdfs_lease_holder_name(name);
    ps_hdfs_lease_holder_name(other);
    assert_string_not_equal(name, other);
    assert_null(strchr(name, ' '));
    assert_false(ps_hdfs_lease_holder_has_ended(name));
}

/* Gets the name of a process that has ended; `pid` is still a zombie. */
static void name_of_child(char name[PS_HDFS_HOLDER_BYTES], pid_t *pid)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    *pid = fork();
    if (*pid == 0) {
        ps_hdfs_lease_holder_name(name);
        _exit(write(ends[1], name, PS_HDFS_HOLDER_BYTES) != (ssize_t)PS_HDFS_HOLDER_BYTES);
    }
    assert_int_equal(read(ends[0], name, PS_HDFS_HOLDER_BYTES), PS_HDFS_HOLDER_BYTES);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)*pid, &info, WEXITED | WNOWAIT), 0);
    close(ends[0]);
    close(ends[1]);
}

static void test_ended(void **unused)
{
    char name[PS_HDFS_HOLDER_BYTES], message[512];
    pid_t pid;
    name_of_child(name, &pid);
    assert_true(ps_hdfs_lease_holder_has_ended(name));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(ps_hdfs_lease_holder_has_ended(name));
    snprintf(message, sizeof message,
             "Failed to CREATE_FILE /d/f.1.tmp for DFSClient_x on 127.0.0.1 because this file lease is "
             "currently owned "
             "by %s on 127.0.0.1",
             name);
    assert_true(ps_hdfs_owner_has_ended(message));
    assert_true(ps_hdfs_owner_has_ended(
        "this file lease is currently owned by HDFS_NameNode-2026-11-22 05:34:24,230Z on h"));
}

/* The process id of a process that has ended is used again. */
static void test_number_again(void **unused)
{
    char name[PS_HDFS_HOLDER_BYTES], boot[17], changed[PS_HDFS_HOLDER_BYTES];
    unsigned long space, start;
    int pid;
    ps_hdfs_lease_holder_name(name);
    assert_int_equal(sscanf(name, "DFSClient_penstock_%16[0-9a-f]_%lu_%d_%lu_", boot, &space, &pid, &start),
                     4);
    snprintf(changed, sizeof changed, "DFSClient_penstock_%s_%lu_%d_%lu_00000000", boot, space, pid,
             start - 1);
    assert_true(ps_hdfs_lease_holder_has_ended(changed));
}

/* Nothing is known about these holders, so they count as alive. */
static void test_others(void **unused)
{
    char name[PS_HDFS_HOLDER_BYTES], boot[17], changed[PS_HDFS_HOLDER_BYTES];
    unsigned long space, start;
    pid_t child;
    int pid;
    name_of_child(name, &child);
    waitpid(child, NULL, 0);
    assert_int_equal(sscanf(name, "DFSClient_penstock_%16[0-9a-f]_%lu_%d_%lu_", boot, &space, &pid, &start),
                     4);
    snprintf(changed, sizeof changed, "DFSClient_penstock_%s_%lu_%d_%lu_0", boot, space + 1, pid, start);
    assert_false(ps_hdfs_lease_holder_has_ended(changed)); /* another container */
    boot[0] = boot[0] == '0' ? '1' : '0';
    snprintf(changed, sizeof changed, "DFSClient_penstock_%s_%lu_%d_%lu_0", boot, space, pid, start);
    assert_false(ps_hdfs_lease_holder_has_ended(changed)); /* another machine */
    assert_false(ps_hdfs_lease_holder_has_ended("DFSClient_NONMAPREDUCE_-1234_1"));
    assert_false(ps_hdfs_lease_holder_has_ended(""));
    assert_false(ps_hdfs_owner_has_ended("currently owned by "));
    assert_false(
        ps_hdfs_owner_has_ended("this file lease is currently owned by DFSClient_NONMAPREDUCE_1_2 on h"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_ended),
        cmocka_unit_test(test_number_again),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
