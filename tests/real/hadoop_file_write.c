/* Writes a file of every type and codec that the sink hdfs has, and prints what HadoopFile.java must find in them.
 *
 *   hadoop_file_write DIR
 *
 * DIR gets sequence_TYPE_CODEC_FORMAT and stream_CODEC.EXTENSION, each of EVENTS events with bodies of 0 bytes to 1 MiB, flushed now and
 * then; and stream_CODEC_cut.EXTENSION, which was flushed and not ended, like a file that a crash leaves. Standard output: the lines of
 * `HadoopFile sequence` and `HadoopFile text`. */
#include "stages/lib/hadoop/file/writer.h"
#include "tests/support/stage.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>

#define EVENTS 1200U
#define FLUSH_EVENTS 250U
#define LONG_BYTES (1024U * 1024U)

struct file {
    struct ps_output output;
    FILE *to;
};

static bool file_write(struct ps_output *output, const void *data, size_t length)
{
    return fwrite(data, 1, length, ((struct file *)(void *)output)->to) == length;
}

static const char *md5(const void *data, size_t length)
{
    static char text[33];
    unsigned char digest[EVP_MAX_MD_SIZE];
    PS_ASSERT(EVP_Digest(data, length, digest, NULL, EVP_md5(), NULL) == 1);
    for (unsigned i = 0; i < 16; i++)
        (void)sprintf(text + (size_t)2 * i, "%02x", digest[i]);
    return text;
}

/* Makes event i. Some bodies are empty, one is long, half of them do not compress. */
static size_t body_make(unsigned i, char *body)
{
    uint64_t seed = i + 1;
    size_t length = i % 13 == 0 ? 0 : i == 777 || i == 1100 ? LONG_BYTES : (size_t)i * 31 % 600;
    for (size_t at = 0; at < length; at++)
        body[at] = i % 2 != 0 ? (char)('a' + at % 23) : (char)('!' + ps_test_random(&seed) % 90);
    body[length] = '\0';
    return length;
}

struct session {
    struct ps_test_stage stage;
    const char *directory;
    char *body;
};

static void write_events(struct session *session, struct ps_hadoop_writer *writer, struct file *file,
                         unsigned count, struct ps_byte_buffer *plain)
{
    for (unsigned i = 0; i < count; i++) {
        char key[24];
        size_t length = body_make(i, session->body);
        (void)snprintf(key, sizeof key, "%" PRId64, INT64_C(1700000000000) + i);
        struct ps_lease *lease = PS_LEASE(&session->stage, PS_EVENT(session->body, "timestamp", key));
        PS_ASSERT(ps_hadoop_writer_event(writer, lease->batch, ps_lease_event(lease, 0), 0, &file->output,
                                         &session->stage.err) == PS_HADOOP_WRITTEN);
        ps_test_stage_recycle(&session->stage);
        if (plain == NULL)
            printf("%s %zu %s\n", key, length, md5(session->body, length));
        else
            PS_ASSERT(ps_byte_buffer_append(plain, session->body, length) &&
                      ps_byte_buffer_append(plain, "\n", 1));
        if (i % FLUSH_EVENTS == FLUSH_EVENTS - 1)
            PS_ASSERT(ps_hadoop_writer_flush(writer, &file->output));
    }
    PS_ASSERT(ps_hadoop_writer_flush(writer, &file->output));
}

static void write_file(struct session *session, struct ps_hadoop_format format, const char *name, bool cut)
{
    char path[4096];
    struct ps_byte_buffer plain = {.data = NULL};
    (void)snprintf(path, sizeof path, "%s/%s", session->directory, name);
    struct file file = {.output.write = file_write, .to = fopen(path, "w")};
    struct ps_hadoop_writers *writers =
        ps_hadoop_writers_open(&format, &session->stage.port, &session->stage.err);
    struct ps_hadoop_writer *writer = ps_hadoop_writer_open(writers, &session->stage.err);
    PS_ASSERT(file.to != NULL && ps_hadoop_writer_begin(writer, &file.output));
    write_events(session, writer, &file, cut ? EVENTS - 100 : EVENTS,
                 format.type == PS_HADOOP_SEQUENCE_FILE ? NULL : &plain);
    if (!cut)
        PS_ASSERT(ps_hadoop_writer_end(writer, &file.output));
    PS_ASSERT(fclose(file.to) == 0);
    if (format.type != PS_HADOOP_SEQUENCE_FILE)
        printf("%s %zu %s\n", name, plain.length, md5(plain.data, plain.length));
    ps_byte_buffer_clear(&plain, 0);
    ps_hadoop_writer_close(writer);
    ps_hadoop_writers_close(writers);
}

static void write_sequence(struct session *session, struct ps_hadoop_format format)
{
    const char *type = format.blocks ? "BLOCK" : "NONE";
    const struct ps_hadoop_codec_facts *codec = &ps_hadoop_codecs[format.codec];
    char name[128];
    (void)snprintf(name, sizeof name, "sequence_%s_%s_%s", type, codec->simple_name,
                   format.text ? "Text" : "Writable");
    printf("%s org.apache.hadoop.io.LongWritable org.apache.hadoop.io.%s %s %s\n", name,
           format.text ? "Text" : "BytesWritable", type, format.blocks ? codec->class_name : "-");
    write_file(session, format, name, false);
}

static void write_stream(struct session *session, unsigned codec, bool cut)
{
    char name[128];
    struct ps_hadoop_format format = {.type = PS_HADOOP_COMPRESSED_STREAM,
                                      .codec = codec,
                                      .serializer = session->stage.ops,
                                      .serializer_plan = session->stage.plan};
    (void)snprintf(name, sizeof name, "stream_%s%s%s", ps_hadoop_codecs[codec].simple_name, cut ? "_cut" : "",
                   ps_hadoop_codecs[codec].extension);
    write_file(session, format, name, cut);
}

int main(int argc, char **argv)
{
    struct session session = {.directory = argc == 2 ? argv[1] : ".", .body = malloc(LONG_BYTES + 1)};
    PS_ASSERT(argc == 2 && session.body != NULL);
    ps_test_stage_start(&session.stage, &ps_serializer_text, NULL);
    for (unsigned text = 0; text < 2; text++)
        write_sequence(&session, (struct ps_hadoop_format){.text = text != 0});
    for (unsigned codec = 0; codec < PS_HADOOP_CODECS; codec++) {
        for (unsigned text = 0; text < 2; text++) {
            const struct ps_hadoop_format format = {.blocks = true, .codec = codec, .text = text != 0};
            write_sequence(&session, format);
        }
        write_stream(&session, codec, false);
        write_stream(&session, codec, true);
    }
    ps_test_stage_fini(&session.stage);
    free(session.body);
    return 0;
}
