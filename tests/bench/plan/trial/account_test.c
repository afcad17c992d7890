/* Combining the reports of load and verify about one trial. */
#include <math.h>

#include "bench/plan/trial/trial.h"
#include "tests/support/support.h"

static json_t *read_json(const char *text)
{
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    return object;
}

static bool take_load(struct ps_trial *trial, const char *text)
{
    json_t *object = read_json(text);
    bool taken = ps_trial_take_load(trial, object);
    json_decref(object);
    return taken;
}

static bool take_verify(struct ps_trial *trial, const char *text, const struct ps_goal *goals, unsigned count)
{
    json_t *object = read_json(text);
    bool taken = ps_trial_take_verify(trial, object, goals, count);
    json_decref(object);
    return taken;
}

static void test_held(void **state)
{
    struct ps_trial trial = {.rate = 1000, .seconds = 4};
    const struct ps_goal goals[] = {{.name = "ndr"}, {"p90<1ms", 0, 90, 1000000}};
    struct ps_search_answer answer;
    assert_true(take_load(&trial,
                          "{\"type\":\"summary\",\"seconds\":4.0,\"asked_rate\":1000,\"achieved_rate\":"
                          "999.9,\"due\":4000,\"completed\":4000,\"failed\":0,\"bytes\":400000,"
                          "\"schedule_error_ns\":{\"p99\":1000000},\"latency_ns\":{\"p99\":1}}"));
    assert_true(take_verify(&trial,
                            "{\"type\":\"summary\",\"received\":4000,\"duplicated\":2,\"reordered\":1,"
                            "\"corrupted\":1,\"cut\":1,\"broken\":1,\"lossy_far_end\":null,\"latency_ns\":"
                            "{\"p99\":5},\"histogram\":[[100,90],[200,9],[300,1]]}",
                            goals, 2));
    ps_trial_conclude(&trial);
    ps_trial_answer(&trial, goals, 2, &answer);
    assert_true(trial.offered == 4000 && trial.sent == 4000 && trial.received == 4000 && trial.lost == 0);
    assert_true(trial.duplicated == 2 && trial.reordered == 1 && trial.corrupted == 3);
    assert_true(trial.event_bytes == 100);
    assert_true(answer.generator_held && !answer.failed && answer.lost == 0 && !answer.behind);
    assert_true(answer.latency_ns[0] == 0 && answer.latency_ns[1] == 100);
    ps_trial_fini(&trial);
}

/* Events count as lost when a far end misses them or a target refuses them. If the far end itself drops records, the
 * agent's counters are used. */
static void test_lost(void **state)
{
    struct ps_trial trial = {.rate = 1000, .seconds = 1};
    assert_true(take_load(&trial, "{\"type\":\"summary\",\"seconds\":1,\"achieved_rate\":1000,\"due\":1000,"
                                  "\"completed\":990,\"failed\":10}"));
    assert_true(
        take_verify(&trial, "{\"type\":\"summary\",\"received\":900,\"lossy_far_end\":\"gone\"}", NULL, 0));
    assert_true(trial.sent == 1000 && trial.lost == 100 && fabs(trial.loss - 0.1) < 1e-9);
    assert_true(trial.goodput == 900 && trial.lossy);
    ps_trial_take_counters(&trial, 990);
    assert_true(trial.received == 990 && trial.lost == 10);
    assert_non_null(strstr(trial.note, "gone; so the agent's own counters"));
    ps_trial_take_counters(&trial, 2000); /* more than were sent: only refused events are lost */
    assert_true(trial.lost == 10);
    ps_trial_fini(&trial);
}

