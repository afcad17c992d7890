/* Writers of streams, and the common part of all writers. See writer.h. */
#include "core/name.h"
#include "core/stage_call.h"
#include "stages/lib/hadoop/file/writer_internal.h"
#include "stages/lib/avro/codec/packer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PLAIN_MAX                                                                                            \
    (1024U *                                                                                                 \
     1024U) /* CompressedStream: a stream (member, frame) ends at this size if no flush comes before */

/* ---- names ---- */

bool ps_hadoop_file_type_find(const char *name, enum ps_hadoop_file_type *type)
{
    static const char *const names[] = {[PS_HADOOP_SEQUENCE_FILE] = "SequenceFile",
                                        [PS_HADOOP_DATA_STREAM] = "DataStream",
                                        [PS_HADOOP_COMPRESSED_STREAM] = "CompressedStream"};
    for (unsigned i = 0; i < PS_COUNT_OF(names); i++)
        if (strcasecmp(name, names[i]) == 0)
            return *type = (enum ps_hadoop_file_type)i, true;
    return false;
}

bool ps_hadoop_write_format_find(const char *name, bool *text)
{
    if (strcasecmp(name, "Writable") == 0 ||
        strcmp(name, "org.apache.flume.sink.hdfs.HDFSWritableSerializer$Builder") == 0)
        return *text = false, true;
    if (strcasecmp(name, "Text") == 0 ||
        strcmp(name, "org.apache.flume.sink.hdfs.HDFSTextSerializer$Builder") == 0)
        return *text = true, true;
    return false;
}

/* ---- shared by all files of a sink ---- */

static bool is_compressed(const struct ps_hadoop_format *format)
{
    return format->type == PS_HADOOP_COMPRESSED_STREAM ||
           (format->type == PS_HADOOP_SEQUENCE_FILE && format->blocks);
}

struct ps_hadoop_writers *ps_hadoop_writers_open(const struct ps_hadoop_format *format, struct ps_port *port,
                                                 struct ps_err *err)
{
    struct ps_hadoop_writers *writers = calloc(1, sizeof *writers);
    if (writers != NULL) {
        writers->format = format;
        writers->port = port;
        /* The serializers share what they read, like the stages of a source's chain. */
        writers->serializer_port = *port;
        writers->serializer_port.chain = &writers->share;
        ps_random_init(&writers->random);
        writers->timestamp = ps_name_intern("timestamp");
        if (!is_compressed(format))
            return writers;
        writers->packer = ps_hadoop_packer_open(format->codec);
        if (writers->packer != NULL)
            return writers;
    }
    free(writers);
    (void)ps_err_set(err, "no memory to write files");
    return NULL;
}

void ps_hadoop_writers_close(struct ps_hadoop_writers *writers)
{
    if (writers == NULL)
        return;
    if (writers->share.destroy != NULL)
        writers->share.destroy(writers->share.value);
    ps_packer_close(writers->packer);
    free(writers->packed.data);
    free(writers->spare.data);
    free(writers->key_lengths.data);
    free(writers);
}

/* ---- plain bytes of a file ---- */

bool ps_hadoop_plain_reserve(struct ps_hadoop_writer *writer, size_t more)
{
    return ps_byte_buffer_reserve_spare(&writer->plain, more, &writer->writers->spare);
}

void ps_hadoop_plain_clear(struct ps_hadoop_writer *writer)
{
    ps_byte_buffer_clear_spare(&writer->plain, &writer->writers->spare, 2 * PLAIN_MAX);
}

/* ---- compressed streams ---- */

/* Appends bytes as one compressed stream. Flume's HDFSCompressedDataStream.sync also finishes the compressor, and
 * continues with another stream. */
static bool append_packed(struct ps_hadoop_writer *writer, const char *data, size_t length)
{
    struct ps_byte_buffer *packed = &writer->writers->packed;
    bool good =
        ps_hadoop_pack(writer->writers->packer, writer->writers->format->codec, data, length, packed) &&
        writer->below->write(writer->below, packed->data, packed->length);
    ps_byte_buffer_clear(packed, 2 * PLAIN_MAX);
    writer->has_bytes = true;
    return good;
}

static bool plain_flush(struct ps_hadoop_writer *writer)
{
    if (writer->plain.length == 0)
        return true;
    bool good = append_packed(writer, writer->plain.data, writer->plain.length);
    ps_hadoop_plain_clear(writer);
    return good;
}

/* Collects the serializer's output. */
static bool plain_write(struct ps_output *output, const void *data, size_t length)
{
    struct ps_hadoop_writer *writer = (struct ps_hadoop_writer *)(void *)output;
    struct ps_byte_buffer *plain = &writer->plain;
    if (PS_LIKELY(length <= plain->room - plain->length && length <= PLAIN_MAX - plain->length)) {
        ps_byte_buffer_put(plain, data, length);
        return true;
    }
    if (length > PLAIN_MAX - plain->length && !plain_flush(writer))
        return false;
    for (; length >= PLAIN_MAX; length -= PLAIN_MAX, data = (const char *)data + PLAIN_MAX)
        if (!append_packed(writer, data, PLAIN_MAX))
            return false;
    if (!ps_hadoop_plain_reserve(writer, length))
        return false;
    ps_byte_buffer_put(plain, data, length);
    return true;
}

/* ---- the serializer ---- */

static struct ps_output *serializer_output(struct ps_hadoop_writer *writer)
{
    return writer->writers->packer != NULL ? &writer->plain_output : writer->below;
}

