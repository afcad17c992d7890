/* `penstock new COMPONENT...`: prints a commented agent file with these components, from the option rows
 * alone; users edit it, and `penstock check` accepts it. Exit status: 0: printed; 2: wrong usage. Thread: main. */
#include "commands/commands.h"
#include "commands/plugin/table.h"
#include "commands/line/line.h"

#include "core/arena.h"
#include "conf/bind.h"
#include "conf/validate/types.h"
#include "core/text/nearest.h"
#include "core/stage.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PARTS_MAX 32U

/* Sample values of keys without a default, which the user must replace: for every component, or for one. */
static const struct sample {
    const char *stage; /* NULL: any */
    const char *key, *value;
} samples[] = {
    {"syslogtcp", "port", "5140"},
    {"syslogudp", "port", "5140"},
    {"multiport_syslogtcp", "ports", "5140 5141"},
    {"avro", "port", "4141"},
    {"http", "port", "8080"},
    {NULL, "port", "44444"},
    {NULL, "bind", "127.0.0.1"},
    {NULL, "host", "127.0.0.1"},
    /* of sinks: not this machine, where the sample port of a source of the same kind would make a loop */
    {NULL, "hostname", "collector.example.com"},
    {NULL, "kafka.bootstrap.servers", "localhost:9092"},
    {"kafka", "kafka.topics", "events"}, /* the source needs one of two keys that name its input */
    {"exec", "command", "vmstat 5"},
    {"taildir", "filegroups", "f1"},
    {"taildir", "filegroups.f1", "/var/log/.*[.]log"},
    {"spooldir", "spoolDir", "/var/spool/events"},
    {"file_roll", "sink.directory", "/var/log/events"},
    {"hdfs", "hdfs.path", "hdfs://localhost:8020/events/%Y-%m-%d"},
    {"hdfs", "hdfs.useLocalTimeStamp", "true"},
    {"hive", "hive.metastore", "thrift://localhost:9083"},
    {"hive", "hive.database", "default"},
    {"hive", "hive.table", "events"},
    {"hive", "serializer", "DELIMITED"},
    {"hive", "serializer.fieldnames", "id,message"},
    {"elasticsearch", "hostNames", "localhost:9200"},
    {"opensearch", "endpoints", "http://localhost:9200"},
    {"opensearch", "index", "events"},
    {"solr", "url", "http://localhost:8983/solr/events"},
    {NULL, "table", "events"}, /* of HBase's sinks */
    {NULL, "columnFamily", "f"},
    {"kudu", "masterAddresses", "localhost:7051"},
    {"kudu", "tableName", "events"},
    {"http", "endpoint", "http://collector.example.com:8080/"},
    {"irc", "nick", "events"},
    {"irc", "chan", "events"},
    /* Flume's default of 100 is less than a batch of some sources and sinks */
    {"memory", "capacity", "20000"},
    {"memory", "transactionCapacity", "20000"},
    /* Flume's default of 10,000 is less than a batch of the sink hive */
    {"file", "transactionCapacity", "20000"},
    {"spillablememory", "transactionCapacity", "20000"},
    {"regex_filter", "regex", "DEBUG"},
    {"regex_extractor", "regex", "status=([0-9]+)"},
    {"regex_extractor", "serializers", "s1"},
    {"regex_extractor", "serializers.s1.name", "status"},
    {"search_replace", "searchPattern", "password=[^ ]+"},
    {"search_replace", "replaceString", "password=***"},
    {"remove_header", "withName", "secret"},
};

struct part {
    const struct ps_stage_ops *ops;
    const char *name; /* "r1" */
};

struct draft {
    struct ps_arena *arena;
    const char *agent;
    struct part parts[PARTS_MAX];
    size_t count, counts[PS_KIND_COUNT];
};

#define PS_ROW_TARGET struct draft

static const struct ps_command_row rows[] = {
    {"name", 'n', "NAME", PS_ROW_TEXT(agent), .help = "the agent (default a1)"},
    {.help = NULL},
};

