/* The header with a file's path is a header of the batch as long as all events of the batch are of one file. A file without events leaves nothing
 * behind. */
#include "stages/lib/spool/headers.h"

#include "core/flow/bump.h"
#include "stages/lib/spool/spool_internal.h"
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

static struct ps_depot *depot;
static struct ps_pool *pool;
static struct ps_bump bump;

static int setup(void **state)
{
    struct ps_err err = {.length = 0};
    depot = ps_depot_create(UINT64_C(64) * PS_BLOCK_BYTES, &err);
    pool = depot != NULL ? ps_pool_create(depot, 0) : NULL;
    if (pool == NULL)
        return 1;
    ps_bump_init(&bump, pool);
    return 0;
}

static int teardown(void **state)
{
    ps_bump_fini(&bump);
    ps_pool_destroy(pool);
    ps_depot_destroy(depot);
    return 0;
}

static void is_shared(const struct ps_batch *batch, const struct ps_name *name, const char *value)
{
    const struct ps_header *header = ps_header_find(batch->shared, name);
    assert_int_equal(header != NULL, value != NULL);
    if (value == NULL)
        return;
    assert_int_equal(header->value_length, strlen(value));
    assert_memory_equal(header->value, value, header->value_length);
}

static void test_files(void **state)
{
    const struct ps_name *path = ps_name_intern("file"), *base = ps_name_intern("basename");
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){.mono_ns = 1});
    assert_true(ps_spool_header_ready(batch, NULL, "/a")); /* no such header is wanted */
    is_shared(batch, path, NULL);
    assert_true(ps_spool_header_ready(batch, path, "/an/empty/file"));
    assert_true(ps_spool_header_ready(batch, path, "/a")); /* the first one had no event */
    is_shared(batch, path, "/a");
    assert_true(ps_spool_header_ready(batch, base, "a"));
    assert_non_null(ps_batch_add_copy(batch, "event", 5));
    assert_true(ps_spool_header_ready(batch, path, "/a"));
    assert_true(ps_spool_header_ready(batch, base, "a"));
    assert_true(ps_spool_header_ready(batch, NULL, "/b"));
    assert_false(batch->full);
    is_shared(batch, path, "/a");
    is_shared(batch, base, "a");
    ps_batch_chain(batch);
    ps_batch_give(batch);
}

/* Near misses of the value: each ends the batch. */
static void test_other_files(void **state)
{
    static const char *const others[] = {"/b", "/", "/ab", "", "/A"};
    const struct ps_name *path = ps_name_intern("file"), *base = ps_name_intern("basename");
    for (size_t i = 0; i < PS_COUNT_OF(others); i++) {
        struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){.mono_ns = 1});
        assert_true(ps_spool_header_ready(batch, path, "/a"));
        assert_non_null(ps_batch_add_copy(batch, "event", 5));
        assert_false(ps_spool_header_ready(batch, path, others[i]));
        assert_true(batch->full);
        is_shared(batch, path, "/a");
        batch->full = false;
        assert_false(ps_spool_header_ready(batch, base, "a")); /* its first event has none */
        assert_true(batch->full);
        ps_batch_chain(batch);
        ps_batch_give(batch);
    }
}

static void test_absolute_paths(void **state)
{
    static const struct {
        const char *working, *path, *absolute;
    } rows[] = {
        {NULL, "/a/b", "/a/b"}, {"/w", "a/b", "/w/a/b"}, {"/", "a/b", "/a/b"}, {"/w/x", ".", "/w/x/."}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char *kept = NULL, *path = strdup(rows[i].path);
        struct ps_spool_file file = {.path = path};
        const char *first = ps_spool_absolute_path(rows[i].working, &file, &kept);
        assert_string_equal(first, rows[i].absolute);
        assert_ptr_equal(ps_spool_absolute_path(rows[i].working, &file, &kept), first);
        assert_int_equal(kept != NULL, rows[i].working != NULL);
        free(kept);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_files, setup, teardown),
        cmocka_unit_test(test_absolute_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
