/* Reads a small file (DFSInputStream.java, BlockReaderRemote.java). Asks the namenode for its blocks, and reads each block with
 * OP_READ_BLOCK from the nearest datanode that answers. Verifies the checksum of each chunk; if it is wrong, reads from another
 * datanode. */
#include "stages/lib/hadoop/hdfs/internal.h"

#include "core/log/log.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN_BYTES_MAX (PS_PACKET_BYTES_MAX + 4096U)
#define LENGTHS_BYTES 6U
#define SUM_BYTES 4U

struct ps_hdfs_reader {
    struct ps_hdfs *hdfs;
    LIST_ENTRY(ps_hdfs_reader) entry;
    ps_file_done *done;
    void *argument;
    char *path;
    size_t length_max;
    struct ps_namenode_call call;
    struct ps_hadoop_timer timer;     /* the call time-out */
    PsHadoop__LocatedBlocks *located; /* NULL: not known yet */
    size_t block, node;               /* indexes of the block that is read, and of its datanode */
    struct ps_datanode_link link;
    bool waits;    /* the reader waits for the server's defaults */
    bool answered; /* OP_READ_BLOCK was answered */
    enum ps_checksum_type checksum;
    uint32_t chunk_bytes;
    char *content;
    size_t length, block_begin; /* length of the content so far; offset of the block in the content */
    uint64_t next_offset;       /* offset of the next packet in the block */
    char reason[PS_DATANODE_REASON_BYTES];
};

#define READER_OF(member, pointer)                                                                           \
    ((struct ps_hdfs_reader *)(void *)((char *)(pointer)-offsetof(struct ps_hdfs_reader, member)))

void ps_hdfs_reader_free(struct ps_hdfs_reader *reader)
{
    LIST_REMOVE(reader, entry);
    ps_datanode_link_close(&reader->link);
    ps_namenode_cancel(&reader->call);
    ps_hadoop_loop_unset(reader->hdfs->loop, &reader->timer);
    if (reader->located != NULL)
        ps_hadoop__located_blocks__free_unpacked(reader->located, NULL);
    reader->hdfs->filesystem.under_way--;
    free(reader->content);
    free(reader->path);
    free(reader);
}

static void finish(struct ps_hdfs_reader *reader, enum ps_file_error error, const char *reason)
{
    struct ps_file_answer answer = {.error = error, .reason = reason};
    if (error == PS_FILE_OK) {
        answer.content = reader->content != NULL ? reader->content : "";
        answer.content_length = reader->length;
    }
    ps_datanode_link_close(&reader->link);
    reader->done(reader->argument, &answer);
    ps_hdfs_reader_free(reader);
}

static const PsHadoop__LocatedBlock *block_of(const struct ps_hdfs_reader *reader)
{
    return reader->located->blocks[reader->block];
}

/* ---- one block ---- */

static void read_block(struct ps_hdfs_reader *reader);

static void try_next_node(struct ps_hdfs_reader *reader, const char *reason)
{
    snprintf(reader->reason, sizeof reader->reason, "%s", reason);
    ps_datanode_link_close(&reader->link);
    reader->length = reader->block_begin;
    reader->node++;
    read_block(reader);
}

/* Starts reading the current block, or finishes. */
static void read_block(struct ps_hdfs_reader *reader)
{
    char reason[PS_FILE_REASON_BYTES];
    size_t length = 0;
    const PsHadoop__LocatedBlocks *blocks = reader->located;
    while (reader->block < blocks->n_blocks && block_of(reader)->b->num_bytes == 0)
        reader->block++;
    if (reader->block == blocks->n_blocks) {
        finish(reader, PS_FILE_OK, "");
        return;
    }
    if (reader->node == block_of(reader)->n_locs) {
        snprintf(reason, sizeof reason, "%s: no datanode gives block %zu: %.240s", reader->path,
                 reader->block + 1, reader->reason[0] != 0 ? reader->reason : "none has it");
        finish(reader, PS_FILE_UNAVAILABLE, reason);
        return;
    }
    const PsHadoop__LocatedBlock *located = block_of(reader);
    char *operation = ps_operation_encode_read(located, ps_namenode_client(reader->hdfs->namenode),
                                               located->b->num_bytes, &length);
    reader->answered = false;
    reader->next_offset = 0;
    ps_datanode_link_open(&reader->link, located->locs[reader->node]->id, located->block_token, operation,
                          length);
}

static void block_read(struct ps_hdfs_reader *reader)
{
    PsHadoop__ClientReadStatus status = PS_HADOOP__CLIENT_READ_STATUS__INIT;
    char reason[PS_DATANODE_REASON_BYTES];
    struct iovec part;
    status.status = PS_TRANSFER_CHECKSUM_OK;
    part.iov_base = ps_message_encode(&status.base, &part.iov_len);
    if (part.iov_base != NULL) /* reports to the datanode that the block is good; a failure is harmless */
        (void)ps_datanode_link_write(&reader->link, &part, 1, reason);
    free(part.iov_base);
    ps_datanode_link_close(&reader->link);
    reader->block_begin = reader->length;
    reader->block++;
    reader->node = 0;
    read_block(reader);
}

