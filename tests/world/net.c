#include "tests/world/net.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

static void tell(struct world_peer *peer, void *description)
{
    if (peer != NULL)
        peer->called = true;
    else if (description != NULL)
        net_tell_agent(description);
}

static void tell_owner(struct net_end *end)
{
    if (!end->closed)
        tell(end->peer, end->description);
}

/* ---- arrival ---- */

static void expect(uint64_t when_ns)
{
    struct world_peer *wire = world->net->wire;
    if (when_ns < wire->due_ns)
        wire->due_ns = when_ns;
}

static uint64_t draw_arrival(void)
{
    const struct net *net = world->net;
    return world->now_ns + net->latency_ns + (net->jitter_ns > 0 ? world_below(net->jitter_ns) : 0);
}

static bool listens_at(const struct net_listener *listener, struct net_address address)
{
    return listener->address.port == address.port &&
           (listener->address.host == 0 || listener->address.host == address.host);
}

/* Of several listeners that share the address, one is drawn. */
static struct net_listener *find_listener(struct net_address address)
{
    struct net_listener *found = NULL;
    uint64_t count = 0;
    for (struct net_listener *one = world->net->listeners; one != NULL; one = one->next)
        if (listens_at(one, address) && (++count == 1 || world_below(count) == 0))
            found = one;
    return found;
}

static void open_or_refuse(struct net_end *end)
{
    struct net_listener *listener = find_listener(end->remote);
    if (listener != NULL) {
        end->state = NET_OPEN;
        end->other->state = NET_OPEN;
        end->other->peer = listener->peer;
        end->other->listener = listener;
        tell(listener->peer, listener->description);
        return;
    }
    end->state = NET_REFUSED;
    end->other->closed = true;
    end->other = NULL;
}

/* Tells everybody for whom something arrives now, and sets the time of the next arrival. */
static void wire_step(struct world_peer *wire)
{
    struct net *net = world->net;
    for (struct net_end *end = net->ends; end != NULL; end = end->next) {
        uint64_t now = world->now_ns;
        if (end->state == NET_CONNECTING && end->opens_ns != WORLD_NEVER) {
            if (end->opens_ns > now) {
                expect(end->opens_ns);
            } else {
                open_or_refuse(end);
                tell_owner(end);
            }
        }
        bool arrived = end->ended && end->ends_ns <= now;
        for (const struct net_piece *piece = end->pieces; piece != NULL; piece = piece->next) {
            if (piece->arrives_ns > now) {
                expect(piece->arrives_ns);
                break;
            }
            arrived = true;
        }
        if (end->ended && end->ends_ns > now)
            expect(end->ends_ns);
        if (arrived)
            tell_owner(end);
    }
    for (struct net_end *end = net->datagrams; end != NULL; end = end->next) {
        if (end->pieces != NULL && end->pieces->arrives_ns <= world->now_ns)
            tell_owner(end);
        else if (end->pieces != NULL)
            expect(end->pieces->arrives_ns);
    }
    (void)wire;
}

void net_begin(void)
{
    struct net *net = world_allocate(sizeof *net);
    world->net = net;
    net->next_port = 40000;
    net->latency_ns = 50000;
    net->jitter_ns = 50000;
    net->datagram_bytes = 4 * NET_BUFFER_BYTES;
    net->wire = peer_add(wire_step, NULL, WORLD_NEVER);
    net_name("localhost", NET_LOOPBACK);
    net_name("world", NET_LOOPBACK + 1); /* the machine */
}

void net_name(const char *name, uint32_t host)
{
    struct net_name *made = world_allocate(sizeof *made);
    *made = (struct net_name){.next = world->net->names, .host = host};
    snprintf(made->name, sizeof made->name, "%s", name);
    world->net->names = made;
}