const struct ps_command_line ps_line_new = {
    .name = "new",
    .usage =
        "Usage: penstock new [-n NAME] SOURCE [INTERCEPTOR]... [CHANNEL] SINK...\n"
        "Prints a commented agent file with these components: a required key has a sample value to replace, "
        "every\nother key is a comment with its default. Without a channel there is one of type memory.\n",
    .rows = rows,
    .ends = "A component is a name of `penstock components`, or of Flume's: taildir, KafkaSink. A name that "
            "sources and sinks\nhave (avro, http, kafka, thrift) is the source's where none was named "
            "before, and the sink's after it;\nKafkaChannel, channel:kafka and the like say which.\n"
            "\n"
            "Exit status: 0 printed, 2 wrong usage.\n"
            "\n"
            "Examples:\n"
            "  penstock new taildir file KafkaSink >a1.properties\n"
            "  penstock new -n edge syslogtcp timestamp avro >edge.properties\n",
    .operand_proposes = PS_PROPOSE_COMPONENTS,
};

static bool is_offered(enum ps_kind kind)
{
    return kind == PS_KIND_SOURCE || kind == PS_KIND_INTERCEPTOR || kind == PS_KIND_CHANNEL ||
           kind == PS_KIND_SINK;
}

/* Returns whether the word is a name of the stage or the last part of its class name. */
static bool is_named(const struct ps_stage_ops *ops, const char *word)
{
    if (ps_stage_find(ps_commands_stages(NULL), ops->kind, word) == ops)
        return true;
    for (size_t i = 0; ops->aliases != NULL && ops->aliases[i] != NULL; i++) {
        const char *dot = strrchr(ops->aliases[i], '.'), *last = dot != NULL ? dot + 1 : ops->aliases[i];
        size_t length = strcspn(last, "$");
        if (strlen(word) == length && strncasecmp(last, word, length) == 0)
            return true;
    }
    return false;
}

/* Finds "kafka", "KafkaSink" or "sink:kafka". Returns NULL if no stage of that kind has the name. */
static const struct ps_stage_ops *find(const struct draft *draft, const char *word, bool last)
{
    const struct ps_stage_ops *found[PS_KIND_COUNT] = {NULL};
    const char *colon = strchr(word, ':');
    size_t count = 0;
    enum ps_kind only = PS_KIND_SOURCE;
    for (const struct ps_stage_ops *const *stage = ps_commands_stages(NULL); *stage != NULL; stage++) {
        enum ps_kind kind = (*stage)->kind;
        const char *kind_word = ps_kind_word(kind);
        bool of_kind = colon == NULL || (strncmp(word, kind_word, (size_t)(colon - word)) == 0 &&
                                         strlen(kind_word) == (size_t)(colon - word));
        if (!is_offered(kind) || !of_kind || !is_named(*stage, colon != NULL ? colon + 1 : word))
            continue;
        found[kind] = *stage;
        only = kind;
        count++;
    }
    if (count <= 1)
        return count == 1 ? found[only] : NULL;
    if (draft->counts[PS_KIND_SOURCE] == 0 && found[PS_KIND_SOURCE] != NULL)
        return found[PS_KIND_SOURCE];
    if (found[PS_KIND_INTERCEPTOR] != NULL && !last)
        return found[PS_KIND_INTERCEPTOR];
    return found[PS_KIND_SINK] != NULL ? found[PS_KIND_SINK] : found[only];
}

static void add(struct draft *draft, const struct ps_stage_ops *ops)
{
    static const char letters[PS_KIND_COUNT] = {
        [PS_KIND_SOURCE] = 'r', [PS_KIND_INTERCEPTOR] = 'i', [PS_KIND_CHANNEL] = 'c', [PS_KIND_SINK] = 'k'};
    size_t number = ++draft->counts[ops->kind];
    draft->parts[draft->count++] =
        (struct part){ops, ps_arena_format(draft->arena, "%c%zu", letters[ops->kind], number)};
}

/* ---- the text ---- */

static void print_names(const struct draft *draft, const char *key, enum ps_kind kind)
{
    printf("%s =", key);
    for (size_t i = 0; i < draft->count; i++)
        if (draft->parts[i].ops->kind == kind)
            printf(" %s", draft->parts[i].name);
    putchar('\n');
}

