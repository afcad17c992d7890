/* A reader of HDFS, and a namenode and datanodes whose part the test plays: each connection of the reader gets the next
 * answer of a list. */
#pragma once

#include "tests/support/hdfs_stream.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK 4U /* bytes of each checksum, so that short texts have several */
#define ANSWERS_MAX 8U

struct answer {
    char bytes[2048];
    size_t length;
    size_t at_once; /* bytes sent in a turn; 0: all */
    bool hangs_up;  /* after the bytes */
    bool silent;    /* sends nothing */
};

struct told { /* what an operation reported */
    uint64_t block, offset, length;
    bool sums;
};

static struct {
    struct ps_test_stream *bench;
    struct answer answers[ANSWERS_MAX];
    struct told told[ANSWERS_MAX];
    unsigned count, begun; /* answers, connections */
    int peer;
    char in[4096];
    size_t in_length, sent;
    unsigned good; /* blocks that the reader reported as good */
    unsigned calls;
    enum ps_file_error error;
    char reason[PS_FILE_REASON_BYTES];
    char content[256];
    size_t length;
} t;

static void done(void *argument, const struct ps_file_answer *answer)
{
    t.calls++;
    t.error = answer->error;
    snprintf(t.reason, sizeof t.reason, "%s", answer->reason);
    t.length = answer->content_length;
    if (answer->error == PS_FILE_OK)
        memcpy(t.content, answer->content, answer->content_length);
}

static int set_up(void **state)
{
    int result = ps_test_stream_set_up(state);
    memset(&t, 0, sizeof t);
    t.bench = *state;
    t.peer = -1;
    return result;
}

static int tear_down(void **state)
{
    if (t.peer >= 0)
        close(t.peer);
    return ps_test_stream_tear_down(state);
}

/* ---- answers ---- */

static struct answer *answer_begin(void)
{
    assert_true(t.count < ANSWERS_MAX);
    return &t.answers[t.count++];
}

static void add(struct answer *answer, const void *bytes, size_t length)
{
    assert_true(answer->length + length <= sizeof answer->bytes);
    memcpy(answer->bytes + answer->length, bytes, length);
    answer->length += length;
}

static void add_message(struct answer *answer, const ProtobufCMessage *message)
{
    size_t length;
    char *bytes = ps_message_encode(message, &length);
    add(answer, bytes, length);
    free(bytes);
}

/* Makes the head of an answer, with this status, type of checksum and chunk size. */
static struct answer *head(unsigned status, unsigned checksum, uint32_t chunk, uint64_t chunk_offset)
{
    PsHadoop__BlockOpResponse response = PS_HADOOP__BLOCK_OP_RESPONSE__INIT;
    PsHadoop__ReadOpChecksumInfo info = PS_HADOOP__READ_OP_CHECKSUM_INFO__INIT;
    PsHadoop__Checksum sum = PS_HADOOP__CHECKSUM__INIT;
    struct answer *answer = answer_begin();
    response.status = status;
    sum.type = checksum;
    sum.bytes_per_checksum = chunk;
    info.checksum = &sum;
    info.chunk_offset = chunk_offset;
    response.read_op_checksum_info = &info;
    add_message(answer, &response.base);
    return answer;
}

static struct answer *good_head(void)
{
    return head(PS_TRANSFER_SUCCESS, PS_CHECKSUM_CRC32C, CHUNK, 0);
}

/* Adds a packet: its lengths, as the datanode claims them, its header and its bytes. */
static void add_raw(struct answer *answer, uint32_t body, uint16_t said, const void *header,
                    size_t header_length)
{
    body = htonl(body);
    said = htons(said);
    add(answer, &body, sizeof body);
    add(answer, &said, sizeof said);
    add(answer, header, header_length);
}

