/* Implements packet.h. */
#include "stages/lib/hadoop/transfer/packet.h"

#include "core/crc32c.h"
#include "stages/lib/hadoop/proto/data_transfer.pb-c.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define SUM_BYTES 4U
#define LENGTHS_BYTES 6U    /* before the header */
#define SEGMENT_BYTES 8192U /* with its sums: whole pages, and a size class of the allocator */
/* Segments that are kept when they are free (2 MiB), or as many as are in use: the kernel would clear freed memory
 * again. */
#define FREE_SEGMENTS_MAX 256U
#define FREE_PACKETS_MAX 256U

struct ps_packet_segment {
    struct ps_packet_segment *next;
    uint32_t length;    /* of the segment's data; set when the segment is full or the packet is sealed */
    uint32_t sum_count; /* number of sums; set together with the length */
    uint32_t *sums;     /* big-endian, as on the wire */
    char data[];        /* segment_bytes; then the sums */
};

uint32_t ps_checksum(enum ps_checksum_type type, uint32_t sum, const void *bytes, size_t length)
{
    switch (type) {
    case PS_CHECKSUM_CRC32C:
        return ps_crc32c(sum, bytes, length);
    case PS_CHECKSUM_CRC32:
        return (uint32_t)crc32_z(sum, bytes, length);
    case PS_CHECKSUM_NONE:
        break;
    }
    return 0;
}

bool ps_packet_pool_init(struct ps_packet_pool *pool, enum ps_checksum_type checksum, uint32_t chunk_bytes,
                         uint32_t packet_bytes)
{
    if (chunk_bytes == 0 || chunk_bytes > PS_PACKET_CHUNK_BYTES_MAX || checksum > PS_CHECKSUM_CRC32C)
        return false;
    uint32_t wire = chunk_bytes + (checksum == PS_CHECKSUM_NONE ? 0 : SUM_BYTES);
    uint32_t room = packet_bytes < PS_PACKET_BYTES_MAX ? packet_bytes : PS_PACKET_BYTES_MAX;
    room -= room > PS_PACKET_HEAD_BYTES ? PS_PACKET_HEAD_BYTES : room;
    uint32_t chunks = room / wire > 0 ? room / wire : 1;
    uint32_t in_segment =
        (SEGMENT_BYTES - (uint32_t)sizeof(struct ps_packet_segment)) / (chunk_bytes + SUM_BYTES);
    in_segment = in_segment > 0 ? in_segment : 1;
    *pool = (struct ps_packet_pool){
        .checksum = checksum,
        .chunk_bytes = chunk_bytes,
        .data_max = chunks * chunk_bytes,
        .segment_bytes = (in_segment < chunks ? in_segment : chunks) * chunk_bytes,
    };
    return true;
}

void ps_packet_pool_clear(struct ps_packet_pool *pool)
{
    for (struct ps_packet_segment *next, *one = pool->free_segments; one != NULL; one = next) {
        next = one->next;
        free(one);
    }
    for (struct ps_packet *next, *one = pool->free_packets; one != NULL; one = next) {
        next = one->next;
        free(one);
    }
    pool->free_segments = NULL;
    pool->free_packets = NULL;
    pool->free_segment_count = pool->free_packet_count = 0;
}

static struct ps_packet_segment *take_segment(struct ps_packet_pool *pool)
{
    struct ps_packet_segment *segment = pool->free_segments;
    if (segment != NULL) {
        pool->free_segments = segment->next;
        pool->free_segment_count--;
    } else {
        size_t data_bytes = (pool->segment_bytes + 7U) & ~7U;
        size_t chunks = pool->segment_bytes / pool->chunk_bytes;
        segment = malloc(sizeof *segment + data_bytes + chunks * SUM_BYTES);
        if (segment == NULL)
            return NULL;
        segment->sums = (uint32_t *)(void *)(segment->data + data_bytes);
    }
    pool->used_segment_count++;
    segment->next = NULL;
    segment->length = segment->sum_count = 0;
    return segment;
}

static void give_segment(struct ps_packet_pool *pool, struct ps_packet_segment *segment)
{
    pool->used_segment_count--;
    if (pool->free_segment_count >= FREE_SEGMENTS_MAX &&
        pool->free_segment_count >= pool->used_segment_count) {
        free(segment);
        return;
    }
    segment->next = pool->free_segments;
    pool->free_segments = segment;
    pool->free_segment_count++;
}

struct ps_packet *ps_packet_begin(struct ps_packet_pool *pool, uint64_t offset, int64_t number,
                                  uint32_t limit)
{
    struct ps_packet *packet = pool->free_packets;
    if (packet != NULL) {
        pool->free_packets = packet->next;
        pool->free_packet_count--;
    } else {
        packet = malloc(sizeof *packet);
        if (packet == NULL)
            return NULL;
    }
    *packet = (struct ps_packet){
        .offset = offset,
        .number = number,
        .limit = limit < pool->data_max ? limit : pool->data_max,
    };
    return packet;
}

