/* The stages that an engine accepts: those made for its contract, or for a later one that only adds members at the
 * end. */
#include "core/stage.h"

#include <string.h>

#include "stages/table.h"
#include "tests/support/support.h"

static const struct ps_sink_ops sink_ops = {.work = NULL};
static const struct ps_stage_ops sink = {PS_STAGE(PS_KIND_SINK), .name = "example", .sink = &sink_ops};

static void assert_refused(const struct ps_stage_ops *ops, const char *text)
{
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_stage_fits(ops, &err), PS_FAIL);
    if (strstr(err.text, text) == NULL || strstr(err.text, "example") == NULL)
        fail_msg("\"%s\" does not say: %s", err.text, text);
}

static void test_own_stages_fit(void **state)
{
    size_t count = 0;
    struct ps_err err = {.length = 0};
    for (const struct ps_stage_ops *const *stage = ps_stages; *stage != NULL; stage++, count++) {
        if (ps_stage_fits(*stage, &err) != PS_OK)
            fail_msg("%s", err.text);
    }
    assert_true(count > 20);
}

static void test_another_version(void **state)
{
    struct ps_stage_ops other = sink;
    other.contract.version++;
    assert_refused(&other, "version 8");
    other.contract.version = 0; /* PS_STAGE was forgotten */
    assert_refused(&other, "version 0");
}

static void test_a_smaller_stage(void **state)
{
    struct ps_stage_ops other = sink;
    other.contract.bytes -= (uint32_t)sizeof(void *);
    assert_refused(&other, "earlier");
    other = sink;
    other.contract.kind_bytes -= (uint32_t)sizeof(void *);
    assert_refused(&other, "earlier");
}

/* A stage compiled for a later contract of the same version has more functions, which this engine does not call. */
static void test_a_larger_stage(void **state)
{
    struct ps_err err = {.length = 0};
    struct ps_stage_ops other = sink;
    other.contract.bytes += 64;
    other.contract.kind_bytes += 64;
    assert_int_equal(ps_stage_fits(&other, &err), PS_OK);
}

/* Each kind has the bytes of its own functions. */
static void test_kinds(void **state)
{
    struct ps_err err = {.length = 0};
    const struct ps_stage_ops kinds[] = {{PS_STAGE(PS_KIND_SOURCE), .name = "example"},
                                         {PS_STAGE(PS_KIND_INTERCEPTOR), .name = "example"},
                                         {PS_STAGE(PS_KIND_SELECTOR), .name = "example"},
                                         {PS_STAGE(PS_KIND_CHANNEL), .name = "example"},
                                         {PS_STAGE(PS_KIND_SINK), .name = "example"},
                                         {PS_STAGE(PS_KIND_SERIALIZER), .name = "example"},
                                         {PS_STAGE(PS_KIND_DESERIALIZER), .name = "example"}};
    const size_t bytes[] = {sizeof(struct ps_source_ops),      sizeof(struct ps_interceptor_ops),
                            sizeof(struct ps_selector_ops),    sizeof(struct ps_channel_ops),
                            sizeof(struct ps_sink_ops),        sizeof(struct ps_serializer_ops),
                            sizeof(struct ps_deserializer_ops)};
    assert_int_equal(PS_COUNT_OF(kinds), PS_KIND_COUNT);
    for (size_t i = 0; i < PS_COUNT_OF(kinds); i++) {
        assert_int_equal(kinds[i].contract.kind_bytes, bytes[i]);
        assert_int_equal(ps_stage_fits(&kinds[i], &err), PS_OK);
    }
    struct ps_stage_ops none = sink;
    none.kind = PS_KIND_COUNT;
    assert_refused(&none, "has an unknown kind");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_stages_fit),  cmocka_unit_test(test_another_version),
        cmocka_unit_test(test_a_smaller_stage), cmocka_unit_test(test_a_larger_stage),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
