/* Flume's own types, whether or not penstock has them (the component aliases of the Flume user guide, and the
 * Type enums of org.apache.flume.conf). */
#include "conf/validate/types.h"

#include "conf/bind.h"

#include "conf/text.h"
#include "core/text/nearest.h"

#include <string.h>
#include <strings.h>

struct type_row {
    int kind; /* enum ps_kind, or PS_KIND_PROCESSOR */
    const char *name;
    const char *classes[4];              /* 1.x and 2.0 */
    const struct ps_type_advice *advice; /* NULL: penstock has the type, or may get it later */
    const char *plugin;                  /* of `penstock plugin fetch`; NULL: it has none for the type */
};

static const struct ps_type_advice jms = {
    "JMS is an interface of Java, and its messages come through a broker's Java classes",
    "leave it in a Flume whose avro sink feeds an avro source here, or let the broker's Kafka connector "
    "write a topic for a kafka source"};
static const struct ps_type_advice twitter = {
    "in 2023 Twitter switched off the API that this source reads, so Flume's own source gets nothing either",
    "remove it, or let a client of today's API send to an http source"};

#define FLUME "org.apache.flume."

static const struct type_row rows[] = {
    {PS_KIND_SOURCE, "avro", {FLUME "source.AvroSource", FLUME "rpc.avro.source.AvroSource"}},
    {PS_KIND_SOURCE, "thrift", {FLUME "source.ThriftSource", FLUME "rpc.thrift.source.ThriftSource"}},
    {PS_KIND_SOURCE, "exec", {FLUME "source.ExecSource"}},
    {PS_KIND_SOURCE, "netcat", {FLUME "source.NetcatSource", FLUME "source.netcat.NetcatSource"}},
    {PS_KIND_SOURCE, "netcatudp", {FLUME "source.NetcatUdpSource", FLUME "source.netcat.NetcatUdpSource"}},
    {PS_KIND_SOURCE, "seq", {FLUME "source.SequenceGeneratorSource"}},
    {PS_KIND_SOURCE, "syslogtcp", {FLUME "source.SyslogTcpSource", FLUME "source.syslog.SyslogTcpSource"}},
    {PS_KIND_SOURCE,
     "multiport_syslogtcp",
     {FLUME "source.MultiportSyslogTCPSource", FLUME "source.syslog.MultiportSyslogTCPSource"}},
    {PS_KIND_SOURCE, "syslogudp", {FLUME "source.SyslogUDPSource", FLUME "source.syslog.SyslogUDPSource"}},
    {PS_KIND_SOURCE,
     "spooldir",
     {FLUME "source.SpoolDirectorySource", FLUME "rpc.avro.source.SpoolDirectorySource"}},
    {PS_KIND_SOURCE, "taildir", {FLUME "source.taildir.TaildirSource"}},
    {PS_KIND_SOURCE, "http", {FLUME "source.http.HTTPSource", FLUME "http.source.HTTPSource"}},
    {PS_KIND_SOURCE, "jms", {FLUME "source.jms.JMSSource"}, &jms, "jms"},
    {PS_KIND_SOURCE, "embedded", {FLUME "agent.embedded.EmbeddedSource"}},
    {PS_KIND_SOURCE, NULL, {FLUME "source.kafka.KafkaSource"}},
    {PS_KIND_SOURCE, NULL, {FLUME "source.StressSource"}},
    {PS_KIND_SOURCE, NULL, {FLUME "source.scribe.ScribeSource"}},
    {PS_KIND_SOURCE, NULL, {FLUME "source.twitter.TwitterSource"}, &twitter, "twitter"},
    {PS_KIND_SOURCE, NULL, {FLUME "source.avroLegacy.AvroLegacySource"}},
    {PS_KIND_SOURCE, NULL, {FLUME "source.thriftLegacy.ThriftLegacySource"}},

    {PS_KIND_CHANNEL, "memory", {FLUME "channel.MemoryChannel"}},
    {PS_KIND_CHANNEL, "file", {FLUME "channel.file.FileChannel"}},
    {PS_KIND_CHANNEL, "jdbc", {FLUME "channel.jdbc.JdbcChannel"}},
    {PS_KIND_CHANNEL, "spillablememory", {FLUME "channel.SpillableMemoryChannel"}},
    {PS_KIND_CHANNEL, NULL, {FLUME "channel.kafka.KafkaChannel"}},
    {PS_KIND_CHANNEL, NULL, {FLUME "channel.PseudoTxnMemoryChannel"}},
    {PS_KIND_CHANNEL, NULL, {FLUME "channel.recoverable.memory.RecoverableMemoryChannel"}},

    {PS_KIND_SINK, "null", {FLUME "sink.NullSink"}},
    {PS_KIND_SINK, "logger", {FLUME "sink.LoggerSink"}},
    {PS_KIND_SINK, "file_roll", {FLUME "sink.RollingFileSink"}},
    {PS_KIND_SINK, "hdfs", {FLUME "sink.hdfs.HDFSEventSink"}},
    {PS_KIND_SINK, "irc", {FLUME "sink.irc.IRCSink"}},
    {PS_KIND_SINK, "avro", {FLUME "sink.AvroSink", FLUME "rpc.avro.sink.AvroSink"}},
    {PS_KIND_SINK, "thrift", {FLUME "sink.ThriftSink", FLUME "rpc.thrift.sink.ThriftSink"}},
    {PS_KIND_SINK, "http", {FLUME "sink.http.HttpSink", FLUME "http.sink.HttpSink"}},
    {PS_KIND_SINK, "hive", {FLUME "sink.hive.HiveSink"}},
    {PS_KIND_SINK, "hbase", {FLUME "sink.hbase.HBaseSink"}, .plugin = "hbase"},
    {PS_KIND_SINK, "asynchbase", {FLUME "sink.hbase.AsyncHBaseSink"}, .plugin = "hbase"},
    {PS_KIND_SINK, "hbase2", {FLUME "sink.hbase2.HBase2Sink"}, .plugin = "hbase2"},
    {PS_KIND_SINK,
     "morphline_solr",
     {FLUME "sink.solr.morphline.MorphlineSolrSink"},
     .plugin = "morphline_solr"},
    {PS_KIND_SINK,
     "elasticsearch",
     {FLUME "sink.elasticsearch.ElasticSearchSink"},
     .plugin = "elasticsearch"},
    {PS_KIND_SINK, NULL, {FLUME "sink.kafka.KafkaSink"}},
    {PS_KIND_SINK, "kudu", {"org.apache.kudu.flume.sink.KuduSink", FLUME "sink.kudu.KuduSink"}},
    {PS_KIND_SINK, NULL, {FLUME "sink.kite.DatasetSink"}, .plugin = "kite"},
    {PS_KIND_SINK, NULL, {FLUME "sink.solr.morphline.MorphlineSink"}, .plugin = "morphline_solr"},
    {PS_KIND_SINK, NULL, {FLUME "sink.mongodb.MongoDbSink"}},

    {PS_KIND_SELECTOR, "replicating", {FLUME "channel.ReplicatingChannelSelector"}},
    {PS_KIND_SELECTOR, "multiplexing", {FLUME "channel.MultiplexingChannelSelector"}},
    {PS_KIND_SELECTOR, "load_balancing", {FLUME "channel.LoadBalancingChannelSelector"}},

    {PS_KIND_PROCESSOR, "default", {FLUME "sink.DefaultSinkProcessor"}},
    {PS_KIND_PROCESSOR, "failover", {FLUME "sink.FailoverSinkProcessor"}},
    {PS_KIND_PROCESSOR, "load_balance", {FLUME "sink.LoadBalancingSinkProcessor"}},

    {PS_KIND_INTERCEPTOR, "timestamp", {FLUME "interceptor.TimestampInterceptor$Builder"}},
    {PS_KIND_INTERCEPTOR, "host", {FLUME "interceptor.HostInterceptor$Builder"}},
    {PS_KIND_INTERCEPTOR, "static", {FLUME "interceptor.StaticInterceptor$Builder"}},
    {PS_KIND_INTERCEPTOR, "regex_filter", {FLUME "interceptor.RegexFilteringInterceptor$Builder"}},
    {PS_KIND_INTERCEPTOR, "regex_extractor", {FLUME "interceptor.RegexExtractorInterceptor$Builder"}},
    {PS_KIND_INTERCEPTOR, "remove_header", {FLUME "interceptor.RemoveHeaderInterceptor$Builder"}},
    {PS_KIND_INTERCEPTOR, "search_replace", {FLUME "interceptor.SearchAndReplaceInterceptor$Builder"}},
    {PS_KIND_INTERCEPTOR, NULL, {FLUME "sink.solr.morphline.UUIDInterceptor$Builder"}},
    {PS_KIND_INTERCEPTOR,
     NULL,
     {FLUME "sink.solr.morphline.MorphlineInterceptor$Builder"},
     .plugin = "morphline_solr"},

    {PS_KIND_SERIALIZER, "text", {FLUME "serialization.BodyTextEventSerializer$Builder"}},
    {PS_KIND_SERIALIZER, "header_and_text", {FLUME "serialization.HeaderAndBodyTextEventSerializer$Builder"}},
    {PS_KIND_SERIALIZER, "avro_event", {FLUME "serialization.FlumeEventAvroEventSerializer$Builder"}},
    {PS_KIND_SERIALIZER, NULL, {FLUME "sink.hdfs.AvroEventSerializer$Builder"}},

    {PS_KIND_DESERIALIZER, "line", {FLUME "serialization.LineDeserializer$Builder"}},
    {PS_KIND_DESERIALIZER, "avro", {FLUME "serialization.AvroEventDeserializer$Builder"}},
    {PS_KIND_DESERIALIZER,
     NULL,
     {FLUME "sink.solr.morphline.BlobDeserializer$Builder", FLUME "sink.solr.morphline.BlobDeserializer"}},
};

