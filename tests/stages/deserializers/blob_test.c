/* Blobs: whole files, files larger than maxBlobLength, and a value of this key that is too low. */
#include "stages/lib/text/charset.h"
#include "tests/support/stage.h"

static char contents[700000];

static int64_t give(struct ps_input *input, uint64_t offset, void *to, uint32_t room)
{
    if (offset >= input->size)
        return PS_INPUT_END;
    uint64_t count = input->size - offset < room ? input->size - offset : room;
    memcpy(to, contents + offset, count);
    return (int64_t)count;
}

static void check(const char *limit, uint64_t size, const uint32_t *lengths, uint32_t count)
{
    struct ps_test_stage stage;
    struct ps_err err;
    ps_test_stage_start(&stage, &ps_deserializer_blob,
                        limit != NULL ? PS_KEYS("maxBlobLength", limit) : NULL);
    struct ps_input input = {.read = give, .size = size};
    const struct ps_deserializer_ops *ops = stage.ops->deserializer;
    ops->begin(stage.plan, stage.state, &input);
    struct ps_batch *batch = ps_batch_take(&stage.bump, stage.now);
    enum ps_deserialized result;
    do
        result = ops->work(stage.plan, stage.state, &input, batch, &err);
    while (result == PS_DESERIALIZED_SOME);
    assert_int_equal(result, PS_DESERIALIZED_ALL);
    assert_int_equal(batch->count, count);
    const char *at = contents;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(batch->events[i].body_length, lengths[i]);
        assert_memory_equal(batch->events[i].body, at, lengths[i]);
        at += lengths[i];
    }
    assert_int_equal(input.position, size);
    ps_batch_give(batch);
    ps_test_stage_fini(&stage);
}

static void test_lengths(void **state)
{
    for (size_t i = 0; i < sizeof contents; i++)
        contents[i] = (char)(i * 7 + i / 251);
    check(NULL, 0, NULL, 0);
    check(NULL, 5, (const uint32_t[]){5}, 1);
    check(NULL, 700000, (const uint32_t[]){700000}, 1);
    check("300000", 700000, (const uint32_t[]){300000, 300000, 100000}, 3);
    check("350000", 700000, (const uint32_t[]){350000, 350000}, 2);
    check("1", 3, (const uint32_t[]){1, 1, 1}, 3);
}

static void test_keys(void **state)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_deserializer_blob);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("maxBlobLength", "0")), PS_FAIL);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