static void packet_header(struct answer *answer, uint64_t offset, uint32_t length, uint32_t sums, bool last)
{
    PsHadoop__PacketHeader header = PS_HADOOP__PACKET_HEADER__INIT;
    uint8_t packed[64];
    header.offset_in_block = (int64_t)offset;
    header.data_len = (int32_t)length;
    header.last_packet_in_block = last;
    size_t size = ps_hadoop__packet_header__pack(&header, packed);
    add_raw(answer, 4 + sums * 4 + length, (uint16_t)size, packed, size);
}

/* Adds a packet with the text, and its checksums of this kind. `wrong`: the chunk whose checksum is wrong; -1: none. */
static void packet_of(struct answer *answer, enum ps_checksum_type kind, uint64_t offset, const char *text,
                      bool last, int wrong)
{
    uint32_t length = (uint32_t)strlen(text),
             count = kind == PS_CHECKSUM_NONE ? 0 : (length + CHUNK - 1) / CHUNK;
    packet_header(answer, offset, length, count, last);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t rest = length - i * CHUNK;
        uint32_t sum =
            htonl(ps_checksum(kind, 0, text + i * CHUNK, rest < CHUNK ? rest : CHUNK) + (wrong == (int)i));
        add(answer, &sum, sizeof sum);
    }
    add(answer, text, length);
}

static void packet(struct answer *answer, uint64_t offset, const char *text)
{
    packet_of(answer, PS_CHECKSUM_CRC32C, offset, text, false, -1);
}

static void end(struct answer *answer, uint64_t offset)
{
    packet_of(answer, PS_CHECKSUM_CRC32C, offset, "", true, -1);
}

static void whole(const char *text)
{
    struct answer *answer = good_head();
    packet(answer, 0, text);
    end(answer, strlen(text));
}

/* ---- the datanodes ---- */

static void operation_take(struct told *told)
{
    struct ps_slice message;
    size_t consumed;
    assert_int_equal(t.in[2], PS_OPERATION_READ_BLOCK);
    assert_int_equal(ps_message_find(t.in + 3, t.in_length - 3, &message, &consumed), PS_MESSAGE_WHOLE);
    PsHadoop__OpReadBlock *operation =
        ps_hadoop__op_read_block__unpack(NULL, message.length, (const uint8_t *)message.data);
    assert_non_null(operation);
    *told = (struct told){operation->header->base_header->block->block_id, operation->offset, operation->len,
                          operation->send_checksums};
    ps_hadoop__op_read_block__free_unpacked(operation, NULL);
    t.in_length = 0;
    t.sent = 0;
}

static void hang_up(void)
{
    PsHadoop__ClientReadStatus status = PS_HADOOP__CLIENT_READ_STATUS__INIT;
    size_t length;
    status.status = PS_TRANSFER_CHECKSUM_OK;
    char *bytes = ps_message_encode(&status.base, &length);
    t.good += t.in_length == length && memcmp(t.in, bytes, length) == 0;
    free(bytes);
    close(t.peer);
    t.peer = -1;
    t.in_length = 0;
}

