/* Which components of Flume's own run in Java: those with `penstock.engine = java`, and those that use a class that exists only in
 * Java; and what `check` reports when that is impossible. */
#include "tests/support/support.h"

#include "conf/diff.h"
#include "stages/lib/java/class_path.h"
#include "tests/support/folder.h"
#include "tests/support/java_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUME "org/apache/flume/"
#define INTERFACE .more_access = 0x0600

static const struct ps_test_class flume[] = {
    {.name = FLUME "Sink", INTERFACE},
    {.name = FLUME "Source", INTERFACE},
    {.name = FLUME "Channel", INTERFACE},
    {.name = FLUME "interceptor/Interceptor$Builder", INTERFACE},
    {.name = FLUME "source/http/HTTPSourceHandler", INTERFACE},
    {.name = FLUME "serialization/EventSerializer$Builder", INTERFACE},
    {.name = FLUME "serialization/EventDeserializer$Builder", INTERFACE},
    {.name = FLUME "sink/hdfs/SequenceFileSerializer$Builder", INTERFACE},
    {.name = FLUME "source/http/HTTPSource", .interfaces = {FLUME "Source"}},
    {.name = FLUME "source/http/JSONHandler", .interfaces = {FLUME "source/http/HTTPSourceHandler"}},
    {.name = FLUME "source/AvroSource", .interfaces = {FLUME "Source"}},
    {.name = FLUME "source/SpoolDirectorySource", .interfaces = {FLUME "Source"}},
    {.name = FLUME "sink/AvroSink", .interfaces = {FLUME "Sink"}},
    {.name = FLUME "sink/kafka/KafkaSink", .interfaces = {FLUME "Sink"}},
    {.name = FLUME "sink/hdfs/HDFSEventSink", .interfaces = {FLUME "Sink"}},
    {.name = FLUME "channel/MemoryChannel", .interfaces = {FLUME "Channel"}},
    {.name = FLUME "interceptor/RegexExtractorInterceptorSerializer", INTERFACE},
    {.name = FLUME "interceptor/RegexExtractorInterceptor$Builder",
     .interfaces = {FLUME "interceptor/Interceptor$Builder"}},
    {.name = FLUME "interceptor/HostInterceptor$Builder",
     .interfaces = {FLUME "interceptor/Interceptor$Builder"}},
    {.name = NULL}};
static const struct ps_test_class own[] = {
    {.name = "example/Handler", .interfaces = {FLUME "source/http/HTTPSourceHandler"}},
    {.name = "example/Pairs$Builder", .interfaces = {FLUME "serialization/EventDeserializer$Builder"}},
    {.name = "example/Pairs"},
    {.name = "Lonely", .interfaces = {FLUME "Source"}},
    {.name = "LonelyHandler", .interfaces = {FLUME "source/http/HTTPSourceHandler"}},
    {.name = "Lonely$Serializer", .interfaces = {FLUME "serialization/EventSerializer$Builder"}},
    {.name = "example/Source", .interfaces = {FLUME "Source"}},
    {.name = "example/Sink", .interfaces = {FLUME "Sink"}},
    {.name = "example/Filter$Builder", .interfaces = {FLUME "interceptor/Interceptor$Builder"}},
    {.name = "example/Number", .interfaces = {FLUME "interceptor/RegexExtractorInterceptorSerializer"}},
    {.name = "example/Framed$Builder", .interfaces = {FLUME "serialization/EventSerializer$Builder"}},
    {.name = "example/Records$Builder", .interfaces = {FLUME "sink/hdfs/SequenceFileSerializer$Builder"}},
    {.name = FLUME "serialization/FlumeEventCSVSerializer$Builder",
     .interfaces = {FLUME "serialization/EventSerializer$Builder"}},
    {.name = NULL}};

static int setup(void **state)
{
    ps_test_java_conf_setup(state, flume, own);
    return 0;
}

#define FIRST_LINE 10 /* of `lines` */

