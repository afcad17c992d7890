/* See engine.h. */
#include "conf/validate/engine.h"
#include "core/array.h"

#include "conf/text.h"
#include "conf/validate/java.h"
#include "conf/validate/types.h"
#include "stages/lib/java/class_path.h"

#include <string.h>
#include <strings.h>

#define FLUME "org.apache.flume."
#define KEY ps_common_engine_options[0].key

/* ---- penstock.engine ---- */

/* Reads the key by the stage's own row, or by the common row if the stage has none. Returns the word; NULL after
 * reporting a bad word. */
static const char *engine_of(const struct ps_component_maker *maker, const struct ps_stage_ops *ops,
                             const struct ps_conf_part *part, const char *prefix)
{
    const struct ps_option *own = ps_option_named(ops->options, KEY);
    struct ps_option rows[] = {own != NULL ? *own : ps_common_engine_options[0], PS_OPTION_END};
    struct ps_bind bind = {.arena = maker->arena,
                           .problems = &maker->conf->problems,
                           .prefix = prefix,
                           .file = part->file,
                           .line = part->line,
                           .refuse = true,
                           .quiet_unknown = true};
    int word = 0;
    rows[0].offset = 0;
    return ps_bind_options(&bind, rows, NULL, &part->pairs, &word) == PS_OK ? rows[0].words[word] : NULL;
}

/* Runs Flume's own class instead of the native stage. */
static const struct ps_stage_ops *instead(const struct ps_component_maker *maker, enum ps_kind kind,
                                          const char *type, struct ps_place place, const char *why)
{
    const struct ps_stage_ops *ops = NULL;
    if (ps_java_flume(maker, kind, type, place, &ops) == PS_JAVA_ABSENT)
        ps_java_report_absent(maker, kind, type, place, why);
    return ops;
}

/* ---- classes inside of a component ---- */

#define KEY_PROVIDER                                                                                         \
    .key = "encryption.keyProvider", .word = "key provider",                                                 \
    .target = FLUME "channel.file.encryption.KeyProvider$Builder", .part = PS_KIND_COUNT, .is_asked = true