static void serve(void)
{
    if (t.peer < 0) {
        t.peer = accept4(t.bench->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (t.peer < 0)
            return;
        assert_true(t.begun < t.count);
        t.begun++;
        t.sent = SIZE_MAX;
    }
    struct answer *answer = &t.answers[t.begun - 1];
    ssize_t got = recv(t.peer, t.in + t.in_length, sizeof t.in - t.in_length, 0);
    if (got == 0) {
        hang_up();
        return;
    }
    t.in_length += got > 0 ? (size_t)got : 0;
    if (t.sent == SIZE_MAX && t.in_length > 4)
        operation_take(&t.told[t.begun - 1]);
    if (t.sent == SIZE_MAX || answer->silent)
        return;
    size_t left = answer->length - t.sent,
           some = answer->at_once > 0 && answer->at_once < left ? answer->at_once : left;
    if (some > 0 && send(t.peer, answer->bytes + t.sent, some, MSG_NOSIGNAL) == (ssize_t)some)
        t.sent += some;
    if (t.sent == answer->length && answer->hangs_up)
        hang_up();
}

static void turn(void)
{
    struct pollfd ready = {.fd = t.bench->client.port.epoll_fd, .events = POLLIN};
    ps_filesystem_turn(t.bench->filesystem, &t.bench->client.now);
    serve();
    poll(&ready, 1, 1);
}

static void await_done(void)
{
    for (unsigned waited = 0; t.calls == 0; waited++) {
        if (waited > PS_TEST_PATIENCE_MS)
            fail_msg("the file is not read");
        turn();
    }
    /* the last message of the reader, and the end of its connection */
    for (uint64_t until_ns = ps_test_patience_end_ns(); t.peer >= 0;) {
        if (ps_test_patient_ns() >= until_ns)
            fail_msg("the reader does not end its connection");
        turn();
    }
    assert_int_equal(t.calls, 1);
    assert_int_equal(t.bench->filesystem->under_way, 0);
}

/* ---- the namenode ---- */

/* Answers with blocks of these lengths, numbered from 1; each is on this number of datanodes. */
static void blocks_say(const uint64_t *lengths, unsigned count, unsigned nodes, uint64_t file_length)
{
    static char pool[] = "BP-1", address[] = "127.0.0.1", empty[] = "", uuid[] = "a";
    PsHadoop__ExtendedBlock blocks[3];
    PsHadoop__LocatedBlock located[3], *list[3];
    PsHadoop__Token token = PS_HADOOP__TOKEN__INIT;
    PsHadoop__DatanodeId id = PS_HADOOP__DATANODE_ID__INIT;
    PsHadoop__DatanodeInfo info = PS_HADOOP__DATANODE_INFO__INIT, *infos[3] = {&info, &info, &info};
    PsHadoop__LocatedBlocks all = PS_HADOOP__LOCATED_BLOCKS__INIT;
    PsHadoop__GetBlockLocationsResponse response = PS_HADOOP__GET_BLOCK_LOCATIONS_RESPONSE__INIT;
    token.kind = token.service = empty;
    id.ip_addr = id.host_name = address;
    id.datanode_uuid = uuid;
    id.xfer_port = t.bench->port;
    info.id = &id;
    for (unsigned i = 0; i < count; i++) {
        blocks[i] = (PsHadoop__ExtendedBlock)PS_HADOOP__EXTENDED_BLOCK__INIT;
        blocks[i].pool_id = pool;
        blocks[i].block_id = i + 1;
        blocks[i].generation_stamp = 1001;
        blocks[i].has_num_bytes = true;
        blocks[i].num_bytes = lengths[i];
        located[i] = (PsHadoop__LocatedBlock)PS_HADOOP__LOCATED_BLOCK__INIT;
        located[i].b = &blocks[i];
        located[i].block_token = &token;
        located[i].locs = infos;
        located[i].n_locs = nodes;
        list[i] = &located[i];
    }
    all.file_length = file_length;
    all.blocks = list;
    all.n_blocks = count;
    response.locations = &all;
    ps_test_stream_expect(t.bench, "getBlockLocations");
    ps_test_stream_answer(t.bench, &response.base);
}

static void ask(size_t length_max)
{
    ps_hdfs_read(t.bench->filesystem, "/d/f", length_max, done, NULL);
    ps_test_stream_answer_defaults(t.bench);
}

/* Reads a file of one block of this length that is on `nodes` datanodes. */
static void read_one(uint64_t length, unsigned nodes)
{
    ask(100);
    blocks_say(&length, 1, nodes, length);
    await_done();
}

static void expect_content(const char *text)
{
    assert_string_equal(t.reason, "");
    assert_int_equal(t.error, PS_FILE_OK);
    assert_int_equal(t.length, strlen(text));
    assert_memory_equal(t.content, text, strlen(text));
}
