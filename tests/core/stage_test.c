/* The stages that an engine accepts: those made for its contract, or for a later one that only adds members at the
 * end. */
#include "core/stage_call.h"
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
    assert_refused(&other, "version 10");
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

static enum ps_status silent_build(void *plan, struct ps_context *context, struct ps_err *err)
{
    return PS_FAIL;
}

static enum ps_status silent_open(const void *plan, void *state, struct ps_port *port, struct ps_err *err)
{
    return *(const bool *)plan ? ps_err_set(err, "no such place") : PS_FAIL;
}

static void test_failures_without_a_reason(void **state)
{
    struct ps_stage_ops other = sink;
    struct ps_err err = {.length = 0};
    bool gives_reason = false;
    assert_int_equal(ps_stage_build(&other, NULL, NULL, &err), PS_OK);
    assert_int_equal(ps_stage_open(&other, NULL, NULL, NULL, &err), PS_OK);
    other.build = silent_build;
    other.open = silent_open;
    assert_int_equal(ps_stage_build(&other, NULL, NULL, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "build of sink example failed and gave no reason"));
    err.length = 0;
    assert_int_equal(ps_stage_open(&other, &gives_reason, NULL, NULL, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "open of sink example failed and gave no reason"));
    gives_reason = true;
    assert_int_equal(ps_stage_open(&other, &gives_reason, NULL, NULL, &err), PS_FAIL);
    assert_string_equal(err.text, "no such place");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures_without_a_reason),
        cmocka_unit_test(test_own_stages_fit),
        cmocka_unit_test(test_another_version),
        cmocka_unit_test(test_a_smaller_stage),
        cmocka_unit_test(test_a_larger_stage),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
