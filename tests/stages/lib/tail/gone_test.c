/* Files that are gone: each is reported once, over several batches if needed, but not if another file has its key. */
#include "stages/lib/tail/gone.h"
#include "core/flow/batch.h"
#include "core/flow/bump.h"
#include "stages/lib/tail/sink_source.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#define FILES 600U /* two batches and a part */

static struct ps_tail_sink_source keeping = {.owner = "0123456789abcdef"};
static unsigned told[FILES];

static bool is_seventh(const void *owner, const char *key)
{
    assert_ptr_equal(owner, told);
    return strtoul(key, NULL, 10) % 7 == 0;
}

static void take(const struct ps_batch *batch)
{
    for (uint32_t i = 0; i < batch->span_count; i++) {
        const struct ps_span *span = &batch->spans[i];
        char key[PS_TAIL_GONE_KEY_BYTES];
        assert_in_range(span->stream, PS_TAIL_GONE_STREAMS, PS_TAIL_KEEPING_QUESTION - 1);
        assert_int_equal(span->pass, PS_TAIL_KEEPING_PASS);
        assert_int_equal(span->position, -1);
        assert_string_equal(span->name->system, "file");
        assert_int_equal(span->name->group.length, 16);
        snprintf(key, sizeof key, "%.*s", (int)span->name->name.length, span->name->name.data);
        told[strtoul(key, NULL, 10)]++;
    }
}

static void test_each_once(void **unused)
{
    struct ps_err err = {0};
    struct ps_depot *depot = ps_depot_create(200 * (uint64_t)PS_BLOCK_BYTES, &err);
    struct ps_pool *pool = ps_pool_create(depot, 0);
    struct ps_bump bump;
    struct ps_tail_gone gone = {.number = PS_TAIL_GONE_STREAMS / 2 - 5}; /* the number starts again from 0
                                                                          * meanwhile */
    ps_bump_init(&bump, pool);
    for (unsigned i = 0; i < FILES; i++) {
        char key[PS_TAIL_GONE_KEY_BYTES];
        snprintf(key, sizeof key, "%u", i);
        ps_tail_gone_add(&gone, key);
    }
    unsigned batches = 0;
    for (bool all = false; !all; batches++) {
        struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
        all = ps_tail_gone_tell(&gone, &keeping, batch, is_seventh, told);
        take(batch);
        ps_batch_give(batch);
    }
    assert_int_equal(batches, 3);
    for (unsigned i = 0; i < FILES; i++)
        assert_int_equal(told[i], i % 7 != 0);
    assert_int_equal(gone.count, 0);
    ps_tail_gone_free(&gone);
    ps_bump_fini(&bump);
    ps_pool_destroy(pool);
    ps_depot_destroy(depot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