static const struct ps_option *option_of(const struct ps_stage_ops *ops, const char *key)
{
    return ops->options != NULL ? ps_option_named(ops->options, key) : NULL;
}

/* Returns the sample value of a required key, or of an optional key that the table names for this
 * component. */
static const char *sample_of(const struct ps_stage_ops *ops, const struct ps_option *option)
{
    for (size_t i = 0; i < PS_COUNT_OF(samples); i++) {
        const struct sample *sample = &samples[i];
        bool mine = sample->stage != NULL && strcmp(sample->stage, ops->name) == 0;
        if (strcmp(sample->key, option->key) == 0 &&
            (mine || (sample->stage == NULL && (option->flags & PS_OPTION_REQUIRED) != 0)))
            return sample->value;
    }
    return NULL;
}

static void print_help(const struct ps_option *option)
{
    fputs("# ", stdout);
    for (const char *at = option->help != NULL ? option->help : option->key; *at != '\0'; at++)
        putchar(*at == '\n' ? ' ' : *at);
    if (option->unit != NULL)
        printf(" (%s)", option->unit);
    putchar('\n');
}

/* Prints a value; gives each source a port of its own. */
static void print_value(const struct part *part, const struct ps_option *option, const char *value)
{
    unsigned number = 0, step = 0;
    if (strcmp(option->key, "port") == 0 && part->ops->kind == PS_KIND_SOURCE &&
        sscanf(value, "%u", &number) == 1 && sscanf(part->name + 1, "%u", &step) == 1)
        printf("%u\n", number + step - 1);
    else
        printf("%s\n", value);
}

/* "filegroups.f1" belongs to the row filegroups. */
static bool is_below_a_row(const struct ps_stage_ops *ops, const struct sample *sample)
{
    char row[64];
    size_t length = strcspn(sample->key, ".");
    if (sample->stage == NULL || strcmp(sample->stage, ops->name) != 0 || sample->key[length] == '\0' ||
        option_of(ops, sample->key) != NULL)
        return false;
    snprintf(row, sizeof row, "%.*s", (int)length, sample->key);
    return option_of(ops, row) != NULL;
}

static void print_options(const struct part *part, const char *prefix)
{
    const unsigned hidden = (unsigned)(PS_OPTION_DEPRECATED | PS_OPTION_UNSUPPORTED | PS_OPTION_EXTENSION);
    for (const struct ps_option *option = part->ops->options; option != NULL && option->key != NULL;
         option++) {
        const char *value = sample_of(part->ops, option);
        if (value != NULL) {
            print_help(option);
            printf("%s.%s = ", prefix, option->key);
            print_value(part, option, value);
        }
    }
    for (size_t i = 0; i < PS_COUNT_OF(samples); i++)
        if (is_below_a_row(part->ops, &samples[i]))
            printf("%s.%s = %s\n", prefix, samples[i].key, samples[i].value);
    for (const struct ps_option *option = part->ops->options; option != NULL && option->key != NULL;
         option++) {
        if ((option->flags & hidden) != 0 || sample_of(part->ops, option) != NULL ||
            option->type == PS_OPTION_MAP)
            continue;
        print_help(option);
        printf("#%s.%s = %s\n", prefix, option->key, option->fallback != NULL ? option->fallback : "");
    }
}

static void print_part(const struct draft *draft, size_t index)
{
    const struct part *part = &draft->parts[index];
    const char *kind = ps_kind_word(part->ops->kind);
    const char *prefix = ps_arena_format(draft->arena, "%s.%ss.%s", draft->agent, kind, part->name);
    if (part->ops->kind == PS_KIND_INTERCEPTOR)
        prefix = ps_arena_format(draft->arena, "%s.sources.r1.interceptors.%s", draft->agent, part->name);
    printf("\n# ---- %s %s: %s. All keys: penstock components %s ----\n", kind, part->name,
           part->ops->summary, part->ops->name);
    /* in Flume, Kafka's components have no names but those of their classes */
    bool by_class = strcmp(part->ops->name, "kafka") == 0 && part->ops->aliases != NULL;
    printf("%s.type = %s\n", prefix, by_class ? part->ops->aliases[0] : part->ops->name);
    if (part->ops->kind == PS_KIND_SOURCE)
        printf("%s.channels = c1\n", prefix);
    if (part->ops->kind == PS_KIND_SINK)
        printf("%s.channel = c1\n", prefix);
    if (part->ops->kind == PS_KIND_SOURCE && strcmp(part->name, "r1") == 0 &&
        draft->counts[PS_KIND_INTERCEPTOR] > 0)
        print_names(draft, ps_arena_format(draft->arena, "%s.interceptors", prefix), PS_KIND_INTERCEPTOR);
    print_options(part, prefix);
}

