/* packet.c against a reader of packets that is written from the description of the format alone. */
#include "stages/lib/hadoop/transfer/packet.h"

#include "tests/support/support.h"

#include <arpa/inet.h>

/* Returns all bytes of a packet on the wire in one piece, which the test frees. */
static char *wire_of(const struct ps_packet_pool *pool, const struct ps_packet *packet, size_t *length)
{
    struct iovec parts[64];
    *length = ps_packet_wire_length(pool, packet);
    char *wire = malloc(*length + 1);
    size_t at = 0;
    int count = ps_packet_parts(packet, 0, parts, 64);
    for (int i = 0; i < count; i++) {
        memcpy(wire + at, parts[i].iov_base, parts[i].iov_len);
        at += parts[i].iov_len;
    }
    assert_int_equal(at, *length);
    return wire;
}

static uint32_t big_endian(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return ntohl(value);
}

/* Checks the lengths and the checksums. Returns where the data begins. */
static const char *check_wire(const char *wire, size_t length, const struct ps_packet_pool *pool,
                              uint32_t data_length)
{
    uint32_t body = big_endian(wire);
    uint32_t head = (uint32_t)(unsigned char)wire[4] << 8 | (unsigned char)wire[5];
    uint32_t chunks =
        pool->checksum == PS_CHECKSUM_NONE ? 0 : (data_length + pool->chunk_bytes - 1) / pool->chunk_bytes;
    assert_int_equal(body, 4 + chunks * 4 + data_length);
    assert_int_equal(length, 6 + head + chunks * 4 + data_length);
    const char *sums = wire + 6 + head, *data = sums + (size_t)chunks * 4;
    for (uint32_t i = 0; i < chunks; i++) {
        uint32_t at = i * pool->chunk_bytes;
        uint32_t chunk = data_length - at < pool->chunk_bytes ? data_length - at : pool->chunk_bytes;
        assert_int_equal(big_endian(sums + (size_t)i * 4), ps_checksum(pool->checksum, 0, data + at, chunk));
    }
    return data;
}

static void fill(char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(i * 7 + i / 251);
}

/* The check values of both checksums: "123456789" (RFC 3720; ITU-T V.42). */
static void test_checksums_are_those_of_their_standards(void **state)
{
    assert_int_equal(ps_checksum(PS_CHECKSUM_CRC32C, 0, "123456789", 9), 0xE3069283);
    assert_int_equal(ps_checksum(PS_CHECKSUM_CRC32, 0, "123456789", 9), 0xCBF43926);
    assert_int_equal(ps_checksum(PS_CHECKSUM_NONE, 0, "123456789", 9), 0);
    assert_int_equal(
        ps_checksum(PS_CHECKSUM_CRC32C, ps_checksum(PS_CHECKSUM_CRC32C, 0, "1234", 4), "56789", 5),
        0xE3069283);
}

static void test_hadoops_packet_takes_126_chunks(void **state)
{
    struct ps_packet_pool pool;
    assert_true(ps_packet_pool_init(&pool, PS_CHECKSUM_CRC32C, 512, 65536));
    assert_int_equal(pool.data_max, 126 * 512);
    assert_false(ps_packet_pool_init(&pool, PS_CHECKSUM_CRC32C, 0, 65536));
    assert_false(ps_packet_pool_init(&pool, PS_CHECKSUM_CRC32C, PS_PACKET_CHUNK_BYTES_MAX + 1, 65536));
    assert_true(ps_packet_pool_init(&pool, PS_CHECKSUM_CRC32C, 65536, 100));
    assert_int_equal(pool.data_max, 65536); /* at least one chunk */
}

