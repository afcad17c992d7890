/* Measures the writers of the sink hdfs and the compression library alone in turn: the same log lines of 256 bytes,
 * the same level, 1,024 events between two flushes. Prints a record for each kind of file: plain bytes per
 * CPU-second of both, and their ratio.
 *
 *   bench_hadoop_files [--seconds 0.3] [--rounds 5] [--only VARIANT]
 *
 * The library compresses the same bytes as the writer: the lines with their newlines (CompressedStream); in a
 * SequenceFile also the lengths of the keys, the keys, and the lengths of the values, each by itself, as the format
 * demands. The output is discarded. */
#include "bench/suite/harness.h"
#include "bench/suite/paired.h"
#include "bench/support/measure.h"
#include "stages/lib/hadoop/file/writer.h"

#include <bzlib.h>
#include <lz4.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define EVENTS 1024U
#define BODY_BYTES 256U
#define PLAIN_BYTES (EVENTS * (BODY_BYTES + 1))
#define PACKED_BYTES (2 * PLAIN_BYTES)
#define BLOCK_BYTES 200000U /* of LZ4 and snappy: below Hadoop's limits of both */

struct job {
    const struct ps_hadoop_format *format;
    struct ps_bench_harness harness;
    struct ps_batch *batch;
    char *plain, *packed;
    double seconds;
    uint64_t written;
};

struct output {
    struct ps_output output;
    uint64_t bytes;
};

static bool count(struct ps_output *output, const void *, size_t length)
{
    ((struct output *)(void *)output)->bytes += length;
    return true;
}

/* Makes lines as web servers write them. Some of their fields are random. */
static void make_lines(char *lines)
{
    uint64_t seed = 12345;
    for (unsigned i = 0; i < EVENTS; i++) {
        char *line = lines + (size_t)i * (BODY_BYTES + 1);
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        unsigned drawn = (unsigned)(seed >> 33);
        int length = snprintf(line, BODY_BYTES + 1,
                              "2026-11-21T22:%02u:%02u.%03u INFO web-%02u nginx: 10.%u.%u.%u \"GET "
                              "/api/v2/items/%u?session=%016llx HTTP/1.1\" %u %u "
                              "\"https://shop.example.com/category/%u\" \"Mozilla/5.0 (X11; Linux x86_64) "
                              "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0\"",
                              i / 60 % 60, i % 60, drawn % 1000, drawn % 37, drawn % 250, drawn / 250 % 250,
                              drawn / 999 % 250, drawn % 100003, (unsigned long long)seed,
                              drawn % 17 == 0 ? 404 : 200, drawn % 65536, drawn % 100);
        if (length < (int)BODY_BYTES)
            memset(line + length, 'x', BODY_BYTES - (size_t)length);
        line[BODY_BYTES] = '\n';
    }
}

static double run_writer(void *job_)
{
    struct job *job = job_;
    struct ps_err err;
    struct output output = {.output.write = count};
    struct ps_hadoop_writers *writers = ps_hadoop_writers_open(job->format, &job->harness.port, &err);
    struct ps_hadoop_writer *writer = ps_hadoop_writer_open(writers, &err);
    PS_ASSERT(ps_hadoop_writer_begin(writer, &output.output));
    double began = ps_thread_cpu_s(), took = 0;
    uint64_t passes = 0;
    for (; took < job->seconds; took = ps_thread_cpu_s() - began, passes++) {
        for (unsigned i = 0; i < EVENTS; i++)
            PS_ASSERT(ps_hadoop_writer_event(writer, job->batch, &job->batch->events[i], (int64_t)i,
                                             &output.output, &err) == PS_HADOOP_WRITTEN);
        PS_ASSERT(ps_hadoop_writer_flush(writer, &output.output));
    }
    PS_ASSERT(ps_hadoop_writer_end(writer, &output.output));
    ps_hadoop_writer_close(writer);
    ps_hadoop_writers_close(writers);
    job->written = output.bytes / passes;
    return (double)passes * PLAIN_BYTES / took;
}