static bool row_matches(const struct type_row *row, const char *type)
{
    if (row->name != NULL && strcasecmp(row->name, type) == 0)
        return true;
    for (size_t i = 0; i < PS_COUNT_OF(row->classes) && row->classes[i] != NULL; i++)
        if (strcasecmp(row->classes[i], type) == 0)
            return true;
    return false;
}

/* Returns the last part of a class name. Names are compared by it, so that a class of another package is recognized. */
static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL ? dot + 1 : name;
}

/* Returns the class of the row that the type names. */
static const char *class_of(const struct type_row *row, const char *type)
{
    for (size_t i = 0; i < PS_COUNT_OF(row->classes) && row->classes[i] != NULL; i++)
        if (strcasecmp(row->classes[i], type) == 0)
            return row->classes[i];
    return row->classes[0];
}

const char *ps_type_flume_name(enum ps_kind kind, const char *type)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        if (rows[i].kind == (int)kind && row_matches(&rows[i], type))
            return rows[i].name != NULL ? rows[i].name : class_of(&rows[i], type);
    return NULL;
}

const char *ps_type_class(enum ps_kind kind, const char *type, size_t index)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        if (rows[i].kind == (int)kind && row_matches(&rows[i], type))
            return index < PS_COUNT_OF(rows[i].classes) ? rows[i].classes[index] : NULL;
    return NULL;
}