static bool serializer_open(struct ps_hadoop_writer *writer, struct ps_err *err)
{
    const struct ps_hadoop_format *format = writer->writers->format;
    const struct ps_stage_ops *stage = format->serializer;
    writer->serializer = calloc(1, stage->state_size + 1);
    if (writer->serializer == NULL) {
        (void)ps_err_set(err, "no memory for serializer %s", stage->name);
        return false;
    }
    if (ps_stage_open(stage, format->serializer_plan, writer->serializer, &writer->writers->serializer_port,
                      err) == PS_OK)
        return true;
    free(writer->serializer);
    writer->serializer = NULL;
    return false;
}

static void serializer_close(struct ps_hadoop_writer *writer)
{
    const struct ps_hadoop_format *format = writer->writers->format;
    if (writer->serializer == NULL)
        return;
    if (format->serializer->close != NULL)
        format->serializer->close(format->serializer_plan, writer->serializer);
    free(writer->serializer);
}

static enum ps_hadoop_answer serializer_event(struct ps_hadoop_writer *writer, const struct ps_batch *batch,
                                              const struct ps_event *event, struct ps_err *err)
{
    static const enum ps_hadoop_answer answers[] = {[PS_SERIALIZER_READY] = PS_HADOOP_WRITTEN,
                                                    [PS_SERIALIZER_LATER] = PS_HADOOP_LATER,
                                                    [PS_SERIALIZER_NEW_FILE] = PS_HADOOP_NEW_FILE,
                                                    [PS_SERIALIZER_REFUSED] = PS_HADOOP_REFUSED};
    const struct ps_hadoop_format *format = writer->writers->format;
    const struct ps_serializer_ops *ops = format->serializer->serializer;
    if (ops->ready != NULL) {
        enum ps_serializer_answer answer =
            ops->ready(format->serializer_plan, writer->serializer, batch, event, err);
        if (answer != PS_SERIALIZER_READY)
            return answers[answer];
    }
    return ops->event(format->serializer_plan, writer->serializer, batch, event, serializer_output(writer))
               ? PS_HADOOP_WRITTEN
               : PS_HADOOP_FAILED;
}

/* ---- the writer ---- */

struct ps_hadoop_writer *ps_hadoop_writer_open(struct ps_hadoop_writers *writers, struct ps_err *err)
{
    struct ps_hadoop_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        (void)ps_err_set(err, "no memory for a file");
        return NULL;
    }
    writer->plain_output.write = plain_write;
    writer->writers = writers;
    if (writers->format->type != PS_HADOOP_SEQUENCE_FILE && !serializer_open(writer, err)) {
        free(writer);
        return NULL;
    }
    return writer;
}

void ps_hadoop_writer_close(struct ps_hadoop_writer *writer)
{
    if (writer == NULL)
        return;
    serializer_close(writer);
    ps_hadoop_plain_clear(writer);
    free(writer->plain.data);
    free(writer->keys.data);
    free(writer->lengths.data);
    free(writer);
}

bool ps_hadoop_writer_begin(struct ps_hadoop_writer *writer, struct ps_output *output)
{
    const struct ps_hadoop_format *format = writer->writers->format;
    writer->below = output;
    writer->has_bytes = false;
    ps_hadoop_plain_clear(writer);
    if (format->type == PS_HADOOP_SEQUENCE_FILE)
        return ps_hadoop_sequence_begin(writer);
    const struct ps_serializer_ops *ops = format->serializer->serializer;
    return ops->begin == NULL ||
           ops->begin(format->serializer_plan, writer->serializer, serializer_output(writer));
}

enum ps_hadoop_answer ps_hadoop_writer_event(struct ps_hadoop_writer *writer, const struct ps_batch *batch,
                                             const struct ps_event *event, int64_t wall_ms,
                                             struct ps_output *output, struct ps_err *err)
{
    writer->below = output;
    return writer->writers->format->type == PS_HADOOP_SEQUENCE_FILE
               ? ps_hadoop_sequence_event(writer, batch, event, wall_ms, err)
               : serializer_event(writer, batch, event, err);
}

bool ps_hadoop_writer_flush(struct ps_hadoop_writer *writer, struct ps_output *output)
{
    const struct ps_hadoop_format *format = writer->writers->format;
    writer->below = output;
    if (format->type == PS_HADOOP_SEQUENCE_FILE)
        return ps_hadoop_sequence_flush(writer);
    const struct ps_serializer_ops *ops = format->serializer->serializer;
    return (ops->flush == NULL ||
            ops->flush(format->serializer_plan, writer->serializer, serializer_output(writer))) &&
           plain_flush(writer);
}

bool ps_hadoop_writer_is_direct(const struct ps_hadoop_writer *writer)
{
    const struct ps_hadoop_format *format = writer->writers->format;
    if (format->type == PS_HADOOP_SEQUENCE_FILE)
        return !format->blocks;
    return format->type == PS_HADOOP_DATA_STREAM && format->serializer->serializer->flush == NULL;
}

bool ps_hadoop_writer_end(struct ps_hadoop_writer *writer, struct ps_output *output)
{
    const struct ps_hadoop_format *format = writer->writers->format;
    if (!ps_hadoop_writer_flush(writer, output))
        return false;
    if (format->type == PS_HADOOP_SEQUENCE_FILE)
        return true;
    const struct ps_serializer_ops *ops = format->serializer->serializer;
    if (ops->end != NULL && !ops->end(format->serializer_plan, writer->serializer, serializer_output(writer)))
        return false;
    /* An empty file is not valid for the codec; an empty stream is. */
    return plain_flush(writer) &&
           (format->type != PS_HADOOP_COMPRESSED_STREAM || writer->has_bytes || append_packed(writer, "", 0));
}
