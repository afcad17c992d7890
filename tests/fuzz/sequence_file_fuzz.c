/* SequenceFiles of events of any lengths, flushed anywhere, with each codec and without one: a reader of the format finds
 * exactly the events that were written. Input: blocks or not (1 byte), codec, Text or Writable; then for each event its
 * length (2 bytes; with the top bit: flush after it) and a byte that its body consists of. */
#include "stages/lib/hadoop/file/writer.h"
#include "tests/support/hadoop_file.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EVENTS_MAX 64U
#define BODY_BYTES_MAX 32767U

struct collected {
    struct ps_output output;
    struct ps_byte_buffer bytes;
};

static bool collect(struct ps_output *output, const void *data, size_t length)
{
    return ps_byte_buffer_append(&((struct collected *)(void *)output)->bytes, data, length);
}

static void write_file(const struct ps_hadoop_format *format, const uint8_t *data, size_t count,
                       struct collected *file)
{
    static char body[BODY_BYTES_MAX + 1];
    static const struct ps_batch batch; /* no headers */
    struct ps_port port = {.wake_fd = -1};
    struct ps_err err;
    struct ps_hadoop_writers *writers = ps_hadoop_writers_open(format, &port, &err);
    struct ps_hadoop_writer *writer = ps_hadoop_writer_open(writers, &err);
    PS_ASSERT(ps_hadoop_writer_begin(writer, &file->output));
    for (size_t i = 0; i < count; i++, data += 3) {
        size_t length = (size_t)(data[0] & 0x7F) << 8 | data[1];
        memset(body, data[2], length);
        struct ps_event event = {.body = body, .body_length = (uint32_t)length};
        PS_ASSERT(ps_hadoop_writer_event(writer, &batch, &event, (int64_t)i, &file->output, &err) ==
                  PS_HADOOP_WRITTEN);
        if (data[0] & 0x80)
            PS_ASSERT(ps_hadoop_writer_flush(writer, &file->output));
    }
    PS_ASSERT(ps_hadoop_writer_end(writer, &file->output));
    ps_hadoop_writer_close(writer);
    ps_hadoop_writers_close(writers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct ps_hadoop_format format = {
        .blocks = data[0] & 1, .codec = data[1] % PS_HADOOP_CODECS, .text = data[2] & 1};
    struct collected file = {.output.write = collect};
    struct ps_test_sequence read;
    size_t count = (size - 3) / 3 < EVENTS_MAX ? (size - 3) / 3 : EVENTS_MAX;
    write_file(&format, data + 3, count, &file);
    ps_test_sequence_read(&read, file.bytes.data, file.bytes.length);
    PS_ASSERT(read.record_count == count);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *of = data + 3 + 3 * i;
        PS_ASSERT(read.records[i].key == (int64_t)i);
        PS_ASSERT(read.records[i].length == ((size_t)(of[0] & 0x7F) << 8 | of[1]));
        for (size_t at = 0; at < read.records[i].length; at++)
            PS_ASSERT((uint8_t)read.records[i].value[at] == of[2]);
    }
    ps_test_sequence_free(&read);
    ps_byte_buffer_clear(&file.bytes, 0);
    return 0;
}
