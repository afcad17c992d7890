/* The keys of the file channel: refused values, and the places of its files. Its work on events is tested by
 * tests/stages/conformance_channel_test.c. */
#include "core/flow/engine_channel.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_bad_keys_are_refused(void **state)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_channel_file);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("capacity", "5", "transactionCapacity", "6")),
                     PS_FAIL);
    assert_true(
        ps_test_stage_reported(&stage, PS_LOG_ERROR, "transactionCapacity (6) is above capacity (5)"));
    ps_test_stage_fini(&stage);
}

#define PROVIDER "encryption.keyProvider", "KEYFILE"
#define NAMES "encryption.keyProvider.keys", "k1 k2"
#define KEY(name) "encryption.keyProvider.keys." name ".keyFile", "/etc/" name
#define KEYS PROVIDER, NAMES, KEY("k1"), KEY("k2")

static void test_a_directory_of_flume_is_refused(void **state)
{
    struct ps_test_stage stage;
    ps_test_folder_append("log-1.meta", "x", 1);
    ps_test_stage_init(&stage, &ps_channel_file);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("dataDirs", ps_test_folder())), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_FAIL);
    assert_non_null(strstr(stage.err.text, "penstock channel import"));
    ps_test_stage_fini(&stage);
}

static void test_default_directories_are_flumes(void **state)
{
    struct ps_test_stage stage;
    struct ps_fill fill;
    struct stat segment;
    char path[512];
    setenv("HOME", ps_test_folder(), 1);
    ps_test_stage_init(&stage, &ps_channel_file);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("capacity", "7", "transactionCapacity", "7")), PS_OK);
    stage.ops->channel->fill(stage.plan, &fill); /* the engine asks before `build` */
    assert_int_equal(fill.capacity, 7);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    stage.ops->channel->start(stage.plan);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("x"));
    while (stage.ops->channel->put(stage.plan, 0, &lease, &stage.now) != PS_PUT_OK) {
    }
    (void)stage.ops->channel->engine->strip(stage.plan);
    snprintf(path, sizeof path, "%s/.flume/file-channel/checkpoint/state", ps_test_folder());
    assert_int_equal(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/.flume/file-channel/data/000000000001.segment", ps_test_folder());
    assert_int_equal(stat(path, &segment), 0);
    assert_int_equal(segment.st_size, 1 << 20); /* a small channel needs little; later segments are larger */
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_keys_are_refused),
        cmocka_unit_test_setup_teardown(test_a_directory_of_flume_is_refused, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_default_directories_are_flumes, ps_test_folder_setup,
                                        ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
