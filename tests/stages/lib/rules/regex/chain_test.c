/* Chains of several regex interceptors, which share one scan in each pass over a batch. The results are right after
 * edits and drops and when they are requested again, and equal those of each event alone. */
#include "stages/lib/rules/regex/chain.h"
#include "tests/support/stage.h"

#include <pthread.h>
#include <stdio.h>

#define STAGES_MAX 80U

struct chain {
    struct ps_test_stage *stages[STAGES_MAX];
    unsigned count;
    struct ps_chain_share built, open;
    bool finished;
};

static void chain_add(struct chain *chain, const struct ps_stage_ops *ops, const char *const *keys)
{
    struct ps_test_stage *stage = malloc(sizeof *stage);
    assert_non_null(stage);
    assert_true(chain->count < STAGES_MAX);
    chain->stages[chain->count++] = stage;
    ps_test_stage_init(stage, ops);
    stage->context.chain = &chain->built;
    stage->context.instances = 2;
    stage->port.chain = &chain->open;
    if (ps_test_stage_bind(stage, keys) != PS_OK || ps_test_stage_build(stage) != PS_OK)
        fail_msg("%s", stage->err.text);
}

static void chain_filter(struct chain *chain, const char *regex, bool exclude)
{
    chain_add(chain, &ps_interceptor_regex_filter,
              PS_KEYS("regex", regex, "excludeEvents", exclude ? "true" : "false"));
}

static void chain_replace(struct chain *chain, const char *regex, const char *text)
{
    chain_add(chain, &ps_interceptor_search_replace, PS_KEYS("searchPattern", regex, "replaceString", text));
}

static void chain_open(struct chain *chain)
{
    struct ps_err err = {0};
    if (!chain->finished && chain->built.finish(chain->built.value, &err) != PS_OK)
        fail_msg("%s", err.text);
    chain->finished = true;
    for (unsigned i = 0; i < chain->count; i++)
        assert_int_equal(ps_test_stage_open(chain->stages[i]), PS_OK);
}

static void chain_close(struct chain *chain)
{
    for (unsigned i = 0; i < chain->count; i++)
        ps_test_stage_close(chain->stages[i]);
    chain->open.destroy(chain->open.value);
    chain->open = (struct ps_chain_share){.value = NULL};
}

static void chain_fini(struct chain *chain)
{
    chain_close(chain);
    chain->built.destroy(chain->built.value);
    for (unsigned i = 0; i < chain->count; i++) {
        ps_test_stage_fini(chain->stages[i]);
        free(chain->stages[i]);
    }
}

static void chain_work(struct chain *chain, struct ps_lease *lease)
{
    for (unsigned i = 0; i < chain->count && lease->count > 0; i++)
        assert_int_equal(ps_test_interceptor_work(chain->stages[i], lease), PS_DONE);
}

/* Returns the remaining bodies as "a,b,..". */
static const char *left(struct chain *chain, const struct ps_lease *lease)
{
    struct ps_test_stage *stage = chain->stages[0];
    char *text = ps_arena_text(stage->arena, "");
    for (uint32_t i = 0; i < lease->count; i++)
        text = ps_arena_format(stage->arena, "%s%s%s", text, i > 0 ? "," : "",
                               ps_test_lease_event(stage, lease, i).body);
    return text;
}

struct wanted {
    const char *name, *pass;
    double value;
    unsigned seen;
};

static void look(void *argument, const struct ps_series *series)
{
    struct wanted *wanted = argument;
    if (strcmp(series->name, wanted->name) == 0 && strcmp(series->label_value, wanted->pass) == 0) {
        wanted->value += series->value;
        wanted->seen++;
    }
}

/* The counters of all stages for one pass. */
static uint64_t counted(struct chain *chain, const char *name, const char *pass)
{
    struct wanted wanted = {.name = name, .pass = pass};
    for (unsigned i = 0; i < chain->count; i++)
        chain->stages[i]->ops->series(chain->stages[i]->plan, look, &wanted);
    assert_int_equal(wanted.seen, 1); /* only the first stage of a pass reports */
    return (uint64_t)wanted.value;
}

