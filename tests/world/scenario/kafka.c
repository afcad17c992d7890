/* Steps and conditions: Kafka's brokers, and what is in their topics. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/peers/kafka/cluster.h"
#include "tests/world/scenario/scenario.h"

/* Each reads its words from the second one on. */
typedef enum outcome kafka_step(struct scenario *scenario, const struct scenario_step *step);

static int64_t number_at(struct scenario *scenario, const struct scenario_step *step, unsigned at)
{
    const char *word = step->words[at];
    bool is_negative = *word == '-';
    int64_t number = (int64_t)scenario_number(scenario->script, step, word + is_negative);
    return is_negative ? -number : number;
}

/* Splits TOPIC[:PARTITION]. Returns whether there is such a topic; *number is -1 without a partition. */
static bool place_at(struct scenario *scenario, const struct scenario_step *step, unsigned at, int *topic,
                     int32_t *number)
{
    char name[KAFKA_NAME_MAX];
    const char *colon = strchr(step->words[at], ':');
    if (scenario->kafka == NULL)
        scenario_mistake(scenario->script->file, step->line, "a step `kafka` is missing");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(step->words[at], ":"), step->words[at]);
    *topic = kafka_topic_named(scenario->kafka, name);
    *number = colon == NULL ? -1 : (int32_t)scenario_number(scenario->script, step, colon + 1);
    if (*topic >= 0 && *number < scenario->kafka->topics[*topic].count)
        return true;
    step_failed(scenario, "there is no %s", step->words[at]);
    return false;
}

static int broker_at(struct scenario *scenario, const struct scenario_step *step, unsigned at)
{
    int64_t broker = number_at(scenario, step, at);
    if (broker < 0 || broker > KAFKA_BROKERS)
        scenario_mistake(scenario->script->file, step->line, "there is no broker %s", step->words[at]);
    return (int)broker - 1;
}

/* ---- steps ---- */

static enum outcome add_topic(struct scenario *scenario, const struct scenario_step *step)
{
    kafka_add_topic(scenario->kafka, step->words[1], (int32_t)number_at(scenario, step, 2))->counts = true;
    return STEP_DONE;
}

static enum outcome delete_topic(struct scenario *scenario, const struct scenario_step *step)
{
    int topic;
    int32_t number;
    if (!place_at(scenario, step, 1, &topic, &number))
        return STEP_FAILED;
    kafka_delete_topic(scenario->kafka, topic);
    return STEP_DONE;
}

static enum outcome set_broker(struct scenario *scenario, const struct scenario_step *step)
{
    int broker = broker_at(scenario, step, 1);
    const char *what = step->words[2];
    if (strcmp(what, "down") == 0)
        kafka_broker_down(scenario->kafka, broker);
    else if (strcmp(what, "up") == 0)
        kafka_broker_up(scenario->kafka, broker);
    else if (strcmp(what, "hang") == 0)
        scenario->kafka->hangs[broker] = true;
    else if (strcmp(what, "unnamed") == 0 || strcmp(what, "named") == 0)
        scenario->kafka->leaves_metadata[broker] = *what == 'u';
    else
        return step_failed(scenario, "\"%s\" is none of down, up, hang, unnamed, named", what);
    return STEP_DONE;
}

/* The new leader may lack the newest batches. */
static enum outcome set_leader(struct scenario *scenario, const struct scenario_step *step)
{
    int topic;
    int32_t number;
    if (!place_at(scenario, step, 1, &topic, &number))
        return STEP_FAILED;
    for (int32_t i = 0; i < scenario->kafka->topics[topic].count; i++) {
        if (number >= 0 && i != number)
            continue;
        if (step->count > 3)
            kafka_truncate(&scenario->kafka->topics[topic], i, (uint64_t)number_at(scenario, step, 3));
        kafka_lead(scenario->kafka, &scenario->kafka->topics[topic].partitions[i],
                   broker_at(scenario, step, 2));
    }
    return STEP_DONE;
}

