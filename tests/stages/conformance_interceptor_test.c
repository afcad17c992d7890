/* The promises of every interceptor (core/stage.h), tested with each of them: events stay in order; dropped events are
 * subtracted from the lease's count and bytes; when memory is short it answers PS_RETRY, and the next call makes the same
 * events and edits none of them twice; once warm it allocates nothing; it closes and opens again without leaks. */
#include "stages/table.h"
#include "tests/support/conformance.h"
#include "tests/support/allocations.h"
#include "tests/support/folder.h"
#include "tests/support/java_host.h"
#include "tests/support/rules/files.h"

#include <stdio.h>

#define EVENTS 300U
#define BLOCKS 64U

struct adapter {
    const struct ps_stage_ops *ops;
    const char *keys[16];
    bool random; /* values differ from run to run */
};

#define SERIALIZER "org.apache.flume.interceptor.RegexExtractorInterceptorMillisSerializer"

#ifdef PS_TEST_PLUGIN /* tests/plugin */
static struct adapter adapters[1];
#else
static char rules[512]; /* path of a rules file */

static const struct adapter adapters[] = {
    {.ops = &ps_interceptor_timestamp},
    {.ops = &ps_interceptor_host},
    {.ops = &ps_interceptor_static, .keys = {"key", "k", "value", "v"}},
    {.ops = &ps_interceptor_remove_header, .keys = {"withName", "a", "matching", "b.*"}},
    {.ops = &ps_interceptor_uuid, .random = true},
    {.ops = &ps_interceptor_regex_filter, .keys = {"regex", "n=\\d*[02468]\\b"}},
    {.ops = &ps_interceptor_regex_filter, .keys = {"regex", "a(?=b)", "excludeEvents", "true"}},
    {.ops = &ps_interceptor_regex_extractor,
     .keys = {"regex", "n=(\\d)(\\d+)? t=(\\S+)", "serializers", "s1 s2 s3", "serializers.s1.name", "a",
              "serializers.s2.name", "second", "serializers.s3.name", "t", "serializers.s3.type", SERIALIZER,
              "serializers.s3.pattern", "yyyy-MM-ddZ"}},
    {.ops = &ps_interceptor_search_replace, .keys = {"searchPattern", "n=(\\d)", "replaceString", "n=n=1$1"}},
    {.ops = &ps_interceptor_search_replace,
     .keys = {"searchPattern", "n", "replaceString", "nn", "charset", "UTF-16LE"}},
    {.ops = &ps_interceptor_rules,
     .keys = {"rules.file", rules, "rules.cache", "none", "rules.watch", "false"}},
    {.ops = &ps_interceptor_java, .keys = {"type", "org.example.Interceptor"}},
};
#endif

static void test_all_are_here(void **unused)
{
    for (size_t i = 0; ps_stages[i] != NULL; i++) {
        bool here = ps_stages[i]->kind != PS_KIND_INTERCEPTOR;
        for (size_t k = 0; k < PS_COUNT_OF(adapters); k++)
            here |= adapters[k].ops == ps_stages[i];
        if (!here)
            fail_msg("interceptor %s has no entry in `adapters` of this file", ps_stages[i]->name);
    }
}

static void start(struct ps_test_stage *stage, const struct adapter *adapter)
{
    ps_test_stage_init_sized(stage, adapter->ops, UINT64_C(1) * BLOCKS * PS_BLOCK_BYTES);
    if (ps_test_stage_bind(stage, adapter->keys) != PS_OK || ps_test_stage_build(stage) != PS_OK ||
        ps_test_stage_open(stage) != PS_OK)
        fail_msg("%s: %s", adapter->ops->name, stage->err.text);
}

/* Events of all kinds, with headers of their own and one of the batch. */
static struct ps_lease *some_lease(struct ps_test_stage *stage)
{
    static struct ps_test_event events[EVENTS];
    static char bodies[EVENTS][64];
    static const char *const own[] = {"a", "1", "b2", "2", "c", "3", NULL};
    for (unsigned i = 0; i < EVENTS; i++) {
        int length =
            snprintf(bodies[i], sizeof bodies[i], "n=%u t=%s%s", i, i % 5 == 0 ? "never" : "2024-01-01+0000",
                     i % 7 == 0    ? " \xFF"
                     : i % 11 == 0 ? " ab"
                                   : "");
        events[i] = (struct ps_test_event){.body = bodies[i],
                                           .length = i % 13 == 0 ? 0 : (uint32_t)length,
                                           .headers = i % 3 == 0 ? own : NULL};
    }
    struct ps_lease *lease = ps_test_lease(stage, events, EVENTS);
    assert_true(ps_batch_shared_set(lease->batch, ps_name_intern("b"), "all", 3, false));
    return lease;
}

/* Returns rows, bodies and headers as one text. `values` false: without the values of headers. */
static char *lease_text(const struct ps_lease *lease, bool values)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    assert_non_null(file);
    for (uint32_t i = 0; i < lease->count; i++) {
        const struct ps_event *event = ps_lease_event(lease, i);
        fprintf(file, "%u:", ps_lease_row(lease, i));
        fwrite(event->body, 1, event->body_length, file);
        struct ps_header_cursor cursor = ps_headers_begin(lease->batch, event);
        const struct ps_header *header;
        while ((header = ps_headers_next(&cursor)) != NULL)
            fprintf(file, " %s=%.*s", header->name->text, values ? (int)header->value_length : 0,
                    header->value);
        fputc('\n', file);
    }
    fclose(file);
    return text;
}