struct library {
    enum ps_hadoop_codec codec;
    z_stream stream;
    ZSTD_CCtx *context;
    char *packed;
};

static void compress_zlib(struct library *library, char *plain, size_t length)
{
    z_stream *stream = &library->stream;
    PS_ASSERT(deflateReset(stream) == Z_OK);
    stream->next_in = (unsigned char *)plain;
    stream->avail_in = (unsigned)length;
    stream->next_out = (unsigned char *)library->packed;
    stream->avail_out = PACKED_BYTES;
    PS_ASSERT(deflate(stream, Z_FINISH) == Z_STREAM_END);
}

static void compress_blocks(const struct library *library, const char *plain, size_t length)
{
    for (size_t at = 0, part; at < length; at += part) {
        size_t room = PACKED_BYTES;
        part = length - at < BLOCK_BYTES ? length - at : BLOCK_BYTES;
        if (library->codec == PS_HADOOP_CODEC_LZ4)
            PS_ASSERT(LZ4_compress_default(plain + at, library->packed, (int)part, (int)room) > 0);
        else
            PS_ASSERT(snappy_compress(plain + at, part, library->packed, &room) == SNAPPY_OK);
    }
}

static void compress_section(struct library *library, char *plain, size_t length)
{
    unsigned room = PACKED_BYTES;
    if (library->codec == PS_HADOOP_CODEC_BZIP2)
        PS_ASSERT(BZ2_bzBuffToBuffCompress(library->packed, &room, plain, (unsigned)length, 9, 0, 0) ==
                  BZ_OK);
    else if (library->codec == PS_HADOOP_CODEC_ZSTANDARD)
        PS_ASSERT(
            !ZSTD_isError(ZSTD_compressCCtx(library->context, library->packed, room, plain, length, 3)));
    else if (library->codec == PS_HADOOP_CODEC_LZ4 || library->codec == PS_HADOOP_CODEC_SNAPPY)
        compress_blocks(library, plain, length);
    else
        compress_zlib(library, plain, length);
}

/* Writes the sections of a block other than the values: lengths of the keys, keys, lengths of the values. */
static void make_sections(char *key_lengths, char *keys, char *lengths)
{
    for (unsigned i = 0; i < EVENTS; i++) {
        key_lengths[i] = 8;
        memset(keys + (size_t)8 * i, 0, 6);
        keys[8 * i + 6] = (char)(i >> 8);
        keys[8 * i + 7] = (char)i;
        memcpy(lengths + (size_t)3 * i, "\x8E\x01\x04", 3); /* 260 */
    }
}