/* replica PLACE N [BATCHES]: the leader names this broker, which lacks the newest BATCHES, to readers with a rack; N 0: none. */
static enum outcome set_replica(struct scenario *scenario, const struct scenario_step *step)
{
    int topic;
    int32_t number;
    if (!place_at(scenario, step, 1, &topic, &number))
        return STEP_FAILED;
    for (int32_t i = 0; i < scenario->kafka->topics[topic].count; i++) {
        struct kafka_partition *partition = &scenario->kafka->topics[topic].partitions[i];
        if (number >= 0 && i != number)
            continue;
        int broker = broker_at(scenario, step, 2);
        partition->replica = broker + 1;
        if (broker >= 0)
            partition->lacks[broker] = step->count > 3 ? (uint64_t)number_at(scenario, step, 3) : 0;
    }
    scenario->kafka->changed = true;
    return STEP_DONE;
}

/* The leader has no record of a producer left, and so no sequence numbers. */
static enum outcome forget_producers(struct scenario *scenario, const struct scenario_step *step)
{
    int topic;
    int32_t number;
    if (!place_at(scenario, step, 1, &topic, &number))
        return STEP_FAILED;
    for (int32_t i = 0; i < scenario->kafka->topics[topic].count; i++)
        if (number < 0 || i == number)
            memset(scenario->kafka->topics[topic].partitions[i].producers, 0,
                   sizeof scenario->kafka->topics[topic].partitions[i].producers);
    return STEP_DONE;
}

static enum outcome set_coordinator(struct scenario *scenario, const struct scenario_step *step)
{
    int broker = broker_at(scenario, step, 2);
    if (strcmp(step->words[1], "transactions") == 0) {
        scenario->kafka->transaction_coordinator = broker;
    } else {
        scenario->kafka->group_coordinator = broker;
        kafka_group_moved(scenario->kafka);
    }
    scenario->kafka->changed = true;
    return STEP_DONE;
}

static int16_t request_named(struct scenario *scenario, const struct scenario_step *step, const char *name)
{
    static const struct {
        const char *name;
        int16_t key;
    } requests[] = {{"produce", 0},        {"fetch", 1},     {"list", 2},      {"metadata", 3},
                    {"commit", 8},         {"offsets", 9},   {"find", 10},     {"join", 11},
                    {"heartbeat", 12},     {"leave", 13},    {"sync", 14},     {"describe", 15},
                    {"versions", 18},      {"producer", 22}, {"epochs", 23},   {"partitions", 24},
                    {"group-offsets", 25}, {"end", 26},      {"positions", 28}};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        if (strcmp(requests[i].name, name) == 0)
            return requests[i].key;
    scenario_mistake(scenario->script->file, step->line, "there is no request \"%s\"", name);
}

/* fail REQUEST ERROR [TIMES|always] [TOPIC[:PARTITION]] */
static enum outcome fail(struct scenario *scenario, const struct scenario_step *step)
{
    const char *word = step->words[2];
    struct kafka_failure failure = {
        .key = request_named(scenario, step, step->words[1]), .times = 1, .topic = -1, .number = -1};
    failure.error = strcmp(word, "breaks") == 0  ? KAFKA_BREAKS
                    : strcmp(word, "loses") == 0 ? KAFKA_LOSES
                    : strcmp(word, "hangs") == 0 ? KAFKA_HANGS
                                                 : (int)number_at(scenario, step, 2);
    if (step->count > 3)
        failure.times =
            strcmp(step->words[3], "always") == 0 ? UINT32_MAX : (uint32_t)number_at(scenario, step, 3);
    if (step->count > 4 && !place_at(scenario, step, 4, &failure.topic, &failure.number))
        return STEP_FAILED;
    for (struct kafka_failure *one = scenario->kafka->failures;
         one < scenario->kafka->failures + KAFKA_FAILURES_MAX; one++) {
        if (one->times > 0)
            continue;
        *one = failure;
        return STEP_DONE;
    }
    return step_failed(scenario, "more than %d failures", KAFKA_FAILURES_MAX);
}

