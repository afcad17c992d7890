/* Trials, and a whole plan, with a script in place of load and verify. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/plan/planning.h"
#include "bench/plan/planning_text.h"
#include "bench/report/report.h"
#include "bench/plan/result.h"
#include "tests/support/support.h"

static char directory[] = "/tmp/penstock-plan-test-XXXXXX";
static char program[128], scratch[128];

/* A pipeline that delivers 5,000 events/s and drops the rest, for any duration: load writes what it sent to
 * the manifest, verify reads it there. --target selects the fault. */
static const char script[] =
    "#!/bin/sh\n"
    "# plays penstock load and penstock verify\n"
    "command=$1\n"
    "while [ $# -gt 0 ]; do\n"
    "    case $1 in\n"
    "    --rate) rate=${2%.*} ;;\n"
    "    --duration) ms=${2%ms} ;;\n"
    "    --manifest) manifest=$2 ;;\n"
    "    --target) target=$2 ;;\n"
    "    --from) from=$2 ;;\n"
    "    --run) run=$2 ;;\n"
    "    esac\n"
    "    shift\n"
    "done\n"
    "if [ $command = load ]; then\n"
    "    [ $target != refuse: ] || { echo 'penstock load: nobody is there' >&2; exit 2; }\n"
    "    [ $target != hang: ] || exec sleep 100\n"
    "    sent=$((rate * ms / 1000)) achieved=$rate late=1000\n"
    "    [ $target != late: ] || [ $rate -le 4000 ] || { achieved=$((rate / 2)) late=2000000000; }\n"
    "    echo "
    "'{\"type\":\"progress\",\"t\":1.0,\"asked\":'$rate',\"rate\":'$rate',\"backlog\":0,\"outage\":false,'"
    "\\\n"
    "         '\"latency_ns\":{\"p99\":1000}}'\n"
    "    echo 'not JSON'\n"
    "    echo "
    "'{\"type\":\"summary\",\"seconds\":1,\"achieved_rate\":'$achieved',\"due\":'$sent',\"completed\":'$sent'"
    ",'"
    "\\\n"
    "         '\"failed\":0,\"bytes\":'$((sent * 100))',\"schedule_error_ns\":{\"p99\":'$late'}}'\n"
    "    echo $sent $((5000 * ms / 1000)) >$manifest.new && mv $manifest.new $manifest\n"
    "    exit 0\n"
    "fi\n"
    "[ -n \"$run\" ] || { echo 'penstock verify: events of earlier trials would count' >&2; exit 2; }\n"
    "[ $from != deaf: ] || { echo 'penstock verify: no such far end' >&2; exit 2; }\n"
    "[ $from != mute: ] || { echo '{\"type\":\"ready\"}'; exit 3; }\n"
    "echo '{\"type\":\"ready\"}'\n"
    "until [ -e $manifest ]; do sleep 0.01; done\n"
    "read sent most <$manifest\n"
    "[ $sent -le $most ] && received=$sent || received=$most\n"
    "echo '{\"type\":\"progress\",\"t\":1.0,\"rate\":'$received',\"latency_ns\":{\"p50\":500,\"p99\":900}}'\n"
    "echo "
    "'{\"type\":\"summary\",\"received\":'$received',\"duplicated\":0,\"reordered\":0,\"corrupted\":0,'\\\n"
    "     '\"lossy_far_end\":null,\"latency_ns\":{\"p50\":500,\"p90\":800,\"p99\":900,\"p99.9\":950,'\\\n"
    "     '\"p99.99\":960,\"max\":970},\"histogram\":[[500,'$received']]}'\n";

static int make_program(void **state)
{
    assert_non_null(mkdtemp(directory));
    snprintf(program, sizeof program, "%s/penstock", directory);
    snprintf(scratch, sizeof scratch, "%s/scratch", directory);
    assert_int_equal(mkdir(scratch, 0700), 0);
    FILE *file = fopen(program, "w");
    assert_non_null(file);
    fputs(script, file);
    assert_int_equal(fclose(file), 0);
    return chmod(program, 0700);
}

static int remove_program(void **state)
{
    static const char *const names[] = {"load.log", "verify.log"};
    char path[256];
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", scratch, names[i]);
        unlink(path);
    }
    unlink(program);
    return rmdir(scratch) != 0 || rmdir(directory) != 0; /* nothing else was left */
}

static void run_trial(struct ps_trial *trial, const char *target, const char *from, double rate,
                      const volatile sig_atomic_t *stop)
{
    const struct ps_trial_setup setup = {.program = program,
                                         .target = target,
                                         .from = {from},
                                         .from_count = 1,
                                         .directory = scratch,
                                         .stop = stop};
    const struct ps_search_ask ask = {.rate = rate, .seconds = 1};
    const struct ps_goal goal = {"p99<1ms", 0, 99, 1000000};
    ps_trial_run(trial, &setup, &ask, 0xabcdef, &goal, 1);
}

