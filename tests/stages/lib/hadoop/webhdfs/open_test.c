/* Opening WebHDFS: servers, users, certificates and defaults from the URL and the configuration. */
#include "tests/support/webhdfs_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stages/lib/hadoop/configuration.h"
#include "tests/support/support.h"

#define STATUS "200 {\"FileStatus\":{\"pathSuffix\":\"\",\"length\":5,\"type\":\"FILE\"}}"
#define STANDBY "403 {\"RemoteException\":{\"exception\":\"StandbyException\"}}"

static struct ps_test_webhdfs first, second, datanode;
static struct ps_test_webhdfs_client client;
static struct ps_test_file_result result;
static struct ps_hadoop_configuration *configuration;
static struct ps_port port;
static struct ps_hadoop_settings settings;
static struct ps_err err;

static int set_up(void **state)
{
    setenv("HADOOP_USER_NAME", "joe", 1);
    first = second = (struct ps_test_webhdfs){.datanode = &datanode};
    datanode = (struct ps_test_webhdfs){.datanode = NULL};
    ps_test_webhdfs_start(&first);
    ps_test_webhdfs_start(&second);
    ps_test_webhdfs_start(&datanode);
    ps_test_webhdfs_client_init(&client, NULL, 0);
    port = (struct ps_port){.epoll_fd = client.epoll_fd, .wake_fd = -1};
    settings = (struct ps_hadoop_settings){.call_timeout_ns = PS_TEST_WEBHDFS_TIMEOUT_MS * PS_NS_PER_MS,
                                           .port = &port};
    result = (struct ps_test_file_result){.calls = 0};
    return 0;
}

static int tear_down(void **state)
{
    if (client.filesystem != NULL)
        ps_test_webhdfs_client_close(&client);
    else
        close(client.epoll_fd);
    ps_hadoop_configuration_free(configuration);
    configuration = NULL;
    ps_test_webhdfs_stop(&first);
    ps_test_webhdfs_stop(&second);
    ps_test_webhdfs_stop(&datanode);
    return 0;
}

/* Settings: key, value, .., NULL; %1 and %2 in a value: the ports of the servers. */
static void configure(const char *const *pairs)
{
    char *xml;
    size_t length;
    FILE *out = open_memstream(&xml, &length);
    fputs("<configuration>", out);
    for (; *pairs != NULL; pairs += 2) {
        fprintf(out, "<property><name>%s</name><value>", pairs[0]);
        for (const char *at = pairs[1]; *at != '\0'; at++) {
            if (*at == '%')
                fprintf(out, "%u", *++at == '1' ? first.peer.port : second.peer.port);
            else
                fputc(*at, out);
        }
        fputs("</value></property>", out);
    }
    fputs("</configuration>", out);
    fclose(out);
    assert_int_equal(ps_hadoop_configuration_parse(&configuration, "hdfs-site.xml", xml, length, &err),
                     PS_OK);
    settings.configuration = configuration;
    free(xml);
}

static void open_url(const char *format, unsigned number)
{
    char url[128];
    snprintf(url, sizeof url, format, number);
    settings.url = url;
    if (ps_webhdfs_open(&settings, &client.filesystem, &err) != PS_OK)
        fail_msg("%s", err.text);
}

static void stat_file(void)
{
    ps_file_stat(client.filesystem, "/f", ps_test_file_done, &result);
    ps_test_file_expect(&client, &result, PS_FILE_OK);
}

static void test_host_and_port(void **unused)
{
    settings.proxy_user = "ann";
    open_url("webhdfs://127.0.0.1:%u/logs", first.peer.port);
    ps_test_webhdfs_play(&first, PS_WORDS(STATUS));
    stat_file();
    ps_test_webhdfs_expect(&first, "GET /webhdfs/v1/f?op=GETFILESTATUS&user.name=joe&doas=ann \n");
}

/* A delegation token names the user: the user of the process may be another one, and the namenode refuses two. */
static void test_delegation_token(void **unused)
{
    static const char file[] = "HDTS\0\1\5alias\2id\3key\x12WEBHDFS delegation\0\0";
    char path[] = "/tmp/penstock-test-tokens-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, file, sizeof file - 1), sizeof file - 1);
    close(fd);
    configure(PS_WORDS("hadoop.security.authentication", "kerberos"));
    setenv("HADOOP_TOKEN_FILE_LOCATION", path, 1);
    open_url("webhdfs://127.0.0.1:%u", first.peer.port);
    unsetenv("HADOOP_TOKEN_FILE_LOCATION");
    unlink(path);
    ps_test_webhdfs_play(&first, PS_WORDS(STATUS));
    stat_file();
    ps_test_webhdfs_expect(&first, "GET /webhdfs/v1/f?op=GETFILESTATUS&delegation="
                                   "AmlkA2tleRJXRUJIREZTIGRlbGVnYXRpb24A \n");
}

static void test_name_service(void **unused)
{
    configure(PS_WORDS("dfs.nameservices", "ns", "dfs.ha.namenodes.ns", "nn1, nn2",
                       "dfs.namenode.http-address.ns.nn1", "127.0.0.1:%1", "dfs.namenode.http-address.ns.nn2",
                       "0.0.0.0:%2", "dfs.namenode.rpc-address.ns.nn2", "127.0.0.1:8020"));
    open_url("webhdfs://ns", 0);
    ps_test_webhdfs_play(&first, PS_WORDS(STANDBY));
    ps_test_webhdfs_play(&second, PS_WORDS(STATUS));
    stat_file();
    ps_test_webhdfs_expect(&second, "GET /webhdfs/v1/f?op=GETFILESTATUS&user.name=joe \n");
}

static void test_creation(void **unused)
{
    configure(PS_WORDS("dfs.replication", "2", "dfs.blocksize", "64m"));
    open_url("webhdfs://127.0.0.1:%u", first.peer.port);
    ps_test_webhdfs_play(&first, PS_WORDS("307"));
    ps_test_webhdfs_play(&datanode, PS_WORDS("201"));
    struct ps_file_stream *stream = ps_file_create(client.filesystem, "/f", ps_test_file_done, &result);
    ps_test_file_expect(&client, &result, PS_FILE_OK);
    ps_test_webhdfs_expect(&first, "PUT /webhdfs/v1/f?op=CREATE&overwrite=false&replication=2&"
                                   "blocksize=67108864&user.name=joe \n");
    ps_file_abandon(stream);
}

static void test_trust_store(void **unused)
{
    ps_test_webhdfs_stop(&second);
    second = (struct ps_test_webhdfs){.peer = {.tls_on = true}};
    ps_test_webhdfs_start(&second);
    configure(PS_WORDS("ssl.client.truststore.location", ps_test_certificate_file(),
                       "ssl.client.truststore.type", "PEM", "dfs.ha.namenodes.ns", "one",
                       "dfs.namenode.https-address.ns.one", "127.0.0.1:%2"));
    open_url("swebhdfs://ns", 0);
    ps_test_webhdfs_play(&second, PS_WORDS(STATUS));
    stat_file();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_host_and_port), TEST(test_delegation_token), TEST(test_name_service),
        TEST(test_creation),      TEST(test_trust_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