static enum outcome heal(struct scenario *scenario, const struct scenario_step *step)
{
    memset(scenario->kafka->failures, 0, sizeof scenario->kafka->failures);
    memset(scenario->kafka->hangs, 0, sizeof scenario->kafka->hangs);
    memset(scenario->kafka->leaves_metadata, 0, sizeof scenario->kafka->leaves_metadata);
    for (int i = 0; i < KAFKA_BROKERS; i++)
        kafka_broker_up(scenario->kafka, i);
    scenario->kafka->throttle_ms = 0;
    scenario->kafka->batch_limit = 0;
    scenario->kafka->refused_error = 0;
    return STEP_DONE;
}

static enum outcome set_throttle(struct scenario *scenario, const struct scenario_step *step)
{
    scenario->kafka->throttle_ms = (int32_t)number_at(scenario, step, 1);
    return STEP_DONE;
}

static enum outcome set_limit(struct scenario *scenario, const struct scenario_step *step)
{
    scenario->kafka->batch_limit = number_at(scenario, step, 1);
    return STEP_DONE;
}

/* refuse ERROR TEXT: batches with a record that has this text in it */
static enum outcome refuse(struct scenario *scenario, const struct scenario_step *step)
{
    if (step->text == NULL || step->length == 0 || step->length >= sizeof scenario->kafka->refused)
        return step_failed(scenario, "refuse: kafka refuse ERROR TEXT");
    scenario->kafka->refused_error = (int)number_at(scenario, step, 1);
    memcpy(scenario->kafka->refused, step->text, step->length);
    scenario->kafka->refused[step->length] = 0;
    return STEP_DONE;
}

static enum outcome write_records(struct scenario *scenario, const struct scenario_step *step)
{
    static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    int topic, codec = 0;
    int32_t number;
    if (!place_at(scenario, step, 1, &topic, &number))
        return STEP_FAILED;
    while (step->count > 2 && codec < 5 && strcmp(codecs[codec], step->words[2]) != 0)
        codec++;
    if (codec == 5 || step->text == NULL)
        return step_failed(scenario, "write: kafka write TOPIC:PARTITION [gzip|snappy|lz4|zstd] TEXT");
    kafka_write_lines(&scenario->kafka->topics[topic], number < 0 ? 0 : number, step->text, step->length,
                      codec);
    scenario->kafka->changed = true;
    return STEP_DONE;
}

enum outcome step_kafka(struct scenario *scenario, const struct scenario_step *step)
{
    static const struct {
        const char *name;
        unsigned least, most;
        kafka_step *run;
    } kinds[] = {{"topic", 3, 3, add_topic},
                 {"delete", 2, 2, delete_topic},
                 {"broker", 3, 3, set_broker},
                 {"forget", 2, 2, forget_producers},
                 {"leader", 3, 4, set_leader},
                 {"replica", 3, 4, set_replica},
                 {"coordinator", 3, 3, set_coordinator},
                 {"fail", 3, 5, fail},
                 {"heal", 1, 1, heal},
                 {"throttle", 2, 2, set_throttle},
                 {"limit", 2, 2, set_limit},
                 {"refuse", 2, 2, refuse},
                 {"write", 2, 3, write_records}};
    static const char *const versions[] = {"2.3", "3.1", "4.0", "0.10"};
    const char *word = step->count > 0 ? step->words[0] : "";
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, word) != 0)
            continue;
        if (step->count < kinds[i].least || step->count > kinds[i].most)
            scenario_mistake(scenario->script->file, step->line, "words of kafka %s are missing, or too many",
                             word);
        if (scenario->kafka == NULL)
            scenario_mistake(scenario->script->file, step->line, "a step `kafka` is missing");
        scenario->kafka->peer->called = true;
        return kinds[i].run(scenario, step);
    }
    scenario->kafka = kafka_add();
    for (int i = 0; i < 4; i++)
        if (strcmp(word, versions[i]) == 0)
            kafka_set_generation(scenario->kafka, i);
        else if (i == 3 && *word != 0 && strcmp(word, versions[scenario->kafka->generation]) != 0)
            scenario_mistake(scenario->script->file, step->line, "there is no kafka %s", word);
    return STEP_DONE;
}