const struct ps_type_advice *ps_type_advice(enum ps_kind kind, const char *type)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        if (rows[i].kind != (int)kind || rows[i].advice == NULL)
            continue;
        if (row_matches(&rows[i], type) || strcasecmp(last_part(rows[i].classes[0]), last_part(type)) == 0)
            return rows[i].advice;
    }
    return NULL;
}

const char *ps_type_plugin(const char *type)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        if (rows[i].plugin != NULL && row_matches(&rows[i], type))
            return rows[i].plugin;
    return NULL;
}

/* What the trunk of Flume 2.0 no longer has, by Flume's name of the type (ps_type_flume_name). */
static const struct {
    enum ps_kind kind;
    const char *name;
} gone[] = {
    {PS_KIND_SOURCE, "jms"},
    {PS_KIND_SOURCE, FLUME "source.scribe.ScribeSource"},
    {PS_KIND_SINK, "hdfs"},
    {PS_KIND_SINK, "hive"},
    {PS_KIND_SINK, "hbase"},
    {PS_KIND_SINK, "asynchbase"},
    {PS_KIND_SINK, "hbase2"},
    {PS_KIND_SINK, FLUME "sink.kite.DatasetSink"},
    {PS_KIND_SINK, "http"},
    {PS_KIND_SINK, "irc"},
    {PS_KIND_SINK, "morphline_solr"},
    {PS_KIND_SINK, FLUME "sink.solr.morphline.MorphlineSink"},
    {PS_KIND_INTERCEPTOR, FLUME "sink.solr.morphline.UUIDInterceptor$Builder"},
    {PS_KIND_INTERCEPTOR, FLUME "sink.solr.morphline.MorphlineInterceptor$Builder"},
};

