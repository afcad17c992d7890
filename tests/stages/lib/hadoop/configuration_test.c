#include "stages/lib/hadoop/configuration.h"

#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/support.h"

static struct ps_err err;

static struct ps_hadoop_configuration *parse(const char *properties)
{
    struct ps_hadoop_configuration *configuration = NULL;
    char xml[8192];
    snprintf(xml, sizeof xml, "<?xml version=\"1.0\"?>\n<configuration>\n%s</configuration>\n", properties);
    if (ps_hadoop_configuration_parse(&configuration, "hdfs-site.xml", xml, strlen(xml), &err) != PS_OK)
        fail_msg("%s", err.text);
    return configuration;
}

static void expect_text(const struct ps_hadoop_configuration *configuration, const char *key,
                        const char *text)
{
    const char *value = ps_hadoop_configuration_text(configuration, key);
    if (text == NULL)
        assert_null(value);
    else
        assert_string_equal(value != NULL ? value : "(not set)", text);
}

static void test_forms_of_properties(void **state)
{
    struct ps_hadoop_configuration *configuration = parse(
        "<property><name> a </name><value>\n 1 2 \n</value><description>x <b>y</b></description></property>\n"
        "<property name=\"b\" value=\"two\"/>\n"
        "<property><name>c</name><value></value></property>\n"
        "<property><name>d</name></property>\n"
        "<property><value>e</value></property>\n"
        "<property><name>f</name><value><![CDATA[<&>]]> &amp; &#65;</value></property>\n"
        "<property><name>a.final</name><value>1</value><final>true</final></property>\n"
        "<property><name>a.final</name><value>2</value></property>\n"
        "<property><name>g</name><value>1</value><final>false</final></property>\n"
        "<property><name>g</name><value>2</value><source>x.xml</source></property>\n"
        "<property><name>fs.default.name</name><value>hdfs://old:1</value></property>\n"
        "<!-- <property><name>h</name><value>1</value></property> -->\n");
    expect_text(configuration, "a", "1 2");
    expect_text(configuration, "b", "two");
    expect_text(configuration, "c", NULL);
    expect_text(configuration, "d", NULL);
    expect_text(configuration, "f", "<&> & A");
    expect_text(configuration, "a.final", "1");
    expect_text(configuration, "g", "2");
    expect_text(configuration, "fs.defaultFS", "hdfs://old:1");
    expect_text(configuration, "fs.default.name", "hdfs://old:1");
    expect_text(configuration, "h", NULL);
    assert_string_equal(ps_hadoop_configuration_place(configuration, "b"), "hdfs-site.xml:6");
    assert_null(ps_hadoop_configuration_place(configuration, "h"));
    ps_hadoop_configuration_free(configuration);
    expect_text(NULL, "a", NULL);
    ps_hadoop_configuration_free(NULL);
}

static void test_variables(void **state)
{
    setenv("PS_TEST_SET", "value", 1);
    setenv("PS_TEST_EMPTY", "", 1);
    unsetenv("PS_TEST_UNSET");
    setenv("HADOOP_USER_NAME", "alice", 1);
    struct ps_hadoop_configuration *configuration =
        parse("<property><name>base</name><value>/data/${user.name}</value></property>"
              "<property><name>path</name><value>${base}/x-${base}</value></property>"
              "<property><name>unknown</name><value>${no.such}-${base}</value></property>"
              "<property><name>env</name><value>${env.PS_TEST_SET}</value></property>"
              "<property><name>env.default</name><value>${env.PS_TEST_UNSET-a:b}</value></property>"
              "<property><name>env.empty</name><value>[${env.PS_TEST_EMPTY-x}]</value></property>"
              "<property><name>env.or.empty</name><value>[${env.PS_TEST_EMPTY:-x}]</value></property>"
              "<property><name>not.one</name><value>$base ${ba se} ${} $${base</value></property>"
              "<property><name>nested</name><value>${${which}}</value></property>"
              "<property><name>which</name><value>base</value></property>");
    expect_text(configuration, "path", "/data/alice/x-/data/alice");
    expect_text(configuration, "unknown", "${no.such}-${base}");
    expect_text(configuration, "env", "value");
    expect_text(configuration, "env.default", "a:b");
    expect_text(configuration, "env.empty", "[]");
    expect_text(configuration, "env.or.empty", "[x]");
    expect_text(configuration, "not.one", "$base ${ba se} ${} $${base");
    expect_text(configuration, "nested", "/data/alice");
    ps_hadoop_configuration_free(configuration);
    unsetenv("HADOOP_USER_NAME");
}

