#include "stages/lib/hadoop/hdfs/open.h"
#include "stages/lib/hadoop/hdfs/url.h"

#include "tests/support/support.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char xml[] =
    "<configuration>"
    "<property><name>fs.defaultFS</name><value>viewfs://c1</value></property>"
    "<property><name>fs.viewfs.mounttable.c1.link./logs</name><value>hdfs://nn1:8020/raw</value></property>"
    "<property><name>fs.viewfs.mounttable.c1.link./logs/web</name><value>hdfs://nn2:8020/web</value></"
    "property>"
    "<property><name>dfs.nameservices</name><value>ns1, broken</value></property>"
    "<property><name>dfs.ha.namenodes.ns1</name><value>a,b</value></property>"
    "<property><name>dfs.namenode.rpc-address.ns1.a</name><value>h1:8020</value></property>"
    "<property><name>dfs.namenode.rpc-address.ns1.b</name><value>h2:8020</value></property>"
    "<property><name>dfs.ha.namenodes.broken</name><value>a,b</value></property>"
    "</configuration>";

/* `part` NULL: no message is expected. */
static void expect(const struct ps_hadoop_configuration *configuration, const char *url,
                   enum ps_log_level wanted, const char *part)
{
    enum ps_log_level severity;
    char advice[PS_HADOOP_ADVICE_BYTES] = "";
    bool some = ps_hadoop_url_advise(configuration, url, &severity, advice);
    if (some != (part != NULL) || (some && strstr(advice, part) == NULL))
        fail_msg("%s: %s", url, advice);
    if (some)
        assert_int_equal(severity, wanted);
}

static void test_without_configuration(void **state)
{
    expect(NULL, "/logs/%Y", PS_LOG_ERROR, NULL);
    expect(NULL, "file:///logs", PS_LOG_ERROR, NULL);
    expect(NULL, "file:/logs", PS_LOG_ERROR, NULL);
    expect(NULL, "file://misc/out", PS_LOG_ERROR, "write file:///misc/out (three slashes)");
    expect(NULL, "FILE://localhost/out", PS_LOG_ERROR, "takes no host");
    expect(NULL, "hdfs://nn.example.com/logs", PS_LOG_ERROR, NULL);
    expect(NULL, "hdfs://nn:8020/logs", PS_LOG_ERROR, NULL);
    expect(NULL, "hdfs://localhost/logs", PS_LOG_ERROR, NULL);
    expect(NULL, "webhdfs://nn:9870/logs", PS_LOG_INFO, "APPEND");
    expect(NULL, "swebhdfs://nn:9871/logs", PS_LOG_INFO, "APPEND");
    expect(NULL, "webhdfs://nn:8020/logs", PS_LOG_WARN, "hdfs://nn:8020 speaks RPC");
    expect(NULL, "hdfs://mycluster/logs", PS_LOG_WARN, "name service");
    expect(NULL, "hdfs://nn:9870/logs", PS_LOG_WARN, "webhdfs://nn:9870");
    expect(NULL, "hdfs://[::1]:50070/logs", PS_LOG_WARN, "webhdfs://[::1]:50070");
    expect(NULL, "hdfs://nn.example.com:9866/logs", PS_LOG_WARN, "a datanode's port by default");
    expect(NULL, "hdfs://nn.example.com:9000/logs", PS_LOG_ERROR, NULL);
    expect(NULL, "hdfs://nn:port/logs", PS_LOG_ERROR, "host:port");
    expect(NULL, "hdfs:///logs", PS_LOG_ERROR, "write hdfs://NAMENODE:8020/");
    expect(NULL, "hdfs:/logs", PS_LOG_ERROR, "write hdfs://NAMENODE:8020/");
    expect(NULL, "hdfs://me@nn:8020/logs", PS_LOG_ERROR, NULL);
    expect(NULL, "viewfs://c1/logs", PS_LOG_ERROR, "fs.viewfs.mounttable.c1.link./DIRECTORY");
    expect(NULL, "viewfs:///logs", PS_LOG_ERROR, "mounttable.default.link");
    expect(NULL, "S3A://bucket/logs", PS_LOG_ERROR, "object store");
    expect(NULL, "abfs://c@account/logs", PS_LOG_ERROR, "object store");
    expect(NULL, "ofs://om/v/b", PS_LOG_ERROR, "Ozone");
    expect(NULL, "http://nn:9870/webhdfs/v1/logs", PS_LOG_ERROR, "webhdfs://");
    expect(NULL, "nosuch://x/y", PS_LOG_ERROR, "is not known");
}

static void test_with_configuration(void **state)
{
    struct ps_hadoop_configuration *configuration = NULL;
    struct ps_err err = {0};
    assert_int_equal(
        ps_hadoop_configuration_parse(&configuration, "core-site.xml", xml, sizeof xml - 1, &err), PS_OK);
    expect(configuration, "viewfs://c1/logs/app", PS_LOG_ERROR, "write hdfs://nn1:8020/raw/app");
    expect(configuration, "viewfs://c1/logs/web/x", PS_LOG_ERROR, "write hdfs://nn2:8020/web/x");
    expect(configuration, "viewfs://c1/logs/webx", PS_LOG_ERROR, "write hdfs://nn1:8020/raw/webx");
    expect(configuration, "viewfs://c1/other", PS_LOG_ERROR, "link./DIRECTORY");
    expect(configuration, "/logs/app", PS_LOG_ERROR, "write hdfs://nn1:8020/raw/app");
    expect(configuration, "hdfs://ns1/logs", PS_LOG_ERROR, NULL);
    expect(configuration, "hdfs://broken/logs", PS_LOG_ERROR, "dfs.namenode.rpc-address.broken.a");
    ps_hadoop_configuration_free(configuration);
}

