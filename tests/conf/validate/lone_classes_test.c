/* Config filters that are Java classes: the report of `check` without a call of the class, the agent's use of its values,
 * and a class that is missing, cannot be called, or has no value. Key providers of channels as well; `check` only looks for
 * their classes. */
#include "conf/validate/lone_classes.h"
#include "tests/support/support.h"

#include "conf/command/command.h"
#include "tests/support/folder.h"
#include "tests/support/java_conf.h"

#include <stdio.h>
#include <string.h>

#define FLUME "org/apache/flume/"
#define INTERFACE .more_access = 0x0600

static const struct ps_test_class flume[] = {
    {.name = FLUME "configfilter/ConfigFilter", INTERFACE},
    {.name = FLUME "channel/file/encryption/KeyProvider$Builder", INTERFACE},
    {.name = NULL}};
static const struct ps_test_class own[] = {
    {.name = "example/Vault", .interfaces = {FLUME "configfilter/ConfigFilter"}},
    {.name = "example/Sealed", .interfaces = {FLUME "configfilter/ConfigFilter"}},
    {.name = "example/Keys", .interfaces = {FLUME "channel/file/encryption/KeyProvider$Builder"}},
    {.name = "example/Neither"},
    {.name = NULL}};

static int setup(void **state)
{
    ps_test_java_conf_setup(state, flume, own);
    return 0;
}

static unsigned asked;
static bool cannot;

/* Has a value for every key but `none` and `throws`. */
static enum ps_status answer(const struct ps_class_path *path, const char *class_name, const char *name,
                             const struct ps_pairs *settings, const struct ps_texts *keys,
                             struct ps_arena *arena, struct ps_filter_answer *answers, struct ps_err *err)
{
    asked++;
    assert_non_null(path);
    bool sealed = strcmp(class_name, "example.Sealed") == 0;
    assert_string_equal(class_name, sealed ? "example.Sealed" : "example.Vault");
    assert_int_equal(name[0], sealed ? 's' : 'f');
    if (cannot || sealed)
        return ps_err_set(err, "it is sealed");
    for (size_t i = 0; i < keys->count; i++) {
        const char *key = keys->items[i];
        if (strcmp(key, "throws") == 0)
            answers[i].failure = "java.lang.Exception: oops";
        else if (strcmp(key, "port") == 0)
            answers[i].value = ps_pairs_get(settings, "port");
        else if (strcmp(key, "none") != 0)
            answers[i].value = ps_arena_format(arena, "<%s>", key);
    }
    return PS_OK;
}

static struct ps_conf *load(bool ask, const char *type, const char *port, const char *value)
{
    char text[1024];
    snprintf(
        text, sizeof text,
        "a1.configfilters = f1\na1.configfilters.f1.type = %s\na1.configfilters.f1.port = 44444\n"
        "a1.sources = r1\na1.channels = c1\na1.sources.r1.type = netcat\na1.sources.r1.bind = 127.0.0.1\n"
        "a1.sources.r1.port = %s\na1.sources.r1.channels = c1\na1.sources.r1.interceptors = i1\n"
        "a1.sources.r1.interceptors.i1.type = static\na1.sources.r1.interceptors.i1.value = %s\n"
        "a1.channels.c1.type = memory\na1.sinks = k1\na1.sinks.k1.type = null\na1.sinks.k1.channel = c1\n",
        type, port, value);
    asked = 0;
    return ps_test_java_conf_load_with(&(struct ps_command){.agent = "a1", .ask_classes = ask}, text);
}

static const char *pair_of(const struct ps_conf *conf, const char *key)
{
    assert_int_equal(conf->agent.source_count, 1);
    return ps_pairs_get(&conf->agent.sources[0].part.pairs, key);
}

/* `check`: it starts no process, and does not report on a number that is unknown. */
static void test_not_asked(void **state)
{
    struct ps_conf *conf = load(false, "example.Vault", "${f1['port']}", "x${f1[a]}");
    assert_int_equal(asked, 0);
    assert_string_equal(
        ps_test_java_conf_said(conf, 2),
        "a.properties:2: note: a1.configfilters.f1.type: the class `example.Vault` of @/own.jar "
        "is asked in Java when the agent starts");
    assert_string_equal(
        ps_test_java_conf_said(conf, 8),
        "a.properties:8: note: a1.sources.r1.port: the value is not known before the agent "
        "starts and asks the config filter; `penstock check --probe` asks the config filter too");
    assert_int_equal(conf->problems.errors + conf->problems.dropped + conf->problems.warnings, 0);
    ps_conf_destroy(conf);
    conf = load(false, "example.Vault", "${f2['port']}", "x");
    /* the near miss: there is no such filter, so the text is the value */
    assert_string_equal(
        ps_test_java_conf_said(conf, 8),
        "a.properties:8: warning: a1.sources.r1.port: ${f2[port]} is left unchanged: there is "
        "no such config filter");
    assert_int_equal(conf->problems.dropped, 1);
    assert_int_equal(conf->agent.source_count, 0);
    ps_conf_destroy(conf);
}