static void test_order_and_sums(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        start(&stage, &adapters[i]);
        struct ps_lease *lease = some_lease(&stage);
        assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
        uint64_t bytes = 0;
        int last = -1;
        for (uint32_t k = 0; k < lease->count; k++) {
            assert_true(ps_lease_row(lease, k) > last);
            last = ps_lease_row(lease, k);
            bytes += ps_lease_event(lease, k)->body_length;
        }
        assert_int_equal(lease->bytes, bytes);
        lease->count = 0; /* an earlier stage dropped all */
        assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
        ps_test_stage_fini(&stage);
    }
}

/* Passes a lease through while memory is short. Returns the number of calls that returned PS_RETRY. */
static unsigned short_round(struct ps_test_stage *stage, const struct adapter *adapter, const char *wanted)
{
    struct ps_lease *lease = some_lease(stage);
    struct ps_block_cache hoard;
    struct ps_block *taken[BLOCKS + 1];
    unsigned count = ps_test_stage_hoard(stage, &hoard, taken, lease), calls = 0;
    enum ps_result result;
    for (; (result = ps_test_interceptor_work(stage, lease)) == PS_RETRY; calls++) {
        assert_true(count > 0);
        if (calls % 2 == 1) {
            ps_block_drop(&hoard, taken[--count]);
            /* another stage takes nearly all of it */
            if (calls < 20)
                (void)ps_batch_alloc(lease->batch, PS_BLOCK_BYTES - 3000);
        }
    }
    assert_int_equal(result, PS_DONE);
    char *got = lease_text(lease, !adapter->random);
    if (strcmp(got, wanted) != 0)
        fail_msg("%s: other events when memory was short", adapter->ops->name);
    free(got);
    while (count > 0)
        ps_block_drop(&hoard, taken[--count]);
    ps_block_cache_fini(&hoard);
    return calls;
}

/* Memory is short and available in turn: each round takes as many calls, and leaves as much memory in use, as the first. */
static void test_short_of_memory(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        unsigned first_calls = 0;
        uint64_t first_bytes = 0;
        start(&stage, &adapters[i]);
        for (unsigned round = 0; round < 4; round++) {
            struct ps_lease *lease = some_lease(&stage);
            assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
            char *wanted = lease_text(lease, !adapters[i].random);
            unsigned calls = short_round(&stage, &adapters[i], wanted);
            free(wanted);
            ps_test_stage_recycle(&stage);
            uint64_t bytes = ps_depot_used_bytes(stage.depot);
            if (round == 0)
                first_calls = calls, first_bytes = bytes;
            if (calls != first_calls || bytes != first_bytes)
                fail_msg("%s, round %u: asked %u times, uses %llu bytes; in the first one %u, %llu",
                         adapters[i].ops->name, round, calls, (unsigned long long)bytes, first_calls,
                         (unsigned long long)first_bytes);
        }
        ps_test_stage_fini(&stage);
    }
}

static void test_allocates_nothing(void **unused)
{
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("the sanitizer counts allocations of its own");
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        start(&stage, &adapters[i]);
        for (unsigned round = 0; round < 6; round++) {
            struct ps_lease *lease = some_lease(&stage);
            uint64_t before = ps_test_allocation_count;
            enum ps_result result = ps_test_interceptor_work(&stage, lease);
            if (round > 1 && ps_test_allocation_count != before)
                fail_msg("%s allocates", adapters[i].ops->name);
            assert_int_equal(result, PS_DONE);
            ps_test_stage_recycle(&stage);
        }
        ps_test_stage_fini(&stage);
    }
}

static void test_opens_again(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        start(&stage, &adapters[i]);
        char *texts[3];
        for (unsigned round = 0; round < 3; round++) {
            struct ps_lease *lease = some_lease(&stage);
            assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
            texts[round] = lease_text(lease, !adapters[i].random);
            assert_string_equal(texts[round], texts[0]);
            ps_test_stage_close(&stage);
            assert_int_equal(ps_test_stage_open(&stage), PS_OK);
            ps_test_stage_recycle(&stage);
        }
        for (unsigned round = 0; round < 3; round++)
            free(texts[round]);
        ps_test_stage_fini(&stage);
    }
}

static int set_up(void **state)
{
    int failed = ps_test_folder_setup(state);
#ifndef PS_TEST_PLUGIN
    ps_test_java_start(60000, 1000);
    ps_test_java->edit = PS_TEST_JAVA_CHANGE;
    if (failed == 0)
        snprintf(rules, sizeof rules, "%s",
                 ps_test_rules_write(
                     "a.rules",
                     "mode all\n"
                     "rule even { when body ~ /n=(?<number>\\d*[02468])\\b/ set header.a = \"even\" }\n"
                     "rule mask { when body ~ /never/ replace /n=(\\d)/ with \"n=n=$1\" }\n"
                     "rule five { when body ~ /n=\\d*5 / drop }\n"));
#endif
    return failed;
}

static int tear_down(void **state)
{
#ifndef PS_TEST_PLUGIN
    ps_test_java_stop();
#endif
    return ps_test_folder_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_here),    cmocka_unit_test(test_order_and_sums),
        cmocka_unit_test(test_short_of_memory), cmocka_unit_test(test_allocates_nothing),
        cmocka_unit_test(test_opens_again),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
