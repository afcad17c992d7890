/* Shared by writer_test.c and sequence_file_test.c: a writer of files whose bytes are collected. */
#pragma once

#include "tests/support/hadoop_file.h"
#include "tests/support/stage.h"

#include "stages/lib/hadoop/file/writer.h"

struct collected {
    struct ps_output output;
    struct ps_byte_buffer bytes;
    bool broken;
};

static inline bool collect(struct ps_output *output, const void *data, size_t length)
{
    struct collected *collected = (struct collected *)(void *)output;
    return !collected->broken && ps_byte_buffer_append(&collected->bytes, data, length);
}

struct bed {
    struct ps_test_stage stage; /* serializer text */
    struct ps_hadoop_format format;
    struct ps_hadoop_writers *writers;
    struct collected file;
};

static inline void bed_init(struct bed *bed, struct ps_hadoop_format format)
{
    *bed = (struct bed){.format = format, .file.output.write = collect};
    ps_test_stage_start(&bed->stage, &ps_serializer_text, NULL);
    if (format.type != PS_HADOOP_SEQUENCE_FILE) {
        bed->format.serializer = bed->stage.ops;
        bed->format.serializer_plan = bed->stage.plan;
    }
    bed->writers = ps_hadoop_writers_open(&bed->format, &bed->stage.port, &bed->stage.err);
    assert_non_null(bed->writers);
}

static inline void bed_fini(struct bed *bed)
{
    ps_hadoop_writers_close(bed->writers);
    ps_byte_buffer_clear(&bed->file.bytes, 0);
    ps_test_stage_fini(&bed->stage);
}

static inline struct ps_hadoop_writer *begin(struct bed *bed)
{
    struct ps_hadoop_writer *writer = ps_hadoop_writer_open(bed->writers, &bed->stage.err);
    assert_non_null(writer);
    assert_true(ps_hadoop_writer_begin(writer, &bed->file.output));
    return writer;
}

static inline enum ps_hadoop_answer add(struct bed *bed, struct ps_hadoop_writer *writer,
                                        struct ps_test_event event)
{
    struct ps_lease *lease = ps_test_lease(&bed->stage, &event, 1);
    enum ps_hadoop_answer answer =
        ps_hadoop_writer_event(writer, lease->batch, ps_lease_event(lease, 0), bed->stage.now.wall_ms,
                               &bed->file.output, &bed->stage.err);
    ps_test_stage_recycle(&bed->stage);
    return answer;
}

static inline void flush(struct bed *bed, struct ps_hadoop_writer *writer)
{
    assert_true(ps_hadoop_writer_flush(writer, &bed->file.output));
}

static inline void end(struct bed *bed, struct ps_hadoop_writer *writer)
{
    assert_true(ps_hadoop_writer_end(writer, &bed->file.output));
    ps_hadoop_writer_close(writer);
}
