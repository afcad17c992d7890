/* A connection to one datanode for one operation of data transfer: finds its address, connects, runs the security's
 * handshake, sends the operation, and then passes on the bytes in both directions (DataStreamer.StreamerStreams).
 *
 * Security is a transport of stages/lib/tls/transport.h: SASL and encryption of data transfer wrap the byte stream.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/lib/hadoop/loop.h"
#include "stages/lib/hadoop/transfer/operation.h"
#include "stages/lib/net/client.h"

/* Protection of connections to datanodes. */
struct ps_transfer_security {
    const struct ps_transport *transport;
    /* Returns the settings of transport->open for one connection, which `leave` frees; NULL when there is no
     * memory. */
    void *(*enter)(void *argument, const PsHadoop__DatanodeId *node, const PsHadoop__Token *token);
    void (*leave)(void *argument, void *settings);
    void *argument;
};

/* Shared by all connections of a file system; const. */
struct ps_datanode_settings {
    struct ps_hadoop_loop *loop;
    const struct ps_transfer_security *security; /* NULL: none */
    bool use_host_name; /* dfs.client.use.datanode.hostname; else the address that the namenode gives */
    bool nagle;         /* not dfs.data.transfer.client.tcpnodelay */
    uint64_t send_buffer_bytes; /* dfs.client.socket.send.buffer.size; 0: the kernel's */
    uint64_t connect_ns;        /* time limit for connecting, including the handshake */
    uint64_t read_timeout_ns;   /* dfs.client.socket-timeout: silence after which a datanode is given up */
    uint64_t read_timeout_per_node_ns; /* added to read_timeout_ns for each datanode of the pipeline */
    uint64_t silence_ns; /* after this silence the pipeline's datanodes are probed (dead_nodes.c); 0: never */
    uint64_t probe_ns;   /* time limit for a probed datanode's answer */
};

struct ps_datanode_link;

/* Called from a turn. After `lost` the link is closed. */
struct ps_datanode_link_ops {
    /* The operation is sent, and bytes can be read or written. */
    void (*ready)(struct ps_datanode_link *link);
    void (*lost)(struct ps_datanode_link *link, const char *reason);
};

#define PS_DATANODE_REASON_BYTES 384U

struct ps_datanode_link {
    const struct ps_datanode_link_ops *ops;
    const struct ps_datanode_settings *settings;
    /* The other members belong to datanode.c. */
    struct ps_client_plan plan;
    struct ps_client client;
    struct ps_hadoop_watch watch;
    struct ps_hadoop_timer timer; /* time limit for connecting */
    struct ps_hadoop_lookup lookup;
    void *security_settings;
    char *operation; /* bytes still to be sent */
    size_t operation_length, operation_sent;
    bool writing; /* the socket's send buffer was full: waits for POLLOUT */
    char *in;
    size_t in_length, in_room;
    char name[80]; /* "127.0.0.1:9866", as the namenode has it */
};

/* `link` must be zeroed before. */
void ps_datanode_link_init(struct ps_datanode_link *link, const struct ps_datanode_link_ops *ops,
                           const struct ps_datanode_settings *settings);
/* Opens a closed link, which then owns `operation` (ps_operation_encode). `ready` or `lost` is called later; `lost`
 * also if `operation` is NULL (no memory). */
void ps_datanode_link_open(struct ps_datanode_link *link, const PsHadoop__DatanodeId *node,
                           const PsHadoop__Token *token, char *operation, size_t length);
/* Closes the connection without calling back. May be called in any state. */
void ps_datanode_link_close(struct ps_datanode_link *link);

static inline bool ps_datanode_link_is_closed(const struct ps_datanode_link *link)
{
    return link->name[0] == 0;
}

/* Returns whether the datanode is on this machine. The link must be up. */
bool ps_datanode_link_is_local(const struct ps_datanode_link *link, const char *address);

/* Returns the number of bytes written; 0 if there is no room now (`ready` is called when there is); -1 with
 * reason (PS_DATANODE_REASON_BYTES) when the connection is lost, and the caller closes it. The link must
 * be up. */
ssize_t ps_datanode_link_write(struct ps_datanode_link *link, const struct iovec *parts, int count,
                               char *reason);
/* Appends received bytes to `in`, up to a length of `in_max`. Returns 1 if bytes were read, 0 if there were
 * none, -1 with reason as above. */
int ps_datanode_link_receive(struct ps_datanode_link *link, size_t in_max, char *reason);
/* Removes bytes from the beginning of `in`. */
void ps_datanode_link_consume(struct ps_datanode_link *link, size_t length);

/* Writes the first address to try to `out`, for a log: "127.0.0.1:9866". */
void ps_datanode_name(const PsHadoop__DatanodeId *node, char *out, size_t room);