/* All keys in one question, each once. */
static void test_asked(void **state)
{
    struct ps_conf *conf =
        load(true, "example.Vault", "${f1['port']}", "${f1[a]} ${f1[\"b\"]} ${f1[a]}${f1[none]}");
    assert_int_equal(asked, 1);
    assert_string_equal(pair_of(conf, "port"), "44444");
    assert_string_equal(pair_of(conf, "interceptors.i1.value"), "<a> <b> <a>${f1[none]}");
    assert_int_equal(conf->problems.warnings, 1);
    assert_string_equal(
        ps_test_java_conf_said(conf, 12),
        "a.properties:12: warning: a1.sources.r1.interceptors.i1.value: ${f1[none]} has no value "
        "and is left unchanged");
    ps_conf_destroy(conf);
    conf = load(true, "example.Vault", "${f1['port']}", "${f1[a]} ${f1[throws]} ${f1[b]}");
    assert_string_equal(pair_of(conf, "port"), "44444");
    assert_string_equal(pair_of(conf, "interceptors.i1.value"), "${f1[a]} ${f1[throws]} ${f1[b]}");
    assert_int_equal(conf->problems.warnings, 2);
    assert_string_equal(ps_test_java_conf_said(conf, 12),
                        "a.properties:12: warning: a1.sources.r1.interceptors.i1.value: config filter f1: "
                        "java.lang.Exception: oops");
    ps_conf_destroy(conf);
    conf = load(true, "example.Vault", "44444", "x"); /* nothing refers to it */
    assert_int_equal(asked, 0);
    assert_int_equal(conf->problems.warnings + conf->problems.dropped, 0);
    ps_conf_destroy(conf);
}

static void test_cannot_be_asked(void **state)
{
    cannot = true;
    struct ps_conf *conf = load(true, "example.Vault", "44444", "${f1[a]}");
    cannot = false;
    assert_int_equal(asked, 1);
    assert_string_equal(ps_test_java_conf_said(conf, 1),
                        "a.properties:1: dropped: a1.configfilters: config filter f1: it is sealed");
    assert_string_equal(pair_of(conf, "interceptors.i1.value"), "${f1[a]}");
    ps_conf_destroy(conf);
}

/* A class that cannot be asked, and a filter that cannot be created, do not take others with them, wherever they stand. */
static void test_others_stay(void **state)
{
    static const char *const names[] = {"e1", "s1", "f1", "n1", "x1", "s2", "h1"};
    const size_t count = PS_COUNT_OF(names);
    setenv("PENSTOCK_TEST", "of the environment", 1);
    for (size_t first = 0; first < count; first++) {
        char list[64] = "", text[2048];
        for (size_t i = 0; i < count; i++)
            snprintf(list + strlen(list), sizeof list - strlen(list), " %s", names[(first + i) % count]);
        snprintf(
            text, sizeof text,
            "a1.configfilters =%s\na1.configfilters.e1.type = env\n"
            "a1.configfilters.s1.type = example.Sealed\na1.configfilters.f1.type = example.Vault\n"
            "a1.configfilters.x1.type = external\na1.configfilters.x1.command = echo\n"
            "a1.configfilters.s2.type = example.Sealed\na1.configfilters.n1.type = none\n"
            "a1.configfilters.h1.type = hadoop\n"
            "a1.sources = r1\na1.channels = c1\na1.sources.r1.type = seq\na1.sources.r1.channels = c1\n"
            "a1.sources.r1.interceptors = i1\na1.sources.r1.interceptors.i1.type = static\n"
            "a1.sources.r1.interceptors.i1.value = ${e1[PENSTOCK_TEST]},${s1[a]},${f1[b]},${n1[c]},${x1[d]},"
            "${s2[e]},${h1[f]}\n"
            "a1.channels.c1.type = memory\na1.sinks = k1\na1.sinks.k1.type = null\n"
            "a1.sinks.k1.channel = c1\n",
            list);
        asked = 0;
        struct ps_conf *conf =
            ps_test_java_conf_load_with(&(struct ps_command){.agent = "a1", .ask_classes = true}, text);
        assert_int_equal(asked, 3);
        assert_string_equal(pair_of(conf, "interceptors.i1.value"),
                            "of the environment,${s1[a]},<b>,${n1[c]},d,${s2[e]},${h1[f]}");
        assert_int_equal(conf->problems.dropped, 4); /* s1, s2, n1, h1 */
        ps_conf_destroy(conf);
    }
}

