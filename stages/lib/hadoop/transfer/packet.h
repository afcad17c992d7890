/* Packets of data transfer: what a writer sends to the first datanode of a pipeline, up to 288 KiB of a block
 * at a time (PacketHeader.java, DFSPacket.java, DFSOutputStream.java). On the wire:
 *
 *   4 bytes  length of the checksums, of the data and of these 4 bytes      2 bytes  length of the header
 *   header   PacketHeader: offset in the block, number, whether it is the last, length of the data, whether
 *     to sync
 *   4 bytes  checksum of each chunk                            data
 *
 * A chunk is `chunk_bytes` (512) of the block; chunks begin at multiples of `chunk_bytes`. A packet begins where a
 * chunk begins. If a flush ends in the middle of a chunk, the next packet repeats that chunk from its beginning,
 * because the datanode replaces the chunk's checksum (BlockReceiver.receivePacket).
 *
 * A packet's bytes are in segments of 8 KiB with their sums, so that a small flush holds little memory. Bytes
 * are copied once, into the segment, and checksummed there when the segment is full: whole chunks cost half the CPU
 * time of single lines.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "core/base.h"

#include <string.h>
#include <sys/uio.h>

enum ps_checksum_type { PS_CHECKSUM_NONE, PS_CHECKSUM_CRC32, PS_CHECKSUM_CRC32C }; /* numbers on the wire */

#define PS_PACKET_HEAD_BYTES 33U /* maximum length of a packet's head, with the lengths before it */
#define PS_PACKET_HEARTBEAT (-1) /* number of a heartbeat */
#define PS_PACKET_CHUNK_BYTES_MAX (1U << 20)
#define PS_PACKET_BYTES_MAX (16U << 20) /* PacketReceiver.MAX_PACKET_SIZE */

struct ps_packet_segment;

struct ps_packet {
    struct ps_packet *next;
    uint64_t offset;   /* offset of its first byte in the block */
    int64_t number;    /* "seqno" */
    uint32_t length;   /* of the data */
    uint32_t repeated; /* number of bytes of the data that an earlier packet had too */
    uint32_t limit;    /* of the data */
    bool last, sync;
    bool sealed; /* no bytes may be added */
    uint8_t head_length;
    unsigned char head[PS_PACKET_HEAD_BYTES];
    uint32_t sum_bytes; /* of the last chunk, if it is not full; 0 before it is sealed */
    uint32_t room;      /* free bytes after `at` in the last segment */
    char *at;           /* where the next byte goes */
    struct ps_packet_segment *first_segment, *last_segment;
};

/* The settings of one file system's packets, and their pool of memory. */
struct ps_packet_pool {
    enum ps_checksum_type checksum;
    uint32_t chunk_bytes;   /* "bytes per checksum" */
    uint32_t data_max;      /* of a packet: a multiple of chunk_bytes */
    uint32_t segment_bytes; /* of data in a segment: a multiple of chunk_bytes */
    struct ps_packet_segment *free_segments;
    struct ps_packet *free_packets;
    unsigned free_segment_count, used_segment_count, free_packet_count;
};

/* `packet_bytes`: dfs.client-write-packet-size. Returns false if a value is out of range: chunk_bytes 1 ..
 * PS_PACKET_CHUNK_BYTES_MAX. */
bool ps_packet_pool_init(struct ps_packet_pool *pool, enum ps_checksum_type checksum, uint32_t chunk_bytes,
                         uint32_t packet_bytes);
/* Frees the pool. */
void ps_packet_pool_clear(struct ps_packet_pool *pool);

/* Makes an empty packet for at most `limit` bytes. Returns NULL when there is no memory. */
struct ps_packet *ps_packet_begin(struct ps_packet_pool *pool, uint64_t offset, int64_t number,
                                  uint32_t limit);
/* Copies the bytes that fit. Returns their number; less than `length` also when there is no memory. */
size_t ps_packet_add(struct ps_packet_pool *pool, struct ps_packet *packet, const void *bytes, size_t length);
/* Adds bytes that the caller has written at packet->at, at most packet->room. */
static inline void ps_packet_take(struct ps_packet *packet, size_t length)
{
    packet->at += length;
    packet->room -= (uint32_t)length;
    packet->length += (uint32_t)length;
}
/* A fast ps_packet_add for few bytes: returns false, without adding any, if they do not fit into the
 * segment. */
static inline bool ps_packet_put(struct ps_packet *packet, const void *bytes, size_t length)
{
    if (length > packet->room)
        return false;
    memcpy(packet->at, bytes, length);
    ps_packet_take(packet, length);
    return true;
}
/* Ends the packet, which can then be sent. */
void ps_packet_seal(struct ps_packet_pool *pool, struct ps_packet *packet);
/* If the last chunk is not full, copies its bytes to `to`, which has chunk_bytes. Returns their number. Call it
 * after _seal. */
uint32_t ps_packet_copy_tail(const struct ps_packet *packet, char *to);
void ps_packet_free(struct ps_packet_pool *pool, struct ps_packet *packet);

/* Returns the length of a sealed packet on the wire. */
size_t ps_packet_wire_length(const struct ps_packet_pool *pool, const struct ps_packet *packet);
/* Describes a sealed packet's bytes on the wire from `skip` on, in at most `room` parts. Returns the number
 * of parts. */
int ps_packet_parts(const struct ps_packet *packet, size_t skip, struct iovec *parts, int room);

/* Returns the checksum of `length` bytes, continued from `sum` (0 to begin); 0 for PS_CHECKSUM_NONE. */
uint32_t ps_checksum(enum ps_checksum_type type, uint32_t sum, const void *bytes, size_t length);