static void test_one_scan(void **unused)
{
    struct chain chain = {.count = 0};
    chain_filter(&chain, "a", false);
    chain_filter(&chain, "b", false);
    chain_add(&chain, &ps_interceptor_regex_extractor,
              PS_KEYS("regex", "n=(\\d+)", "serializers", "s", "serializers.s.name", "n"));
    chain_filter(&chain, "c", true);
    chain_open(&chain);
    struct ps_test_stage *stage = chain.stages[0];
    struct ps_lease *lease =
        PS_LEASE(stage, PS_BODY("ab n=1"), PS_BODY("a"), PS_BODY("b"), PS_BODY("abc"), PS_BODY("abd n=22"));
    chain_work(&chain, lease);
    assert_string_equal(left(&chain, lease), "ab n=1,abd n=22");
    struct ps_test_event event = ps_test_lease_event(stage, lease, 1);
    assert_string_equal(ps_test_event_header(&event, "n"), "22");
    assert_int_equal(counted(&chain, "regex_scanned", "1"), 5);
    chain_fini(&chain);
}

/* A stage that edits bodies ends a pass: later stages see the new bodies, and only the remaining events. */
static void test_edits_between(void **unused)
{
    struct chain chain = {.count = 0};
    chain_filter(&chain, "keep", false);
    chain_replace(&chain, "secret=\\w+", "secret=x");
    chain_filter(&chain, "secret=(?!x)", true); /* no event has it any more */
    chain_filter(&chain, "=x", false);
    chain_open(&chain);
    struct ps_lease *lease = PS_LEASE(chain.stages[0], PS_BODY("keep secret=abc"), PS_BODY("secret=abc"),
                                      PS_BODY("keep"), PS_BODY("keep secret=def"));
    chain_work(&chain, lease);
    assert_string_equal(left(&chain, lease), "keep secret=x,keep secret=x");
    assert_int_equal(counted(&chain, "regex_scanned", "1"), 4);
    assert_int_equal(counted(&chain, "regex_scanned", "2"), 3);
    chain_fini(&chain);
}

/* Batches are used again: the same memory with other events. With sequence numbers, as the engine gives them, and without. */
static void test_batches_again(void **unused)
{
    for (int numbered = 0; numbered < 2; numbered++) {
        struct chain chain = {.count = 0};
        chain_filter(&chain, "a", false);
        chain_filter(&chain, "b", false);
        chain_open(&chain);
        struct ps_test_stage *stage = chain.stages[0];
        const struct ps_batch *first = NULL;
        static const struct {
            const char *bodies[3], *left;
        } rounds[] = {
            {{"ab", "a", "b"}, "ab"},
            {{"x", "x", "x"}, ""},
            {{"x", "ab", "ab"}, "ab,ab"},
            {{"b", "b", "b"}, ""},
        };
        for (unsigned round = 0; round < PS_COUNT_OF(rounds); round++) {
            struct ps_lease *lease =
                PS_LEASE(stage, PS_BODY(rounds[round].bodies[0]), PS_BODY(rounds[round].bodies[1]),
                         PS_BODY(rounds[round].bodies[2]));
            lease->batch->sequence = numbered ? round + 1 : 0;
            first = first == NULL ? lease->batch : first;
            assert_ptr_equal(lease->batch, first); /* otherwise this tests nothing */
            chain_work(&chain, lease);
            assert_string_equal(left(&chain, lease), rounds[round].left);
            ps_test_stage_recycle(stage);
        }
        assert_int_equal(counted(&chain, "regex_scanned", "1"), 12);
        chain_fini(&chain);
    }
}