/* ---- bytes from the datanode ---- */

/* Takes the response to OP_READ_BLOCK. Returns the number of bytes that it took, 0 if more bytes are needed, -1 with *reason on failure. */
static ssize_t take_response(struct ps_hdfs_reader *reader, const char **reason)
{
    struct ps_block_response response;
    size_t consumed = 0;
    enum ps_message_part part =
        ps_block_response_take(reader->link.in, reader->link.in_length, &response, &consumed);
    *reason = "its answer is not valid";
    if (part != PS_MESSAGE_WHOLE)
        return part == PS_MESSAGE_MORE ? 0 : -1;
    *reason = ps_transfer_status_name(response.status);
    if (response.status != PS_TRANSFER_SUCCESS)
        return -1;
    *reason = "an unknown checksum";
    if (!response.has_checksum || response.checksum_type > PS_CHECKSUM_CRC32C || response.chunk_bytes == 0 ||
        response.chunk_bytes > PS_PACKET_CHUNK_BYTES_MAX || response.chunk_offset != 0)
        return -1;
    reader->checksum = (enum ps_checksum_type)response.checksum_type;
    reader->chunk_bytes = response.chunk_bytes;
    reader->answered = true;
    return (ssize_t)consumed;
}

static bool verify(const struct ps_hdfs_reader *reader, const char *sums, const char *data, uint32_t length)
{
    if (reader->checksum == PS_CHECKSUM_NONE)
        return true;
    for (uint32_t at = 0; at < length; at += reader->chunk_bytes, sums += SUM_BYTES) {
        uint32_t chunk = length - at < reader->chunk_bytes ? length - at : reader->chunk_bytes, sum;
        memcpy(&sum, sums, sizeof sum);
        if (ps_checksum(reader->checksum, 0, data + at, chunk) != ntohl(sum))
            return false;
    }
    return true;
}

/* Takes a packet. Returns the same values as take_response. */
static ssize_t take_packet(struct ps_hdfs_reader *reader, bool *last, const char **reason)
{
    const char *in = reader->link.in;
    uint32_t body, length, sums;
    uint16_t head;
    uint64_t offset;
    if (reader->link.in_length < LENGTHS_BYTES)
        return 0;
    memcpy(&body, in, sizeof body);
    memcpy(&head, in + sizeof body, sizeof head);
    body = ntohl(body);
    head = ntohs(head);
    *reason = "its packet is not valid";
    if (body < 4 || body > PS_PACKET_BYTES_MAX || head > 4096)
        return -1;
    size_t whole = LENGTHS_BYTES + head + (body - 4);
    if (reader->link.in_length < whole)
        return 0;
    struct ps_slice header = {.data = in + LENGTHS_BYTES, .length = head};
    if (!ps_packet_header_parse(&header, body - 4, &offset, &length, last) || (length == 0 && !*last))
        return -1;
    sums = body - 4 - length;
    uint64_t wanted = reader->checksum == PS_CHECKSUM_NONE
                          ? 0
                          : ((uint64_t)length + reader->chunk_bytes - 1) / reader->chunk_bytes * SUM_BYTES;
    const char *data = in + LENGTHS_BYTES + head + sums;
    if (sums != wanted || offset != reader->next_offset)
        return -1;
    *reason = "a wrong checksum";
    if (!verify(reader, data - sums, data, length))
        return -1;
    /* Datanodes send whole chunks, so a block that is being written may give more bytes than requested. */
    uint64_t left = block_of(reader)->b->num_bytes - (reader->length - reader->block_begin);
    size_t take = length < left ? length : (size_t)left;
    reader->next_offset += length;
    memcpy(reader->content + reader->length, data, take);
    reader->length += take;
    return (ssize_t)whole;
}

/* Handles all received bytes. Returns false when the caller must no longer use the reader. */
static bool take_all(struct ps_hdfs_reader *reader)
{
    for (;;) {
        const char *reason = "";
        bool last = false;
        ssize_t took =
            reader->answered ? take_packet(reader, &last, &reason) : take_response(reader, &reason);
        if (took < 0) {
            char text[PS_DATANODE_REASON_BYTES];
            snprintf(text, sizeof text, "datanode %s: %s", reader->link.name, reason);
            try_next_node(reader, text);
            return false;
        }
        if (took == 0)
            return true;
        ps_datanode_link_consume(&reader->link, (size_t)took);
        if (last && reader->length - reader->block_begin < block_of(reader)->b->num_bytes) {
            try_next_node(reader, "the block is shorter than the namenode says");
            return false;
        }
        if (last) {
            block_read(reader);
            return false;
        }
    }
}

