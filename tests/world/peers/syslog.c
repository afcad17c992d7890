/* Senders of syslog, which get no answer. Over TCP one sends some messages, half closes, and waits until the agent has read to the end and closed;
 * over UDP it waits until the kernel's buffer is empty. What was read so counts as acknowledged a second later, if the life goes on without a fault,
 * or if it ended in order: GUARANTEES.md lets a crash lose the input of some milliseconds. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/world/fault.h"
#include "tests/world/ledger.h"
#include "tests/world/net.h"
#include "tests/world/peers/peers.h"
#include "tests/world/peers/supply.h"

#define MS UINT64_C(1000000)
#define BATCH_MAX 60U
#define MESSAGE_BYTES (LEDGER_TEXT_MAX + 128)
#define KEEP_NS (UINT64_C(1000) * MS)
#define PATIENCE_NS (UINT64_C(60000) * MS)

enum phase { IDLE, SENDS, READ };

struct sender {
    struct net_end *end; /* of TCP: the connection; of UDP: the socket */
    uint16_t ports[2];
    bool udp;
    enum phase phase;
    uint32_t batch[BATCH_MAX], count, written; /* of the batch, how many are in `out` or were sent */
    bool counts_octets;
    uint64_t since_ns; /* of the phase */
    unsigned life;     /* of the agent, in which the batch is sent and read */
    uint64_t lost;     /* datagrams, before the batch was sent */
    char out[MESSAGE_BYTES];
    size_t out_length, out_at;
    bool finished;
};

static size_t put_message(uint32_t number, char to[MESSAGE_BYTES])
{
    static const char *const heads[] = {"<13>Jan 15 08:00:00 box ", "<13>1 2027-01-15T08:00:00.003Z box ",
                                        "<13>1 2027-01-15T08:00:00+00:00 box "};
    const char *head = heads[world_below(3)];
    size_t length = strlen(head);
    memcpy(to, head, length);
    return length + ledger_text(number, to + length);
}

static void draw_batch(struct sender *sender)
{
    if (sender->count == 0) {
        for (uint32_t count = supply_take(BATCH_MAX); count > 0; count--)
            sender->batch[sender->count++] = ledger_add();
    }
    sender->written = 0;
    sender->out_length = sender->out_at = 0;
    sender->counts_octets = world_below(2) == 0;
}

static void enter(struct sender *sender, enum phase phase)
{
    sender->phase = phase;
    sender->since_ns = world->now_ns;
    sender->life = world->life;
}

/* The sender does not know what of the batch was read: it gives the batch up, or sends it again. */
static void fail(struct sender *sender)
{
    if (sender->end != NULL && !sender->udp) {
        net_close(sender->end);
        sender->end = NULL;
    }
    for (uint32_t i = 0; i < sender->written; i++)
        ledger_repeated(sender->batch[i]);
    if (sender->written > 0 && world_below(2) == 0)
        sender->count = 0;
    enter(sender, IDLE);
}

/* ---- TCP ---- */

static void put_next(struct sender *sender)
{
    uint32_t number = sender->batch[sender->written++];
    char message[MESSAGE_BYTES];
    size_t length = put_message(number, message);
    int head = sender->counts_octets ? snprintf(sender->out, 16, "%zu ", length) : 0;
    memcpy(sender->out + head, message, length);
    sender->out_length = (size_t)head + length;
    if (!sender->counts_octets)
        sender->out[sender->out_length++] = '\n';
    sender->out_at = 0;
    ledger_sent(number);
}

/* Returns false when the connection is lost. */
static bool send_messages(struct sender *sender)
{
    for (;;) {
        if (sender->out_at == sender->out_length) {
            if (sender->written == sender->count)
                break;
            put_next(sender);
        }
        long sent = net_send(sender->end, sender->out + sender->out_at, sender->out_length - sender->out_at);
        if (sent < 0)
            return sent == -EAGAIN;
        sender->out_at += (size_t)sent;
    }
    net_shutdown(sender->end);
    return true;
}

