/* Where Flume's guide and Flume's code differ, both spellings work (with the real stages): the guide's key
 * leads to the row of the code's key. */
#include "tests/support/support.h"

#include "conf/bind.h"
#include "conf/validate/types.h"
#include "stages/table.h"

#include <stdio.h>

static const struct {
    enum ps_kind kind;
    const char *type, *guide, *code;
} spellings[] = {
    {PS_KIND_SINK, "org.apache.flume.sink.kafka.KafkaSink", "kafka.flumeBatchSize", "flumeBatchSize"},
    {PS_KIND_SINK, "org.apache.flume.sink.kafka.KafkaSink", "batchSize", "flumeBatchSize"},
    {PS_KIND_SOURCE, "multiport_syslogtcp", "readBufferSize", "readBufferBytes"},
    {PS_KIND_SOURCE, "netcatudp", "remoteAddressHeader", "remoteAddress"},
    {PS_KIND_CHANNEL, "org.apache.flume.channel.kafka.KafkaChannel", "pollTimeout", "kafka.pollTimeout"},
    {PS_KIND_SINK, "thrift", "connection-reset-interval", "reset-connection-interval"},
    {PS_KIND_SOURCE, "netcat", "encoding", "encoding"},
    {PS_KIND_SOURCE, "thrift", "protocol", "protocol"},
    {PS_KIND_SOURCE, "avro", "threads", "threads"},
    {PS_KIND_SELECTOR, "load_balancing", "policy", "policy"},
};

static void test_both_spellings_lead_to_one_row(void **state)
{
    size_t looked_at = 0;
    for (size_t i = 0; i < PS_COUNT_OF(spellings); i++) {
        const struct ps_stage_ops *ops = ps_stage_find(ps_stages, spellings[i].kind, spellings[i].type);
        if (ops == NULL) {
            printf("not supported yet: %s %s\n", ps_kind_word(spellings[i].kind), spellings[i].type);
            continue;
        }
        const struct ps_option *guide = ps_option_named(ops->options, spellings[i].guide);
        const struct ps_option *code = ps_option_named(ops->options, spellings[i].code);
        if (code == NULL || guide != code)
            fail_msg("%s: %s is not %s", spellings[i].type, spellings[i].guide, spellings[i].code);
        looked_at++;
    }
    assert_true(looked_at >= 4);
}

/* A row's default must pass the row's own checks, and every name must be unique. */
static void test_every_row_of_every_stage_is_sound(void **state)
{
    for (const struct ps_stage_ops *const *stage = ps_stages; *stage != NULL; stage++) {
        struct ps_arena *arena = ps_arena_create();
        struct ps_problems problems;
        ps_problems_init(&problems, arena);
        struct ps_bind bind = {.arena = arena, .problems = &problems, .prefix = "a1.x."};
        void *plan = ps_arena_alloc(arena, (*stage)->plan_size);
        bool required = false;
        for (const struct ps_option *row = (*stage)->options; row != NULL && row->key != NULL; row++) {
            required |= (row->flags & PS_OPTION_REQUIRED) != 0;
            assert_non_null(row->help);
            assert_true(row->offset < (*stage)->plan_size);
            assert_ptr_equal(row->type == PS_OPTION_MAP ? row : ps_option_named((*stage)->options, row->key),
                             row);
            for (size_t i = 0; row->aliases != NULL && row->aliases[i] != NULL; i++)
                assert_true(row->type == PS_OPTION_MAP ||
                            ps_option_named((*stage)->options, row->aliases[i]) == row);
        }
        /* Binding no keys binds every default; it asserts on a bad one. */
        assert_int_equal(ps_bind_options(&bind, (*stage)->options, NULL, &(struct ps_pairs){0}, plan),
                         required ? PS_FAIL : PS_OK);
        assert_ptr_equal(ps_stage_find(ps_stages, (*stage)->kind, (*stage)->name), *stage);
        for (size_t i = 0; (*stage)->aliases != NULL && (*stage)->aliases[i] != NULL; i++)
            assert_ptr_equal(ps_stage_find(ps_stages, (*stage)->kind, (*stage)->aliases[i]), *stage);
        ps_problems_fini(&problems);
        ps_arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_spellings_lead_to_one_row),
        cmocka_unit_test(test_every_row_of_every_stage_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