static double run_library(void *job_)
{
    struct job *job = job_;
    static char key_lengths[EVENTS], keys[EVENTS * 8], lengths[EVENTS * 3];
    struct library library = {
        .codec = job->format->codec, .context = ZSTD_createCCtx(), .packed = job->packed};
    PS_ASSERT(library.context != NULL && deflateInit2(&library.stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                                                      15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    make_sections(key_lengths, keys, lengths);
    double began = ps_thread_cpu_s(), took = 0;
    uint64_t passes = 0;
    for (; took < job->seconds; took = ps_thread_cpu_s() - began, passes++) {
        compress_section(&library, job->plain, PLAIN_BYTES);
        if (job->format->type != PS_HADOOP_SEQUENCE_FILE)
            continue;
        compress_section(&library, key_lengths, sizeof key_lengths);
        compress_section(&library, keys, sizeof keys);
        compress_section(&library, lengths, sizeof lengths);
    }
    deflateEnd(&library.stream);
    ZSTD_freeCCtx(library.context);
    return (double)passes * PLAIN_BYTES / took;
}

/* Without compression the work is copying into the packets of a stream. */
static double run_copy(void *job_)
{
    struct job *job = job_;
    double began = ps_thread_cpu_s(), took = 0;
    uint64_t passes = 0;
    for (; took < job->seconds; took = ps_thread_cpu_s() - began, passes++)
        memcpy(job->packed, job->plain, PLAIN_BYTES);
    return (double)passes * PLAIN_BYTES / took;
}

struct variant {
    const char *name;
    struct ps_hadoop_format format;
};

#define STREAM(name_, codec_)                                                                                \
    {                                                                                                        \
        "CompressedStream " name_,                                                                           \
        {                                                                                                    \
            .type = PS_HADOOP_COMPRESSED_STREAM, .codec = (codec_)                                           \
        }                                                                                                    \
    }
#define BLOCKS(name_, codec_)                                                                                \
    {                                                                                                        \
        "SequenceFile BLOCK " name_,                                                                         \
        {                                                                                                    \
            .compression = PS_HADOOP_COMPRESSION_BLOCK, .codec = (codec_)                                    \
        }                                                                                                    \
    }

static const struct variant variants[] = {
    STREAM("gzip", PS_HADOOP_CODEC_GZIP),
    STREAM("bzip2", PS_HADOOP_CODEC_BZIP2),
    STREAM("lz4", PS_HADOOP_CODEC_LZ4),
    STREAM("snappy", PS_HADOOP_CODEC_SNAPPY),
    STREAM("zstd", PS_HADOOP_CODEC_ZSTANDARD),
    BLOCKS("gzip", PS_HADOOP_CODEC_GZIP),
    BLOCKS("lz4", PS_HADOOP_CODEC_LZ4),
    BLOCKS("zstd", PS_HADOOP_CODEC_ZSTANDARD),
    {"SequenceFile NONE", {.compression = PS_HADOOP_COMPRESSION_NONE}},
};

static void variant_run(const struct variant *variant, const struct ps_bench_options *options,
                        struct job *job)
{
    struct ps_hadoop_format format = variant->format;
    struct ps_paired_result result;
    bool compressed =
        format.type == PS_HADOOP_COMPRESSED_STREAM || format.compression != PS_HADOOP_COMPRESSION_NONE;
    struct ps_paired paired = {.bench = "hadoop_files",
                               .variant = variant->name,
                               .unit = "bytes/CPU-s",
                               .reference = compressed ? "the library alone" : "memcpy",
                               .goal_ratio = compressed ? 0.85 : 0,
                               .subject = run_writer,
                               .bare = compressed ? run_library : run_copy,
                               .argument = job};
    if (format.type != PS_HADOOP_SEQUENCE_FILE) {
        format.serializer = job->harness.ops;
        format.serializer_plan = job->harness.plan;
    }
    job->format = &format;
    ps_paired_run(&paired, options->rounds, &result);
    ps_paired_print(&paired, &result, "\"bytes\":%u,\"of_plain\":%.4g", BODY_BYTES,
                    (double)job->written / PLAIN_BYTES);
}

int main(int argc, char **argv)
{
    struct ps_bench_options options = {.seconds = 0.3, .rounds = 5};
    struct job job = {.plain = malloc(PLAIN_BYTES), .packed = malloc(PACKED_BYTES)};
    uint32_t taken;
    ps_bench_options_parse(&options, argc, argv);
    PS_ASSERT(job.plain != NULL && job.packed != NULL);
    job.seconds = options.seconds;
    make_lines(job.plain);
    ps_bench_harness_init(&job.harness, UINT64_C(64) << 20);
    ps_bench_harness_open(&job.harness, PS_KIND_SERIALIZER, "text", (struct ps_texts){0, NULL},
                          (const char *const[]){NULL});
    job.batch = ps_bench_harness_batch_over(&job.harness, job.plain, BODY_BYTES, EVENTS, &taken);
    PS_ASSERT(job.batch != NULL && taken == EVENTS);
    for (size_t i = 0; i < PS_COUNT_OF(variants); i++)
        if (ps_bench_wants(&options, variants[i].name))
            variant_run(&variants[i], &options, &job);
    ps_batch_give(job.batch);
    ps_bench_harness_fini(&job.harness);
    free(job.plain);
    free(job.packed);
    return 0;
}