/* Returns false when the connection is lost. */
static bool use_connection(struct sender *sender)
{
    char byte;
    if (sender->end->state == NET_CONNECTING)
        return true;
    if (sender->end->state != NET_OPEN || world->now_ns - sender->since_ns > PATIENCE_NS ||
        (!sender->end->shut && !send_messages(sender)))
        return false;
    long got = net_receive(sender->end, &byte, 1, false);
    if (got == -EAGAIN)
        return true;
    if (got > 0)
        world_fatal("a source of syslog answers");
    if (got < 0 || !sender->end->shut)
        return false;
    net_close(sender->end);
    sender->end = NULL;
    enter(sender, READ);
    return true;
}

/* ---- UDP ---- */

static bool use_socket(struct sender *sender)
{
    struct net_address to = {NET_LOOPBACK, sender->ports[0]};
    if (sender->written > 0) {
        if (net_waiting_datagrams(to) == 0)
            enter(sender, READ);
        return sender->lost == world->net->datagrams_lost;
    }
    sender->lost = world->net->datagrams_lost;
    if (!net_takes_datagrams(to)) /* as the kernel tells a sender: nobody is there */
        return false;
    while (sender->written < sender->count) {
        uint32_t number = sender->batch[sender->written++];
        ledger_sent(number);
        net_send_datagram(sender->end, to, sender->out, put_message(number, sender->out));
    }
    return sender->lost == world->net->datagrams_lost;
}

/* ---- both ---- */

/* The agent has had time enough to promise what it has read, or its life has ended. */
static void settle(struct sender *sender)
{
    bool lives = world->life == sender->life && world->end == WORLD_RUNS;
    if (world->life == sender->life && !lives) /* between two lives */
        return;
    if (lives && world->now_ns - sender->since_ns < KEEP_NS)
        return;
    bool calm = lives ? !world->server_faults && faults_struck() == 0
                      : world->life == sender->life + 1 && world->ended_well;
    for (uint32_t i = 0; i < sender->count && calm; i++)
        ledger_acknowledged(sender->batch[i]);
    sender->count = 0;
    enter(sender, IDLE);
}

static void begin(struct world_peer *peer, struct sender *sender)
{
    draw_batch(sender);
    if (sender->count == 0)
        return;
    enter(sender, SENDS);
    if (!sender->udp)
        sender->end = net_connect(peer, NET_LOOPBACK,
                                  (struct net_address){NET_LOOPBACK, sender->ports[world_below(2)]});
}

static void sender_step(struct world_peer *peer)
{
    struct sender *sender = peer->state;
    if (sender->finished)
        return;
    if (sender->phase == READ)
        settle(sender);
    if (sender->phase == IDLE && sender->count == 0 && supply_is_over()) {
        sender->finished = true;
        peers_one_less();
        return;
    }
    if (sender->phase == IDLE)
        begin(peer, sender);
    if (sender->phase == IDLE) {
        peer->due_ns = supply_next_ns();
        return;
    }
    if (sender->phase == SENDS && world->life != sender->life) /* that the end comes says nothing then */
        fail(sender);
    else if (sender->phase == SENDS && !(sender->udp ? use_socket(sender) : use_connection(sender)))
        fail(sender);
    peer->due_ns = world->now_ns + world_below(sender->phase == SENDS ? 20 * MS : 200 * MS);
}

void syslog_add(const uint16_t ports[2], bool udp)
{
    if (world_below(2) == 0)
        world->net->datagram_bytes = 8192;
    uint32_t senders = 1 + (uint32_t)world_below(3);
    for (uint32_t i = 0; i < senders; i++) {
        struct sender *sender = world_allocate(sizeof *sender);
        memcpy(sender->ports, ports, sizeof sender->ports);
        sender->udp = udp;
        struct world_peer *peer = peer_add(sender_step, sender, 200 * MS);
        if (udp)
            sender->end = net_datagrams(peer, (struct net_address){NET_LOOPBACK, 0});
        peers_one_more();
    }
    world->ledger->more_headers = true;
    ledger_expect_header(HEADER_TEXT, "Facility", "1");
    ledger_expect_header(HEADER_TEXT, "Severity", "5");
    ledger_expect_header(HEADER_TEXT, "host", "box");
}