static struct ps_conf *load(const char *source, const char *sink, const char *lines)
{
    char text[1024];
    snprintf(text, sizeof text,
             "a1.sources = r1 r2\na1.channels = c1\na1.sinks = k1\na1.sources.r2.type = seq\n"
             "a1.sources.r2.channels = c1\na1.sources.r1.channels = c1\na1.channels.c1.type = memory\n"
             "a1.sources.r1.type = %s\na1.sinks.k1.type = %s\n%sa1.sinks.k1.channel = c1\n",
             source, sink, lines);
    return ps_test_java_conf_load(text);
}

static const struct ps_conf_source *source_r1(const struct ps_conf *conf)
{
    for (size_t i = 0; i < conf->agent.source_count; i++)
        if (strcmp(conf->agent.sources[i].part.name, "r1") == 0)
            return &conf->agent.sources[i];
    return NULL;
}

/* ---- what runs in Java ---- */

struct row {
    const char *source, *sink, *lines;
    const char *source_runs, *sink_runs; /* the stage; NULL: it is dropped */
    const char *said;                    /* message about the first of `lines` */
};

#define HTTP "a1.sources.r1.port = 1\na1.sources.r1.bind = 127.0.0.1\n"
#define NOTE(key, class, jar)                                                                                \
    "a.properties:10: note: " key ": the class `" class "` of @/" jar ".jar runs in Java"

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ps_conf *conf = load(rows[i].source, rows[i].sink, rows[i].lines);
        const struct ps_conf_source *source = source_r1(conf);
        print_message("%s", rows[i].lines);
        assert_string_equal(ps_test_java_conf_said(conf, FIRST_LINE), rows[i].said);
        assert_int_equal(source != NULL, rows[i].source_runs != NULL);
        if (source != NULL)
            assert_string_equal(source->part.ops->name, rows[i].source_runs);
        assert_int_equal(conf->agent.sink_count, rows[i].sink_runs != NULL);
        if (rows[i].sink_runs != NULL)
            assert_string_equal(conf->agent.sinks[0].part.ops->name, rows[i].sink_runs);
        ps_conf_destroy(conf);
    }
}

static void test_the_engine_key(void **state)
{
    static const struct row rows[] = {
        {"seq", "avro", "a1.sinks.k1.penstock.engine = java\n", "seq", "java",
         NOTE("a1.sinks.k1.penstock.engine", "org.apache.flume.sink.AvroSink", "lib/flume")},
        {"seq", "org.apache.flume.sink.kafka.KafkaSink", "a1.sinks.k1.penstock.engine = JAVA\n", "seq",
         "java", NOTE("a1.sinks.k1.penstock.engine", "org.apache.flume.sink.kafka.KafkaSink", "lib/flume")},
        {"seq", "null", "a1.sinks.k1.penstock.engine = native\n", "seq", "null", ""},
        {"seq", "null", "a1.sinks.k1.penstock.engine = jvm\n", "seq", NULL,
         "a.properties:10: error: a1.sinks.k1.penstock.engine: \"jvm\" is not a valid word; one of: native, "
         "java"},
        {"seq", "org.apache.flume.sink.kafka.KafkaSink", "a1.sinks.k1.penstock.engine = jvm\n", "seq", NULL,
         "a.properties:10: error: a1.sinks.k1.penstock.engine: \"jvm\" is not a valid word; one of: "
         "native, "
         "librdkafka, java"},
        {"seq", "null", "a1.sinks.k1.penstock.engine = java\n", "seq", NULL,
         "a.properties:10: error: a1.sinks.k1.penstock.engine: Flume's own class is to run in Java, and "
         "Flume has no sink `org.apache.flume.sink.NullSink`, and none of the 2 jars of the class path "
         "has it; "
         "set FLUME_HOME to the folder of Flume, which has its jars in lib"},
    };
    check_rows(rows, PS_COUNT_OF(rows));
}