/* ---- conditions ---- */

struct printed {
    char *text;
    size_t length, room;
    int32_t number;
    bool whole; /* not only the value */
};

static void add(struct printed *printed, const char *bytes, size_t length)
{
    if (printed->length + length + 1 > printed->room)
        printed->text = realloc(printed->text, printed->room = 2 * (printed->room + length + 512));
    memcpy(printed->text + printed->length, bytes, length);
    printed->text[printed->length += length] = 0;
}

/* PARTITION KEY NAME=VALUE,.. TIME VALUE; `-` for none. The time is there if it is before the world's. */
static void add_rest(struct printed *printed, const struct kafka_record *record)
{
    char text[64];
    add(printed, text, (size_t)snprintf(text, sizeof text, "%d ", printed->number));
    add(printed, record->key == NULL ? "-" : record->key, record->key == NULL ? 1 : record->key_length);
    add(printed, " ", 1);
    struct kafka_in in = record->headers;
    for (int64_t i = 0; i < record->header_count; i++) {
        for (int part = 0; part < 2; part++) {
            int64_t length = kafka_get_varint(&in);
            if (length > 0)
                add(printed, (const char *)kafka_get_bytes(&in, length), (size_t)length);
            add(printed, part == 0 ? "=" : ",", part == 0 || i + 1 < record->header_count);
        }
    }
    add(printed, "-", record->header_count == 0);
    add(printed, " ", 1);
    if (record->time_ms < WORLD_WALL_START_S * INT64_C(1000))
        add(printed, text, (size_t)snprintf(text, sizeof text, "@%lld ", (long long)record->time_ms));
}

static void print(void *argument, const struct kafka_record *record)
{
    struct printed *printed = argument;
    if (printed->whole)
        add_rest(printed, record);
    add(printed, record->value, record->value_length);
    add(printed, "\n", 1);
}

static enum holds topic_holds(struct scenario *scenario, const struct scenario_step *step, bool whole)
{
    struct printed printed = {.whole = whole};
    int topic;
    int32_t number;
    if (!place_at(scenario, step, 0, &topic, &number))
        return HOLDS_NOT;
    add(&printed, "", 0);
    for (int32_t i = 0; i < scenario->kafka->topics[topic].count; i++) {
        printed.number = i;
        if (number < 0 || i == number)
            kafka_each_record(&scenario->kafka->topics[topic], i, print, &printed);
    }
    enum holds holds = text_compares(scenario, step, step->words[0], printed.text, printed.length,
                                     step->count == 2 ? step->words[1] : "");
    free(printed.text);
    return holds;
}

enum holds holds_topic(struct scenario *scenario, const struct scenario_step *step)
{
    return topic_holds(scenario, step, false);
}

enum holds holds_records(struct scenario *scenario, const struct scenario_step *step)
{
    return topic_holds(scenario, step, true);
}

enum holds holds_committed(struct scenario *scenario, const struct scenario_step *step)
{
    int topic;
    int32_t number;
    if (!place_at(scenario, step, 0, &topic, &number))
        return HOLDS_NOT;
    int64_t sum = 0; /* of all partitions */
    for (int32_t i = 0; i < scenario->kafka->topics[topic].count; i++) {
        int64_t offset = scenario->kafka->group.offsets[topic][i].offset;
        sum += number == i || (number < 0 && offset > 0) ? offset : 0;
    }
    if (sum == number_at(scenario, step, 1))
        return HOLDS;
    step_failed(scenario, "of %s %lld is committed", step->words[0], (long long)sum);
    return HOLDS_NOT;
}