static void test_not_there(void **state)
{
    static const struct {
        const char *type, *said;
    } rows[] = {
        {"example.Valt",
         "a.properties:2: dropped: a1.configfilters.f1.type: Flume has no config filter "
         "`example.Valt`, and none of the 2 jars of the class path has it; did you mean example.Vault?"},
        {"example.Neither",
         "a.properties:2: dropped: a1.configfilters.f1.type: the class `example.Neither` of "
         "@/own.jar cannot be used as the config filter: it does not implement "
         "org.apache.flume.configfilter.ConfigFilter"},
        {"vault",
         "a.properties:2: dropped: a1.configfilters.f1: config filter `vault` is not known; use env, "
         "external or hadoop, or the whole name of a Java class"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_conf *conf = load(true, rows[i].type, "44444", "${f1[a]}");
        assert_int_equal(asked, 0);
        assert_string_equal(ps_test_java_conf_said(conf, 2), rows[i].said);
        assert_string_equal(pair_of(conf, "interceptors.i1.value"), "${f1[a]}");
        ps_conf_destroy(conf);
    }
}

static void test_key_provider(void **state)
{
    static const struct {
        const char *channel, *provider, *said;
        bool runs;
    } rows[] = {
        {"file", "example.Keys",
         "a.properties:7: note: a1.channels.c1.encryption.keyProvider: the class `example.Keys` of @/own.jar "
         "is "
         "asked in Java when the agent starts",
         true},
        {"spillablememory", "example.Keys",
         "a.properties:7: note: a1.channels.c1.encryption.keyProvider: the class `example.Keys` of @/own.jar "
         "is "
         "asked in Java when the agent starts",
         true},
        {"file", "example.Keyz",
         "a.properties:7: dropped: a1.channels.c1.encryption.keyProvider: Flume has no key provider "
         "`example.Keyz`, and none of the 2 jars of the class path has it; did you mean example.Keys?",
         false},
        {"file", "example.Vault",
         "a.properties:7: dropped: a1.channels.c1.encryption.keyProvider: the class `example.Vault` of "
         "@/own.jar "
         "cannot be used as the key provider: it does not implement "
         "org.apache.flume.channel.file.encryption.KeyProvider$Builder",
         false},
        {"file", "KEYSTORE",
         "a.properties:7: dropped: a1.channels.c1.encryption.keyProvider: encryption.keyProvider KEYSTORE is "
         "not "
         "known: KEYFILE, JCEKSFILE, or the whole name of a Java class",
         false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char text[1024];
        snprintf(
            text, sizeof text,
            "a1.sources = r1\na1.channels = c1\na1.sources.r1.type = seq\na1.sources.r1.channels = c1\n"
            "a1.channels.c1.type = %s\na1.channels.c1.encryption.activeKey = today\n"
            "a1.channels.c1.encryption.keyProvider = %s\na1.channels.c1.encryption.keyProvider.seed = 7\n"
            "a1.sinks = k1\na1.sinks.k1.type = null\na1.sinks.k1.channel = c1\n",
            rows[i].channel, rows[i].provider);
        struct ps_conf *conf = ps_test_java_conf_load_with(&(struct ps_command){.agent = "a1"}, text);
        assert_string_equal(ps_test_java_conf_said(conf, 7), rows[i].said);
        assert_int_equal(conf->agent.channel_count, rows[i].runs);
        assert_string_equal(
            ps_test_java_conf_said(conf, 8),
            strcmp(rows[i].provider, "KEYSTORE") != 0
                ? ""
                : "a.properties:8: warning: a1.channels.c1.encryption.keyProvider.seed: is not "
                  "known: only a key provider that is a Java class has keys of its own");
        ps_conf_destroy(conf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_asked),       cmocka_unit_test(test_asked),
        cmocka_unit_test(test_cannot_be_asked), cmocka_unit_test(test_not_there),
        cmocka_unit_test(test_others_stay),     cmocka_unit_test(test_key_provider),
    };
    ps_filter_classes_ask_with(answer);
    return cmocka_run_group_tests(tests, setup, ps_test_folder_teardown);
}