static void test_typed_values(void **state)
{
    struct ps_hadoop_configuration *configuration =
        parse("<property><name>t</name><value> TRUE </value></property>"
              "<property><name>f</name><value>false</value></property>"
              "<property><name>n</name><value>0x10</value></property>"
              "<property><name>minus</name><value>-5</value></property>"
              "<property><name>b</name><value>128M</value></property>"
              "<property><name>huge</name><value>16e</value></property>"
              "<property><name>s</name><value>2s</value></property>"
              "<property><name>us</name><value>2500us</value></property>"
              "<property><name>word</name><value>many</value></property>");
    assert_true(ps_hadoop_configuration_boolean(configuration, "t", false));
    assert_false(ps_hadoop_configuration_boolean(configuration, "f", true));
    assert_true(ps_hadoop_configuration_boolean(configuration, "word", true));
    assert_true(ps_hadoop_configuration_boolean(configuration, "none", true));
    assert_int_equal(ps_hadoop_configuration_number(configuration, "n", 1), 16);
    assert_int_equal(ps_hadoop_configuration_number(configuration, "minus", 1), 0);
    assert_int_equal(ps_hadoop_configuration_number(configuration, "word", 7), 7);
    assert_int_equal(ps_hadoop_configuration_bytes(configuration, "b", 1), 128 << 20);
    assert_int_equal(ps_hadoop_configuration_bytes(configuration, "huge", 3), 3);
    assert_int_equal(ps_hadoop_configuration_ms(configuration, "s", 1), 2000);
    assert_int_equal(ps_hadoop_configuration_ms(configuration, "us", 1), 2);
    assert_int_equal(ps_hadoop_configuration_ms(configuration, "n", 1), 16);
    assert_int_equal(ps_hadoop_configuration_ms(NULL, "n", 9), 9);
    assert_int_equal(ps_hadoop_configuration_seconds_ms(configuration, "s", 1), 2000);
    assert_int_equal(ps_hadoop_configuration_seconds_ms(configuration, "us", 1), 2);
    assert_int_equal(ps_hadoop_configuration_seconds_ms(configuration, "n", 1), 16000);
    assert_int_equal(ps_hadoop_configuration_seconds_ms(NULL, "n", 9), 9);
    ps_hadoop_configuration_free(configuration);
}

static void test_umask(void **state)
{
    static const struct {
        const char *text;
        unsigned umask;
    } cases[] = {{"022", 022},           {"77", 077},  {"0027", 027}, {"u=rwx,g=rx,o=rx", 022},
                 {"u=rwx,g=rx,o=", 027}, {"a=rwx", 0}, {"=rx", 0222}, {"a=rwx, go-w", 022},
                 {"u=rwx,g+rx", 027}};
    assert_int_equal(ps_hadoop_configuration_umask(NULL), 022);
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char property[256];
        snprintf(property, sizeof property,
                 "<property><name>dfs.umaskmode</name><value>%s</value></property>", cases[i].text);
        struct ps_hadoop_configuration *configuration = parse(property);
        assert_int_equal(ps_hadoop_configuration_umask(configuration), cases[i].umask);
        ps_hadoop_configuration_free(configuration);
    }
}

