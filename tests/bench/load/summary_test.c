/* The output of load: each figure of a result has a different number, and the whole text and object are compared. So
 * a figure that is left out, shown in place of another, or shown where it must not be, fails the test. */
#include "bench/load/summary.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

static const struct ps_load_config config = {.target = "tcp://there:5140"};
static struct ps_load_result result;
static struct ps_load_source sources[3] = {{111, 111, 0, 111}, {222, 200, 7, 205}, {333, 324, 9, 333}};
static struct ps_histogram second_ns;

static int setup(void **state)
{
    memset(&result, 0, sizeof result);
    result = (struct ps_load_result){.run = 0x13fa9c2, /* of 24 bits */
                                     .source_first = 40,
                                     .source_count = 3,
                                     .seconds = 8.5,
                                     .asked_rate = 2000,
                                     .achieved_rate = 1750,
                                     .held = true,
                                     .due = 17000,
                                     .backlog_max = 321,
                                     .cpu_seconds = 1.25,
                                     .completion = PS_COMPLETION_ACKNOWLEDGED,
                                     .start_wall_ns = INT64_C(1795680000000000789),
                                     .size_bytes = 612,
                                     .sources = sources};
    struct ps_statistics *total = &result.total;
    total->sent = 16900;
    total->completed = 17000;
    total->bytes = 8500000;
    memset(&second_ns, 0, sizeof second_ns);
    for (uint64_t i = 1; i <= 10000; i++) { /* a long tail: each percentile is another number */
        ps_histogram_record(&total->latency_ns, PS_NS_PER_S / i, 1);
        ps_histogram_record(&total->schedule_error_ns, 2 * PS_NS_PER_S / i, 1);
        ps_histogram_record(&total->schedule_error_net_ns, PS_NS_PER_S / 2 / i, 1);
        ps_histogram_record(&second_ns, 3 * PS_NS_PER_S / i, 1);
    }
    for (uint64_t i = 1; i <= 8; i++)
        ps_histogram_record(&total->gap_ns, i * 1000000, 1);
    return 0;
}

/* Returns what was printed; the caller frees it. */
static char *printed(bool json, void (*print)(struct ps_live *live, const void *what), const void *what)
{
    char *text = NULL;
    size_t length;
    FILE *memory = open_memstream(&text, &length);
    assert_non_null(memory);
    struct ps_live live = {.to = memory, .json = json};
    print(&live, what);
    fclose(memory);
    return text;
}

static void print_summary(struct ps_live *live, const void *what)
{
    ps_summary_write(live, &config, what);
}

static void print_progress(struct ps_live *live, const void *what)
{
    ps_summary_progress(live, what);
}

static void says(const char *expected)
{
    char *text = printed(false, print_summary, &result);
    assert_string_equal(text, expected);
    free(text);
}