/* The header of a packet, byte by byte. */
static void test_the_header_is_that_of_the_wire(void **state)
{
    static const unsigned char expected[] = {
        0,    0, 0, 4 + 4 + 3, 0, 27,            /* lengths */
        0x09, 0, 2, 0,         0, 0,    0, 0, 0, /* offset 512 */
        0x11, 7, 0, 0,         0, 0,    0, 0, 0, /* number 7 */
        0x18, 0,                                 /* not the last */
        0x25, 3, 0, 0,         0, 0x28, 1,       /* 3 bytes, sync */
    };
    struct ps_packet_pool pool;
    size_t length;
    assert_true(ps_packet_pool_init(&pool, PS_CHECKSUM_CRC32C, 512, 65536));
    struct ps_packet *packet = ps_packet_begin(&pool, 512, 7, 1000);
    assert_int_equal(ps_packet_add(&pool, packet, "abc", 3), 3);
    packet->sync = true;
    ps_packet_seal(&pool, packet);
    char *wire = wire_of(&pool, packet, &length);
    assert_int_equal(length, sizeof expected + 4 + 3);
    assert_memory_equal(wire, expected, sizeof expected);
    check_wire(wire, length, &pool, 3);
    free(wire);
    ps_packet_free(&pool, packet);
    ps_packet_pool_clear(&pool);
}

/* Any chunk size and packet size, bytes added in any pieces: the data are those that were added, each checksum is
 * right, and skipped bytes are left out. */
static void test_pieces_of_any_size_become_packets(void **state)
{
    enum { BYTES = 200000 };
    char *bytes = malloc(BYTES);
    uint64_t seed = ps_test_seed();
    fill(bytes, BYTES);
    for (unsigned round = 0; round < 200; round++) {
        static const uint32_t chunks[] = {1, 7, 512, 513, 4096, 8192, 10000};
        struct ps_packet_pool pool;
        size_t length;
        assert_true(ps_packet_pool_init(&pool, (enum ps_checksum_type)(ps_test_random(&seed) % 3),
                                        chunks[ps_test_random(&seed) % PS_COUNT_OF(chunks)],
                                        (uint32_t)(ps_test_random(&seed) % 70000)));
        uint32_t limit = (uint32_t)(1 + ps_test_random(&seed) % BYTES);
        struct ps_packet *packet = ps_packet_begin(&pool, 0, 1, limit);
        uint32_t room = limit < pool.data_max ? limit : pool.data_max,
                 wanted = (uint32_t)(ps_test_random(&seed) % (room + 1));
        for (uint32_t at = 0; at < wanted;) {
            uint32_t piece = (uint32_t)(1 + ps_test_random(&seed) % 3000);
            piece = piece < wanted - at ? piece : wanted - at;
            if (ps_test_random(&seed) % 2 == 0 || !ps_packet_put(packet, bytes + at, piece))
                assert_int_equal(ps_packet_add(&pool, packet, bytes + at, piece), piece);
            at += piece;
            assert_true(packet->room <= room - packet->length); /* ps_packet_put also keeps the limit */
        }
        if (wanted == room)
            assert_int_equal(ps_packet_add(&pool, packet, bytes, 1), 0);
        ps_packet_seal(&pool, packet);
        struct iovec parts[256];
        if (packet->length / pool.segment_bytes < 100) {
            char *tail = malloc(pool.chunk_bytes);
            uint32_t tail_length = ps_packet_copy_tail(packet, tail);
            assert_int_equal(tail_length, wanted % pool.chunk_bytes);
            assert_memory_equal(tail, bytes + wanted - tail_length, tail_length);
            free(tail);
        }
        length = ps_packet_wire_length(&pool, packet);
        char *wire = malloc(length + 1);
        /* Takes the bytes in pieces, as partial writes to a socket would. */
        for (size_t at = 0; at < length;) {
            int count = ps_packet_parts(packet, at, parts, 3);
            size_t step = 1 + ps_test_random(&seed) % 5000;
            assert_true(count > 0);
            for (int i = 0; i < count && step > 0; i++) {
                size_t take = parts[i].iov_len < step ? parts[i].iov_len : step;
                memcpy(wire + at, parts[i].iov_base, take);
                at += take;
                step -= take;
                if (take < parts[i].iov_len)
                    break;
            }
        }
        assert_memory_equal(check_wire(wire, length, &pool, wanted), bytes, wanted);
        free(wire);
        ps_packet_free(&pool, packet);
        ps_packet_pool_clear(&pool);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checksums_are_those_of_their_standards),
        cmocka_unit_test(test_hadoops_packet_takes_126_chunks),
        cmocka_unit_test(test_the_header_is_that_of_the_wire),
        cmocka_unit_test(test_pieces_of_any_size_become_packets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
