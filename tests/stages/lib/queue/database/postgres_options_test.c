/* The options that libpq gets from the channel's keys, the URL and a properties file. */
#include "stages/lib/queue/database/postgres_options.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

static struct ps_test_stage stage;
static struct ps_database_settings settings;

static enum ps_status options_of(const struct ps_database_plan *plan, const char *text)
{
    struct ps_jdbc_url url;
    settings = (struct ps_database_settings){.kind = PS_DATABASE_POSTGRES};
    assert_int_equal(ps_jdbc_url_read(stage.arena, text, &url, &stage.err), PS_OK);
    return ps_postgres_options(plan, &stage.context, &url, &settings, &stage.err);
}

static void assert_option(const char *name, const char *value)
{
    const char *is = ps_pairs_get(&settings.options, name);
    if (is == NULL || strcmp(is, value) != 0)
        fail_msg("%s is %s, not %s", name, is != NULL ? is : "not set", value);
}

static void test_defaults(void **state)
{
    assert_int_equal(options_of(&(struct ps_database_plan){.user = "flume"}, "jdbc:postgresql:/"), PS_OK);
    assert_option("host", "localhost");
    assert_option("port", "5432");
    assert_option("dbname", "flume");
    assert_option("user", "flume");
    assert_option("client_encoding", "UTF8");
    assert_option("application_name", "penstock");
    assert_option("keepalives_idle", "20"); /* a server that is gone is detected within a minute */
    assert_option("keepalives_interval", "5");
    assert_option("keepalives_count", "3");
    assert_option("tcp_user_timeout", "30000");
    assert_null(ps_pairs_get(&settings.options, "password"));
    assert_string_equal(settings.label, "flume@localhost:5432/flume");
}

static void test_parameters_of_the_driver(void **state)
{
    assert_int_equal(options_of(&(struct ps_database_plan){.password = "s3cret"},
                                "jdbc:postgresql://h/db?user=u&ssl=true&sslrootcert=/ca.pem&ApplicationName=x"
                                "&targetServerType=master&reWriteBatchedInserts=true"),
                     PS_OK);
    assert_option("sslmode", "verify-full");
    assert_option("sslrootcert", "/ca.pem");
    assert_option("application_name", "x");
    assert_option("target_session_attrs", "primary");
    assert_option("password", "s3cret");
    assert_string_equal(settings.label, "u@h:5432/db");
    assert_null(ps_pairs_get(&settings.options, "reWriteBatchedInserts"));
    assert_false(ps_postgres_option_known("reWriteBatchedInserts"));
    assert_true(ps_postgres_option_known("SSLMode"));
    assert_int_equal(options_of(&(struct ps_database_plan){.user = "u"}, "jdbc:postgresql://h/db?ssl=false"),
                     PS_OK);
    assert_null(ps_pairs_get(&settings.options, "sslmode"));
    assert_int_equal(
        options_of(&(struct ps_database_plan){.user = "u"}, "jdbc:postgresql://h/db?targetServerType=x"),
        PS_FAIL);
    assert_non_null(strstr(stage.err.text, "targetServerType x"));
}

/* db.username overrides the file, as in Flume; the URL overrides both, as in the driver. */
static void test_a_properties_file(void **state)
{
    static const char text[] = "# of the driver\nuser : from file\npassword = p\\u0040ss\nsslmode=require\n";
    ps_test_folder_append("p", text, sizeof text - 1);
    struct ps_database_plan plan = {.properties_file = ps_test_folder_path("p")};
    assert_int_equal(options_of(&plan, "jdbc:postgresql://h/db"), PS_OK);
    assert_option("user", "from file");
    assert_option("password", "p@ss");
    assert_option("sslmode", "require");
    plan.user = "key";
    assert_int_equal(options_of(&plan, "jdbc:postgresql://h/db?sslmode=disable"), PS_OK);
    assert_option("user", "key");
    assert_option("sslmode", "disable");
    plan.properties_file = ps_test_folder_path("not-there");
    assert_int_equal(options_of(&plan, "jdbc:postgresql://h/db"), PS_FAIL);
    assert_non_null(strstr(stage.err.text, "not-there"));
}

static int set_up(void **state)
{
    ps_test_stage_init(&stage, &ps_channel_jdbc);
    return ps_test_folder_setup(state);
}

static int tear_down(void **state)
{
    ps_test_stage_fini(&stage);
    return ps_test_folder_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parameters_of_the_driver, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_properties_file, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
