/* Answers of a broker to each request of the native fetch client. The first byte chooses the request and its
 * version; the rest is the answer after its correlation id. No answer may harm the client: it is accepted, or
 * the connection is closed; every block is given back. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 16384U
#define BUDGET_BYTES (UINT64_C(8) << 20)
#define PARTITIONS 3

static struct ps_kafka_fetch *make(struct ps_port *port)
{
    struct ps_err err = {0};
    static struct ps_kafka_settings settings;
    static const char *const topics[] = {"t"};
    const struct ps_kafka_reading_config config = {
        .port = port,
        .settings = &settings,
        .group = "g",
        .subscription = {1, topics},
        .commit_interval_ns = 1,
        .revoke_wait_ns = 1,
        .held_bytes_max = BUDGET_BYTES,
    };
    ps_kafka_settings_init(&settings);
    settings.texts.servers = (char[]){"127.0.0.1:9"};
    settings.reader.reset = PS_KAFKA_RESET_EARLIEST;
    struct ps_kafka_fetch *fetch = ps_kafka_reading_open(&config, &err);
    PS_ASSERT(fetch != NULL);
    return fetch;
}

/* Makes the broker lead the topic's partitions, which the member has. */
static void fill(struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_native_broker *broker = fetch->client->brokers;
    struct ps_kafka_native_topic *topic = ps_kafka_native_topic_get(fetch->client, "t", 1);
    PS_ASSERT(topic != NULL && ps_kafka_native_topic_resize(topic, PARTITIONS));
    memcpy(topic->id, "0123456789abcdef", sizeof topic->id);
    topic->has_id = true;
    broker->node = 1;
    broker->phase = PS_KAFKA_NATIVE_UP;
    fetch->member.coordinator.node = 1;
    fetch->member.phase = PS_KAFKA_MEMBER_STABLE;
    for (int32_t i = 0; i < PARTITIONS; i++) {
        ps_kafka_native_partition_lead(topic->partitions[i], broker);
        ps_kafka_parts_take(fetch, (struct ps_slice){"t", 1}, i);
    }
}

static void set_parts(struct ps_kafka_fetch *fetch, enum ps_kafka_part_state state)
{
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        fetch->parts[i].state = state;
        fetch->parts[i].next = 5;
        fetch->streams.items[i].taken = 7;
        fetch->streams.items[i].reached = 8;
    }
}

static void send_one(struct ps_kafka_fetch *fetch, struct ps_kafka_native_request *request,
                     enum ps_kafka_member_phase phase)
{
    PS_ASSERT(request != NULL);
    fetch->member.phase = phase;
    ps_kafka_native_broker_send(fetch->client->brokers, request);
}

static void ask(struct ps_kafka_fetch *fetch, uint8_t choice)
{
    struct ps_kafka_native_broker *broker = fetch->client->brokers;
    unsigned version = choice / 8;
    for (unsigned kind = 0; kind < PS_KAFKA_NATIVE_KINDS; kind++)
        broker->versions[kind].modern = -1;
    broker->versions[PS_KAFKA_NATIVE_FETCH].plain = (int16_t)(4 + version % 8);
    if (version % 16 == 8)
        broker->versions[PS_KAFKA_NATIVE_FETCH].modern = PS_KAFKA_FETCH_OF_IDS;
    broker->versions[PS_KAFKA_NATIVE_LIST_OFFSETS].plain = (int16_t)(1 + version % 2);
    broker->versions[PS_KAFKA_NATIVE_GROUP_OFFSETS].plain = (int16_t)(2 + version % 4);
    if (version % 6 == 5)
        broker->versions[PS_KAFKA_NATIVE_GROUP_OFFSETS].modern = 7;
    broker->versions[PS_KAFKA_NATIVE_GROUP_COMMIT].plain = (int16_t)(2 + version % 6);
    fetch->settings.committed_only = version % 2 == 1;
    switch (choice % 8) {
    case 0:
    case 1:
        set_parts(fetch, PS_KAFKA_PART_READY);
        ps_kafka_fetch_turn(fetch);
        break;
    case 2:
        set_parts(fetch, PS_KAFKA_PART_RESET);
        ps_kafka_questions_turn(fetch);
        break;
    case 3:
        set_parts(fetch, PS_KAFKA_PART_COMMITTED);
        ps_kafka_questions_turn(fetch);
        break;
    case 4:
        set_parts(fetch, PS_KAFKA_PART_READY);
        fetch->commits.dirty = true;
        ps_kafka_commit_when(fetch, 0);
        break;
    case 5:
        send_one(fetch, ps_kafka_member_request_join(fetch, (int16_t)(2 + version % 4)),
                 PS_KAFKA_MEMBER_JOINING);
        break;
    case 6:
        send_one(fetch, ps_kafka_member_request_sync(fetch, (int16_t)(1 + version % 3), NULL, NULL),
                 PS_KAFKA_MEMBER_SYNCING);
        break;
    default:
        send_one(fetch, ps_kafka_member_request_heartbeat(fetch, (int16_t)(1 + version % 3)),
                 PS_KAFKA_MEMBER_STABLE);
        break;
    }
}

static void on_notice(void *, const struct ps_kafka_notice *)
{
}

/* Hands the answer over as the connection does: the answer to Fetch may be in the reader's memory. */
static void answer(struct ps_kafka_fetch *fetch, const uint8_t *data, uint32_t size)
{
    struct ps_kafka_native_broker *broker = fetch->client->brokers;
    struct ps_kafka_native_request *request = broker->first;
    char reason[PS_TRANSPORT_REASON_BYTES], *copy = NULL;
    uint32_t length = size + (uint32_t)sizeof(int32_t);
    PS_ASSERT(request != NULL);
    char *bytes = request->kind == PS_KAFKA_NATIVE_FETCH && size % 2 == 0
                      ? ps_kafka_fetch_room(fetch->client, request, length)
                      : NULL;
    if (bytes == NULL)
        bytes = copy = malloc(length);
    PS_ASSERT(bytes != NULL);
    (void)ps_wire_put_int32(bytes, request->correlation);
    if (size > 0)
        memcpy(bytes + sizeof(int32_t), data, size);
    bool good = ps_kafka_native_response(broker, request, bytes, length, reason);
    free(copy);
    if (!good)
        return; /* the connection is lost, and with it the request */
    broker->first = request->next;
    broker->end = broker->first == NULL ? &broker->first : broker->end;
    broker->writing = broker->first;
    ps_kafka_native_give_request(fetch->client, request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_err err = {0};
    struct ps_counters counters = {0};
    struct ps_block_cache blocks;
    if (size == 0 || size > MOST)
        return 0;
    struct ps_depot *depot = ps_depot_create(BUDGET_BYTES, &err);
    PS_ASSERT(depot != NULL);
    ps_block_cache_init(&blocks, depot);
    struct ps_port port = {
        .component = "fuzz", .counters = &counters, .epoll_fd = -1, .wake_fd = -1, .blocks = &blocks};
    struct ps_kafka_fetch *fetch = make(&port);
    const struct ps_kafka_listener listener = {.notice = on_notice, .now = {.mono_ns = PS_NS_PER_S}};
    fetch->client->listener = &listener;
    fetch->client->now = listener.now;
    fetch->mono_ns = listener.now.mono_ns;
    fill(fetch);
    ask(fetch, data[0]);
    answer(fetch, data + 1, (uint32_t)size - 1);
    ps_kafka_reading_destroy(fetch);
    ps_block_cache_fini(&blocks);
    PS_ASSERT(ps_depot_used_bytes(depot) == 0);
    ps_depot_destroy(depot);
    return 0;
}