static void test_trials(void **state)
{
    struct ps_trial trial;
    run_trial(&trial, "good:", "good:", 4000, NULL);
    assert_false(trial.failed);
    assert_true(trial.sent == 4000 && trial.received == 4000 && trial.lost == 0 && trial.event_bytes == 100);
    assert_true(trial.latency_ns[0] == 500 && json_array_size(trial.json.timeline) >= 1);
    assert_true(trial.cpu_seconds < 0 && trial.rss_bytes < 0 && trial.cost_s > 0);
    ps_trial_fini(&trial);
    run_trial(&trial, "good:", "good:", 8000, NULL);
    assert_true(trial.lost == 3000 && trial.goodput == 5000);
    ps_trial_fini(&trial);
}

static void test_broken_trials(void **state)
{
    static const struct {
        const char *target, *from, *says;
    } cases[] = {
        {"refuse:", "good:", "nobody is there"},
        {"good:", "deaf:", "no such far end"},
        {"good:", "mute:", "verify did not report"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_trial trial;
        run_trial(&trial, cases[i].target, cases[i].from, 100, NULL);
        assert_true(trial.failed && !trial.interrupted);
        if (strstr(trial.note, cases[i].says) == NULL)
            fail_msg("it says `%s`", trial.note);
        ps_trial_fini(&trial);
    }
}

static volatile sig_atomic_t stop_now;

static void stop_soon(int number)
{
    stop_now = 1;
}

static void test_interrupted(void **state)
{
    struct ps_trial trial;
    signal(SIGALRM, stop_soon);
    ualarm(300000, 0);
    run_trial(&trial, "hang:", "good:", 100, &stop_now);
    assert_true(trial.interrupted && !trial.failed);
    ps_trial_fini(&trial);
    stop_now = 0;
}

/* ---- a whole plan ---- */

static struct ps_planning_config plan_config(const char *target)
{
    struct ps_planning_config config = {
        .subject = {.target = target, .from = {"good:"}, .from_count = 1, .program = program},
        .search = {.goals = {{.name = "ndr"}, {"pdr=20%", 0.2, 0, 0}},
                   .goal_count = 2,
                   .rate_min = 10,
                   .rate_max = 1e6,
                   .rate_first = 1000,
                   .precision = 0.03,
                   .long_s = 1,
                   .budget_s = 1e6}, /* real time: it must not end a plan on a busy machine */
        .project = true,
        .wish = {.rate = 100000, .headroom = 0.5, .spare = 2, .retention_s = 3600, .replication = 3},
        .format = "rfc3164",
        .shape = "constant",
        .connections = 1,
        .seed = 1,
        .version = "test",
    };
    return config;
}

/* Tells whether every goal has its figure. */
static bool is_complete(const struct ps_planning *planning)
{
    json_t *document = ps_result_document(planning);
    struct ps_result_goal figure;
    size_t count = 0;
    bool confirmed = true;
    for (; ps_result_goal(document, count, &figure); count++)
        confirmed = confirmed && ps_result_is_confirmed(&figure);
    assert_int_equal(count, planning->config->search.goal_count);
    json_decref(document);
    return confirmed;
}

static void test_plan(void **state)
{
    static const char *const command[] = {"penstock", "plan", NULL};
    struct ps_planning_config config = plan_config("good:");
    struct ps_planning *planning = calloc(1, sizeof *planning);
    struct ps_err err = {0};
    config.command = command;
    assert_int_equal(ps_planning_run(planning, &config, &err), PS_OK);
    assert_true(is_complete(planning));
    json_t *document = ps_result_document(planning), *goals = json_object_get(document, "goals");
    static const double capacities[] = {5000, 6250}; /* a fifth may be lost */
    for (unsigned i = 0; i < 2; i++) {
        const json_t *goal = json_array_get(goals, i);
        assert_string_equal(json_string_value(json_object_get(goal, "status")), "found");
        double rate = json_number_value(json_object_get(goal, "rate"));
        assert_true(fabs(rate / capacities[i] - 1) <= 0.03);
        assert_true(json_number_value(json_object_get(goal, "confidence")) > 0.5);
    }
    assert_int_equal(json_array_size(json_object_get(document, "trials")), planning->trial_count);
    const json_t *projection = json_object_get(document, "projection");
    double lower = json_number_value(json_object_get(json_array_get(goals, 0), "lower"));
    assert_true(json_number_value(json_object_get(projection, "machines")) == ceil(100000 / (lower / 2)) + 2);
    assert_true(json_number_value(json_object_get(projection, "size_bytes")) == 100);
    assert_true(json_array_size(json_object_get(projection, "assumptions")) >= 4);

    /* Written, read again, and reported as a page. */
    char path[256], page[256];
    json_t *again;
    snprintf(path, sizeof path, "%s/result.json", directory);
    snprintf(page, sizeof page, "%s/page.html", directory);
    assert_int_equal(ps_result_write(document, path, &err), PS_OK);
    assert_int_equal(ps_result_read(&again, path, &err), PS_OK);
    assert_true(json_equal(again, document)); /* each number too: a page made from the file is the same */
    assert_int_equal(ps_report_write(again, page, &err), PS_OK);
    assert_int_equal(access(page, R_OK), 0);
    json_decref(again);
    json_decref(document);
    unlink(path);
    unlink(page);
    ps_planning_fini(planning);
    free(planning);
}

static void test_plan_text(void **state)
{
    struct ps_planning_config config = plan_config("good:");
    struct ps_planning *planning = calloc(1, sizeof *planning);
    struct ps_err err = {0};
    char *text = NULL;
    size_t length = 0;
    config.search.rate_max = 2000;
    assert_int_equal(ps_planning_run(planning, &config, &err), PS_OK);
    assert_true(is_complete(planning));
    struct ps_live live = {.to = open_memstream(&text, &length)};
    json_t *document = ps_result_document(planning);
    ps_planning_print(&live, document);
    json_decref(document);
    fclose(live.to);
    static const char *const says[] = {"ndr (loss 0): at least 2,000 events/s", "--rate-max", "projection",
                                       "\"at least\"", "machines"};
    for (size_t i = 0; i < PS_COUNT_OF(says); i++)
        if (strstr(text, says[i]) == NULL)
            fail_msg("`%s` is not in\n%s", says[i], text);
    assert_null(strstr(text, "the pipeline itself")); /* its end was not looked for */
    free(text);
    ps_planning_fini(planning);
    free(planning);
}

static void stop_at_third(void *argument, const struct ps_planning *planning)
{
    stop_now = planning->trial_count == 3;
}

/* Above 4,000 events/s the generator itself is late: nothing is known of the pipeline's limit, though the rate is near. */
static void test_plan_generator(void **state)
{
    struct ps_planning_config config = plan_config("late:");
    struct ps_planning *planning = calloc(1, sizeof *planning);
    struct ps_err err = {0};
    config.search.goal_count = 1;
    config.search.rate_first = 4000;
    config.search.rate_max = 4900;
    config.on_trial = stop_at_third;
    config.stop = &stop_now;
    assert_int_equal(ps_planning_run(planning, &config, &err), PS_OK);
    assert_int_equal(planning->trial_count, 3);
    assert_string_equal(planning->limits.items[0].part, "not known");
    assert_non_null(strstr(planning->limits.items[0].text, "no rate was shown to be too high"));
    stop_now = 0;
    ps_planning_fini(planning);
    free(planning);
}

/* Even the lowest rate is too high. */
static void test_plan_below(void **state)
{
    struct ps_planning_config config = plan_config("good:");
    struct ps_planning *planning = calloc(1, sizeof *planning);
    struct ps_search_figure figure;
    struct ps_err err = {0};
    config.search.rate_min = config.search.rate_first = 8000;
    assert_int_equal(ps_planning_run(planning, &config, &err), PS_OK);
    assert_false(is_complete(planning));
    ps_search_figure(planning->search, 0, &figure);
    assert_int_equal(figure.status, PS_SEARCH_BELOW_RANGE);
    assert_false(planning->projected);
    assert_non_null(strstr(planning->projection_note, "no rate was shown to meet the goal"));
    ps_planning_fini(planning);
    free(planning);
}

/* Nothing can be measured: the plan ends at once, with the reason. */
static void test_plan_broken(void **state)
{
    struct ps_planning_config config = plan_config("refuse:");
    struct ps_planning *planning = calloc(1, sizeof *planning);
    struct ps_err err = {0};
    assert_int_equal(ps_planning_run(planning, &config, &err), PS_FAIL);
    assert_int_equal(planning->trial_count, 0);
    assert_non_null(strstr(err.text, "nobody is there"));
    assert_false(planning->tried_to_start);
    assert_false(planning->projected);
    ps_planning_fini(planning);
    free(planning);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trials),      cmocka_unit_test(test_broken_trials),
        cmocka_unit_test(test_interrupted), cmocka_unit_test(test_plan),
        cmocka_unit_test(test_plan_text),   cmocka_unit_test(test_plan_broken),
        cmocka_unit_test(test_plan_below),  cmocka_unit_test(test_plan_generator),
    };
    return cmocka_run_group_tests(tests, make_program, remove_program);
}
