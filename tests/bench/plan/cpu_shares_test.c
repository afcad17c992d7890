/* The owners of CPU time, from recorded process tables. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/plan/cpu_shares.h"
#include "tests/support/support.h"

static char proc[] = "/tmp/penstock-proc-test-XXXXXX";

struct entry {
    int pid, parent;
    const char *name;
    unsigned own, ended; /* ticks */
};

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", proc, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Writes a process table; `busy` of `all` ticks of the machine were used. */
static void write_table(const struct entry *entries, size_t count, unsigned busy, unsigned all)
{
    char name[64], text[256];
    snprintf(text, sizeof text, "cpu  %u 0 0 %u 0 0 0 0 0 0\ncpu0 1 2 3 4\n", busy, all - busy);
    write_file("stat", text);
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s/%d", proc, entries[i].pid);
        mkdir(name, 0700);
        snprintf(name, sizeof name, "%d/stat", entries[i].pid);
        snprintf(text, sizeof text, "%d (%s) S %d 1 1 0 -1 4194304 1 2 3 4 %u 0 %u 0 20 0 1 0 5 6 7\n",
                 entries[i].pid, entries[i].name, entries[i].parent, entries[i].own, entries[i].ended);
        write_file(name, text);
    }
}

static int make_proc(void **state)
{
    return mkdtemp(proc) == NULL;
}

static int remove_proc(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", proc);
    return system(command) != 0;
}

/* The plan (10), its load (11) and verify (12), a subject (20) with a child whose name has blanks and
 * brackets (21), and a compiler of somebody else's (30, 31). */
static const struct entry before[] = {{1, 0, "init", 100, 5000},  {10, 1, "penstock", 5, 7},
                                      {11, 10, "penstock", 0, 0}, {12, 10, "penstock", 0, 0},
                                      {20, 1, "rsyslogd", 50, 0}, {21, 20, "a (b) c) d", 3, 0},
                                      {30, 1, "make", 9, 9},      {31, 30, "cc1", 0, 0}};
/* Load (11) has ended: the entry of the plan (10) has its 25 ticks now, as time of children. */
static const struct entry after[] = {{1, 0, "init", 100, 5000},    {10, 1, "penstock", 6, 32},
                                     {12, 10, "penstock", 14, 0},  {20, 1, "rsyslogd", 60, 0},
                                     {21, 20, "a (b) c) d", 8, 0}, {30, 1, "make", 9, 9},
                                     {31, 30, "cc1", 120, 0}};

static void test_shares(void **state)
{
    static const pid_t roots[] = {10, 20, 0};
    struct ps_cpu_reading first, second;
    struct ps_cpu_shares shares;
    write_table(before, PS_COUNT_OF(before), 1000, 10000);
    assert_true(ps_cpu_read(&first, proc, roots, 3));
    write_table(after, PS_COUNT_OF(after), 1175, 10200);
    char gone[64];
    snprintf(gone, sizeof gone, "%s/11/stat", proc);
    unlink(gone);
    assert_true(ps_cpu_read(&second, proc, roots, 3));
    assert_true(ps_cpu_shares_between(&first, &second, &shares));
    assert_true(fabs(shares.own - (1 + 25 + 14 + 10 + 5) / 200.0) < 1e-9);
    assert_true(fabs(shares.foreign - 120 / 200.0) < 1e-9);
    /* Nothing passed, nothing read. */
    assert_false(ps_cpu_shares_between(&second, &second, &shares));
    assert_false(ps_cpu_shares_between(&(struct ps_cpu_reading){0}, &second, &shares));
    assert_false(ps_cpu_read(&first, "/nonexistent", roots, 3));
    /* A process without a readable table entry, and a root that does not run. */
    write_file("31/stat", "31 (cc1");
    assert_true(ps_cpu_read(&second, proc, (pid_t[]){77}, 1));
    assert_true(second.own_s == 0);
}

/* The real table: nothing in it is asserted but that it can be read. */
static void test_this_machine(void **state)
{
    double foreign = -1;
    char busiest[PS_CPU_NAME_BYTES];
    const pid_t self = getpid();
    assert_true(ps_cpu_foreign_now("/proc", &self, 1, 50, &foreign, busiest));
    assert_true(foreign >= 0 && foreign <= 1 && memchr(busiest, '\0', sizeof busiest) != NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_this_machine),
    };
    return cmocka_run_group_tests(tests, make_proc, remove_proc);
}
