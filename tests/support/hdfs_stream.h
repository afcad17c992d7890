/* One output stream of HDFS against a scripted namenode and a datanode that runs between turns of the stream's loop, on the test's
 * thread. The clock is client.now; only the time-out of a failing test is real time. */
#pragma once

#include "stages/lib/hadoop/hdfs/hdfs.h"
#include "stages/lib/hadoop/hdfs/internal.h"
#include "tests/support/fake_namenode.h"
#include "tests/support/support.h"

#define PS_TEST_BLOCK_BYTES 1024U

/* The arguments of a callback. */
struct ps_test_outcome {
    unsigned calls;
    enum ps_file_error error;
    char reason[PS_FILE_REASON_BYTES];
    struct ps_file_stream *abandon; /* in the callback */
};

struct ps_test_stream {
    struct ps_test_hdfs client;
    struct ps_test_namenode namenode;
    struct ps_filesystem *filesystem;
    struct ps_file_stream *stream;
    struct ps_test_outcome created, flushed, closed;
    /* The datanode: one connection at a time. */
    int listener, peer;
    unsigned port;
    unsigned node_ports[3]; /* where the namenode says that the datanodes are; 0: the port of this datanode */
    bool deaf;              /* the datanode does not answer other connections while it has one */
    unsigned probes;        /* other connections that it answered */
    bool silent;            /* it takes packets and acknowledges none */
    bool streaming;         /* the operation was answered */
    char in[200000];
    size_t in_length;
    PsHadoop__OpWriteBlock *operation; /* the last one */
    unsigned operations, packets, ended;
    /* The last block of the file as the namenode knows it; id 0: none that this bench gave. `generation_next` is that of a recovery that
     * is under way: an updatePipeline makes it the block's own. */
    uint64_t block_id, generation, generation_next;
    char block[PS_TEST_BLOCK_BYTES + 1]; /* the bytes of the block that it has */
    size_t block_length;
};

/* For cmocka: *state is a struct ps_test_stream, with a file system of call time-out 30 s. */
int ps_test_stream_set_up(void **state);
int ps_test_stream_tear_down(void **state);

/* A ps_file_done; its argument is a struct ps_test_outcome. */
void ps_test_stream_noted(void *argument, const struct ps_file_answer *answer);

/* Runs a turn of the file system, then one of the datanode. */
void ps_test_stream_turn(struct ps_test_stream *bench);
/* Turns until the counter is at least `wanted`. */
void ps_test_stream_pump(struct ps_test_stream *bench, const unsigned *count, unsigned wanted);
/* Closes the connection at the datanode's end. */
void ps_test_stream_hang_up(struct ps_test_stream *bench);

/* Turns until the client has called the namenode, with this method. A block in the call is the namenode's last one, with its
 * generation stamp: a namenode refuses every other. */
void ps_test_stream_expect(struct ps_test_stream *bench, const char *method);
/* Answers the call that was expected last, as the namenode. */
void ps_test_stream_answer(struct ps_test_stream *bench, const ProtobufCMessage *message);
void ps_test_stream_answer_defaults(struct ps_test_stream *bench);
void ps_test_stream_answer_create(struct ps_test_stream *bench);
/* Expects this method, and answers with a block on this number of datanodes, at most three: "a", "b", "c". */
void ps_test_stream_answer_block(struct ps_test_stream *bench, const char *method, uint64_t id,
                                 uint64_t generation, unsigned nodes);
void ps_test_stream_answer_true(struct ps_test_stream *bench, const char *method);

/* Opens a file, and keeps the bytes written to it before. */
void ps_test_stream_create(struct ps_test_stream *bench);
void ps_test_stream_write_and_flush(struct ps_test_stream *bench, const char *bytes, size_t length);
/* Makes a file and flushes `text` into its block, which has this number of datanodes. */
void ps_test_stream_begin_file(struct ps_test_stream *bench, const char *text, unsigned nodes);