/* Examples have classes without a package. */
static void test_classes_without_a_package(void **state)
{
    static const struct row rows[] = {
        {"http", "null", "a1.sources.r1.handler = LonelyHandler\n" HTTP, "java", "null",
         NOTE("a1.sources.r1.handler", "org.apache.flume.source.http.HTTPSource", "lib/flume")},
        {"http", "null", "a1.sources.r1.handler = LonelyHandle\n" HTTP, NULL, "null",
         "a.properties:10: dropped: a1.sources.r1.handler: LonelyHandle is not known; the known handlers are "
         "org.apache.flume.source.http.JSONHandler, org.apache.flume.source.http.BLOBHandler and "
         "org.apache.flume.sink.solr.morphline.BlobHandler, and classes of the class path"},
        {"Lonely", "null", "a1.sources.r1.anything = x\n", "java", "null", ""},
        {"lonely", "null", "a1.sources.r1.anything = x\n", NULL, "null", ""},
        {"seq", "hdfs", "a1.sinks.k1.serializer = Lonely$Serializer\na1.sinks.k1.hdfs.path = /x\n", "seq",
         "java", NOTE("a1.sinks.k1.serializer", "org.apache.flume.sink.hdfs.HDFSEventSink", "lib/flume")},
    };
    check_rows(rows, PS_COUNT_OF(rows));
}

#define EXTRACTOR(CLASS)                                                                                     \
    "a1.sources.r1.interceptors.i1.serializers.s2.type = " CLASS                                             \
    "\na1.sources.r1.interceptors = i1\na1.sources.r1.interceptors.i1.type = regex_extractor\n"              \
    "a1.sources.r1.interceptors.i1.regex = (a)(b)\na1.sources.r1.interceptors.i1.serializers = s1 s2\n"      \
    "a1.sources.r1.interceptors.i1.serializers.s1.name = x\n"                                                \
    "a1.sources.r1.interceptors.i1.serializers.s2.name = y\n"