/* A stage that could not finish is called again: the results are still there. */
static void test_asked_again(void **unused)
{
    struct chain chain = {.count = 0};
    chain_filter(&chain, "a", false);
    chain_filter(&chain, "b", false);
    chain_open(&chain);
    struct ps_lease *lease =
        PS_LEASE(chain.stages[0], PS_BODY("ab"), PS_BODY("b"), PS_BODY("a"), PS_BODY("ab"));
    lease->batch->sequence = 7;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(ps_test_interceptor_work(chain.stages[0], lease), PS_DONE);
        assert_string_equal(left(&chain, lease), "ab,a,ab");
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(ps_test_interceptor_work(chain.stages[1], lease), PS_DONE);
        assert_string_equal(left(&chain, lease), "ab,ab");
    }
    assert_int_equal(counted(&chain, "regex_scanned", "1"), 4);
    chain_fini(&chain);
}

/* More expressions than a pass holds: there is another pass. */
static void test_many_expressions(void **unused)
{
    struct chain chain = {.count = 0};
    char regex[32];
    for (unsigned i = 0; i < 70; i++) {
        snprintf(regex, sizeof regex, "no%ux", i);
        chain_filter(&chain, regex, true);
    }
    chain_open(&chain);
    struct ps_lease *lease = PS_LEASE(chain.stages[0], PS_BODY("no7y"), PS_BODY("no63x"), PS_BODY("no64x"),
                                      PS_BODY("no69x"), PS_BODY("no70x"), PS_BODY("no0x"));
    chain_work(&chain, lease);
    assert_string_equal(left(&chain, lease), "no7y,no70x");
    assert_int_equal(counted(&chain, "regex_scanned", "1"), 6);
    assert_int_equal(counted(&chain, "regex_scanned", "2"), 4);
    chain_fini(&chain);
}

/* Counts outlive the worker's instance; a second one may be open at the same time. */
static void test_counts(void **unused)
{
    struct chain chain = {.count = 0};
    chain_filter(&chain, "a", false);
    chain_open(&chain);
    chain_work(&chain, PS_LEASE(chain.stages[0], PS_BODY("a"), PS_BODY("b")));
    chain_close(&chain);
    assert_int_equal(counted(&chain, "regex_scanned", "1"), 2);
    chain_open(&chain);
    struct ps_chain_share second = {.value = NULL};
    struct ps_test_stage *stage = chain.stages[0];
    struct ps_port port = stage->port;
    port.chain = &second;
    port.instance = 1;
    void *state = calloc(1, stage->ops->state_size);
    assert_non_null(state);
    assert_int_equal(stage->ops->open(stage->plan, state, &port, &stage->err), PS_OK);
    struct ps_lease *lease = PS_LEASE(stage, PS_BODY("a"), PS_BODY("b"), PS_BODY("c"));
    assert_int_equal(stage->ops->interceptor->work(stage->plan, state, lease, &stage->now), PS_DONE);
    assert_int_equal(lease->count, 1);
    chain_work(&chain, PS_LEASE(stage, PS_BODY("a")));
    assert_int_equal(counted(&chain, "regex_scanned", "1"), 6);
    assert_int_equal(counted(&chain, "regex_scan_errors", "1"), 0);
    second.destroy(second.value);
    free(state);
    assert_int_equal(counted(&chain, "regex_scanned", "1"), 6);
    chain_fini(&chain);
}

struct reader {
    struct chain *chain;
    bool stop;
    uint64_t calls;
};