/* A URL without a host means the host of fs.defaultFS if both have the same scheme (FileSystem.get). */
static void test_without_host(void **state)
{
    static const char site[] =
        "<configuration><property><name>fs.defaultFS</name><value>hdfs://nn:9870</value>"
        "</property></configuration>";
    struct ps_hadoop_configuration *configuration = NULL;
    struct ps_err err = {0};
    assert_int_equal(
        ps_hadoop_configuration_parse(&configuration, "core-site.xml", site, sizeof site - 1, &err), PS_OK);
    expect(configuration, "hdfs:///logs", PS_LOG_WARN, "webhdfs://nn:9870");
    expect(configuration, "hdfs:/logs", PS_LOG_WARN, "webhdfs://nn:9870");
    expect(configuration, "viewfs:///logs", PS_LOG_ERROR, "mounttable.default.link");
    assert_string_equal(ps_hadoop_url(configuration, ""), "hdfs://nn:9870");
    assert_string_equal(ps_hadoop_url(configuration, "hdfs://"), "hdfs://nn:9870");
    assert_string_equal(ps_hadoop_url(configuration, "HDFS:"), "hdfs://nn:9870");
    assert_string_equal(ps_hadoop_url(configuration, "hdfs://other"), "hdfs://other");
    assert_string_equal(ps_hadoop_url(configuration, "webhdfs://"), "webhdfs://");
    assert_string_equal(ps_hadoop_url(configuration, "file://"), "file://");
    ps_hadoop_configuration_free(configuration);
    assert_string_equal(ps_hadoop_url(NULL, ""), "file:///");
    assert_string_equal(ps_hadoop_url(NULL, "hdfs://"), "hdfs://");
}

/* The advice names each port that Hadoop gives to another server, with the scheme that this server speaks. All other
 * ports are accepted. */
static void test_every_port(void **unused)
{
    static const struct {
        unsigned port;
        const char *part;
    } named[] = {{9870, "to use that port write webhdfs://nn.x:9870,"},
                 {50070, "to use that port write webhdfs://nn.x:50070,"},
                 {9871, "to use that port write swebhdfs://nn.x:9871,"},
                 {50470, "to use that port write swebhdfs://nn.x:50470,"},
                 {14000, "to use that port write webhdfs://nn.x:14000,"},
                 {9866, "a datanode's port"},
                 {50010, "a datanode's port"},
                 {9867, "a datanode's IPC port"},
                 {50020, "a datanode's IPC port"},
                 {9864, "a datanode's HTTP port"},
                 {50075, "a datanode's HTTP port"},
                 {9868, "the secondary namenode's port"},
                 {50090, "the secondary namenode's port"},
                 {8088, "YARN's HTTP port"}};
    for (unsigned port = 0; port <= 65536; port++) {
        char url[64];
        const char *part = port == 0 || port == 65536 ? "is not host:port" : NULL;
        for (size_t i = 0; i < PS_COUNT_OF(named); i++)
            part = port == named[i].port ? named[i].part : part;
        snprintf(url, sizeof url, "hdfs://nn.x:%u/logs", port);
        expect(NULL, url, port == 0 || port == 65536 ? PS_LOG_ERROR : PS_LOG_WARN, part);
        bool is_rpc = port == 8020 || port == 9000;
        snprintf(url, sizeof url, "webhdfs://nn.x:%u/logs", port);
        if (port > 0 && port < 65536)
            expect(NULL, url, is_rpc ? PS_LOG_WARN : PS_LOG_INFO, is_rpc ? "speaks RPC" : "APPEND");
        else
            expect(NULL, url, PS_LOG_ERROR, "with a port from 1 to 65535");
    }
}

/* Every known scheme, in upper and lower case; a part of one, or one with another letter, is unknown. */
static void test_every_scheme(void **unused)
{
    static const struct {
        const char *schemes, *part;
    } rows[] = {{"s3 s3n s3a gs abfs abfss wasb wasbs adl oss cosn obs swift", "is an object store"},
                {"o3fs ofs o3", "is Apache Ozone"},
                {"har", "is an archive"},
                {"hftp", "write to webhdfs://"},
                {"hsftp", "write to swebhdfs://"},
                {"http", "WebHDFS's URL is webhdfs://"},
                {"https", "with TLS is swebhdfs://"},
                {"ftp sftp", "is not written to"},
                {"maprfs", "is MapR's"},
                {"alluxio", "is Alluxio's"},
                {"x s3x ab hdfsx webhdf filex abcdefghijklmnopqrstuvwxyz01234", "is not known"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        for (const char *at = rows[i].schemes; *at != '\0'; at += strspn(at, " ")) {
            char url[80];
            int length = (int)strcspn(at, " ");
            snprintf(url, sizeof url, "%.*s://h/p", length, at);
            expect(NULL, url, PS_LOG_ERROR, rows[i].part);
            url[0] = (char)toupper((unsigned char)url[0]);
            expect(NULL, url, PS_LOG_ERROR, rows[i].part);
            at += length;
        }
    }
    /* 32 letters are more than a scheme has, so the URL is a path. */
    expect(NULL, "abcdefghijklmnopqrstuvwxyz012345://h/p", PS_LOG_ERROR, NULL);
    expect(NULL, "a/b:/c", PS_LOG_ERROR, NULL);
    expect(NULL, "://h/p", PS_LOG_ERROR, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_host),       cmocka_unit_test(test_without_configuration),
        cmocka_unit_test(test_with_configuration), cmocka_unit_test(test_every_port),
        cmocka_unit_test(test_every_scheme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