static void test_classes_inside(void **state)
{
    static const struct row rows[] = {
        {"http", "null", "a1.sources.r1.handler = example.Handler\n" HTTP, "java", "null",
         NOTE("a1.sources.r1.handler", "org.apache.flume.source.http.HTTPSource", "lib/flume")},
        {"http", "null", "a1.sources.r1.handler = org.apache.flume.source.http.JSONHandler\n" HTTP, "http",
         "null", ""},
        {"http", "null", "a1.sources.r1.handler = example.Handlr\n" HTTP, NULL, "null",
         "a.properties:10: dropped: a1.sources.r1.handler: Flume has no handler `example.Handlr`, and "
         "none of "
         "the 2 jars of the class path has it; did you mean example.Handler?"},
        {"http", "null", "a1.sources.r1.handler = example.Pairs$Builder\n" HTTP, NULL, "null",
         "a.properties:10: dropped: a1.sources.r1.handler: the class `example.Pairs$Builder` of @/own.jar "
         "cannot "
         "be used as the handler: it does not implement org.apache.flume.source.http.HTTPSourceHandler; it "
         "is another kind: "
         "deserializer; use it for a component of that kind, and name a class that implements "
         "org.apache.flume.source.http.HTTPSourceHandler here"},
        {"spooldir", "null",
         "a1.sources.r1.deserializer = example.Pairs$Builder\na1.sources.r1.spoolDir = /tmp\n", "java",
         "null",
         NOTE("a1.sources.r1.deserializer", "org.apache.flume.source.SpoolDirectorySource", "lib/flume")},
        {"spooldir", "null", "a1.sources.r1.deserializer = example.Pairs\na1.sources.r1.spoolDir = /tmp\n",
         NULL, "null",
         "a.properties:10: dropped: a1.sources.r1.deserializer: the class `example.Pairs` of @/own.jar is "
         "not "
         "org.apache.flume.serialization.EventDeserializer$Builder, which is what Flume loads; write "
         "example.Pairs$Builder"},
        {"spooldir", "null", "a1.sources.r1.deserializer = LINE\na1.sources.r1.spoolDir = /tmp\n", "spooldir",
         "null", ""},
        {"seq", "hdfs", "a1.sinks.k1.serializer = example.Framed$Builder\na1.sinks.k1.hdfs.path = /x\n",
         "seq", "java",
         NOTE("a1.sinks.k1.serializer", "org.apache.flume.sink.hdfs.HDFSEventSink", "lib/flume")},
        {"seq", "hdfs",
         "a1.sinks.k1.serializer = "
         "org.apache.flume.serialization.FlumeEventCSVSerializer$Builder\na1.sinks.k1.hdfs.path = /x\n",
         "seq", "java",
         NOTE("a1.sinks.k1.serializer", "org.apache.flume.sink.hdfs.HDFSEventSink", "lib/flume")},
        {"seq", "hdfs",
         "a1.sinks.k1.hdfs.writeFormat = example.Records$Builder\na1.sinks.k1.hdfs.path = /x\n", "seq",
         "java",
         NOTE("a1.sinks.k1.hdfs.writeFormat", "org.apache.flume.sink.hdfs.HDFSEventSink", "lib/flume")},
        {"seq", "null", EXTRACTOR("example.Number"), "seq", "null",
         NOTE("a1.sources.r1.interceptors.i1.serializers.s2.type",
              "org.apache.flume.interceptor.RegexExtractorInterceptor$Builder", "lib/flume")},
        {"seq", "null", EXTRACTOR("example.Numbr"), NULL, "null",
         "a.properties:10: dropped: a1.sources.r1.interceptors.i1.serializers.s2.type: Flume has no "
         "serializer `example.Numbr`, and none of the 2 jars of the class path has it; did you mean "
         "example.Number?"},
        {"seq", "null",
         EXTRACTOR("org.apache.flume.interceptor.RegexExtractorInterceptorPassThroughSerializer"), "seq",
         "null", ""},
        {"seq", "null",
         EXTRACTOR("ORG.apache.flume.Interceptor.regexExtractorInterceptorPassThroughSerializer"), "seq",
         "null", ""},
        {"seq", "file_roll",
         "a1.sinks.k1.sink.serializer = example.Framed$Builder\na1.sinks.k1.sink.directory = /tmp\n", "seq",
         NULL,
         "a.properties:10: error: a1.sinks.k1.sink.serializer: a serializer in Java needs Flume's own sink, "
         "and "
         "Flume has no sink `org.apache.flume.sink.RollingFileSink`, and none of the 2 jars of the class "
         "path has "
         "it; set FLUME_HOME to the folder of Flume, which has its jars in lib"},
    };
    check_rows(rows, PS_COUNT_OF(rows));
}