static const struct inner {
    enum ps_kind kind;
    const char *stage, *key;
    /* NULL: `key` names the class. Otherwise `key` has a list of names, and `key`.NAME.`each` names the class of
     * each NAME. */
    const char *each;
    /* `word`: the kind of class; `target`: the interface that the class must have */
    const char *word, *target;
    /* native stages for this class are of this kind; PS_KIND_COUNT: the component's stage knows them itself */
    enum ps_kind part;
    const char
        *own[4]; /* with PS_KIND_COUNT: beginnings of the names of classes that the stage itself knows */
    /* A required key: when the class is refused, the native stage checks the other keys with this value. NULL: without
     * the key. */
    const char *harmless;
    bool is_asked; /* the component runs natively and only asks the class for values (ps_java_alone) */
} inners[] = {
    {.kind = PS_KIND_SOURCE,
     .stage = "http",
     .key = "handler",
     .word = "handler",
     .target = FLUME "source.http.HTTPSourceHandler",
     .part = PS_KIND_COUNT,
     .own = {FLUME "source.http.", FLUME "http.source.", FLUME "sink.solr.morphline."}},
    {.kind = PS_KIND_SOURCE,
     .stage = "spooldir",
     .key = "deserializer",
     .word = "deserializer",
     .target = FLUME "serialization.EventDeserializer$Builder",
     .part = PS_KIND_DESERIALIZER},
    {.kind = PS_KIND_INTERCEPTOR,
     .stage = "regex_extractor",
     .key = "serializers",
     .each = "type",
     .word = "serializer",
     .target = FLUME "interceptor.RegexExtractorInterceptorSerializer",
     .part = PS_KIND_COUNT,
     .own = {FLUME "interceptor.RegexExtractorInterceptor"}},
    {.kind = PS_KIND_SINK,
     .stage = "file_roll",
     .key = "sink.serializer",
     .word = "serializer",
     .target = FLUME "serialization.EventSerializer$Builder",
     .part = PS_KIND_SERIALIZER},
    {.kind = PS_KIND_SINK,
     .stage = "hdfs",
     .key = "serializer",
     .word = "serializer",
     .target = FLUME "serialization.EventSerializer$Builder",
     .part = PS_KIND_SERIALIZER},
    {.kind = PS_KIND_SINK,
     .stage = "hdfs",
     .key = "hdfs.writeFormat",
     .word = "serializer of sequence files",
     .target = FLUME "sink.hdfs.SequenceFileSerializer$Builder",
     .part = PS_KIND_COUNT,
     .own = {FLUME "sink.hdfs."}},
    {.kind = PS_KIND_SINK,
     .stage = "hive",
     .key = "serializer",
     .word = "serializer",
     .target = FLUME "sink.hive.HiveEventSerializer",
     .part = PS_KIND_COUNT,
     .own = {FLUME "sink.hive."},
     .harmless = "JSON"},
    {.kind = PS_KIND_SINK,
     .stage = "elasticsearch",
     .key = "serializer",
     .word = "serializer",
     .target = FLUME "sink.elasticsearch.ElasticSearchEventSerializer",
     .part = PS_KIND_COUNT,
     .own = {FLUME "sink.elasticsearch."}},
    {.kind = PS_KIND_SINK,
     .stage = "elasticsearch",
     .key = "indexNameBuilder",
     .word = "index name builder",
     .target = FLUME "sink.elasticsearch.IndexNameBuilder",
     .part = PS_KIND_COUNT,
     .own = {FLUME "sink.elasticsearch."}},
    {.kind = PS_KIND_SINK,
     .stage = "hbase",
     .key = "serializer",
     .word = "serializer",
     .target = FLUME "sink.hbase.HbaseEventSerializer",
     .part = PS_KIND_COUNT,
     .own = {FLUME "sink.hbase.Simple", FLUME "sink.hbase.Regex"}},
    {.kind = PS_KIND_SINK,
     .stage = "hbase2",
     .key = "serializer",
     .word = "serializer",
     .target = FLUME "sink.hbase2.HBase2EventSerializer",
     .part = PS_KIND_COUNT,
     .own = {FLUME "sink.hbase2.Simple", FLUME "sink.hbase2.Regex"}},
    {.kind = PS_KIND_SINK,
     .stage = "asynchbase",
     .key = "serializer",
     .word = "serializer",
     .target = FLUME "sink.hbase.AsyncHbaseEventSerializer",
     .part = PS_KIND_COUNT,
     .own = {FLUME "sink.hbase.Simple"}},
    {.kind = PS_KIND_SINK,
     .stage = "kudu",
     .key = "producer",
     .word = "producer",
     .target = "org.apache.kudu.flume.sink.KuduOperationsProducer",
     .part = PS_KIND_COUNT,
     .own = {"org.apache.kudu.flume.sink.Simple", "org.apache.kudu.flume.sink.Regexp",
             "org.apache.kudu.flume.sink.Avro"}},
    {.kind = PS_KIND_CHANNEL, .stage = "file", KEY_PROVIDER},
    {.kind = PS_KIND_CHANNEL, .stage = "spillablememory", KEY_PROVIDER},
};

/* Returns whether the stage runs the class itself, or refuses it with its own message. */
static bool is_native(const struct ps_component_maker *maker, const struct inner *inner, const char *value)
{
    if (inner->part != PS_KIND_COUNT && ps_stage_find(maker->stages, inner->part, value) != NULL)
        return true;
    if (strchr(value, '.') == NULL) /* a word, or a class without a package, as in many examples */
        return !ps_java_found(maker, value);
    if (inner->part != PS_KIND_COUNT)
        return false;
    for (size_t i = 0; i < PS_COUNT_OF(inner->own) && inner->own[i] != NULL; i++)
        if (strncasecmp(value, inner->own[i], strlen(inner->own[i])) == 0) /* the stages ignore case, too */
            return true;
    return false;
}

