/* What the Java host and the system report about its process: each number under its own name, and nothing of other
 * messages. */
#include "stages/lib/java/figures.h"

#include "core/watch/metrics/foreign.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static struct ps_java_message message;

static int forget(void **state)
{
    ps_java_figures_clear();
    memset(&message, 0, sizeof message);
    return 0;
}

/* Returns the number, or -1 if there is none. `type` NULL: of any type. */
static double number(const char *name, const char *type)
{
    struct ps_foreign foreign;
    double value = -1;
    ps_foreign_take(&foreign);
    for (size_t i = 0; i < foreign.number_count; i++)
        if (strcmp(foreign.numbers[i].name, name) == 0 &&
            (type == NULL || strcmp(foreign.numbers[i].type, type) == 0))
            value = foreign.numbers[i].value;
    ps_foreign_fini(&foreign);
    return value;
}

static size_t numbers(void)
{
    struct ps_foreign foreign;
    ps_foreign_take(&foreign);
    size_t count = foreign.number_count;
    ps_foreign_fini(&foreign);
    return count;
}

static void take_state(pid_t pid)
{
    message =
        (struct ps_java_message){.type = PS_JAVA_STATE, .number_count = 4, .numbers = {1100, 2200, 33, 4500}};
    ps_java_figures_take(&message, pid);
}

#define IS(value, wanted) assert_true((value) >= (wanted) && (value) <= (wanted))

static void test_state(void **state)
{
    take_state(getpid());
    IS(number("penstock_java_heap_used_bytes", "gauge"), 1100);
    IS(number("penstock_java_heap_max_bytes", "gauge"), 2200);
    IS(number("penstock_java_gc_total", "counter"), 33);
    IS(number("penstock_java_gc_seconds_total", "counter"), 4.5); /* from milliseconds */
    assert_int_equal(numbers(), 6);
    ps_java_figures_clear();
    assert_int_equal(numbers(), 0);
    take_state(0x7FFFFFF0); /* a process that has ended: nothing is said of it */
    assert_int_equal(numbers(), 4);
}

static double own_cpu_s(void)
{
    struct timespec time;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time), 0);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double own_pages(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return (double)pages;
}

/* What the system says about this process, whose name looks like the end of a name. */
static void test_process(void **state)
{
    static volatile unsigned work;
    while (own_cpu_s() < 0.3) /* first the program's own time, then that of the system for its calls */
        for (unsigned i = 0; i < 1000000; i++)
            work++;
    while (own_cpu_s() < 0.9)
        continue;
    assert_int_equal(prctl(PR_SET_NAME, "a) 1 (b) 2"), 0);
    double before = own_cpu_s();
    take_state(getpid());
    double after = own_cpu_s(), cpu = number("penstock_java_cpu_seconds_total", "counter");
    double bytes = number("penstock_java_resident_memory_bytes", "gauge"),
           own = own_pages() * (double)sysconf(_SC_PAGESIZE);
    if (cpu < before - 0.1 || cpu > after + 0.1)
        fail_msg("%f s of CPU time, not %f to %f", cpu, before, after);
    if (bytes < own / 2 || bytes > own * 2)
        fail_msg("%f bytes, not about %f", bytes, own);
}

static void test_other_messages(void **state)
{
    static const struct {
        uint32_t type, number_count;
    } rows[] = {{PS_JAVA_STATE, 3}, {PS_JAVA_STATE, 5}, {PS_JAVA_STATE, 0},
                {PS_JAVA_BEAT, 4},  {PS_JAVA_BEAN, 4},  {PS_JAVA_ENDS, 4}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        message = (struct ps_java_message){.type = rows[i].type, .number_count = rows[i].number_count};
        ps_java_figures_take(&message, getpid());
        if (numbers() != 0)
            fail_msg("row %zu", i);
    }
}

static void take_bean(uint32_t type, const char *text)
{
    message = (struct ps_java_message){.type = type, .text_length = (uint32_t)strlen(text)};
    strcpy(message.text, text);
    ps_java_figures_take(&message, getpid());
}

/* Returns whether the component has these attributes; NULL: whether there is none of it. */
static bool has(const char *name, const char *attributes)
{
    struct ps_foreign foreign;
    ps_foreign_take(&foreign);
    const char *found = ps_foreign_find(&foreign, name);
    bool same = found == NULL || attributes == NULL ? found == attributes : strcmp(found, attributes) == 0;
    ps_foreign_fini(&foreign);
    return same;
}

static void test_beans(void **state)
{
    take_bean(PS_JAVA_BEAN, "SINK.k1\nType\tSINK\nEventDrainSuccessCount\t7\n");
    take_bean(PS_JAVA_BEAN, "SINK.k12\nType\tSINK\n");
    take_bean(PS_JAVA_TROUBLE, "SINK.k3\nType\tSINK\n"); /* another message */
    take_bean(PS_JAVA_BEAN, "SINK.k4");                  /* cut within the name */
    assert_true(has("SINK.k1", "Type\tSINK\nEventDrainSuccessCount\t7\n"));
    assert_true(has("SINK.k12", "Type\tSINK\n"));
    assert_true(has("SINK.k3", NULL) && has("SINK.k4", NULL));
    take_bean(PS_JAVA_BEAN, "SINK.k12\n"); /* it is gone */
    assert_true(has("SINK.k12", NULL) && !has("SINK.k1", NULL));
    ps_java_figures_clear();
    assert_true(has("SINK.k1", NULL));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, forget, forget)
    const struct CMUnitTest tests[] = {TEST(test_state), TEST(test_process), TEST(test_other_messages),
                                       TEST(test_beans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