static void *read_series(void *argument)
{
    struct reader *reader = argument;
    while (!__atomic_load_n(&reader->stop, __ATOMIC_RELAXED)) {
        (void)counted(reader->chain, "regex_scanned", "1");
        (void)counted(reader->chain, "regex_given_up", "1");
        __atomic_fetch_add(&reader->calls, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* Metrics are read while workers scan, close and open. (ThreadSanitizer finds the errors.) */
static void test_counts_meanwhile(void **unused)
{
    struct chain chain = {.count = 0};
    chain_filter(&chain, "a(?=x)", true);
    chain_add(&chain, &ps_interceptor_regex_extractor,
              PS_KEYS("regex", "(b+)", "serializers", "s", "serializers.s.name", "b"));
    chain_open(&chain);
    struct reader reader = {.chain = &chain};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_series, &reader), 0);
    for (unsigned i = 0; i < 300 || __atomic_load_n(&reader.calls, __ATOMIC_RELAXED) < 100; i++) {
        chain_work(&chain, PS_LEASE(chain.stages[0], PS_BODY("ax"), PS_BODY("ab"), PS_BODY("b")));
        ps_test_stage_recycle(chain.stages[0]);
        if (i % 10 == 0) {
            chain_close(&chain);
            chain_open(&chain);
        }
    }
    __atomic_store_n(&reader.stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    chain_fini(&chain);
}

/* Expressions unfit for Hyperscan are run by PCRE2, in the same pass as the others. */
static void test_ruinous(void **unused)
{
    static const char ruinous[] = "a(.{1,500}x){1,500}b";
    struct ps_regex *regex = ps_regex_create(ruinous, 0, PS_REGEX_FIND, NULL);
    struct ps_matcher_cost cost;
    assert_non_null(regex);
    ps_matcher_cost_of(regex, &cost);
    assert_int_equal(cost.grade, PS_COST_RUINOUS);
    ps_regex_destroy(regex);
    struct chain chain = {.count = 0};
    chain_filter(&chain, "x", false);
    chain_filter(&chain, ruinous, true);
    chain_filter(&chain, "y", false);
    assert_true(ps_test_stage_reported(chain.stages[1], PS_LOG_WARN, "too expensive for Hyperscan"));
    chain_open(&chain);
    struct ps_lease *lease = PS_LEASE(chain.stages[0], PS_BODY("xy"), PS_BODY("y"), PS_BODY("xya1xb"),
                                      PS_BODY("xyaaxxb"), PS_BODY("x"), PS_BODY("xyab1"));
    chain_work(&chain, lease);
    assert_string_equal(left(&chain, lease), "xy,xyab1");
    chain_fini(&chain);
}

/* ---- compared with matching each event alone ---- */

struct model_step {
    const char *regex, *text; /* text: the replacement; NULL: a filter */
    bool exclude;
};

struct model_event {
    char *body;
    size_t length;
    bool gone;
};

static void model_run(const struct model_step *step, struct model_event *events, unsigned count)
{
    struct ps_regex *regex = ps_regex_create(step->regex, 0, PS_REGEX_FIND, NULL);
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    struct ps_regex_replacement *replacement =
        step->text != NULL ? ps_regex_replacement_create(regex, step->text, NULL) : NULL;
    for (unsigned i = 0; i < count; i++) {
        struct model_event *event = &events[i];
        if (event->gone)
            continue;
        if (step->text == NULL) {
            event->gone =
                ps_regex_find(regex, scratch, event->body, event->length, 0, NULL, 0) == step->exclude;
            continue;
        }
        size_t room = 64 + 8 * event->length;
        char *body = malloc(room);
        assert_non_null(body);
        event->length =
            ps_regex_replace_all(regex, scratch, replacement, event->body, event->length, body, room, NULL);
        assert_true(event->length != SIZE_MAX);
        free(event->body);
        event->body = body;
    }
    ps_regex_replacement_destroy(replacement);
    ps_regex_scratch_destroy(scratch);
    ps_regex_destroy(regex);
}

static void model_body(uint64_t *random, struct model_event *event)
{
    static const char *const words[] = {"alpha", "beta",         "n=12",     "n=7",       " ", "\n",
                                        "\r\n",  "\xFF",         "\xC3\xA9", "\xED",      "x", "xx",
                                        "-",     "\xE2\x80\xA8", "Beta",     "status=404"};
    *event = (struct model_event){.body = malloc(256)};
    assert_non_null(event->body);
    for (uint64_t word = ps_test_random(random) % 7; word > 0; word--) {
        const char *text = words[ps_test_random(random) % PS_COUNT_OF(words)];
        memcpy(event->body + event->length, text, strlen(text));
        event->length += strlen(text);
        if (ps_test_random(random) % 40 == 0)
            event->body[event->length++] = '\0';
    }
}

static void test_against_naive(void **unused)
{
    static const struct model_step steps[] = {
        {"alpha", NULL, false},
        {"alpha", NULL, true},
        {".*", NULL, false},
        {"^x", NULL, true},
        {"x$", NULL, true},
        {"x\\z", NULL, true},
        {"(?i)BETA", NULL, true},
        {"a.b", NULL, true},
        {"a\\s+b", NULL, true},
        {"(?<!-)n=\\d+", NULL, false},
        {"(x)\\1", NULL, true},
        {"(?m)^beta$", NULL, true},
        {"\xC3\xA9", NULL, true},
        {"[^a-z\\s]{4}", NULL, true},
        {"\\x00", NULL, true},
        {"\\uFFFD", NULL, true},
        {"status=(200|404)", NULL, false},
        {"n=(\\d+)", "n:$1", false},
        {"x", "xalpha", false},
        {"\\s+", "", false},
        {"$", "<", false},
        {"never", "ever", false},
        {"n=\\d+.*status=4", NULL, true},
        {"a\\w*a\\s*status=(404|500)", NULL, true},
        {"x+(-|\\s)*status=(\\d+)", "$2$1", false},
    };
    uint64_t seed = ps_test_seed() | 1;
    for (unsigned round = 0; round < 60; round++) {
        struct model_step chosen[6];
        struct chain chain = {.count = 0};
        unsigned count = 1 + (unsigned)(ps_test_random(&seed) % PS_COUNT_OF(chosen));
        for (unsigned i = 0; i < count; i++) {
            chosen[i] = steps[ps_test_random(&seed) % PS_COUNT_OF(steps)];
            if (chosen[i].text != NULL)
                chain_replace(&chain, chosen[i].regex, chosen[i].text);
            else
                chain_filter(&chain, chosen[i].regex, chosen[i].exclude);
        }
        chain_open(&chain);
        for (unsigned batch = 0; batch < 4; batch++) {
            static struct model_event model[PS_BATCH_EVENTS_MAX];
            static struct ps_test_event events[PS_BATCH_EVENTS_MAX];
            unsigned rows = batch == 0 ? PS_BATCH_EVENTS_MAX : (unsigned)(ps_test_random(&seed) % 130);
            for (unsigned i = 0; i < rows; i++) {
                model_body(&seed, &model[i]);
                events[i] =
                    (struct ps_test_event){.body = model[i].body, .length = (uint32_t)model[i].length};
            }
            struct ps_lease *lease = ps_test_lease(chain.stages[0], events, rows);
            chain_work(&chain, lease);
            for (unsigned i = 0; i < count; i++)
                model_run(&chosen[i], model, rows);
            uint32_t position = 0;
            uint64_t bytes = 0;
            for (unsigned row = 0; row < rows; row++) {
                if (!model[row].gone) {
                    assert_true(position < lease->count);
                    assert_int_equal(ps_lease_row(lease, position), row);
                    const struct ps_event *event = ps_lease_event(lease, position++);
                    assert_int_equal(event->body_length, model[row].length);
                    assert_memory_equal(event->body, model[row].body, model[row].length);
                    bytes += event->body_length;
                }
                free(model[row].body);
            }
            assert_int_equal(lease->count, position);
            assert_int_equal(lease->bytes, bytes);
            ps_test_stage_recycle(chain.stages[0]);
        }
        chain_fini(&chain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_scan),         cmocka_unit_test(test_edits_between),
        cmocka_unit_test(test_batches_again),    cmocka_unit_test(test_asked_again),
        cmocka_unit_test(test_many_expressions), cmocka_unit_test(test_counts),
        cmocka_unit_test(test_counts_meanwhile), cmocka_unit_test(test_ruinous),
        cmocka_unit_test(test_against_naive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
