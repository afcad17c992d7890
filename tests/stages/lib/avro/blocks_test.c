/* The blocks of Avro's container files, read back byte by byte: random records, intervals and flushes, several files after each other, an output that
 * refuses bytes at each place. No two files have the same sync marker. */
#include "stages/lib/avro/blocks.h"
#include "stages/lib/avro/binary.h"
#include "tests/support/support.h"

#include <zlib.h>

#define FILES 40U
#define FILE_MAX 400000U
#define SCHEMA "\"bytes\""

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

/* ---- the file ---- */

static struct {
    struct ps_output output; /* must be first */
    char bytes[FILE_MAX];
    size_t length;
    unsigned left; /* calls that the output still takes; UINT32_MAX: all */
} file;

static bool take(struct ps_output *output, const void *data, size_t length)
{
    assert_ptr_equal(output, &file.output);
    if (file.left == 0)
        return false;
    file.left -= file.left < UINT32_MAX;
    assert_true(file.length + length <= sizeof file.bytes);
    if (length > 0)
        memcpy(file.bytes + file.length, data, length);
    file.length += length;
    return true;
}

static void file_new(unsigned left)
{
    file.output = (struct ps_output){.write = take};
    file.length = 0;
    file.left = left;
}

/* ---- an independent reader ---- */

static const char *at;