/* `check` names the user's class as well as Flume's class that calls it. */
static void test_where_the_class_inside_is(void **state)
{
    static const struct {
        const char *source, *lines, *noted;
    } rows[] = {
        {"http", "a1.sources.r1.handler = example.Handler\n" HTTP,
         "a1.sources.r1.handler: the class `example.Handler` of %s/own.jar is a handler of this source"},
        {"seq", EXTRACTOR("example.Number"),
         "a1.sources.r1.interceptors.i1.serializers.s2.type: the class `example.Number` of %s/own.jar is a "
         "serializer of this interceptor"},
        /* a name that is repeated in the list: once */
        {"seq", EXTRACTOR("example.Number") "a1.sources.r1.interceptors.i1.serializers = s2 s2\n",
         "a1.sources.r1.interceptors.i1.serializers.s2.type: the class `example.Number` of %s/own.jar is a "
         "serializer of this interceptor"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_conf *conf = load(rows[i].source, "null", rows[i].lines);
        char noted[300];
        size_t count = 0;
        snprintf(noted, sizeof noted, rows[i].noted, ps_test_folder());
        for (size_t k = 0; k < conf->problems.count; k++)
            count += strstr(ps_problem_text(conf->arena, &conf->problems.items[k]), noted) != NULL;
        assert_int_equal(count, 1);
        ps_conf_destroy(conf);
    }
}

/* Each of several classes inside of a component is looked for. */
static void test_the_second_class_is_missing(void **state)
{
    struct ps_conf *conf = load("seq", "null",
                                "a1.sources.r1.interceptors.i1.serializers.s1.type = "
                                "example.Numbr\n" EXTRACTOR("example.Number"));
    struct ps_conf *other = load("seq", "null",
                                 "a1.sources.r1.interceptors.i1.serializers.s1.type = "
                                 "example.Number\n" EXTRACTOR("example.Numbr"));
    assert_null(source_r1(conf));
    assert_null(source_r1(other));
    assert_non_null(strstr(ps_test_java_conf_said(conf, FIRST_LINE), "did you mean example.Number?"));
    assert_non_null(strstr(ps_test_java_conf_said(other, FIRST_LINE + 1), "did you mean example.Number?"));
    ps_conf_destroy(conf);
    ps_conf_destroy(other);
}

/* A required key whose class is nowhere is not called missing, too. */
static void test_one_message_for_a_missing_class(void **state)
{
    struct ps_conf *conf =
        load("seq", "hive",
             "a1.sinks.k1.serializer = org.example.None\na1.sinks.k1.hive.metastore = thrift://h:1\n"
             "a1.sinks.k1.hive.database = d\na1.sinks.k1.hive.table = t\n");
    size_t about = 0;
    for (size_t i = 0; i < conf->problems.count; i++)
        about += strstr(ps_problem_text(conf->arena, &conf->problems.items[i]), "k1.serializer") != NULL;
    assert_int_equal(about, 1);
    assert_non_null(
        strstr(ps_test_java_conf_said(conf, FIRST_LINE), "Flume has no serializer `org.example.None`"));
    assert_int_equal(conf->agent.sink_count, 0);
    ps_conf_destroy(conf);
}

/* One word may name a source and a sink: each has its own class. */
static void test_classes_by_kind(void **state)
{
    struct ps_conf *conf = load("avro", "avro",
                                "a1.sinks.k1.penstock.engine = java\na1.sources.r1.penstock.engine = "
                                "java\na1.sources.r2.interceptors = i1\na1.sources.r2.interceptors.i1.type = "
                                "host\na1.sources.r2.interceptors.i1.penstock.engine = java\n");
    const struct ps_pairs *classes = &conf->class_path->classes;
    assert_string_equal(ps_pairs_get(classes, "source avro"), "org.apache.flume.source.AvroSource");
    assert_string_equal(ps_pairs_get(classes, "sink avro"), "org.apache.flume.sink.AvroSink");
    assert_string_equal(ps_pairs_get(classes, "interceptor host"),
                        "org.apache.flume.interceptor.HostInterceptor$Builder");
    const struct ps_conf_source *source = source_r1(conf);
    assert_string_equal(source->part.ops->name, "java");
    for (size_t i = 0; i < conf->agent.source_count; i++)
        if (&conf->agent.sources[i] != source) {
            assert_int_equal(conf->agent.sources[i].interceptor_count, 1);
            assert_string_equal(conf->agent.sources[i].interceptors[0].ops->name, "java");
        }
    assert_int_equal(conf->problems.errors, 0);
    ps_conf_destroy(conf);
}

static size_t chain_of(const char *interceptors, const char **left)
{
    char text[2048];
    snprintf(
        text, sizeof text,
        "a1.sources = r1\na1.channels = c1\na1.sinks = k1\na1.channels.c1.type = memory\na1.sinks.k1.type = "
        "null\n"
        "a1.sinks.k1.channel = c1\na1.sources.r1.type = example.Source\na1.sources.r1.channels = c1\n"
        "a1.sources.r1.interceptors = %s\na1.sources.r1.interceptors.j.type = example.Filter$Builder\n"
        "a1.sources.r1.interceptors.j2.type = example.Filter$Builder\n"
        "a1.sources.r1.interceptors.h.type = host\na1.sources.r1.interceptors.t.type = timestamp\n"
        "a1.sources.r1.interceptors.u.type = org.apache.flume.sink.solr.morphline.UUIDInterceptor$Builder\n"
        "a1.sources.r1.interceptors.n.type = host\na1.sources.r1.interceptors.n.penstock.engine = native\n",
        interceptors);
    struct ps_conf *conf = ps_test_java_conf_load(text);
    assert_int_equal(conf->problems.errors, 0);
    const struct ps_conf_source *source = source_r1(conf);
    assert_non_null(source);
    const char *count = ps_pairs_get(&source->part.pairs, "penstock.interceptors");
    static char names[100];
    names[0] = '\0';
    for (size_t i = 0; i < source->interceptor_count; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s:%s", i > 0 ? " " : "",
                 source->interceptors[i].name, source->interceptors[i].ops->name);
    size_t result = count != NULL ? strtoul(count, NULL, 10) : 0;
    *left = names;
    ps_conf_destroy(conf);
    return result;
}

/* The first interceptors of a Java source, up to the last in Java, run with it. */
static void test_interceptors_of_a_java_source(void **state)
{
    static const struct {
        const char *interceptors;
        size_t count;
        const char *left;
    } rows[] = {
        {"j", 1, ""},
        {"h", 0, "h:host"},
        {"h j", 2, ""},
        {"j h", 1, "h:host"},
        {"h j t", 2, "t:timestamp"},
        {"u j", 0, "u:uuid j:java"}, /* that class is not among Flume's own jars */
        {"j u j2", 1, "u:uuid j2:java"},
        {"n j", 0, "n:host j:java"}, /* it says that it is native */
        {"h t", 0, "h:host t:timestamp"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const char *left;
        print_message("%s\n", rows[i].interceptors);
        assert_int_equal(chain_of(rows[i].interceptors, &left), rows[i].count);
        assert_string_equal(left, rows[i].left);
    }
}

/* The file of a Java source with two interceptors that it runs itself and one that it does not, with `from` replaced. */
static struct ps_agent_spec *spec_with(const char *from, const char *to)
{
    static const char file[] =
        "a1.sources = r1\na1.channels = c1\na1.sinks = k1\na1.channels.c1.type = memory\na1.sinks.k1.type = "
        "null\n"
        "a1.sinks.k1.channel = c1\na1.sources.r1.type = example.Source\na1.sources.r1.channels = c1\n"
        "a1.sources.r1.interceptors = h j t\na1.sources.r1.interceptors.h.type = host\n"
        "a1.sources.r1.interceptors.h.hostHeader = one\na1.sources.r1.interceptors.j.type = "
        "example.Filter$Builder\n"
        "a1.sources.r1.interceptors.j.mode = first\na1.sources.r1.interceptors.t.type = timestamp\n"
        "a1.sources.r1.interceptors.t.headerName = then\na1.sources.r1.interceptors.j2.mode = other\n";
    char text[2048];
    const char *at = strstr(file, from);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - file), file, to, at + strlen(from));
    struct ps_conf *conf = ps_test_java_conf_load(text);
    assert_int_equal(conf->problems.errors, 0);
    struct ps_agent_spec *spec = ps_conf_take_spec(conf);
    ps_conf_destroy(conf);
    return spec;
}

