/* The memory shared with the Java host: areas are its parts, and the process's limit of file sizes applies to it. */
#include "stages/lib/java/exchange/region.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/support.h"

#define STEP_BYTES (64U << 10)
#define LEAST_BYTES (16U << 20)

static struct ps_java_region *create(void)
{
    struct ps_err err = {.length = 0};
    struct ps_java_region *region = ps_java_region_create(&err);
    if (region == NULL)
        fail_msg("%s", err.text);
    return region;
}

static uint64_t size_of(const struct ps_java_region *region)
{
    struct stat status;
    assert_int_equal(fstat(ps_java_region_fd(region), &status), 0);
    return (uint64_t)status.st_size;
}

static void test_areas(void **)
{
    struct ps_err err = {.length = 0};
    struct ps_java_region *region = create();
    struct ps_java_area areas[3], between;
    for (size_t i = 0; i < PS_COUNT_OF(areas); i++) {
        assert_true(ps_java_area_take(region, STEP_BYTES + 1, &areas[i], &err));
        assert_int_equal(areas[i].size, 2 * STEP_BYTES);
        assert_int_equal(areas[i].offset, i * 2 * STEP_BYTES);
        memset(areas[i].memory, 'a' + (int)i, areas[i].size);
    }
    ps_java_area_give(&areas[1]);
    assert_true(
        ps_java_area_take(region, 3 * STEP_BYTES, &between, &err)); /* the area does not fit into the gap */
    assert_int_equal(between.offset, 6 * STEP_BYTES);
    assert_true(ps_java_area_take(region, 2 * STEP_BYTES, &areas[1], &err));
    assert_int_equal(areas[1].offset, 2 * STEP_BYTES);
    assert_int_equal(areas[1].memory[0], 0); /* memory that was given back is empty */
    assert_int_equal(areas[0].memory[2 * STEP_BYTES - 1], 'a');
    assert_int_equal(areas[2].memory[0], 'c');
    ps_java_region_release(region); /* the areas keep the region */
    for (size_t i = 0; i < PS_COUNT_OF(areas); i++)
        ps_java_area_give(&areas[i]);
    ps_java_area_give(&between);
    ps_java_area_give(&between);
}

static void test_sealed(void **)
{
    struct ps_java_region *region = create();
    uint64_t size = size_of(region);
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN); /* the size may be at the limit */
    assert_int_equal(ftruncate(ps_java_region_fd(region), 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(ps_java_region_fd(region), (off_t)(2 * size)), -1);
    assert_int_equal(size_of(region), size);
    signal(SIGXFSZ, before);
    ps_java_region_release(region);
}

/* Returns a region that was made under this limit of file sizes, or NULL. */
static struct ps_java_region *create_limited(rlim_t bytes, struct ps_err *err)
{
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = bytes, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct ps_java_region *region = ps_java_region_create(err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    return region;
}

static void test_limit_of_file_sizes(void **)
{
    struct ps_err err = {.length = 0};
    struct ps_java_area area, more;
    struct ps_java_region *region = create_limited(LEAST_BYTES + 1000, &err);
    assert_non_null(region);
    assert_int_equal(size_of(region), LEAST_BYTES);
    assert_true(ps_java_area_take(region, LEAST_BYTES - STEP_BYTES, &area, &err));
    assert_false(ps_java_area_take(region, 2 * STEP_BYTES, &more, &err));
    assert_string_equal(
        err.text, "no memory to share with Java: 128 KiB are wanted, and the 16 MiB that the limit of file "
                  "sizes (ulimit -f, LimitFSIZE= of a service) allows are in use; raise it");
    assert_true(ps_java_area_take(region, STEP_BYTES, &more, &err));
    memset(more.memory, 1, more.size);
    ps_java_area_give(&area);
    ps_java_area_give(&more);
    ps_java_region_release(region);
}

/* A sink would wait for its areas for ever, and nobody would say why. */
static void test_limit_of_file_sizes_is_too_low(void **)
{
    struct ps_err err = {.length = 0};
    assert_null(create_limited(LEAST_BYTES - 1, &err));
    assert_string_equal(err.text,
                        "no memory to share with Java: the limit of file sizes (ulimit -f, LimitFSIZE= of a "
                        "service) is below 16 MiB; raise it");
}

static void test_refused(void **)
{
    struct ps_err err = {.length = 0};
    struct ps_java_region *region = create();
    struct ps_java_area area;
    assert_false(ps_java_area_take(region, 0, &area, &err));
    assert_null(area.region);
    assert_false(ps_java_area_take(region, (UINT64_C(1) << 30) + 1, &area, &err));
    assert_non_null(strstr(err.text, " are more than Java can be given at a time: 1 GiB is the limit"));
    ps_java_area_give(&area);
    ps_java_region_release(region);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_areas),
        cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_limit_of_file_sizes),
        cmocka_unit_test(test_limit_of_file_sizes_is_too_low),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
