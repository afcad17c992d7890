/* The network: TCP connections and datagrams between the agent and its peers. All addresses are reachable; names are those that
 * net_name gives. What is sent arrives later, in order, and as long as the receiver has room; a connection can be slow, silent, half closed
 * or reset. When the agent's process dies, the peers see what a kernel would have sent for it. */
#pragma once

#include "tests/world/peer.h"

#define NET_BUFFER_BYTES ((size_t)64 << 10)
#define NET_NAME_MAX 64

/* An IPv4 address and a port, both as numbers. */
struct net_address {
    uint32_t host;
    uint16_t port;
};

#define NET_LOOPBACK UINT32_C(0x7f000001)
#define NET_SILENT (NET_LOOPBACK + 200) /* a host that neither takes a connection nor refuses one */

/* Bytes that were sent, and arrive at a time. */
struct net_piece {
    struct net_piece *next;
    uint64_t arrives_ns;
    size_t length, taken;
    struct net_address from; /* of a datagram */
    char bytes[];
};

enum net_state { NET_CONNECTING, NET_OPEN, NET_REFUSED, NET_RESET };

/* One end of a connection, or a socket for datagrams. */
struct net_end {
    struct net_end *next, *other; /* other: NULL once it is gone, and for datagrams */
    enum net_state state;
    struct net_address local, remote;
    struct net_piece *pieces, **last; /* on their way to this end, and arrived */
    size_t waiting;                   /* bytes of them */
    uint64_t opens_ns;                /* NET_CONNECTING: when that is decided */
    bool ended;                       /* the other end sends nothing more; after `pieces` comes the end */
    uint64_t ends_ns;                 /* .. and when that arrives */
    bool shut, closed;                /* this end sends nothing more; is closed by its owner */
    uint32_t drops;                   /* datagrams for which there was no room */
    bool accepted;                    /* the owner of the listener has it */
    bool shares;                      /* datagrams: other sockets may have the address, too */
    struct net_listener *listener;    /* that it waits at; valid until it is accepted */
    struct world_peer *peer;          /* its owner is called when something happens; NULL: the agent */
    void *description;                /* the agent's */
};

struct net_listener {
    struct net_listener *next;
    struct net_address address; /* host 0: any */
    bool shares; /* SO_REUSEPORT: others may have the address, too, and get some of the connections */
    struct world_peer *peer; /* NULL: the agent */
    void *description;
};

struct net_name {
    struct net_name *next;
    char name[NET_NAME_MAX];
    uint32_t host;
};

struct net {
    struct net_end *ends, *datagrams;
    struct net_listener *listeners;
    struct net_name *names;
    struct world_peer *wire; /* the peer that is called when something arrives */
    uint16_t next_port;
    uint64_t latency_ns, jitter_ns; /* of each piece */
    uint32_t partial_share;         /* of 65536 sends and receives, how many move less than they could */
    uint32_t reset_share;           /* of 65536 sends, after how many the connection is reset */
    uint64_t reset_from_ns, reset_to_ns;
    uint64_t resets;
    size_t datagram_bytes;   /* that a socket keeps for its owner */
    uint64_t datagrams_lost; /* no socket, no room, or the socket was closed before they were read */
};

/* Makes the network. Once a run, before peers. */
void net_begin(void);
/* Gives a name an address. */
void net_name(const char *name, uint32_t host);
void net_forget_name(const char *name);
/* Returns the name of an address, or NULL. */
const struct net_name *net_find_host(uint32_t host);
/* Returns NULL for a name that nobody has given. */
const struct net_name *net_find_name(const char *name);

/* The functions below serve the agent's sockets and the peers alike. Errors are negative errnos. */
/* Returns NULL when the address is in use. */
struct net_listener *net_listen(struct world_peer *peer, struct net_address address);
struct net_listener *net_listen_shared(struct net_address address);
void net_unlisten(struct net_listener *listener);
struct net_end *net_connect(struct world_peer *peer, uint32_t from, struct net_address to);
/* Returns the next connection of a listener, or NULL. */
struct net_end *net_accept(struct net_listener *listener);
/* Returns how many bytes were taken; -EAGAIN: there is no room. */
long net_send(struct net_end *end, const void *bytes, size_t length);
/* Returns how many bytes came; 0: the other end sends nothing more; -EAGAIN: nothing is there. */
long net_receive(struct net_end *end, void *to, size_t room, bool peeks);
void net_shutdown(struct net_end *end);
void net_close(struct net_end *end);
/* As net_close, and the other end gets ECONNRESET. */
void net_reset(struct net_end *end);
/* What poll says. */
short net_ready(const struct net_end *end);
size_t net_arrived_bytes(const struct net_end *end);

struct net_end *net_datagrams(struct world_peer *peer, struct net_address address);
/* Returns whether a socket has this port, and does not share it (`shares`: with one that does). */
bool net_keeps_datagrams(uint16_t port, bool shares);
void net_close_datagrams(struct net_end *end);
long net_send_datagram(struct net_end *end, struct net_address to, const void *bytes, size_t length);
/* Returns how many bytes of datagrams the socket at an address has not read. */
size_t net_waiting_datagrams(struct net_address to);
/* Returns whether a socket has this address. */
bool net_takes_datagrams(struct net_address to);
/* Returns the length of the next datagram, of which at most `room` bytes are written; -EAGAIN. */
long net_receive_datagram(struct net_end *end, void *to, size_t room, struct net_address *from);

/* The agent's process is gone. Thread: the runner's. */
void net_agent_died(void);
/* Tells the owner of an end. In calls/socket.c for the agent's. */
void net_tell_agent(void *description);
