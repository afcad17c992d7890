/* Target kafka: sends records through librdkafka; delivery reports complete them (kafka_flow.h). This file
 * reads the URL.
 *
 * Each lane is a producer. Without other URL keys the library's defaults apply, among them acks=all, with two
 * exceptions: idempotence is on where acks allows it (a retry must not duplicate or reorder what the far end
 * checks), and a record never times out (message.timeout.ms=0).
 *
 * Thread: the plan: any; the rest: the lane's sender. */
#include "bench/load/lane/kafka_flow.h"
#include "bench/load/target/keys.h"
#include "bench/load/targets.h"
#include "core/clock.h"
#include "stages/lib/kafka/librdkafka/reader.h"
#include "stages/lib/kafka/librdkafka/settings.h"
#include "stages/lib/kafka/produce/partition.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_OVERHEAD_BYTES 64U /* more than the library counts for a record besides value and key */
#define METADATA_TIMEOUT_MS 10000
#define WAVES 3U
#define LINGER_NS (5 * PS_NS_PER_MS)

static enum ps_status settings_make(struct ps_kafka_flow_plan *plan, struct ps_url *url, struct ps_err *err)
{
    struct ps_kafka_settings *settings = &plan->settings;
    const char *name, *value;
    bool idempotence_is_given = false;
    ps_kafka_settings_init(settings);
    ps_kafka_text_set(&settings->texts.servers, url->hosts);
    ps_kafka_text_set(&settings->texts.client_id, "penstock-load");
    settings->delivery_ns = 0;
    settings->linger_ns = LINGER_NS;
    /* the queue is larger than this target can fill */
    settings->queue_records_max = 10000000;
    settings->queue_bytes_max = UINT64_C(2097151) * 1024;
    for (unsigned at = 0; ps_url_next(url, "kafka.", &at, &name, &value);) {
        if (ps_kafka_settings_try(settings, name, value, err) != PS_OK)
            return PS_FAIL;
        idempotence_is_given |= strcmp(name, "enable.idempotence") == 0;
    }
    if (ps_kafka_settings_other(settings, "transactional.id") != NULL)
        return ps_err_set(err, "kafka.transactional.id: load does not use transactions");
    if (!idempotence_is_given)
        settings->idempotent = settings->acks == PS_KAFKA_ACKS_ALL;
    plan->linger_ns = settings->linger_ns;
    /* Not below 0, because librdkafka refuses a message.max.bytes below 1,000. */
    plan->value_bytes_max = settings->request_bytes_max - RECORD_OVERHEAD_BYTES - PS_KAFKA_FLOW_KEY_BYTES;
    return PS_OK;
}

static enum ps_status partition_read(struct ps_kafka_flow_plan *plan, struct ps_url *url, struct ps_err *err)
{
    const char *text = ps_url_get(url, "partition", "any");
    plan->partition = PS_KAFKA_PARTITION_ANY;
    if (strcmp(text, "any") == 0)
        return PS_OK;
    if (strcmp(text, "source") == 0) {
        plan->by_source = true;
        return ps_kafka_partition_count(&plan->settings, plan->topic, false, METADATA_TIMEOUT_MS,
                                        &plan->partition_count, err);
    }
    char *end;
    long number = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || number < 0 || number > INT32_MAX)
        return ps_err_set(err, "partition=%s: write any, source or a partition's number", text);
    plan->partition = (int32_t)number;
    return PS_OK;
}

static enum ps_status kafka_plan(void *made, struct ps_url *url, enum ps_framing *, struct ps_err *err)
{
    struct ps_kafka_flow_plan *plan = made;
    static const char *const keys[] = {"none", "source", "sequence", NULL};
    unsigned key = PS_KAFKA_KEY_NONE;
    uint64_t waves = WAVES;
    plan->engine = &ps_kafka_librdkafka;
    if (*url->hosts == '\0' || strlen(url->path) < 2 || strchr(url->path + 1, '/') != NULL)
        return ps_err_set(err, "write kafka://HOST:PORT,HOST:PORT/TOPIC");
    if (!ps_kafka_topic_name_is_legal(url->path + 1, (uint32_t)strlen(url->path + 1)))
        return ps_err_set(err, "`%s` is not a valid topic name: use 1 to 249 letters, digits, . _ -",
                          url->path + 1);
    plan->topic = url->path + 1;
    if (settings_make(plan, url, err) != PS_OK || ps_target_key_word(url, "key", keys, &key, err) != PS_OK ||
        ps_target_key_count(url, "waves", 0, 1000, &waves, err) != PS_OK)
        return PS_FAIL;
    plan->key = key;
    plan->settings.spread = key == PS_KAFKA_KEY_NONE ? PS_KAFKA_SPREAD_STICKY : PS_KAFKA_SPREAD_BY_KEY;
    plan->waves_max = (unsigned)waves;
    return partition_read(plan, url, err);
}

static void kafka_unplan(void *plan)
{
    ps_kafka_settings_fini(&((struct ps_kafka_flow_plan *)plan)->settings);
}

static int kafka_descriptor(void *state, short *events)
{
    const struct ps_kafka_flow *flow = state;
    *events = POLLIN;
    return flow->wake_fd;
}

static bool kafka_finish(void *state, uint64_t)
{
    const struct ps_kafka_flow *flow = state;
    return flow->head == NULL;
}

const struct ps_target_ops ps_target_kafka = {
    .scheme = "kafka",
    .summary = "kafka://HOST:PORT,HOST:PORT/TOPIC?key=none|source|sequence&partition=any|source|N&waves=3"
               "&kafka.X=Y: a record an event; kafka.X are librdkafka's properties (default: acks=all)",
    .framing = PS_FRAMING_NONE,
    .completion = PS_COMPLETION_ACKNOWLEDGED,
    .blocks_max = PS_KAFKA_FLOW_BLOCKS_MAX,
    .plan_bytes = sizeof(struct ps_kafka_flow_plan),
    .state_bytes = sizeof(struct ps_kafka_flow),
    .plan = kafka_plan,
    .unplan = kafka_unplan,
    .open = ps_kafka_flow_open,
    .give = ps_kafka_flow_give,
    .work = ps_kafka_flow_work,
    .descriptor = kafka_descriptor,
    .finish = kafka_finish,
    .close = ps_kafka_flow_close,
};