void net_forget_name(const char *name)
{
    struct net_name **at = &world->net->names;
    while (*at != NULL && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    struct net_name *found = *at;
    if (found == NULL)
        return;
    *at = found->next;
    world_free(found, sizeof *found);
}

const struct net_name *net_find_host(uint32_t host)
{
    const struct net_name *found = world->net->names;
    while (found != NULL && found->host != host)
        found = found->next;
    return found;
}

const struct net_name *net_find_name(const char *name)
{
    const struct net_name *found = world->net->names;
    while (found != NULL && strcmp(found->name, name) != 0)
        found = found->next;
    return found;
}

/* ---- connections ---- */

static struct net_end *make_end(struct net_end **list, struct world_peer *peer)
{
    struct net_end *end = world_allocate(sizeof *end);
    end->last = &end->pieces;
    end->peer = peer;
    end->next = *list;
    *list = end;
    return end;
}

static void free_pieces(struct net_end *end)
{
    for (struct net_piece *piece = end->pieces, *next; piece != NULL; piece = next) {
        next = piece->next;
        world_free(piece, sizeof *piece + piece->length);
    }
    end->pieces = NULL;
    end->last = &end->pieces;
    end->waiting = 0;
}

/* An end is forgotten when its owner has closed it and the other one knows. */
static void forget(struct net_end **list, struct net_end *end)
{
    while (*list != end)
        list = &(*list)->next;
    *list = end->next;
    free_pieces(end);
    world_free(end, sizeof *end);
}

static struct net_listener *listen_at(struct world_peer *peer, struct net_address address, bool shares)
{
    struct net *net = world->net;
    for (const struct net_listener *other = net->listeners; other != NULL; other = other->next)
        if (other->address.port == address.port && !(shares && other->shares) &&
            (other->address.host == address.host || other->address.host == 0 || address.host == 0))
            return NULL;
    struct net_listener *listener = world_allocate(sizeof *listener);
    *listener =
        (struct net_listener){.next = net->listeners, .address = address, .shares = shares, .peer = peer};
    if (address.port == 0)
        listener->address.port = net->next_port++;
    net->listeners = listener;
    return listener;
}

struct net_listener *net_listen(struct world_peer *peer, struct net_address address)
{
    return listen_at(peer, address, false);
}

struct net_listener *net_listen_shared(struct net_address address)
{
    return listen_at(NULL, address, true);
}

void net_unlisten(struct net_listener *listener)
{
    struct net *net = world->net;
    for (struct net_end *end = net->ends; end != NULL;) {
        if (end->accepted || end->closed || end->state != NET_OPEN || end->listener != listener) {
            end = end->next;
            continue;
        }
        net_reset(end); /* and perhaps the one after it, which is its other end */
        end = net->ends;
    }
    struct net_listener **at = &net->listeners;
    while (*at != listener)
        at = &(*at)->next;
    *at = listener->next;
    world_free(listener, sizeof *listener);
}

struct net_end *net_connect(struct world_peer *peer, uint32_t from, struct net_address to)
{
    struct net *net = world->net;
    struct net_end *end = make_end(&net->ends, peer), *other = make_end(&net->ends, NULL);
    end->local = other->remote = (struct net_address){from, net->next_port++};
    end->remote = other->local = to;
    if (net->next_port == 0)
        net->next_port = 40000;
    end->other = other;
    other->other = end;
    other->opens_ns = WORLD_NEVER;
    end->accepted = true;
    end->opens_ns = to.host == NET_SILENT ? WORLD_NEVER : draw_arrival();
    if (end->opens_ns != WORLD_NEVER)
        expect(end->opens_ns);
    return end;
}

struct net_end *net_accept(struct net_listener *listener)
{
    struct net_end *oldest = NULL; /* new ends are first in the list */
    for (struct net_end *end = world->net->ends; end != NULL; end = end->next)
        if (!end->accepted && !end->closed && end->state == NET_OPEN && end->listener == listener)
            oldest = end;
    if (oldest != NULL) {
        oldest->accepted = true;
        oldest->peer = listener->peer;
    }
    return oldest;
}

static struct net_piece *add_piece(struct net_end *to, const void *bytes, size_t length)
{
    struct net_piece *piece = world_allocate(sizeof *piece + length);
    *piece = (struct net_piece){.arrives_ns = draw_arrival(), .length = length};
    memcpy(piece->bytes, bytes, length);
    for (const struct net_piece *before = to->pieces; before != NULL; before = before->next)
        if (before->arrives_ns > piece->arrives_ns)
            piece->arrives_ns = before->arrives_ns;
    *to->last = piece;
    to->last = &piece->next;
    to->waiting += length;
    expect(piece->arrives_ns);
    return piece;
}

static size_t shorten(size_t length)
{
    return length > 1 && world_chance(world->net->partial_share) ? 1 + world_below(length - 1) : length;
}

/* The connection is gone for this end, whose owner learns of it; it is forgotten if the owner has closed it already. */
static void break_off(struct net_end *end)
{
    end->other = NULL;
    end->state = NET_RESET;
    free_pieces(end);
    if (end->closed)
        forget(&world->net->ends, end);
    else
        tell_owner(end);
}

long net_send(struct net_end *end, const void *bytes, size_t length)
{
    struct net *net = world->net;
    if (end->state == NET_CONNECTING)
        return -EAGAIN;
    if (end->state == NET_RESET)
        return -ECONNRESET;
    if (end->shut || end->other == NULL)
        return -EPIPE;
    if (world->now_ns >= net->reset_from_ns && world->now_ns < net->reset_to_ns &&
        world_chance(net->reset_share)) {
        net->resets++;
        break_off(end->other);
        break_off(end);
        return -ECONNRESET;
    }
    size_t room = end->other->waiting < NET_BUFFER_BYTES ? NET_BUFFER_BYTES - end->other->waiting : 0;
    if (room == 0)
        return -EAGAIN;
    length = shorten(length < room ? length : room);
    if (end->other->closed) { /* the kernel of the other side answers with a reset */
        end->state = NET_RESET;
        return (long)length;
    }
    add_piece(end->other, bytes, length);
    return (long)length;
}

static bool has_arrived(const struct net_end *end)
{
    return end->pieces != NULL && end->pieces->arrives_ns <= world->now_ns;
}

static bool end_has_arrived(const struct net_end *end)
{
    return end->ended && end->pieces == NULL && end->ends_ns <= world->now_ns;
}

size_t net_arrived_bytes(const struct net_end *end)
{
    size_t bytes = 0;
    for (const struct net_piece *piece = end->pieces;
         piece != NULL && has_arrived(end) && piece->arrives_ns <= world->now_ns; piece = piece->next)
        bytes += piece->length - piece->taken;
    return bytes;
}

long net_receive(struct net_end *end, void *to, size_t room, bool peeks)
{
    if (end->state == NET_RESET)
        return -ECONNRESET;
    if (end->state != NET_OPEN)
        return end->state == NET_CONNECTING ? -EAGAIN : -ENOTCONN;
    if (!has_arrived(end))
        return end_has_arrived(end) ? 0 : -EAGAIN;
    room = shorten(room);
    size_t got = 0;
    for (struct net_piece *piece = end->pieces;
         piece != NULL && got < room && piece->arrives_ns <= world->now_ns;) {
        size_t part = piece->length - piece->taken < room - got ? piece->length - piece->taken : room - got;
        memcpy((char *)to + got, piece->bytes + piece->taken, part);
        got += part;
        if (peeks) {
            piece = piece->next;
            continue;
        }
        piece->taken += part;
        end->waiting -= part;
        if (piece->taken < piece->length)
            break;
        end->pieces = piece->next;
        if (end->pieces == NULL)
            end->last = &end->pieces;
        world_free(piece, sizeof *piece + piece->length);
        piece = end->pieces;
    }
    if (!peeks && end->other != NULL)
        tell_owner(end->other); /* there is room again */
    return (long)got;
}

void net_shutdown(struct net_end *end)
{
    if (end->shut)
        return;
    end->shut = true;
    if (end->other != NULL) {
        end->other->ended = true;
        end->other->ends_ns = draw_arrival();
        expect(end->other->ends_ns);
    }
}

void net_close(struct net_end *end)
{
    if (end->waiting > 0 && end->other != NULL) { /* bytes that nobody read: the kernel resets */
        net_reset(end);
        return;
    }
    net_shutdown(end);
    end->closed = true;
    struct net_end *other = end->other;
    if (other == NULL) {
        forget(&world->net->ends, end);
    } else if (other->closed) {
        forget(&world->net->ends, other);
        forget(&world->net->ends, end);
    }
}

void net_reset(struct net_end *end)
{
    if (end->other != NULL)
        break_off(end->other);
    forget(&world->net->ends, end);
}

short net_ready(const struct net_end *end)
{
    switch (end->state) {
    case NET_CONNECTING:
        return 0;
    case NET_REFUSED:
    case NET_RESET:
        return POLLIN | POLLOUT | POLLERR | POLLHUP;
    case NET_OPEN:
        break;
    }
    short ready = has_arrived(end) || end_has_arrived(end) ? POLLIN : 0;
    if (end_has_arrived(end))
        ready |= POLLRDHUP | (end->shut ? POLLHUP : 0);
    if (end->other == NULL || end->other->waiting < NET_BUFFER_BYTES)
        ready |= POLLOUT;
    return ready;
}

/* ---- datagrams ---- */

struct net_end *net_datagrams(struct world_peer *peer, struct net_address address)
{
    struct net *net = world->net;
    if (address.port == 0)
        address.port = net->next_port++;
    struct net_end *end = make_end(&net->datagrams, peer);
    end->state = NET_OPEN;
    end->local = address;
    return end;
}

void net_close_datagrams(struct net_end *end)
{
    world->net->datagrams_lost += end->pieces != NULL;
    forget(&world->net->datagrams, end);
}

static bool takes(const struct net_end *end, struct net_address to)
{
    return end->local.port == to.port && (end->local.host == 0 || end->local.host == to.host);
}

static struct net_end *find_datagrams(struct net_address to)
{
    struct net_end *end = world->net->datagrams;
    while (end != NULL && !takes(end, to))
        end = end->next;
    return end;
}

/* Of sockets that share the address, a sender's datagrams go to the same one. */
static struct net_end *find_shared(struct net_address from, struct net_address to)
{
    struct net_end *first = find_datagrams(to);
    if (first == NULL || !first->shares)
        return first;
    unsigned count = 0;
    for (struct net_end *end = first; end != NULL; end = end->next)
        count += takes(end, to);
    for (unsigned left = from.port % count; left > 0; left -= takes(first, to))
        first = first->next;
    return first;
}

bool net_keeps_datagrams(uint16_t port, bool shares)
{
    for (const struct net_end *end = world->net->datagrams; end != NULL; end = end->next)
        if (end->local.port == port && !(shares && end->shares))
            return true;
    return false;
}

bool net_takes_datagrams(struct net_address to)
{
    return find_datagrams(to) != NULL;
}

size_t net_waiting_datagrams(struct net_address to)
{
    const struct net_end *end = find_datagrams(to);
    return end == NULL ? 0 : end->waiting;
}

long net_send_datagram(struct net_end *end, struct net_address to, const void *bytes, size_t length)
{
    if (length > 65507)
        return -EMSGSIZE;
    struct net_end *other = find_shared(end->local, to);
    if (other != NULL && other->waiting + length <= world->net->datagram_bytes) {
        add_piece(other, bytes, length)->from = end->local;
        return (long)length;
    }
    world->net->datagrams_lost++;
    if (other != NULL)
        other->drops++;
    return (long)length;
}

long net_receive_datagram(struct net_end *end, void *to, size_t room, struct net_address *from)
{
    struct net_piece *piece = end->pieces;
    if (!has_arrived(end))
        return -EAGAIN;
    size_t length = piece->length;
    memcpy(to, piece->bytes, length < room ? length : room);
    *from = piece->from;
    end->pieces = piece->next;
    if (end->pieces == NULL)
        end->last = &end->pieces;
    end->waiting -= length;
    world_free(piece, sizeof *piece + length);
    return (long)length;
}

void net_agent_died(void)
{
    struct net *net = world->net;
    if (net == NULL)
        return;
    for (struct net_end *end = net->ends; end != NULL; end = end->next)
        if (end->peer == NULL)
            end->description = NULL; /* also of connections within the agent: it is told nothing more */
    for (struct net_listener *listener = net->listeners, *next; listener != NULL; listener = next) {
        next = listener->next;
        if (listener->peer == NULL)
            net_unlisten(listener);
    }
    for (bool found = true; found;) { /* closing one may forget two */
        found = false;
        for (struct net_end *end = net->ends; end != NULL && !found; end = end->next)
            if (end->peer == NULL && !end->closed && end->accepted) {
                net_close(end);
                found = true;
            }
    }
    for (struct net_end *end = net->datagrams, *next; end != NULL; end = next) {
        next = end->next;
        if (end->peer == NULL)
            net_close_datagrams(end);
    }
}