static void link_ready(struct ps_datanode_link *link)
{
    struct ps_hdfs_reader *reader = READER_OF(link, link);
    char reason[PS_DATANODE_REASON_BYTES];
    int got;
    while ((got = ps_datanode_link_receive(link, IN_BYTES_MAX, reason)) > 0) {
        if (!take_all(reader))
            return;
    }
    if (got < 0)
        try_next_node(reader, reason);
}

static void link_lost(struct ps_datanode_link *link, const char *reason)
{
    try_next_node(READER_OF(link, link), reason);
}

static const struct ps_datanode_link_ops link_ops = {.ready = link_ready, .lost = link_lost};

/* ---- the whole file ---- */

/* Returns the total length of the blocks; SIZE_MAX if it exceeds length_max. */
static size_t length_of(const struct ps_hdfs_reader *reader)
{
    const PsHadoop__LocatedBlocks *blocks = reader->located;
    uint64_t length = 0;
    for (size_t i = 0; i < blocks->n_blocks; i++) {
        if (blocks->blocks[i]->b->num_bytes > reader->length_max - length)
            return SIZE_MAX;
        length += blocks->blocks[i]->b->num_bytes;
    }
    return (size_t)length;
}

static void blocks_told(struct ps_namenode_call *call, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs_reader *reader = call->argument;
    char reason[PS_FILE_REASON_BYTES];
    if (answer->error != PS_FILE_OK) {
        finish(reader, answer->error, answer->reason);
        return;
    }
    /* a copy, because the answer is only valid during the callback */
    reader->located = answer->blocks != NULL ? ps_hdfs_copy_message(&answer->blocks->base) : NULL;
    if (reader->located == NULL) {
        finish(reader, PS_FILE_FAILED, "no memory for a file's blocks");
        return;
    }
    size_t length = length_of(reader);
    if (length == SIZE_MAX || answer->blocks->file_length > reader->length_max) {
        snprintf(reason, sizeof reason, "%s: it is longer than %zu bytes", reader->path, reader->length_max);
        finish(reader, PS_FILE_FAILED, reason);
        return;
    }
    reader->content = ps_must_alloc(length + 1, 1, "a file's content");
    read_block(reader);
}

static void too_late(struct ps_hadoop_timer *timer)
{
    struct ps_hdfs_reader *reader = READER_OF(timer, timer);
    char reason[PS_FILE_REASON_BYTES];
    snprintf(reason, sizeof reason, "%s: not read within the call time-out%s%.200s", reader->path,
             reader->reason[0] != 0 ? ": " : "", reader->reason);
    finish(reader, PS_FILE_TIMEOUT, reason);
}

static void ask_blocks(struct ps_hdfs_reader *reader)
{
    reader->waits = false;
    ps_namenode_get_block_locations(reader->hdfs->namenode, &reader->call, reader->path,
                                    (uint64_t)reader->length_max + 1, blocks_told);
}

void ps_hdfs_readers_go_on(struct ps_hdfs *hdfs, const struct ps_namenode_answer *outcome)
{
    for (struct ps_hdfs_reader *reader = LIST_FIRST(&hdfs->readers), *next; reader != NULL; reader = next) {
        next = LIST_NEXT(reader, entry);
        if (reader->waits && outcome->error == PS_FILE_OK)
            ask_blocks(reader);
        else if (reader->waits)
            finish(reader, outcome->error, outcome->reason);
    }
}

void ps_hdfs_read(struct ps_filesystem *filesystem, const char *path, size_t length_max, ps_file_done *done,
                  void *argument)
{
    struct ps_hdfs *hdfs = (struct ps_hdfs *)filesystem;
    struct ps_hdfs_reader *reader = ps_must_alloc(1, sizeof *reader, "a reader of HDFS");
    reader->hdfs = hdfs;
    reader->done = done;
    reader->argument = argument;
    reader->path = ps_must_copy_text(path, "a path");
    reader->length_max = length_max;
    reader->call.argument = reader;
    reader->timer.fire = too_late;
    ps_datanode_link_init(&reader->link, &link_ops, &hdfs->datanodes);
    LIST_INSERT_HEAD(&hdfs->readers, reader, entry);
    filesystem->under_way++;
    /* Before the first turn the clock is not set; then the call to the namenode has a time-out of its own, which
     * begins in the turn. */
    uint64_t now_ns = ps_hadoop_loop_now(hdfs->loop).mono_ns;
    if (now_ns > 0)
        ps_hadoop_loop_set(hdfs->loop, &reader->timer, now_ns + 2 * hdfs->call_timeout_ns);
    reader->waits = true;
    if (ps_hdfs_ask_defaults(hdfs))
        ask_blocks(reader);
}