/* Compares the members that `expected` has (in JSON, with ' for "), and returns the whole object. */
static json_t *has(char *text, const char *expected)
{
    json_error_t error;
    char *quoted = strdup(expected);
    for (char *at = quoted; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    json_t *found = json_loads(text, 0, &error), *wanted = json_loads(quoted, 0, &error);
    const char *key;
    json_t *value;
    assert_non_null(found);
    assert_non_null(wanted);
    json_object_foreach(wanted, key, value) if (!json_equal(json_object_get(found, key), value))
        fail_msg("`%s` is not as expected in %s", key, text);
    free(quoted);
    free(text);
    json_decref(wanted);
    return found;
}

static void failures_and_outages(void)
{
    result.total.completed = 16000;
    result.total.failed = 600;
    result.reason_count = 2;
    result.reasons[0] = (struct ps_sender_reason){.count = 400, .text = "first reason"};
    result.reasons[1] = (struct ps_sender_reason){.count = 200, .text = "second reason"};
    result.outage_count = 2;
    result.outages[0] = (struct ps_load_outage){1.5, 0.25, "lost"};
    result.outages[1] = (struct ps_load_outage){3.5, 2, "refused"};
}

static void test_text(void **state)
{
    says("HELD  1,750 events/s of 2,000 events/s asked  run 3fa9c2, sources 40 to 42\n"
         "  target      tcp://there:5140\n"
         "  due                   17,000 events in 8.5 s\n"
         "  completed             17,000 (acknowledged by the target)\n"
         "  bytes               8.11 MiB (977 KiB/s)\n"
         "  backlog                  321 events at most\n"
         "  CPU                   1.25 s\n"
         "  latency     p50 201 us, p99 9.96 ms, p99.9 91.2 ms, p99.99 501 ms, max 1 s (from when each event "
         "was due)\n"
         "  schedule    p99.9 182 ms late, 45.6 ms without the gaps in which the core was lost (8 gaps, 36 "
         "ms in all, the longest 8 ms)\n");
}

static void test_text_of_failures(void **state)
{
    failures_and_outages();
    result.held = false;
    result.interrupted = true;
    result.completion = PS_COMPLETION_WRITTEN;
    result.clock_step_ms = -10.5;
    says("NOT HELD  1,750 events/s of 2,000 events/s asked  run 3fa9c2, sources 40 to 42 (interrupted)\n"
         "  target      tcp://there:5140\n"
         "  due                   17,000 events in 8.5 s\n"
         "  completed             16,000 (written: the kernel accepted them)\n"
         "  failed                   600\n"
         "                           400 first reason\n"
         "                           200 second reason\n"
         "  undelivered              400\n"
         "  bytes               8.11 MiB (977 KiB/s)\n"
         "  backlog                  321 events at most\n"
         "  CPU                   1.25 s\n"
         "  latency     p50 201 us, p99 9.96 ms, p99.9 91.2 ms, p99.99 501 ms, max 1 s (from when each event "
         "was due)\n"
         "  schedule    p99.9 182 ms late, 45.6 ms without the gaps in which the core was lost (8 gaps, 36 "
         "ms in all, the longest 8 ms)\n"
         "  outage      at 1.5 s for 250 ms: lost\n"
         "  outage      at 3.5 s for 2 s: refused\n"
         "  clock       the wall clock moved back by 10.5 ms during the run; due times did not\n");
}

static void test_text_of_a_closed_loop(void **state)
{
    result.closed_loop = true;
    result.asked_rate = 0;
    result.source_count = 1;
    result.seconds = 0;
    result.clock_step_ms = 2500;
    says("CLOSED LOOP  1,750 events/s  run 3fa9c2, source 40\n"
         "  target      tcp://there:5140\n"
         "  sent                  17,000 events in 0 s\n"
         "  completed             17,000 (acknowledged by the target)\n"
         "  bytes               8.11 MiB (0 B/s)\n"
         "  CPU                   1.25 s\n"
         "  latency     p50 201 us, p99 9.96 ms, p99.9 91.2 ms, p99.99 501 ms, max 1 s (closed loop: from "
         "rendering, so delays by a full target do not show)\n"
         "  clock       the wall clock moved forward by 2.5 s during the run; due times did not\n");
}

/* Lines at their limits: no undelivered event, or one; a step of the clock that just is, or is not, reported. */
static void test_limits(void **state)
{
    static const struct {
        uint64_t completed, failed;
        bool held;
        double step_ms;
        int code;
        bool undelivered, clock;
    } rows[] = {
        {17000, 0, true, 10, 0, false, false},   {17001, 0, true, -10, 0, false, false},
        {16999, 0, true, 10.001, 1, true, true}, {16999, 1, true, -10.001, 1, false, true},
        {17000, 0, false, 0, 3, false, false},   {16998, 1, false, 0, 1, true, false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        result.total.completed = rows[i].completed;
        result.total.failed = rows[i].failed;
        result.held = rows[i].held;
        result.clock_step_ms = rows[i].step_ms;
        assert_int_equal(ps_load_result_code(&result), rows[i].code);
        assert_int_equal(ps_load_result_undelivered(&result) > 0, rows[i].undelivered);
        char *text = printed(false, print_summary, &result);
        assert_int_equal(strstr(text, "  undelivered") != NULL, rows[i].undelivered);
        assert_int_equal(strstr(text, "  failed ") != NULL, rows[i].failed > 0);
        assert_int_equal(strstr(text, "  clock ") != NULL, rows[i].clock);
        assert_int_equal(strncmp(text, "HELD", 4) == 0, rows[i].held);
        free(text);
    }
}

static void test_object(void **state)
{
    failures_and_outages();
    result.clock_step_ms = -1.5;
    json_decref(has(
        printed(true, print_summary, &result),
        "{'type':'summary','run':'3fa9c2','source_first':40,'sources':3,'start_unix_ns':1795680000000000789,'"
        "seconds':8.5,"
        "'asked_rate':2000.0,'achieved_rate':1750.0,'held':true,'closed_loop':false,'interrupted':false,'due'"
        ":17000,'sent':16900,"
        "'completed':16000,'failed':600,'undelivered':400,'backlog_max':321,'bytes':8500000,'cpu_seconds':1."
        "25,"
        "'schedule_error_ns':{'p50':401407,'p90':1998847,'p99':19922943,'p99.9':182452223,'max':2000000000},"
        "'schedule_error_net_ns':{'p50':100351,'p90':499711,'p99':4980735,'p99.9':45613055,'max':500000000},"
        "'witness_gap_ns':{'p50':4014079,'p99.9':8000000,'max':8000000,'total':36000000,'count':8},"
        "'latency_ns':{'p50':200703,'p90':999423,'p99':9961471,'p99.9':91226111,'p99.99':501219327,'max':"
        "1000000000},"
        "'completion':'acknowledged','outages':[{'t':1.5,'seconds':0.25,'reason':'lost'},{'t':3.5,'seconds':"
        "2.0,'reason':'refused'}],"
        "'clock_step_ms':-1.5,'schedule_late':199,'failures':[{'reason':'first "
        "reason','events':400},{'reason':'second reason','events':200}]}"));
    result.closed_loop = result.interrupted = true;
    result.held = false;
    result.reason_count = result.outage_count = 0;
    result.completion = PS_COMPLETION_WRITTEN;
    json_decref(has(printed(true, print_summary, &result),
                    "{'held':false,'closed_loop':true,'interrupted':true,'completion':'written',"
                    "'failures':[],'outages':[]}"));
}

static void test_progress(void **state)
{
    struct ps_load_progress progress = {.t = 3.5,
                                        .asked_rate = 1000,
                                        .rate = 950,
                                        .due = 3500,
                                        .sent = 3400,
                                        .completed = 3300,
                                        .failed = 20,
                                        .backlog = 100,
                                        .bytes = 77000,
                                        .memory_up = 4,
                                        .lanes = 5,
                                        .latency_ns = &second_ns};
    json_t *object = has(printed(true, print_progress, &progress),
                         "{'type':'progress','t':3.5,'asked':1000.0,'due':3500,'sent':3400,'completed':3300,'"
                         "failed':20,'backlog':100,'rate':950.0,"
                         "'bytes':77000,'connections_up':4,'latency_ns':{'p50':602111,'p99':29753343,'max':"
                         "3000000000},'outage':false}");
    assert_null(json_object_get(object, "error"));
    json_decref(object);
    progress.asked_rate = -1;
    progress.outage = true;
    progress.error = "gone";
    json_decref(has(printed(true, print_progress, &progress), "{'asked':0.0,'outage':true,'error':'gone'}"));
}

#define PLAIN "\033[0m"
#define GOOD "\033[32m"
#define WARN "\033[33m"
#define TIMES "  p50 602 us  p99 29.8 ms\033[31m"

/* The status line: a backlog of more than a tenth of a second's events is marked; an error only in an outage. */
static void test_status_line(void **state)
{
    static const struct {
        double asked_rate;
        uint64_t backlog, failed;
        bool outage;
        const char *error, *expected;
    } rows[] = {
        {1000, 100, 0, false, "gone", GOOD "950 /s" PLAIN " of 1,000 /s  backlog " PLAIN "100" PLAIN TIMES},
        {1000, 101, 0, false, NULL, WARN "950 /s" PLAIN " of 1,000 /s  backlog " WARN "101" PLAIN TIMES},
        {1000, 100, 20, true, "gone",
         GOOD "950 /s" PLAIN " of 1,000 /s  backlog " PLAIN "100" PLAIN TIMES "  OUTAGE: gone"},
        {1000, 100, 20, true, NULL,
         GOOD "950 /s" PLAIN " of 1,000 /s  backlog " PLAIN "100" PLAIN TIMES "  failed 20"},
        {1000, 100, 20, false, "gone",
         GOOD "950 /s" PLAIN " of 1,000 /s  backlog " PLAIN "100" PLAIN TIMES "  failed 20"},
        {-1, 101, 0, true, "gone",
         GOOD "950 /s" PLAIN " closed loop  backlog " PLAIN "101" PLAIN TIMES "  OUTAGE: gone"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_load_progress progress = {.t = 3.4,
                                            .asked_rate = rows[i].asked_rate,
                                            .rate = 950,
                                            .backlog = rows[i].backlog,
                                            .failed = rows[i].failed,
                                            .outage = rows[i].outage,
                                            .error = rows[i].error,
                                            .latency_ns = &second_ns};
        char *text = NULL;
        size_t length;
        FILE *memory = open_memstream(&text, &length);
        struct ps_live live = {.to = memory, .moves = true, .colour = true};
        ps_summary_progress(&live, &progress);
        fclose(memory);
        char expected[512];
        snprintf(expected, sizeof expected, "\r\033[K    3 s  %s" PLAIN, rows[i].expected);
        assert_string_equal(text, expected);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_text, setup),
        cmocka_unit_test_setup(test_text_of_failures, setup),
        cmocka_unit_test_setup(test_text_of_a_closed_loop, setup),
        cmocka_unit_test_setup(test_limits, setup),
        cmocka_unit_test_setup(test_object, setup),
        cmocka_unit_test_setup(test_progress, setup),
        cmocka_unit_test_setup(test_status_line, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
