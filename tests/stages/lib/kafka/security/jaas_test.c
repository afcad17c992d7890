/* Java login configurations: accepted texts, refused texts with the place of the mistake, and the librdkafka properties. */
#include "tests/support/support.h"

#include "stages/lib/kafka/librdkafka/settings.h"
#include "stages/lib/kafka/security/jaas.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <unistd.h>

#define PLAIN "org.apache.kafka.common.security.plain.PlainLoginModule"
#define SCRAM "org.apache.kafka.common.security.scram.ScramLoginModule"
#define KRB5 "com.sun.security.auth.module.Krb5LoginModule"
#define OAUTH "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"

static void test_good(void **state)
{
    static const struct {
        const char *text, *module, *name, *value;
        size_t options;
    } cases[] = {
        {PLAIN " required username=\"u\" password=\"p\";", PLAIN, "password", "p", 2},
        {PLAIN " required password='p' username='u' ;", PLAIN, "username", "u", 2},
        {PLAIN "\n  REQUIRED\n  username = \"u\"\n  password = \"p;=}\" ; ", PLAIN, "password", "p;=}", 2},
        {PLAIN " sufficient;", PLAIN, "password", NULL, 0},
        {PLAIN " required password=\"a\\\"b\\\\c\\'d\\n\\t\";", PLAIN, "password", "a\"b\\c'd\n\t", 1},
        {PLAIN " required password=\"\\101\\60\\7\\344\\400\";", PLAIN, "password", "A0\a\xc3\xa4 0", 1},
        {PLAIN " required password='it\"s';", PLAIN, "password", "it\"s", 1},
        {PLAIN " required password=\"\";", PLAIN, "password", "", 1},
        {PLAIN " required password=\"two\nlines\";", PLAIN, "password", "two\nlines", 1},
        {PLAIN " required password=\"${not} expanded\";", PLAIN, "password", "${not} expanded", 1},
        {PLAIN " required password=\"http://x/*no comment*/\";", PLAIN, "password", "http://x/*no comment*/",
         1},
        {"/* a */ " PLAIN " // b\n required /**/ a=b // c\n;// d", PLAIN, "a", "b", 1},
        {PLAIN " required n=12 m=-1.5 path=/etc/x@REALM:1 t=true;", PLAIN, "path", "/etc/x@REALM:1", 4},
        {PLAIN " required a=1 a=2;", PLAIN, "a", "2", 2},
        {PLAIN " required password=p\xc3\xa4ss;", PLAIN, "password", "p\xc3\xa4ss", 1},
        {"a.B optional x='y';", "a.B", "x", "y", 1},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_jaas_entry entry;
        struct ps_err err = {.length = 0};
        if (ps_kafka_jaas_parse(&entry, cases[i].text, strlen(cases[i].text), &err) != PS_OK)
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_string_equal(entry.module, cases[i].module);
        assert_int_equal(entry.option_count, cases[i].options);
        const char *value = ps_kafka_jaas_option(&entry, cases[i].name);
        if (cases[i].value == NULL)
            assert_null(value);
        else
            assert_string_equal(value, cases[i].value);
        ps_kafka_jaas_fini(&entry);
        assert_null(entry.text);
    }
}

static void test_bad(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "line 1, column 1: no login module"},
        {" // only a comment", "no login module"},
        {";", "line 1, column 1: expected the class name"},
        {"\"" PLAIN "\" required;", "expected the class name"},
        {PLAIN, "one of required"},
        {PLAIN " always;", "line 1, column 57: after the class of the login module"},
        {PLAIN " required", "does not end with ;"},
        {PLAIN " required username=\"u\" password=\"geheim\"", "does not end with ;"},
        {PLAIN " required username;", "has no ="},
        {PLAIN " required username=;", "has no value"},
        {PLAIN " required =x;", "expected an option"},
        {PLAIN " required \"username\"=\"u\";", "expected an option"},
        {PLAIN " required\n username=\"u\n;", "line 2, column 11: a quoted text has no closing quote"},
        {PLAIN " required p=\"u\\", "no closing quote"},
        {PLAIN " required p=\"\\0\";", "NUL"},
        {PLAIN " required; " PLAIN " required;", "more than one login module"},
        {PLAIN " required; /*", "a comment has no end"},
        {"/* " PLAIN " required;", "line 1, column 1: a comment has no end"},
        {"KafkaClient { " PLAIN " required; };", "one of required"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_jaas_entry entry;
        struct ps_err err = {.length = 0};
        assert_int_equal(ps_kafka_jaas_parse(&entry, cases[i].text, strlen(cases[i].text), &err), PS_FAIL);
        if (strstr(err.text, cases[i].message) == NULL || strstr(err.text, "geheim") != NULL)
            fail_msg("%s: expected \"%s\": %s", cases[i].text, cases[i].message, err.text);
        assert_null(entry.text);
    }
}