/* A target that slows the generator down is the subject's doing; a late generator is not. */
static void test_back_pressure(void **state)
{
    struct ps_trial trial = {.rate = 1000, .seconds = 2};
    assert_true(take_load(&trial,
                          "{\"type\":\"summary\",\"seconds\":2,\"achieved_rate\":800,\"due\":2000,"
                          "\"completed\":1700,\"failed\":0,\"schedule_error_ns\":{\"p99\":2000000}}"));
    assert_true(trial.generator_held && fabs(trial.shortfall - 0.2) < 1e-9 && trial.sent == 1700);
    ps_trial_fini(&trial);
    trial = (struct ps_trial){.rate = 1000, .seconds = 2};
    assert_true(take_load(&trial,
                          "{\"type\":\"summary\",\"seconds\":2,\"achieved_rate\":800,\"due\":2000,"
                          "\"completed\":1700,\"failed\":0,\"schedule_error_ns\":{\"p99\":200000000}}"));
    assert_false(trial.generator_held);
    ps_trial_fini(&trial);
}

static void test_late_generator(void **state)
{
    const struct ps_goal goals[] = {{"p99<20ms", 0, 99, 20000000}};
    struct ps_trial trial = {.generator_held = true, .latency_ns = {25e6}, .schedule_error_p99_ns = 15e6};
    struct ps_search_answer answer;
    ps_trial_answer(&trial, goals, 1, &answer);
    assert_true(answer.generator_held && answer.generator_late[0]); /* other goals can still be judged */
    trial.schedule_error_p99_ns = 5e6;
    ps_trial_answer(&trial, goals, 1, &answer);
    assert_true(answer.generator_held && !answer.generator_late[0]);
}

/* Makes observations for the verdict from the records of load, verify and the agent's counters. */
static void test_flow(void **state)
{
    /* Two connections of 500 events/s each; the second one's arrivals stop growing half way. */
    struct ps_trial trial = {
        .rate = 1000, .seconds = 4, .goodput = 1000, .connections = 2, .start_unix_ns = 5e9};
    json_t *rows = json_pack("[[],[]]");
    for (unsigned step = 0; step < 80; step++) { /* of 50 ms, from 0.1 s before the start */
        json_array_append_new(json_array_get(rows, 0), json_integer(step < 2 ? 0 : 25));
        json_array_append_new(json_array_get(rows, 1), json_integer(step < 2 ? 0 : step < 40 ? 25 : 20));
    }
    trial.json.arrivals =
        json_pack("{s:f,s:f,s:o}", "start_unix_ns", 4.9e9, "step_ns", 50e6, "received", rows);
    ps_trial_conclude(&trial);
    assert_true(trial.behind && trial.generator_held);
    assert_int_equal(trial.flow.connection, 1);
    assert_true(fabs(trial.flow.on_its_way - 250) < 60);
    ps_trial_fini(&trial);

    /* Counters: only the sum is known. */
    for (unsigned slow = 0; slow < 2; slow++) {
        trial = (struct ps_trial){
            .rate = 1000, .seconds = 4, .goodput = 1000, .connections = 2, .start_unix_ns = 5e9};
        for (double t = 0.1; t < 4.2; t += 0.1)
            ps_trial_take_delivered(&trial, (5 + t) * 1e9, t * (slow ? 900 : 1000));
        ps_trial_conclude(&trial);
        assert_true(trial.behind == (slow == 1));
        assert_int_equal(trial.flow.verdict, slow ? PS_FLOW_BEHIND : PS_FLOW_LEVEL);
        assert_true(!slow || fabs(trial.goodput - 900) < 10);
        ps_trial_fini(&trial);
    }

    /* An uneven load: the due events come from load's steps. */
    trial = (struct ps_trial){
        .rate = 1000, .seconds = 4, .goodput = 1000, .connections = 1, .start_unix_ns = 5e9, .uneven = true};
    for (double t = 0.25; t < 4.1; t += 0.25) {
        json_t *progress = json_pack("{s:f,s:f}", "due", t < 2 ? 2000 * t : 4000.0, "rate", 1.0);
        ps_trial_take_load_step(&trial, t, progress);
        json_decref(progress);
    }
    for (double t = 0.05; t < 4.2; t += 0.05)
        ps_trial_take_delivered(&trial, (5 + t) * 1e9, t < 2 ? 2000 * t : 4000);
    ps_trial_conclude(&trial);
    assert_false(trial.behind);
    ps_trial_fini(&trial);
}