bool ps_type_is_gone(enum ps_kind kind, const char *type)
{
    const char *name = ps_type_flume_name(kind, type);
    if (strcasecmp(type, FLUME "http.sink.HttpSink") ==
        0) /* the name that Flume 2.0 has for it, outside of its trunk */
        return false;
    for (size_t i = 0; name != NULL && i < PS_COUNT_OF(gone); i++)
        if (gone[i].kind == kind && strcmp(gone[i].name, name) == 0)
            return true;
    return false;
}

const char *ps_type_nearest(const struct ps_stage_ops *const *stages, enum ps_kind kind, const char *type)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, last_part(type));
    if (strchr(type, '.') != NULL && !ps_text_begins(type, FLUME))
        nearest.distance = 1;
    for (const struct ps_stage_ops *const *stage = stages; *stage != NULL; stage++)
        if ((*stage)->kind == kind)
            ps_nearest_offer(&nearest, (*stage)->name);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        if (rows[i].kind == (int)kind && rows[i].name != NULL)
            ps_nearest_offer(&nearest, rows[i].name);
    const char *best = nearest.word;
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        for (size_t j = 0;
             rows[i].kind == (int)kind && j < PS_COUNT_OF(rows[i].classes) && rows[i].classes[j] != NULL;
             j++) {
            const char *before = nearest.word;
            ps_nearest_offer(&nearest, last_part(rows[i].classes[j]));
            if (nearest.word != before)
                best = rows[i].classes[j];
        }
    }
    return best;
}

const char *ps_kind_word(enum ps_kind kind)
{
    return kind == PS_KIND_PROCESSOR ? "sink processor" : ps_stage_kind_word(kind);
}

/* Returns how many of the keys the type has; 0 if it does not know one. Keys of all components do not count. */
static size_t count_known(const struct ps_stage_ops *ops, const struct ps_pairs *pairs)
{
    static const char *const common[] = {"channel", "channels", "interceptors", "selector", "penstock"};
    size_t known = 0;
    for (size_t i = 0; i < pairs->count; i++) {
        const char *key = pairs->items[i].key;
        size_t length = strcspn(key, ".");
        bool is_common = false;
        for (size_t k = 0; k < PS_COUNT_OF(common); k++)
            is_common |= strlen(common[k]) == length && strncmp(key, common[k], length) == 0;
        if (is_common)
            continue;
        if (ps_option_find(ops->options, key) == NULL)
            return 0;
        known++;
    }
    return known;
}

const char *ps_type_of_keys(const struct ps_stage_ops *const *stages, enum ps_kind kind,
                            const struct ps_pairs *pairs)
{
    const char *found = NULL;
    bool is_sure = true;
    for (; *stages != NULL; stages++) {
        if ((*stages)->kind != kind || strcmp((*stages)->name, PS_TYPE_JAVA) == 0 ||
            count_known(*stages, pairs) == 0)
            continue;
        is_sure = found == NULL;
        found = (*stages)->name;
    }
    if (found != NULL && is_sure)
        return found;
    return kind == PS_KIND_CHANNEL ? "memory" : NULL;
}