/* Returns the key's pair if its class exists only in Java, else NULL. */
static const struct ps_pair *java_pair(const struct ps_component_maker *maker,
                                       const struct ps_conf_part *part, const struct inner *row,
                                       const char *key)
{
    const struct ps_pair *pair = ps_pairs_find(&part->pairs, key);
    bool is_java = pair != NULL && !is_native(maker, row, ps_text_trim(maker->arena, pair->value));
    return is_java ? pair : NULL;
}

/* A key of a component whose class exists only in Java. */
struct found {
    const struct ps_pair *pair;
    const struct inner *row;
};

struct found_list {
    struct found *items; /* in the arena */
    size_t count;
};

/* Adds the key if its class exists only in Java. A name that the list of a row repeats is not added again. */
static void add_class(const struct ps_component_maker *maker, const struct ps_conf_part *part,
                      const struct inner *row, const char *key, struct found_list *list)
{
    const struct ps_pair *pair = java_pair(maker, part, row, key);
    bool is_new = pair != NULL;
    for (size_t i = 0; i < list->count; i++)
        is_new &= list->items[i].pair != pair;
    if (!is_new)
        return;
    list->items = ps_arena_grow(maker->arena, list->items, list->count, sizeof *list->items);
    list->items[list->count++] = (struct found){pair, row};
}

/* Returns the component's keys whose classes exist only in Java, in the order of the table and of its lists. */
static struct found_list find_classes(const struct ps_component_maker *maker, const struct ps_stage_ops *ops,
                                      const struct ps_conf_part *part)
{
    struct found_list list = {.count = 0};
    for (const struct inner *row = inners; row < inners + PS_COUNT_OF(inners); row++) {
        if (ops->kind != row->kind || strcmp(ops->name, row->stage) != 0)
            continue;
        if (row->each == NULL) {
            add_class(maker, part, row, row->key, &list);
            continue;
        }
        const char *value = ps_pairs_value(&part->pairs, row->key, "");
        struct ps_texts names = ps_text_split_blanks(maker->arena, value);
        for (size_t i = 0; i < names.count; i++)
            add_class(maker, part, row,
                      ps_arena_format(maker->arena, "%s.%s.%s", row->key, names.items[i], row->each), &list);
    }
    return list;
}

/* Called when the component runs in Java and its first class was found: reports where its classes are. If another class
 * of the component cannot be used, the component is dropped, as in Flume. */
static void report_classes(const struct ps_component_maker *maker, const struct ps_stage_ops *native,
                           struct ps_conf_part *part, const char *prefix, const struct found_list *list)
{
    const char *component = ps_kind_word(native->kind);
    for (size_t i = 0; i < list->count; i++) {
        const struct inner *row = list->items[i].row;
        struct ps_place place = ps_component_place(maker, part, prefix, list->items[i].pair->key);
        const char *class = ps_text_trim(maker->arena, list->items[i].pair->value);
        if (i > 0 && !ps_java_inner(maker, row->word, row->target, class, place))
            part->refused = true;
        else
            ps_java_note(maker, class, place,
                         ps_arena_format(maker->arena, "is a %s of this %s", row->word, component));
    }
}

/* Removes a key whose class was refused, or gives it another value, so that the native stage checks the other keys. */
static void refuse(struct ps_conf_part *part, const struct ps_pair *pair, const struct inner *row)
{
    struct ps_pair *items = (struct ps_pair *)(uintptr_t)part->pairs.items; /* the part's own copy */
    size_t at = (size_t)(pair - items);
    if (row->harmless != NULL)
        items[at].value = row->harmless;
    else
        ps_array_remove(items, part->pairs.count--, at, sizeof *items);
    part->refused = true;
}

