/* A program that writes into the topic that the agent reads. */
#include "tests/world/ledger.h"
#include "tests/world/peers/kafka/cluster.h"
#include "tests/world/peers/peers.h"
#include "tests/world/peers/supply.h"

#define START_NS_MAX UINT64_C(100000000)
#define FIRST_PRODUCER 1000000 /* the writer has one for each partition */

struct writer {
    struct kafka_cluster *cluster;
    bool in_transactions;
    struct open {
        bool is_open, commits;
        uint32_t first, count; /* of its events, which the partition has */
    } open[KAFKA_PARTITIONS];
};

static uint32_t write(struct writer *writer, int32_t number, int64_t producer, uint32_t *first)
{
    uint32_t count = supply_take(20);
    if (count == 0)
        return 0;
    *first = world->ledger->count;
    for (uint32_t i = 0; i < count; i++)
        ledger_add();
    kafka_write(&writer->cluster->topics[1], number, *first, count, producer);
    return count;
}

static void acknowledge(uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        ledger_sent(i);
        ledger_acknowledged(i);
    }
}

/* A transaction that is aborted leaves events that nobody may see. */
static void step_transaction(struct writer *writer, int32_t number)
{
    struct open *open = &writer->open[number];
    int64_t producer = FIRST_PRODUCER + number;
    if (open->is_open && (world->supply->left == 0 || world_below(2) == 0)) {
        if (open->commits)
            acknowledge(open->first, open->count);
        kafka_end(&writer->cluster->topics[1], number, producer, 0, open->commits);
        open->is_open = false;
    } else if (!open->is_open && world->supply->left > 0) {
        *open = (struct open){.is_open = true, .commits = world_below(3) != 0};
        open->count = write(writer, number, producer, &open->first);
    }
}

static bool any_open(const struct writer *writer)
{
    for (int i = 0; i < KAFKA_PARTITIONS; i++)
        if (writer->open[i].is_open)
            return true;
    return false;
}

static void writer_step(struct world_peer *peer)
{
    struct writer *writer = peer->state;
    int32_t number = (int32_t)world_below((uint64_t)writer->cluster->topics[1].count);
    if (writer->open[number].is_open || (writer->in_transactions && world_below(2) == 0)) {
        step_transaction(writer, number);
    } else if (world->supply->left > 0) {
        uint32_t first, count = write(writer, number, -1, &first);
        acknowledge(first, count);
    }
    writer->cluster->peer->called = writer->cluster->changed = true;
    if (supply_is_over() && !any_open(writer)) {
        peers_one_less();
        return;
    }
    peer->due_ns = any_open(writer) ? world->now_ns + world_below(START_NS_MAX) : supply_next_ns();
}

void kafka_writer_add(struct kafka_cluster *cluster, bool in_transactions)
{
    struct writer *writer = world_allocate(sizeof *writer);
    *writer = (struct writer){.cluster = cluster, .in_transactions = in_transactions};
    peers_one_more();
    peer_add(writer_step, writer, world_below(START_NS_MAX));
}