static void test_broken_files(void **state)
{
    static const struct {
        const char *xml, *error;
    } cases[] = {
        {"", "hdfs-site.xml:1: "},
        {"<configuration>\n<property>\n</configuration>", "hdfs-site.xml:3: mismatched tag"},
        {"<configuration>\n<property><name>a</name>", "hdfs-site.xml:2: "},
        {"<config></config>", "not <configuration>"},
        {"{\"configuration\": 1}", "hdfs-site.xml:1: "},
        {"<configuration>\xff\xfe</configuration>", "not well-formed"},
        {"<configuration><include href=\"/no/such/file.xml\"/></configuration>", "there is no <fallback>"},
        {"<configuration><include/></configuration>", "without href"},
        {"<configuration><include href=\"http://h/x.xml\"><fallback/></include></configuration>",
         "only files"},
        {"<configuration>\n<property><name>dfs.replication</name><value>three</value></property></"
         "configuration>",
         "hdfs-site.xml:2: dfs.replication = 'three' is not a number"},
        {"<configuration><property><name>dfs.replication</name><value>0</value></property></configuration>",
         "not between 1 and 512"},
        {"<configuration><property><name>dfs.block.size</name><value>1x</value></property></configuration>",
         "is not a size"},
        {"<configuration><property><name>dfs.blocksize</name><value>1000</value></property></configuration>",
         "hdfs-site.xml:1: dfs.blocksize = '1000' is not a multiple of 512 (dfs.bytes-per-checksum)"},
        {"<configuration><property><name>dfs.blocksize</name><value>1m</value></property>"
         "<property><name>dfs.bytes-per-checksum</name><value>1000</value></property></configuration>",
         "is not a multiple of 1000"},
        {"<configuration>\n<property><name>dfs.checksum.type</name><value>MD5</value></property>"
         "</configuration>",
         "hdfs-site.xml:2: dfs.checksum.type = 'MD5' is not CRC32C (Hadoop's default), CRC32 or NULL"},
        {"<configuration><property><name>dfs.bytes-per-checksum</name><value>2097152</value></property>"
         "</configuration>",
         "hdfs-site.xml:1: dfs.bytes-per-checksum = '2097152' is not between 1 and 1048576"},
        {"<configuration><property><name>dfs.client-write-packet-size</name><value>64k</value></property>"
         "</configuration>",
         "dfs.client-write-packet-size = '64k' is not a number of bytes, which has no unit here (65536)"},
        {"<configuration><property><name>dfs.write.packet.size</name><value>16777217</value></property>"
         "</configuration>",
         "dfs.client-write-packet-size = '16777217' is not between 1 and 16777216"},
        {"<configuration><property><name>dfs.client.datanode-restart.timeout</name><value>soon</value>"
         "</property></configuration>",
         "dfs.client.datanode-restart.timeout = 'soon' is not a time (60s)"},
        {"<configuration><property><name>dfs.client.pipeline.recovery.max-retries</name><value>many</value>"
         "</property></configuration>",
         "dfs.client.pipeline.recovery.max-retries = 'many' is not a number"},
        {"<configuration><property><name>dfs.client.block.write.replace-datanode-on-failure.policy</name>"
         "<value>SOMETIMES</value></property></configuration>",
         "is not DEFAULT, NEVER or ALWAYS"},
        {"<configuration><property><name>fs.permissions.umask-mode</name><value>u=rwz</value></property>"
         "</configuration>",
         "is not an umask"},
        {"<configuration><property><name>a</name><value>${b}</value></property>"
         "<property><name>b</name><value>${a}</value></property></configuration>",
         "refer to one another"},
        {"<!DOCTYPE c [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"
         "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;\">"
         "<!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;\"><!ENTITY f \"&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;\">"
         "<!ENTITY g \"&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;\"><!ENTITY h \"&g;&g;&g;&g;&g;&g;&g;&g;&g;&g;\">]>"
         "<configuration><property><name>a</name><value>&h;</value></property></configuration>",
         "hdfs-site.xml:1: "},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_hadoop_configuration *configuration = NULL;
        assert_int_equal(ps_hadoop_configuration_parse(&configuration, "hdfs-site.xml", cases[i].xml,
                                                       strlen(cases[i].xml), &err),
                         PS_FAIL);
        assert_null(configuration);
        if (strstr(err.text, cases[i].error) == NULL)
            fail_msg("case %zu: %s", i, err.text);
    }
}

static void test_nested_elements(void **state)
{
    char xml[1024] = "<configuration>";
    struct ps_hadoop_configuration *configuration = NULL;
    for (int i = 0; i < 100; i++)
        strcat(xml, "<a>");
    assert_int_equal(ps_hadoop_configuration_parse(&configuration, "x.xml", xml, strlen(xml), &err), PS_FAIL);
    assert_non_null(strstr(err.text, "nested too deep"));
}

/* ---- directories ---- */

/* A value of 1 MiB is accepted, one byte more is refused, not cut. Text outside of the elements of a property is
 * ignored. */