/* Without arrivals only what the target accepted is known. */
static void test_flow_unknown(void **state)
{
    struct ps_trial trial = {.shortfall = 0.02, .goodput = 980};
    ps_trial_conclude(&trial);
    assert_true(trial.behind && trial.flow.verdict == PS_FLOW_UNKNOWN && trial.goodput_worst == 980);
    trial = (struct ps_trial){
        .rate = 1000, .seconds = 1, .start_unix_ns = 1, .connections = 1, .shortfall = 0.01};
    trial.json.arrivals = json_pack("{s:s,s:i}", "received", "many", "step_ns", 0);
    ps_trial_conclude(&trial);
    assert_false(trial.behind);
    ps_trial_fini(&trial);
}

/* One generator was late as long as the delay grew. Another was late, but its events arrived. */
static void test_flow_late_generator(void **state)
{
    for (unsigned late = 0; late < 2; late++) {
        struct ps_trial trial = {.rate = 1000,
                                 .seconds = 4,
                                 .connections = 1,
                                 .start_unix_ns = 5e9,
                                 .schedule_error_p90_ns = late ? 0.3e9 : 0.01e9,
                                 .schedule_error_p99_ns = 0.32e9};
        for (double t = 0.1; t < 4.2; t += 0.1)
            ps_trial_take_delivered(&trial, (5 + t) * 1e9, t * 850);
        ps_trial_conclude(&trial);
        assert_true(trial.behind && trial.generator_held == !late);
        ps_trial_fini(&trial);
    }
    struct ps_trial trial = {
        .rate = 1000, .seconds = 4, .connections = 1, .start_unix_ns = 5e9, .schedule_error_p90_ns = 0.3e9};
    for (double t = 0.1; t < 4.2; t += 0.1)
        ps_trial_take_delivered(&trial, (5 + t) * 1e9, t * 1000);
    ps_trial_conclude(&trial);
    assert_true(!trial.behind && trial.generator_held);
    ps_trial_fini(&trial);
}

static void test_percentile(void **state)
{
    json_t *histogram = read_json("[[10,1],[20,98],[30,1]]");
    assert_true(ps_trial_percentile(histogram, 1) == 10);
    assert_true(ps_trial_percentile(histogram, 1.1) == 20);
    assert_true(ps_trial_percentile(histogram, 99) == 20);
    assert_true(ps_trial_percentile(histogram, 99.9) == 30);
    assert_true(ps_trial_percentile(NULL, 99) == 0);
    json_decref(histogram);
}

/* Other objects are not accepted as a summary. */
static void test_nonsense(void **state)
{
    static const char *const texts[] = {"{}", "{\"type\":7}", "{\"type\":\"progress\",\"due\":5}",
                                        "{\"type\":\"summary\"}",
                                        "{\"type\":\"summary\",\"due\":\"many\",\"seconds\":[]}"};
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++) {
        struct ps_trial trial = {.rate = 1000, .seconds = 1};
        assert_false(take_load(&trial, texts[i]));
        ps_trial_fini(&trial);
    }
    struct ps_trial trial = {.rate = 1000, .seconds = 1};
    assert_false(take_verify(&trial, "{\"type\":\"ready\"}", NULL, 0));
    assert_true(take_verify(&trial, "{\"type\":\"summary\",\"received\":null,\"histogram\":7}", NULL, 0));
    ps_trial_conclude(&trial);
    ps_trial_fini(&trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held),          cmocka_unit_test(test_lost),
        cmocka_unit_test(test_back_pressure), cmocka_unit_test(test_late_generator),
        cmocka_unit_test(test_flow),          cmocka_unit_test(test_percentile),
        cmocka_unit_test(test_flow_unknown),  cmocka_unit_test(test_flow_late_generator),
        cmocka_unit_test(test_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