/* Sizes at and above every limit, NUL bytes, and every prefix of a good text. */
static void test_limits(void **state)
{
    static char text[PS_JAAS_BYTES_MAX + 16];
    struct ps_jaas_entry entry;
    struct ps_err err = {.length = 0};
    memset(text, 'a', sizeof text);
    assert_int_equal(ps_kafka_jaas_parse(&entry, text, sizeof text, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "longer than"));
    assert_int_equal(ps_kafka_jaas_parse(&entry, text, 1000, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "too long"));

    for (unsigned count = PS_JAAS_OPTIONS_MAX; count <= PS_JAAS_OPTIONS_MAX + 1; count++) {
        int length = sprintf(text, "m required");
        for (unsigned i = 0; i < count; i++)
            length += sprintf(text + length, " o%u=v", i);
        text[length++] = ';';
        enum ps_status status = ps_kafka_jaas_parse(&entry, text, (size_t)length, &err);
        assert_int_equal(status, count <= PS_JAAS_OPTIONS_MAX ? PS_OK : PS_FAIL);
        ps_kafka_jaas_fini(&entry);
    }
    for (int length = PS_JAAS_NAME_MAX - 2; length <= PS_JAAS_NAME_MAX; length++) {
        for (unsigned option = 0; option < 2; option++) { /* the class, or the name of an option */
            int class_length = option ? 1 : length, option_length = option ? length : 1;
            int bytes = sprintf(text, "%0*d required %0*d=v;", class_length, 0, option_length, 0);
            assert_int_equal(ps_kafka_jaas_parse(&entry, text, (size_t)bytes, &err),
                             length < PS_JAAS_NAME_MAX ? PS_OK : PS_FAIL);
            ps_kafka_jaas_fini(&entry);
        }
    }
    static const char nul[] = "m required a=\"x\0y\";";
    assert_int_equal(ps_kafka_jaas_parse(&entry, nul, sizeof nul - 1, &err), PS_FAIL);
    assert_int_equal(ps_kafka_jaas_parse(&entry, "m \0", 3, &err), PS_FAIL);

    static const char good[] = "m /* c */ required a=\"x\\101\" b='y' c=z;";
    for (size_t cut = 0; cut < sizeof good - 1; cut++) {
        char *copy = ps_test_exact_copy(good, cut);
        assert_int_equal(ps_kafka_jaas_parse(&entry, copy, cut, &err), PS_FAIL);
        free(copy);
    }
    /* As many octal escapes as fit: the decoded text has room. */
    size_t at = (size_t)sprintf(text, "m required a=\"");
    while (at + 10 < PS_JAAS_BYTES_MAX)
        at += (size_t)sprintf(text + at, "\\377");
    at += (size_t)sprintf(text + at, "\";");
    assert_int_equal(ps_kafka_jaas_parse(&entry, text, at, &err), PS_OK);
    ps_kafka_jaas_fini(&entry);
}

static const char *property(const void *argument, const char *name)
{
    return strcmp(name, "etc") == 0 ? "/etc/kafka" : NULL;
}