/* Closes the last segment: computes the sums of its chunks, the last of which may not be full. */
static void end_segment(struct ps_packet_pool *pool, struct ps_packet *packet)
{
    struct ps_packet_segment *segment = packet->last_segment;
    segment->length = (uint32_t)(packet->at - segment->data);
    if (pool->checksum == PS_CHECKSUM_NONE)
        return;
    for (uint32_t at = 0, chunk; at < segment->length; at += chunk) {
        uint32_t left = segment->length - at;
        chunk = left < pool->chunk_bytes ? left : pool->chunk_bytes;
        segment->sums[segment->sum_count++] =
            htonl(ps_checksum(pool->checksum, 0, segment->data + at, chunk));
    }
}

/* Ends the last segment and takes another. Returns false when there is no memory. */
static bool next_segment(struct ps_packet_pool *pool, struct ps_packet *packet)
{
    struct ps_packet_segment *fresh = take_segment(pool);
    uint32_t left = packet->limit - packet->length;
    if (fresh == NULL)
        return false;
    if (packet->last_segment != NULL)
        end_segment(pool, packet);
    *(packet->last_segment == NULL ? &packet->first_segment : &packet->last_segment->next) = fresh;
    packet->last_segment = fresh;
    packet->at = fresh->data;
    packet->room = left < pool->segment_bytes ? left : pool->segment_bytes;
    return true;
}

size_t ps_packet_add(struct ps_packet_pool *pool, struct ps_packet *packet, const void *bytes, size_t length)
{
    const char *from = bytes;
    size_t left = length < packet->limit - packet->length ? length : packet->limit - packet->length;
    while (left > 0 && (packet->room > 0 || next_segment(pool, packet))) {
        size_t now = left < packet->room ? left : packet->room;
        (void)ps_packet_put(packet, from, now);
        from += now;
        left -= now;
    }
    return (size_t)(from - (const char *)bytes);
}

static uint32_t sums_bytes(const struct ps_packet_pool *pool, const struct ps_packet *packet)
{
    if (pool->checksum == PS_CHECKSUM_NONE)
        return 0;
    return (packet->length + pool->chunk_bytes - 1) / pool->chunk_bytes * SUM_BYTES;
}

void ps_packet_seal(struct ps_packet_pool *pool, struct ps_packet *packet)
{
    PsHadoop__PacketHeader header = PS_HADOOP__PACKET_HEADER__INIT;
    header.offset_in_block = (int64_t)packet->offset;
    header.seqno = packet->number;
    header.last_packet_in_block = packet->last;
    header.data_len = (int32_t)packet->length;
    header.has_sync_block =
        packet->sync; /* set only if needed, because some old servers expect the shorter header */
    header.sync_block = packet->sync;
    if (packet->last_segment != NULL)
        end_segment(pool, packet);
    packet->sum_bytes = packet->length % pool->chunk_bytes;
    packet->room = 0;
    size_t length = ps_hadoop__packet_header__get_packed_size(&header);
    PS_ASSERT(LENGTHS_BYTES + length <= PS_PACKET_HEAD_BYTES);
    uint32_t body = htonl(packet->length + sums_bytes(pool, packet) + 4);
    uint16_t head = htons((uint16_t)length);
    memcpy(packet->head, &body, sizeof body);
    memcpy(packet->head + sizeof body, &head, sizeof head);
    ps_hadoop__packet_header__pack(&header, packet->head + LENGTHS_BYTES);
    packet->head_length = (uint8_t)(LENGTHS_BYTES + length);
    packet->sealed = true;
}

uint32_t ps_packet_copy_tail(const struct ps_packet *packet, char *to)
{
    if (packet->sum_bytes > 0) /* a chunk is never in two segments */
        memcpy(to, packet->last_segment->data + packet->last_segment->length - packet->sum_bytes,
               packet->sum_bytes);
    return packet->sum_bytes;
}

void ps_packet_free(struct ps_packet_pool *pool, struct ps_packet *packet)
{
    for (struct ps_packet_segment *next, *one = packet->first_segment; one != NULL; one = next) {
        next = one->next;
        give_segment(pool, one);
    }
    if (pool->free_packet_count == FREE_PACKETS_MAX) {
        free(packet);
        return;
    }
    packet->next = pool->free_packets;
    pool->free_packets = packet;
    pool->free_packet_count++;
}

size_t ps_packet_wire_length(const struct ps_packet_pool *pool, const struct ps_packet *packet)
{
    return packet->head_length + sums_bytes(pool, packet) + packet->length;
}

/* Adds a part without the bytes still to be skipped. */
static int put_part(struct iovec *parts, int count, int room, size_t *skip, const void *bytes, size_t length)
{
    if (*skip >= length) {
        *skip -= length;
        return count;
    }
    if (count < room)
        parts[count++] =
            (struct iovec){.iov_base = (char *)(uintptr_t)bytes + *skip, .iov_len = length - *skip};
    *skip = 0;
    return count;
}

int ps_packet_parts(const struct ps_packet *packet, size_t skip, struct iovec *parts, int room)
{
    int count = put_part(parts, 0, room, &skip, packet->head, packet->head_length);
    for (const struct ps_packet_segment *one = packet->first_segment; one != NULL; one = one->next)
        count = put_part(parts, count, room, &skip, one->sums, (size_t)one->sum_count * SUM_BYTES);
    for (const struct ps_packet_segment *one = packet->first_segment; one != NULL; one = one->next)
        count = put_part(parts, count, room, &skip, one->data, one->length);
    return count;
}