const struct ps_stage_ops *ps_component_engine(const struct ps_component_maker *maker, enum ps_kind kind,
                                               struct ps_conf_part *part, const char *prefix,
                                               struct ps_place place)
{
    const struct ps_stage_ops *ops = ps_stage_find(maker->stages, kind, part->type);
    if (ops == NULL)
        return ps_component_type(maker, kind, part->type, place);
    const char *engine = engine_of(maker, ops, part, prefix);
    if (engine == NULL)
        return NULL;
    if (strcmp(engine, "java") == 0)
        return instead(maker, kind, part->type, ps_component_place(maker, part, prefix, KEY),
                       "Flume's own class is to run in Java");
    struct found_list list = find_classes(maker, ops, part);
    if (list.count == 0)
        return ops;
    const struct ps_pair *inner = list.items[0].pair;
    const struct inner *row = list.items[0].row;
    place = ps_component_place(maker, part, prefix, inner->key);
    const char *class = ps_text_trim(maker->arena, inner->value);
    if (row->is_asked) {
        part->refused = !ps_java_alone(maker, row->word, row->target, class, place, PS_JAVA_IS_ASKED);
        return ops;
    }
    if (!ps_java_inner(maker, row->word, row->target, class, place)) {
        refuse(part, inner, row);
        return ops;
    }
    const struct ps_stage_ops *java = instead(
        maker, kind, part->type, place,
        ps_arena_format(maker->arena, "a %s in Java needs Flume's own %s", row->word, ps_kind_word(kind)));
    if (java != NULL)
        report_classes(maker, ops, part, prefix, &list);
    return java;
}

void ps_component_add_pair(struct ps_arena *arena, struct ps_conf_part *part, const char *key,
                           const char *value)
{
    ps_pairs_add(arena, &part->pairs,
                 (struct ps_pair){.key = key, .value = value, .file = part->file, .line = part->line});
}

/* ---- interceptors of a Java source ---- */

enum place { IN_JAVA, IN_BOTH, NATIVE };

/* Returns where an interceptor can run. */
static enum place place_of(const struct ps_component_maker *maker, const struct ps_conf_part *source,
                           const char *prefix)
{
    const char *type = ps_pairs_get(&source->pairs, ps_arena_format(maker->arena, "%stype", prefix));
    const char *engine = ps_pairs_get(&source->pairs, ps_arena_format(maker->arena, "%s%s", prefix, KEY));
    if (type == NULL)
        return NATIVE;
    if (ps_stage_find(maker->stages, PS_KIND_INTERCEPTOR, type) == NULL ||
        (engine != NULL && strcasecmp(engine, "java") == 0))
        return IN_JAVA;
    const char *class = ps_type_class(PS_KIND_INTERCEPTOR, type, 0);
    bool is_core = class != NULL && ps_text_begins(class, FLUME "interceptor.");
    return is_core && engine == NULL ? IN_BOTH : NATIVE;
}

size_t ps_component_chain(const struct ps_component_maker *maker, struct ps_conf_part *source)
{
    const char *list = ps_pairs_get(&source->pairs, "interceptors");
    if (list == NULL || strcmp(source->ops->name, PS_TYPE_JAVA) != 0)
        return 0;
    struct ps_texts names = ps_text_split_blanks(maker->arena, list);
    size_t count = 0;
    for (size_t i = 0; i < names.count; i++) {
        const char *prefix = ps_arena_format(maker->arena, "interceptors.%s.", names.items[i]);
        enum place place = place_of(maker, source, prefix);
        if (place == NATIVE)
            break;
        if (place == IN_JAVA)
            count = i + 1;
    }
    for (size_t i = 0; i < count; i++) {
        const char *prefix = ps_arena_format(maker->arena, "interceptors.%s.", names.items[i]);
        if (place_of(maker, source, prefix) == IN_BOTH)
            ps_component_add_pair(maker->arena, source, ps_arena_format(maker->arena, "%s%s", prefix, KEY),
                                  "java");
    }
    if (count > 0)
        ps_component_add_pair(maker->arena, source, PS_JAVA_CHAIN_KEY,
                              ps_arena_format(maker->arena, "%zu", count));
    return count;
}
