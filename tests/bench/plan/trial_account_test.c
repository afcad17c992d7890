/* Combining the reports of load and verify about one trial. */
#include <math.h>

#include "bench/plan/trial.h"
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

static void take_step(struct ps_trial *trial, double t, double p50_ms)
{
    json_t *object = json_pack("{s:f,s:{s:f,s:f}}", "rate", 1000.0, "latency_ns", "p50", p50_ms * 1e6, "p99",
                               p50_ms * 2e6);
    ps_trial_take_verify_step(trial, t, object);
    json_decref(object);
}

static void test_held(void **state)
{
    (void)state;
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
    assert_true(answer.generator_held && !answer.failed && answer.lost == 0 && answer.growth < 0.001);
    assert_true(answer.latency_ns[0] == 0 && answer.latency_ns[1] == 100);
    ps_trial_fini(&trial);
}

/* A far end that lost events; a target that refused; a far end that dropped records itself. */
static void test_lost(void **state)
{
    (void)state;
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
    ps_trial_take_counters(&trial, 2000); /* counted twice: nothing is lost but what was refused */
    assert_true(trial.lost == 10);
    ps_trial_fini(&trial);
}

/* A target that slows the generator down is the subject's doing; a late generator is not. */
static void test_back_pressure(void **state)
{
    (void)state;
    struct ps_trial trial = {.rate = 1000, .seconds = 2};
    assert_true(take_load(&trial,
                          "{\"type\":\"summary\",\"seconds\":2,\"achieved_rate\":800,\"due\":2000,"
                          "\"completed\":1700,\"failed\":0,\"schedule_error_ns\":{\"p99\":2000000}}"));
    assert_true(trial.generator_held && fabs(trial.growth - 0.2) < 1e-9 && trial.sent == 1700);
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
    (void)state;
    const struct ps_goal goals[] = {{"p99<20ms", 0, 99, 20000000}};
    struct ps_trial trial = {.generator_held = true, .latency_ns = {25e6}, .schedule_error_p99_ns = 15e6};
    struct ps_search_answer answer;
    ps_trial_answer(&trial, goals, 1, &answer);
    assert_true(answer.generator_held && answer.generator_late[0]); /* other goals can still be judged */
    trial.schedule_error_p99_ns = 5e6;
    ps_trial_answer(&trial, goals, 1, &answer);
    assert_true(answer.generator_held && !answer.generator_late[0]);
}

/* A growing queue: in a long trial found by its steps, in a short one by the spread of latencies. */
static void test_growth(void **state)
{
    (void)state;
    struct ps_trial trial = {.rate = 1000, .seconds = 5, .goodput = 1000};
    for (double t = PS_TRIAL_STEP_S; t <= 7; t += PS_TRIAL_STEP_S)
        take_step(&trial, t, t <= 1 ? 500 : 10.0 * t); /* the first second does not count */
    ps_trial_conclude(&trial);
    assert_true(fabs(trial.growth - 0.01) < 1e-6);
    assert_true(fabs(trial.goodput - 1000 / 1.01) < 1e-3);
    ps_trial_fini(&trial);

    trial = (struct ps_trial){.rate = 1000, .seconds = 1, .goodput = 1000, .histogram = json_array()};
    for (unsigned i = 1; i <= 100; i++)
        json_array_append_new(trial.histogram, json_pack("[f,i]", i * 2e6, 10));
    ps_trial_conclude(&trial);
    assert_true(fabs(trial.growth - 0.2) < 0.001);
    ps_trial_fini(&trial);

    /* A few slow moments: most events are quick. */
    trial =
        (struct ps_trial){.rate = 1000, .seconds = 1, .histogram = read_json("[[1000000,90],[90000000,10]]")};
    ps_trial_conclude(&trial);
    assert_true(trial.growth == 0);
    ps_trial_fini(&trial);
}

static void test_percentile(void **state)
{
    (void)state;
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
    (void)state;
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
        cmocka_unit_test(test_growth),        cmocka_unit_test(test_percentile),
        cmocka_unit_test(test_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