/* A reload compares a Java source with the interceptors that it runs itself, and others by themselves. */
static void test_changes_of_a_java_chain(void **state)
{
    static const struct {
        const char *from, *to, *text;
    } rows[] = {
        {"mode = first", "mode = first", "nothing changed"},
        {"mode = first", "mode = next", "source r1 changed (interceptors.j.mode)"},
        {"example.Filter$Builder", "host", "source r1 changed (interceptors, interceptors.h.hostHeader, "},
        {"hostHeader = one", "hostHeader = two", "source r1 changed (interceptors.h.hostHeader)"},
        {"headerName = then", "headerName = when", "source r1 changed (interceptors.t.headerName)"},
        {"= h j t", "= j h t", "source r1 changed (interceptors, "},
        {"mode = other", "mode = another", "nothing changed"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_agent_spec *before = spec_with("mode = first", "mode = first"),
                             *after = spec_with(rows[i].from, rows[i].to);
        struct ps_arena *arena = ps_arena_create();
        struct ps_diff diff;
        ps_diff_specs(&diff, arena, before, after);
        const char *text = ps_diff_text(arena, &diff);
        print_message("%s: %s\n", rows[i].to, text);
        assert_memory_equal(text, rows[i].text, strlen(rows[i].text));
        ps_arena_destroy(arena);
        ps_arena_destroy(before->arena);
        ps_arena_destroy(after->arena);
    }
}

/* A path with a time needs the header timestamp: a Java interceptor may set it, one that is known does not. */
static void test_a_timestamp_of_a_java_interceptor(void **state)
{
    (void)state;
    static const struct {
        const char *interceptor;
        bool is_warned;
    } rows[] = {{"host", true}, {"example.Filter$Builder", false}, {"timestamp", false}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "a1.sources = r1\na1.channels = c1\na1.sinks = k1\na1.channels.c1.type = memory\n"
                 "a1.sources.r1.type = seq\na1.sources.r1.channels = c1\na1.sources.r1.interceptors = i\n"
                 "a1.sources.r1.interceptors.i.type = %s\na1.sinks.k1.type = hdfs\n"
                 "a1.sinks.k1.hdfs.path = file:///tmp/%%y\na1.sinks.k1.channel = c1\n",
                 rows[i].interceptor);
        struct ps_conf *conf = ps_test_java_conf_load(text);
        bool is_warned = false;
        for (size_t k = 0; k < conf->problems.count; k++)
            is_warned |= strstr(conf->problems.items[k].what, "needs the header timestamp") != NULL;
        assert_int_equal(conf->problems.errors, 0);
        if (is_warned != rows[i].is_warned)
            fail_msg("%s: %s", rows[i].interceptor, is_warned ? "warned" : "not warned");
        ps_conf_destroy(conf);
    }
}

