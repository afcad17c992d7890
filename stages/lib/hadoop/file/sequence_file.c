/* SequenceFiles of version 6, as org.apache.hadoop.io.SequenceFile.Writer writes them. See writer.h.
 *
 *   header   "SEQ" 6, class names of keys and values, whether values are compressed, whether in blocks, the class
 *            of the codec if compressed, metadata (none), the sync marker: 16 random bytes
 *   record   length, length of its key, key, value                                            (NONE)
 *   block    sync marker, number of records, then four times a length and compressed bytes:
 *            lengths of the keys, keys, lengths of the values, values                         (BLOCK)
 *
 * Lengths of records are 4 bytes, big endian; all other lengths are Hadoop's variable-length integers
 * (WritableUtils.writeVLong). A sync marker in the file follows -1 in the place of a length. NONE has
 * one every 100 KiB, as in Hadoop 3 (Hadoop 2: every 2,000 bytes), and at every flush, like Flume's
 * HDFSSequenceFile.sync. With a sync marker readers find the next record from any place. */
#include "core/name.h"
#include "stages/lib/hadoop/file/writer_internal.h"
#include "stages/lib/text/java/long.h"

#include <string.h>

#define KEY_BYTES 8U /* LongWritable */
#define VINT_BYTES_MAX 9U
#define SYNC_INTERVAL_BYTES 102400U /* SequenceFile.SYNC_INTERVAL */
#define BLOCK_BYTES 1000000U        /* io.seqfile.compress.blocksize */
#define KEPT_BYTES_MAX 4096U        /* buffers of keys and lengths up to this size are kept after a flush */
#define PACKED_KEPT_BYTES_MAX (2U * 1024U * 1024U)

/* ---- encoding ---- */

static void put_int(char *to, uint32_t number)
{
    number = __builtin_bswap32(number);
    memcpy(to, &number, sizeof number);
}

/* Writes a non-negative number like WritableUtils.writeVLong: up to 127 as one byte, else -112 minus the number of its bytes,
 * then these bytes, big endian. */
static size_t put_vint(char *to, uint64_t number)
{
    if (number <= 127) {
        to[0] = (char)number;
        return 1;
    }
    unsigned count = (71 - (unsigned)__builtin_clzll(number)) / 8;
    to[0] = (char)(-112 - (int)count);
    for (unsigned i = 0; i < count; i++)
        to[1 + i] = (char)(number >> (8 * (count - 1 - i)));
    return 1 + count;
}

static bool append(struct ps_hadoop_writer *writer, const void *data, size_t length)
{
    writer->position += length;
    return writer->below->write(writer->below, data, length);
}

/* ---- header and sync markers ---- */

/* Appends a string after its length. */
static char *put_text(char *to, const char *text)
{
    size_t length = strlen(text);
    to += put_vint(to, length);
    memcpy(to, text, length);
    return to + length;
}

bool ps_hadoop_sequence_begin(struct ps_hadoop_writer *writer)
{
    const struct ps_hadoop_format *format = writer->writers->format;
    char header[256], *at = header;
    writer->keys.length = writer->lengths.length = 0;
    writer->records = 0;
    writer->position = writer->synced_position = 0;
    for (size_t i = 0; i < PS_HADOOP_SYNC_BYTES; i += sizeof(uint64_t)) {
        uint64_t word = ps_random_next(&writer->writers->random);
        memcpy(writer->sync + i, &word, sizeof word);
    }
    memcpy(at, "SEQ\x06", 4);
    at = put_text(at + 4, "org.apache.hadoop.io.LongWritable");
    at = put_text(at, format->text ? "org.apache.hadoop.io.Text" : "org.apache.hadoop.io.BytesWritable");
    *at++ = format->blocks; /* compressed */
    *at++ = format->blocks; /* in blocks */
    if (format->blocks)
        at = put_text(at, ps_hadoop_codecs[format->codec].class_name);
    memset(at, 0, 4); /* no metadata */
    memcpy(at + 4, writer->sync, PS_HADOOP_SYNC_BYTES);
    return append(writer, header, (size_t)(at + 4 + PS_HADOOP_SYNC_BYTES - header));
}

static bool append_sync(struct ps_hadoop_writer *writer)
{
    char marker[4 + PS_HADOOP_SYNC_BYTES];
    put_int(marker, UINT32_MAX);
    memcpy(marker + 4, writer->sync, PS_HADOOP_SYNC_BYTES);
    bool good = append(writer, marker, sizeof marker);
    writer->synced_position = writer->position;
    return good;
}

/* ---- records ---- */

/* Writes the length before a body in its value: 4 bytes (BytesWritable), or a variable-length integer (Text). */
static size_t put_value_head(char *to, bool text, uint32_t body_length)
{
    if (text)
        return put_vint(to, body_length);
    put_int(to, body_length);
    return 4;
}

