/* A namenode for tests of Hadoop's RPC: a listening socket of 127.0.0.1 whose requests and responses are the test's
 * script. It runs on the test's thread, in turns with the client's loop, under a clock that only the test moves. */
#pragma once

#include "stages/lib/hadoop/loop.h"
#include "stages/lib/hadoop/rpc/message.h"

#define PS_TEST_NAMENODES 2U

struct ps_test_hdfs {
    struct ps_port port;
    struct ps_hadoop_loop *loop;
    struct ps_now now;
    uint64_t due_ns; /* result of the last turn */
};

/* Makes the client's side: a port with an epoll, and a loop. */
void ps_test_hdfs_init(struct ps_test_hdfs *hdfs);
void ps_test_hdfs_fini(struct ps_test_hdfs *hdfs);
/* Runs one turn of the loop at the present time of the clock. */
void ps_test_hdfs_turn(struct ps_test_hdfs *hdfs);
/* Moves the clock, and runs a turn. */
void ps_test_hdfs_pass(struct ps_test_hdfs *hdfs, uint64_t ms);
/* Moves the clock, and runs turns until the client of a server that does not listen rests: the kernel may refuse a connection later, in a
 * thread of its own, and the clock must not run on meanwhile. All rests of the client are below 4 s, and all its other limits above. */
void ps_test_hdfs_pass_to_rest(struct ps_test_hdfs *hdfs, uint64_t ms);
/* Runs turns until the condition is true. */
void ps_test_hdfs_await(struct ps_test_hdfs *hdfs, const bool *condition);

struct ps_test_namenode {
    struct ps_test_hdfs *hdfs;
    int listener; /* -1: closed */
    unsigned port;
    int fd;            /* of the one connection; -1: none */
    unsigned accepted; /* connections so far */
    struct ps_byte_buffer in;
    bool greeted;
    PsHadoop__RpcConnectionContext *context; /* of the connection; NULL: it was not sent yet */
    /* The request that ps_test_namenode_expect found. */
    int32_t id, retry_count;
    uint8_t client_id[PS_HADOOP_RPC_CLIENT_ID_BYTES];
    char method[64];
    uint8_t message[4096];
    size_t message_length;
};

void ps_test_namenode_init(struct ps_test_namenode *namenode, struct ps_test_hdfs *hdfs);
void ps_test_namenode_fini(struct ps_test_namenode *namenode);
/* Stop listening, and listen again at the same port. */
void ps_test_namenode_stop_listening(struct ps_test_namenode *namenode);
void ps_test_namenode_listen(struct ps_test_namenode *namenode);

/* Waits for the next request of a call, which must be of this method; accepts a connection if there is none. Checks
 * pings and the connection's beginning on the way. */
void ps_test_namenode_expect(struct ps_test_namenode *namenode, const char *method);
/* Waits for a ping. */
void ps_test_namenode_expect_ping(struct ps_test_namenode *namenode);
/* Waits until the client has closed the connection. */
void ps_test_namenode_expect_end(struct ps_test_namenode *namenode);

/* Returns a successful response as bytes; the caller frees the buffer. `message` NULL: an empty message. */
struct ps_byte_buffer ps_test_namenode_success(int32_t id, const ProtobufCMessage *message);
struct ps_byte_buffer ps_test_namenode_error(int32_t id, unsigned status, unsigned detail,
                                             const char *exception, const char *message);
void ps_test_namenode_send(struct ps_test_namenode *namenode, const void *bytes, size_t length);
/* Sends a success for the call `id`. */
void ps_test_namenode_answer(struct ps_test_namenode *namenode, int32_t id, const ProtobufCMessage *message);
void ps_test_namenode_refuse(struct ps_test_namenode *namenode, int32_t id, const char *exception,
                             const char *message);
/* Closes the connection. */
void ps_test_namenode_drop(struct ps_test_namenode *namenode);