/* A Java source and a Java sink get a key with the transactionCapacity of their channels. Native components and interceptors do
 * not. */
static void test_capacities_of_channels(void **state)
{
    (void)state;
    static const char text[] =
        "a1.sources = r1 r2\na1.channels = c1 c2 c3\na1.sinks = k1 k2\n"
        "a1.channels.c1.type = memory\na1.channels.c2.type = memory\na1.channels.c3.type = memory\n"
        "a1.channels.c2.capacity = 7000\na1.channels.c2.transactionCapacity = 70\n"
        "a1.sinks.k1.type = example.Sink\na1.sinks.k1.channel = c2\n"
        "a1.sinks.k2.type = null\na1.sinks.k2.channel = c1\n"
        "a1.sources.r1.type = example.Source\na1.sources.r1.channels = c1 c2\n"
        "a1.sources.r2.type = seq\na1.sources.r2.channels = c3\n";
    struct ps_conf *conf = ps_test_java_conf_load(text);
    assert_int_equal(conf->problems.errors, 0);
    assert_int_equal(conf->agent.sink_count, 2);
    assert_int_equal(conf->agent.source_count, 2);
    static const char key[] = "penstock.transactionCapacities";
    assert_string_equal(ps_pairs_get(&source_r1(conf)->part.pairs, key), "c1 100 c2 70");
    for (size_t i = 0; i < 2; i++) {
        const struct ps_conf_part *sink = &conf->agent.sinks[i].part, *source = &conf->agent.sources[i].part;
        const char *told = ps_pairs_get(&sink->pairs, key);
        if (strcmp(sink->name, "k1") == 0)
            assert_string_equal(told, "c2 70");
        else
            assert_null(told);
        if (strcmp(source->name, "r2") == 0)
            assert_null(ps_pairs_get(&source->pairs, key));
    }
    ps_conf_destroy(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_engine_key, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_classes_inside, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_where_the_class_inside_is, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_the_second_class_is_missing, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_one_message_for_a_missing_class, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_classes_without_a_package, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_classes_by_kind, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_interceptors_of_a_java_source, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_changes_of_a_java_chain, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_timestamp_of_a_java_interceptor, setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_capacities_of_channels, setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