static bool append_record(struct ps_hadoop_writer *writer, const char *key, const char *value_head,
                          size_t head_length, const char *value, size_t value_length)
{
    char head[8 + KEY_BYTES + VINT_BYTES_MAX];
    if (writer->position >= writer->synced_position + SYNC_INTERVAL_BYTES && !append_sync(writer))
        return false;
    put_int(head, (uint32_t)(KEY_BYTES + head_length + value_length));
    put_int(head + 4, KEY_BYTES);
    memcpy(head + 8, key, KEY_BYTES);
    memcpy(head + 8 + KEY_BYTES, value_head, head_length);
    writer->records++;
    return append(writer, head, 8 + KEY_BYTES + head_length) && append(writer, value, value_length);
}

/* ---- blocks ---- */

static bool append_section(struct ps_hadoop_writer *writer, const char *data, size_t length)
{
    struct ps_byte_buffer *packed = &writer->writers->packed;
    char head[VINT_BYTES_MAX];
    bool good =
        ps_hadoop_pack(writer->writers->packer, writer->writers->format->codec, data, length, packed) &&
        append(writer, head, put_vint(head, packed->length)) && append(writer, packed->data, packed->length);
    ps_byte_buffer_clear(packed, PACKED_KEPT_BYTES_MAX);
    return good;
}

/* Writes the lengths of the keys, which are all the same. */
static bool append_key_lengths(struct ps_hadoop_writer *writer)
{
    struct ps_byte_buffer *lengths = &writer->writers->key_lengths;
    ps_byte_buffer_clear(lengths, SIZE_MAX);
    if (!ps_byte_buffer_reserve(lengths, writer->records))
        return false;
    memset(lengths->data, KEY_BYTES, writer->records);
    return append_section(writer, lengths->data, writer->records);
}

static bool append_block(struct ps_hadoop_writer *writer)
{
    char head[VINT_BYTES_MAX];
    bool good = append_sync(writer) && append(writer, head, put_vint(head, writer->records)) &&
                append_key_lengths(writer) &&
                append_section(writer, writer->keys.data, writer->keys.length) &&
                append_section(writer, writer->lengths.data, writer->lengths.length) &&
                append_section(writer, writer->plain.data, writer->plain.length);
    ps_hadoop_plain_clear(writer);
    ps_byte_buffer_clear(&writer->keys, KEPT_BYTES_MAX);
    ps_byte_buffer_clear(&writer->lengths, KEPT_BYTES_MAX);
    writer->records = 0;
    return good;
}

static bool add_to_block(struct ps_hadoop_writer *writer, const char *key, const char *value_head,
                         size_t head_length, const char *body, size_t body_length)
{
    struct ps_byte_buffer *plain = &writer->plain, *lengths = &writer->lengths;
    size_t length = head_length + body_length;
    if ((PS_UNLIKELY(plain->room - plain->length < length) && !ps_hadoop_plain_reserve(writer, length)) ||
        !ps_byte_buffer_append(&writer->keys, key, KEY_BYTES) ||
        !ps_byte_buffer_reserve(lengths, VINT_BYTES_MAX))
        return false;
    lengths->length += put_vint(lengths->data + lengths->length, length);
    ps_byte_buffer_put(plain, value_head, head_length);
    ps_byte_buffer_put(plain, body, body_length);
    writer->records++;
    return writer->keys.length + plain->length < BLOCK_BYTES || append_block(writer);
}

/* ---- the writer ---- */

enum ps_hadoop_answer ps_hadoop_sequence_event(struct ps_hadoop_writer *writer, const struct ps_batch *batch,
                                               const struct ps_event *event, int64_t wall_ms,
                                               struct ps_err *err)
{
    const struct ps_hadoop_format *format = writer->writers->format;
    struct ps_slice timestamp;
    char key[KEY_BYTES], value_head[VINT_BYTES_MAX];
    int64_t millis = wall_ms;
    if (ps_event_header(batch, event, writer->writers->timestamp, &timestamp) &&
        !ps_java_long_read(&timestamp, &millis)) {
        (void)ps_err_set(err, "header timestamp is not a number of ms: %.*s", (int)timestamp.length,
                         timestamp.data);
        return PS_HADOOP_REFUSED;
    }
    if (event->body_length > UINT32_MAX / 2 - KEY_BYTES - VINT_BYTES_MAX) {
        (void)ps_err_set(err, "a body of %u bytes is too long for a SequenceFile", event->body_length);
        return PS_HADOOP_REFUSED;
    }
    uint64_t big_endian = __builtin_bswap64((uint64_t)millis);
    memcpy(key, &big_endian, sizeof key);
    size_t head_length = put_value_head(value_head, format->text, event->body_length);
    bool good = format->blocks
                    ? add_to_block(writer, key, value_head, head_length, event->body, event->body_length)
                    : append_record(writer, key, value_head, head_length, event->body, event->body_length);
    return good ? PS_HADOOP_WRITTEN : PS_HADOOP_FAILED;
}

bool ps_hadoop_sequence_flush(struct ps_hadoop_writer *writer)
{
    if (writer->records == 0)
        return true;
    if (writer->writers->format->blocks)
        return append_block(writer);
    writer->records = 0;
    return append_sync(writer);
}