static void test_file(void **state)
{
    static const char text[] =
        "// brokers\nKafkaServer { " PLAIN " required user_a='b'; };\n"
        "KafkaClient {\n  " KRB5 " required useKeyTab=true keyTab=\"${etc}/flume.keytab\"\n"
        "  principal=\"flume@EXAMPLE\" serviceName=\"kafka\";\n  " PLAIN " optional; };\nClient{};";
    struct ps_jaas_entry entry;
    struct ps_err err = {.length = 0};
    if (ps_kafka_jaas_parse_file(&entry, text, strlen(text), "KafkaClient", property, NULL, &err) != PS_OK)
        fail_msg("%s", err.text);
    assert_string_equal(entry.module, KRB5);
    assert_string_equal(ps_kafka_jaas_option(&entry, "keyTab"), "/etc/kafka/flume.keytab");
    ps_kafka_jaas_fini(&entry);

    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "no section KafkaClient"},
        {"Other { " PLAIN " required; };", "no section KafkaClient"},
        {"KafkaClient { };", "no section KafkaClient"}, /* without a login module */
        {"KafkaClient " PLAIN " required;", "expected {"},
        {"KafkaClient { " PLAIN " required; }", "ends with };"},
        {"KafkaClient { " PLAIN " required;", "or }"},
        {"{ }", "expected the name"},
        {"KafkaClient { " PLAIN " required a=\"${unset}\"; };", "${...}, that is not set"},
        {"KafkaClient { " PLAIN " required a=\"${unclosed\"; };", "${...}"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(bad); i++) {
        assert_int_equal(ps_kafka_jaas_parse_file(&entry, bad[i].text, strlen(bad[i].text), "KafkaClient",
                                                  property, NULL, &err),
                         PS_FAIL);
        if (strstr(err.text, bad[i].message) == NULL)
            fail_msg("%s: %s", bad[i].text, err.text);
    }
    assert_int_equal(ps_kafka_jaas_read(&entry, "/nowhere/jaas.conf", "KafkaClient", NULL, NULL, &err),
                     PS_FAIL);
    assert_non_null(strstr(err.text, "No such file"));
    assert_non_null(strstr(err.text, "/nowhere/jaas.conf (java.security.auth.login.config)"));
    char path[] = "/tmp/penstock-jaas-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    assert_int_equal(ps_kafka_jaas_read(&entry, path, "KafkaServer", property, NULL, &err), PS_OK);
    assert_string_equal(ps_kafka_jaas_option(&entry, "user_a"), "b");
    ps_kafka_jaas_fini(&entry);
    unlink(path);
}

static char notes_text[4096];

static void note(void *argument, enum ps_log_level severity, const char *key, const char *message)
{
    size_t length = strlen(notes_text);
    snprintf(notes_text + length, sizeof notes_text - length, "%d %s: %s\n", (int)severity, key, message);
}

static bool append_setting(void *all, const char *name, const char *value)
{
    sprintf((char *)all + strlen(all), "%s=%s\n", name, value);
    return true;
}