static int64_t read_long(void)
{
    uint64_t number = 0;
    unsigned shift = 0;
    do
        number |= (uint64_t)(*at & 0x7F) << shift;
    while (shift += 7, *at++ & 0x80);
    return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

static void expect_text(const char *text)
{
    assert_int_equal(read_long(), strlen(text));
    assert_memory_equal(at, text, strlen(text));
    at += strlen(text);
}

/* Reads the header. Returns the sync marker. */
static const char *expect_header(const char *codec)
{
    at = file.bytes;
    assert_memory_equal(at, "Obj\x01", 4);
    at += 4;
    assert_int_equal(read_long(), 2);
    expect_text("avro.schema");
    expect_text(SCHEMA);
    expect_text("avro.codec");
    expect_text(codec);
    assert_int_equal(read_long(), 0);
    at += PS_AVRO_SYNC_BYTES;
    return at - PS_AVRO_SYNC_BYTES;
}

/* Reads and inflates the next block. Returns its number of records. */
static int64_t read_block(const char *sync, bool deflated, char *text, size_t room, size_t *length)
{
    int64_t count = read_long(), bytes = read_long();
    *length = (size_t)bytes;
    if (deflated) {
        z_stream inflater = {.next_in = (Bytef *)(uintptr_t)at,
                             .avail_in = (uInt)bytes,
                             .next_out = (Bytef *)text,
                             .avail_out = (uInt)room};
        assert_int_equal(inflateInit2(&inflater, -15), Z_OK);
        assert_int_equal(inflate(&inflater, Z_FINISH), Z_STREAM_END);
        assert_int_equal(inflater.avail_in, 0);
        *length = room - inflater.avail_out;
        inflateEnd(&inflater);
    } else {
        memcpy(text, at, (size_t)bytes);
    }
    at += bytes;
    assert_memory_equal(at, sync, PS_AVRO_SYNC_BYTES);
    at += PS_AVRO_SYNC_BYTES;
    return count;
}

/* ---- the tests ---- */

static char syncs[2 * FILES][PS_AVRO_SYNC_BYTES];
static unsigned sync_count;

/* Notes the marker. Asserts that no earlier file has it, and that its two halves differ. */
static void note_sync(const char *sync)
{
    for (unsigned i = 0; i < sync_count; i++)
        assert_memory_not_equal(syncs[i], sync, PS_AVRO_SYNC_BYTES);
    assert_memory_not_equal(sync, sync + PS_AVRO_SYNC_BYTES / 2, PS_AVRO_SYNC_BYTES / 2);
    memcpy(syncs[sync_count++], sync, PS_AVRO_SYNC_BYTES);
}

static void add(struct ps_avro_blocks *blocks, const char *text, size_t length, bool good)
{
    assert_true(ps_avro_blocks_reserve(blocks, length));
    assert_true(ps_byte_buffer_append(&blocks->block, text, length));
    assert_int_equal(ps_avro_blocks_added(blocks, &file.output), good);
}

static void one_file(struct ps_avro_blocks *blocks, bool deflated)
{
    static char records[FILE_MAX / 2], text[FILE_MAX];
    size_t ends[400], begin = 0;
    int64_t counts[400];
    size_t block_count = 0, length = 0;
    int64_t count = 0;
    file_new(UINT32_MAX);
    blocks->interval_bytes = 1 + draw(3000);
    assert_true(ps_avro_blocks_begin(blocks, SCHEMA, strlen(SCHEMA), &file.output));
    for (unsigned record = 0; record < 200; record++) {
        size_t size = draw(3) == 0 ? draw(1500) : draw(30);
        for (size_t i = 0; i < size; i++)
            records[length + i] = (char)('a' + draw(3));
        add(blocks, records + length, size, true);
        length += size;
        count++;
        bool ends_block = length - begin >= blocks->interval_bytes;
        if (!ends_block && draw(20) == 0) {
            assert_true(ps_avro_blocks_flush(blocks, &file.output));
            assert_true(ps_avro_blocks_flush(blocks, &file.output)); /* nothing left to write */
            ends_block = true;
        }
        assert_int_equal(blocks->count, ends_block ? 0 : count);
        if (!ends_block)
            continue;
        counts[block_count] = count;
        ends[block_count++] = begin = length;
        count = 0;
    }
    const char *sync = expect_header(deflated ? "deflate" : "null");
    note_sync(sync);
    size_t from = 0;
    for (size_t i = 0; i < block_count; i++) {
        size_t size;
        assert_int_equal(read_block(sync, deflated, text, sizeof text, &size), counts[i]);
        assert_int_equal(size, ends[i] - from);
        assert_memory_equal(text, records + from, size);
        from = ends[i];
    }
    assert_ptr_equal(
        at,
        file.bytes + file.length); /* records that are not flushed are not in the file, nor in the next one */
}

static void test_files(void **unused)
{
    static const enum ps_avro_codec codecs[] = {PS_AVRO_CODEC_NULL, PS_AVRO_CODEC_DEFLATE};
    sync_count = 0;
    for (size_t i = 0; i < PS_COUNT_OF(codecs); i++) {
        struct ps_port port = {.component = "test"};
        struct ps_avro_share *share = ps_avro_share_open(&port);
        struct ps_avro_blocks blocks = {.share = share, .codec = codecs[i]};
        assert_non_null(share);
        for (unsigned number = 0; number < FILES; number++)
            one_file(&blocks, codecs[i] == PS_AVRO_CODEC_DEFLATE);
        ps_avro_blocks_fini(&blocks);
        ps_avro_share_close(share, &port);
    }
}

/* The output refuses bytes at each call in turn. */
static void test_refusals(void **unused)
{
    struct ps_port port = {.component = "test"};
    struct ps_avro_share *share = ps_avro_share_open(&port);
    struct ps_avro_blocks blocks = {.share = share, .codec = PS_AVRO_CODEC_NULL, .interval_bytes = 3};
    unsigned head = 0;
    bool begun = false;
    while (!begun) {
        file_new(head);
        begun = ps_avro_blocks_begin(&blocks, SCHEMA, strlen(SCHEMA), &file.output);
        head += !begun;
    }
    assert_in_range(head, 2, 20);
    for (unsigned calls = 0; calls < 4;
         calls++) { /* of a block: its number of records, its length, its bytes, the marker */
        file_new(head + calls);
        assert_true(ps_avro_blocks_begin(&blocks, SCHEMA, strlen(SCHEMA), &file.output));
        add(&blocks, "ab", 2, true);
        add(&blocks, "c", 1, false);
    }
    file_new(head + 4);
    assert_true(ps_avro_blocks_begin(&blocks, SCHEMA, strlen(SCHEMA), &file.output));
    add(&blocks, "abc", 3, true);
    char text[8];
    size_t length;
    const char *sync = expect_header("null");
    assert_int_equal(read_block(sync, false, text, sizeof text, &length),
                     1); /* no record of the refused blocks */
    assert_int_equal(length, 3);
    assert_ptr_equal(at, file.bytes + file.length);
    ps_avro_blocks_fini(&blocks);
    ps_avro_share_close(share, &port);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_files), cmocka_unit_test(test_refusals)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