static void print_draft(const struct draft *draft)
{
    printf("# Agent %s. Correct the values, then: penstock check -f FILE, penstock agent -f FILE\n",
           draft->agent);
    print_names(draft, ps_arena_format(draft->arena, "%s.sources", draft->agent), PS_KIND_SOURCE);
    print_names(draft, ps_arena_format(draft->arena, "%s.channels", draft->agent), PS_KIND_CHANNEL);
    print_names(draft, ps_arena_format(draft->arena, "%s.sinks", draft->agent), PS_KIND_SINK);
    for (size_t i = 0; i < draft->count; i++)
        print_part(draft, i);
}

/* ---- the command line ---- */

static bool refuse(const char *what, const char *word)
{
    fprintf(stderr, "penstock new: %s%s\n", what, word);
    return false;
}

static bool take(struct draft *draft, const char *word, bool last)
{
    const struct ps_stage_ops *ops = find(draft, word, last);
    if (ops == NULL) {
        struct ps_nearest nearest;
        ps_nearest_init(&nearest, word);
        for (const struct ps_stage_ops *const *stage = ps_commands_stages(NULL); *stage != NULL; stage++)
            if (is_offered((*stage)->kind))
                ps_nearest_offer(&nearest, (*stage)->name);
        fprintf(stderr, "penstock new: there is no source, interceptor, channel or sink %s%s%s%s\n", word,
                nearest.word != NULL ? "; did you mean " : "; `penstock components` lists them",
                nearest.word != NULL ? nearest.word : "", nearest.word != NULL ? "?" : "");
        return false;
    }
    if (strcmp(ops->name, "rules") == 0)
        return refuse("rules need a file of rules first: see docs/RULES.md", "");
    if (strcmp(ops->name, PS_TYPE_JAVA) == 0)
        return refuse("write the name of the Java class as the type of a component: see docs/PLUGINS.md", "");
    if (draft->count == PARTS_MAX - 1)
        return refuse("too many components from here on: ", word);
    if (ops->kind == PS_KIND_CHANNEL && draft->counts[PS_KIND_CHANNEL] > 0)
        return refuse("name only one channel; the second one is ", word);
    add(draft, ops);
    return true;
}

static bool complete(struct draft *draft)
{
    if (draft->counts[PS_KIND_SOURCE] == 0)
        return refuse("name a source, such as taildir; `penstock components` lists them", "");
    if (draft->counts[PS_KIND_SINK] == 0)
        return refuse("name a sink after the source, such as KafkaSink; `penstock components` lists them",
                      "");
    if (draft->counts[PS_KIND_CHANNEL] == 0)
        add(draft, ps_stage_find(ps_commands_stages(NULL), PS_KIND_CHANNEL, "memory"));
    return true;
}

int ps_main_new(int argc, char **argv)
{
    struct draft draft = {.arena = ps_arena_create(), .agent = "a1"};
    int operands, code = ps_command_line_parse(&ps_line_new, &draft, argc, argv, &operands);
    bool good = code < 0;
    if (good && (draft.agent[0] == '\0' || strpbrk(draft.agent, ". \t=:#!\\\n") != NULL))
        good = refuse("-n: an agent's name has no dot, blank, =, :, #, ! and backslash: ", draft.agent);
    for (int i = 1; good && i <= operands; i++)
        good = take(&draft, argv[i], i == operands);
    if (good && complete(&draft)) {
        print_draft(&draft);
        code = 0;
    }
    ps_arena_destroy(draft.arena);
    return code < 0 ? 2 : code;
}