static void test_translate(void **state)
{
    static const struct {
        const char *text, *mechanism;
        const char *expected; /* name=value lines in order; NULL: refused */
        const char *message;  /* of the error, or of a note */
    } cases[] = {
        {PLAIN " required username=u password=geheim;", "PLAIN", "sasl.password=geheim\nsasl.username=u\n",
         NULL},
        {SCRAM " required password=\"geheim\" username=\"u\";", "SCRAM-SHA-512",
         "sasl.password=geheim\nsasl.username=u\n", NULL},
        {"io.confluent.PlainLoginModule required username=u password=geheim;", NULL,
         "sasl.password=geheim\nsasl.username=u\n", "set sasl.mechanism = PLAIN"},
        {PLAIN " required username=u password=geheim user_x=y;", "PLAIN",
         "sasl.password=geheim\nsasl.username=u\n", "option user_x"},
        {PLAIN " required username=u;", "PLAIN", NULL, "needs the option password"},
        {PLAIN " required password=geheim;", "PLAIN", NULL, "needs the option username"},
        {SCRAM " required username=u password=geheim tokenauth=true;", "SCRAM-SHA-256", NULL, "tokenauth"},
        {KRB5 " required useKeyTab=true storeKey=true keyTab=\"/etc/passwd\" principal=\"f/h@R\" "
              "serviceName=kafka;",
         NULL,
         "sasl.kerberos.keytab=/etc/passwd\nsasl.kerberos.principal=f/h@R\n"
         "sasl.kerberos.service.name=kafka\n",
         NULL},
        {KRB5 " required keyTab='FILE:/etc/passwd' principal='x';", NULL,
         "sasl.kerberos.keytab=/etc/passwd\nsasl.kerberos.principal=x\n", NULL},
        {KRB5 " required keyTab='ANY:file:/etc/passwd' principal='x';", NULL,
         "sasl.kerberos.keytab=/etc/passwd\nsasl.kerberos.principal=x\n", NULL},
        {KRB5 " required useTicketCache=true;", NULL, "sasl.kerberos.min.time.before.relogin=0\n", NULL},
        {KRB5 " required useKeyTab=true;", NULL, NULL, "keyTab"},
        {KRB5 " required keyTab='/etc/f.keytab';", NULL, NULL, "principal"},
        {KRB5 " required keyTab='/etc/f.keytab' principal='x; rm -rf /';", NULL, NULL, "shell"},
        {KRB5 " required keyTab='/etc/none.keytab' principal='x';", NULL, NULL, "cannot read the keyTab"},
        {KRB5 " required keyTab='$(reboot)' principal='x';", NULL, NULL, "shell"},
        {OAUTH " required unsecuredLoginStringClaim_sub='alice';", "OAUTHBEARER",
         "enable.sasl.oauthbearer.unsecure.jwt=true\nsasl.oauthbearer.config=principal=alice\n", NULL},
        {OAUTH " required clientId=c clientSecret=geheim scope=s;", "OAUTHBEARER",
         "sasl.oauthbearer.client.id=c\nsasl.oauthbearer.client.secret=geheim\n"
         "sasl.oauthbearer.method=oidc\nsasl.oauthbearer.scope=s\n",
         NULL},
        {OAUTH " required;", "OAUTHBEARER", NULL, "clientId"},
        {"com.example.MyModule required;", NULL, NULL, "com.example.MyModule is a Java class"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_jaas_entry entry;
        struct ps_err err = {.length = 0};
        struct ps_kafka_settings settings;
        const struct ps_notes notes = {.report = note};
        notes_text[0] = '\0';
        ps_kafka_settings_init(&settings);
        if (cases[i].mechanism != NULL)
            ps_kafka_text_set(&settings.texts.mechanism, cases[i].mechanism);
        assert_int_equal(ps_kafka_jaas_parse(&entry, cases[i].text, strlen(cases[i].text), &err), PS_OK);
        enum ps_status status = ps_kafka_jaas_translate(&entry, "sasl.jaas.config", &settings, &notes, &err);
        if ((status == PS_OK) != (cases[i].expected != NULL))
            fail_msg("%s: %s", cases[i].text, err.text);
        if (cases[i].expected != NULL) {
            char all[2048] = "";
            ps_kafka_text_set(&settings.texts.mechanism, NULL);
            ps_kafka_settings_each(&settings, append_setting, all);
            assert_string_equal(all, cases[i].expected);
        }
        const char *said = cases[i].expected != NULL ? notes_text : err.text;
        if (cases[i].message != NULL && strstr(said, cases[i].message) == NULL)
            fail_msg("%s: expected \"%s\": %s", cases[i].text, cases[i].message, said);
        if (cases[i].message == NULL)
            assert_string_equal(notes_text, "");
        assert_null(strstr(notes_text, "geheim"));
        assert_null(strstr(err.text, "geheim"));
        ps_kafka_settings_fini(&settings);
        ps_kafka_jaas_fini(&entry);
    }
}

static void test_settings(void **state)
{
    struct ps_kafka_settings settings;
    ps_kafka_settings_init(&settings);
    for (unsigned i = 0; i < 100; i++) {
        char name[32], value[32];
        sprintf(name, "name.%u", i % 60);
        sprintf(value, "%u", i);
        ps_kafka_settings_set(&settings, name, value);
    }
    assert_int_equal(settings.other_count, 60);
    assert_string_equal(ps_kafka_settings_other(&settings, "name.39"), "99");
    assert_string_equal(ps_kafka_settings_other(&settings, "name.40"), "40");
    assert_null(ps_kafka_settings_other(&settings, "name.60"));
    ps_kafka_settings_set(&settings, "name.1",
                          ps_kafka_settings_other(&settings, "name.1")); /* its own value */
    assert_string_equal(ps_kafka_settings_other(&settings, "name.1"), "61");
    ps_kafka_settings_fini(&settings);
    assert_int_equal(settings.other_count, 0);

    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct ps_err err = {.length = 0};
    ps_kafka_settings_init(&settings);
    ps_kafka_settings_set(&settings, "linger.ms", "7");
    ps_kafka_settings_set(&settings, "acks", "1"); /* a topic property */
    assert_int_equal(ps_kafka_settings_apply(&settings, NULL, conf, &err), PS_OK);
    char value[64];
    size_t size = sizeof value;
    assert_int_equal(rd_kafka_conf_get(conf, "linger.ms", value, &size), RD_KAFKA_CONF_OK);
    assert_string_equal(value, "7");
    assert_int_equal(ps_kafka_settings_try(&settings, "linger.ms", "soon", &err), PS_FAIL);
    assert_non_null(strstr(err.text, "linger.ms = soon"));
    rd_kafka_conf_destroy(conf);
    ps_kafka_settings_fini(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good), cmocka_unit_test(test_bad),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_file), cmocka_unit_test(test_translate), cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