static void test_long_texts(void **state)
{
    static const char head[] = "<configuration><property><name>a</name><value>",
                      tail[] = "</value><description>x</description></property></configuration>";
    enum { MOST = 1 << 20 };
    char *xml = malloc(MOST + 200);
    assert_non_null(xml);
    for (size_t length = MOST - 1; length <= MOST + 1; length++) {
        struct ps_hadoop_configuration *configuration = NULL;
        memcpy(xml, head, sizeof head - 1);
        memset(xml + sizeof head - 1, 'v', length);
        memcpy(xml + sizeof head - 1 + length, tail, sizeof tail);
        enum ps_status status =
            ps_hadoop_configuration_parse(&configuration, "hdfs-site.xml", xml, strlen(xml), &err);
        assert_int_equal(status, length <= MOST ? PS_OK : PS_FAIL);
        if (status == PS_OK)
            assert_int_equal(strlen(ps_hadoop_configuration_text(configuration, "a")), length);
        else
            assert_non_null(strstr(err.text, "the text is longer than 1 MiB"));
        ps_hadoop_configuration_free(configuration);
    }
    free(xml);
}

static void write_xml(const char *name, const char *properties)
{
    char xml[2048];
    int length = snprintf(xml, sizeof xml, "<configuration>%s</configuration>", properties);
    unlink(ps_test_folder_path(name));
    ps_test_folder_append(name, xml, (size_t)length);
}

static void test_directory(void **state)
{
    struct ps_hadoop_configuration *configuration = NULL;
    const char *folder = ps_test_folder();
    assert_int_equal(ps_hadoop_configuration_load(&configuration, folder, &err), PS_OK); /* empty */
    ps_hadoop_configuration_free(configuration);
    write_xml("core-site.xml",
              "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"more.xml\"/>"
              "<property><name>b</name><value>core</value></property>"
              "<include href=\"none.xml\"><fallback>"
              "<property><name>c</name><value>fallback</value></property></fallback></include>"
              "<include href=\"more.xml\"><fallback>"
              "<property><name>d</name><value>fallback</value></property></fallback></include>");
    write_xml("more.xml", "<property><name>a</name><value>included</value></property>"
                          "<property><name>b</name><value>included</value></property>");
    write_xml("hdfs-site.xml", "<property><name>e</name><value>${a}</value></property>");
    assert_int_equal(ps_hadoop_configuration_load(&configuration, folder, &err), PS_OK);
    expect_text(configuration, "a", "included");
    expect_text(configuration, "b", "included"); /* the second include is read last */
    expect_text(configuration, "c", "fallback");
    expect_text(configuration, "d", NULL);
    expect_text(configuration, "e", "included");
    ps_hadoop_configuration_free(configuration);
    configuration = NULL;
    write_xml("hdfs-site.xml", "<include href=\"hdfs-site.xml\"/>"); /* itself */
    assert_int_equal(ps_hadoop_configuration_load(&configuration, folder, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "include one another"));
    assert_non_null(strstr(err.text, "included here"));
    assert_int_equal(ps_hadoop_configuration_load(&configuration, "/no/such/folder", &err), PS_FAIL);
    assert_non_null(strstr(err.text, "No such file"));
    assert_int_equal(ps_hadoop_configuration_load(&configuration, ps_test_folder_path("more.xml"), &err),
                     PS_FAIL);
    assert_non_null(strstr(err.text, "not a directory"));
}

static void test_where_it_is(void **state)
{
    char directory[PS_HADOOP_DIRECTORY_BYTES];
    setenv("HADOOP_CONF_DIR", "/etc/a", 1);
    setenv("HADOOP_HOME", "/opt/hadoop", 1);
    assert_string_equal(ps_hadoop_configuration_find("/etc/mine", directory), "/etc/mine");
    assert_string_equal(ps_hadoop_configuration_find(NULL, directory), "/etc/a");
    unsetenv("HADOOP_CONF_DIR");
    assert_string_equal(ps_hadoop_configuration_find(NULL, directory), "/opt/hadoop/etc/hadoop");
    unsetenv("HADOOP_HOME");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_of_properties),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_typed_values),
        cmocka_unit_test(test_umask),
        cmocka_unit_test(test_broken_files),
        cmocka_unit_test(test_nested_elements),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test_setup_teardown(test_directory, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test(test_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
