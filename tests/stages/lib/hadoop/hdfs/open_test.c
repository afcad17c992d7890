/* open.c: which file system a URL gives, and which URLs are refused, and why. */
#include "stages/lib/hadoop/hdfs/open.h"

#include "stages/lib/hadoop/configuration.h"
#include "stages/lib/hadoop/hdfs/internal.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <sys/epoll.h>
#include <unistd.h>

static struct ps_datanode_settings opened; /* of the last hdfs:// that was opened with a configuration */

static enum ps_status open_url(const char *url, const struct ps_hadoop_configuration *configuration,
                               struct ps_err *err)
{
    struct ps_port port = {.component = "test", .name = "test", .wake_fd = -1};
    struct ps_hadoop_settings settings = {
        .configuration = configuration, .url = url, .call_timeout_ns = PS_NS_PER_S, .port = &port};
    struct ps_filesystem *filesystem = NULL;
    port.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    enum ps_status status = ps_hadoop_open(&settings, &filesystem, err);
    if (status == PS_OK && configuration != NULL)
        opened = ((struct ps_hdfs *)filesystem)->datanodes; /* the file system is its first member */
    ps_filesystem_close(filesystem);
    close(port.epoll_fd);
    return status;
}

static void test_each_scheme_is_opened(void **state)
{
    static const char *const urls[] = {"file:///",
                                       "FILE://",
                                       "hdfs://127.0.0.1:8020",
                                       "hdfs://127.0.0.1",
                                       "HDFS://127.0.0.1/",
                                       "webhdfs://127.0.0.1:9870",
                                       "swebhdfs://127.0.0.1:9871",
                                       ""};
    struct ps_err err;
    for (size_t i = 0; i < PS_COUNT_OF(urls); i++)
        assert_int_equal(open_url(urls[i], NULL, &err), PS_OK);
}

static void test_another_scheme_is_an_error(void **state)
{
    struct ps_err err;
    assert_int_equal(open_url("gopher://host", NULL, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "gopher://host: no file system has that scheme"));
    assert_int_equal(open_url("hdfs:///", NULL, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "it names no namenode"));
}

static void test_the_default_file_system_is_the_configurations(void **state)
{
    struct ps_hadoop_configuration *configuration;
    struct ps_err err;
    static const char xml[] =
        "<configuration><property><name>fs.defaultFS</name><value>hdfs://127.0.0.1:1/</value>"
        "</property></configuration>";
    ps_test_folder_append("core-site.xml", xml, sizeof xml - 1);
    assert_int_equal(ps_hadoop_configuration_load(&configuration, ps_test_folder(), &err), PS_OK);
    assert_int_equal(open_url("hdfs:///", configuration, &err), PS_OK);
    assert_int_equal(open_url("", configuration, &err), PS_OK);
    ps_hadoop_configuration_free(configuration);
}

/* 0 is no time-out, as for Hadoop's client: datanodes are connected to and given up as with a long one. */
static void test_a_socket_timeout_of_0_is_none(void **state)
{
    struct ps_hadoop_configuration *configuration;
    struct ps_err err;
    static const char xml[] =
        "<configuration><property><name>dfs.client.socket-timeout</name><value>0</value>"
        "</property></configuration>";
    ps_test_folder_append("hdfs-site.xml", xml, sizeof xml - 1);
    assert_int_equal(ps_hadoop_configuration_load(&configuration, ps_test_folder(), &err), PS_OK);
    assert_int_equal(open_url("hdfs://127.0.0.1:8020", configuration, &err), PS_OK);
    assert_int_equal(opened.connect_ns, PS_NS_PER_S / 3);
    assert_true(opened.read_timeout_ns > 86400 * PS_NS_PER_S);
    ps_hadoop_configuration_free(configuration);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_scheme_is_opened),
        cmocka_unit_test(test_another_scheme_is_an_error),
        cmocka_unit_test_setup_teardown(test_the_default_file_system_is_the_configurations,
                                        ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_socket_timeout_of_0_is_none, ps_test_folder_setup,
                                        ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
