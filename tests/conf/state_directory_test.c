/* Which directory an agent keeps what its next life needs: each agent of a machine has its own. */
#include "conf/state_directory.h"

#include "tests/support/arena.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct ps_pair home = {.key = "user.home", .value = "/srv/me"};

static struct ps_conf make(const char *path, const char *given)
{
    static struct ps_conf_origin origin;
    origin = (struct ps_conf_origin){.uri = path, .path = path};
    return (struct ps_conf){.plan_arena = ps_test_arena(),
                            .agent = {.name = "a/1", .options = {.state_directory = given}},
                            .system = {1, &home},
                            .origin_count = path != NULL,
                            .origins = &origin};
}

static const char *directory(const char *path, const char *given)
{
    struct ps_conf conf = make(path, given);
    return ps_conf_state_directory(&conf);
}

static void assert_begins(const char *text, const char *with)
{
    assert_non_null(text);
    if (strncmp(text, with, strlen(with)) != 0)
        fail_msg("%s does not begin with %s", text, with);
}

static void test_given(void **state)
{
    setenv("STATE_DIRECTORY", "/var/lib/penstock", 1);
    assert_string_equal(directory("/etc/a.properties", "/data/state"), "/data/state");
    assert_string_equal(directory(NULL, "/data/state"), "/data/state");
    assert_string_equal(directory("/etc/a.properties", "~/state"), "/srv/me/state");
}

static void test_derived(void **state)
{
    setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two", 1);
    assert_begins(directory("/etc/a.properties", NULL), "/var/lib/one/penstock-state/a_1-");
    unsetenv("STATE_DIRECTORY");
    assert_begins(directory("/etc/a.properties", NULL), "/srv/me/.flume/penstock-state/a_1-");
    setenv("STATE_DIRECTORY", "", 1);
    assert_begins(directory("/etc/a.properties", NULL), "/srv/me/.flume/penstock-state/a_1-");
    assert_null(directory(NULL, NULL));
}

/* Without HOME the user's entry says where its home is, as in Java and in shells. A HOME that is no path is none. */
static void test_no_home(void **state)
{
    const struct passwd *user = getpwuid(geteuid());
    struct ps_conf conf = make("/etc/a.properties", NULL);
    char below[512];
    snprintf(below, sizeof below, "%.400s/.flume/penstock-state/a_1-", user != NULL ? user->pw_dir : "");
    conf.system.count = 0;
    unsetenv("STATE_DIRECTORY");
    for (int i = 0; i < 2 && user != NULL; i++) {
        i == 0 ? unsetenv("HOME") : setenv("HOME", "", 1);
        assert_begins(ps_conf_state_directory(&conf), below);
    }
    setenv("HOME", "here", 1);
    assert_null(ps_conf_state_directory(&conf));
}

/* Agents of one name, but of two files, have two directories. A file has one, whatever its name is from here, and also when its name
 * is a link that leads elsewhere after a change, as in a ConfigMap. */
static void test_files(void **state)
{
    unsetenv("STATE_DIRECTORY");
    ps_test_folder_append("one", "", 0);
    ps_test_folder_append("two", "", 0);
    const char *one = directory(ps_test_folder_path("one"), NULL);
    assert_string_not_equal(one, directory(ps_test_folder_path("two"), NULL));
    assert_int_equal(symlink(ps_test_folder_path("one"), ps_test_folder_path("link")), 0);
    const char *link = directory(ps_test_folder_path("link"), NULL);
    assert_int_equal(unlink(ps_test_folder_path("link")), 0);
    assert_int_equal(symlink(ps_test_folder_path("two"), ps_test_folder_path("link")), 0);
    assert_string_equal(link, directory(ps_test_folder_path("link"), NULL));
    assert_int_equal(chdir(ps_test_folder()), 0);
    assert_string_equal(one, directory("one", NULL));
    assert_int_equal(chdir("/"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_given), cmocka_unit_test(test_derived), cmocka_unit_test(test_no_home),
        cmocka_unit_test_setup_teardown(test_files, ps_test_folder_setup, ps_test_folder_teardown)};
    return cmocka_run_group_tests(tests, ps_test_arena_setup, ps_test_arena_teardown);
}
