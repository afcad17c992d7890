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

struct fixture {
    struct ps_test_stage stage; /* with serializer text */
    struct ps_hadoop_format format;
    struct ps_hadoop_writers *writers;
    struct collected file;
};

static inline void fixture_init(struct fixture *fixture, struct ps_hadoop_format format)
{
    *fixture = (struct fixture){.format = format, .file.output.write = collect};
    ps_test_stage_start(&fixture->stage, &ps_serializer_text, NULL);
    if (format.type != PS_HADOOP_SEQUENCE_FILE) {
        fixture->format.serializer = fixture->stage.ops;
        fixture->format.serializer_plan = fixture->stage.plan;
    }
    fixture->writers = ps_hadoop_writers_open(&fixture->format, &fixture->stage.port, &fixture->stage.err);
    assert_non_null(fixture->writers);
}

static inline void fixture_fini(struct fixture *fixture)
{
    ps_hadoop_writers_close(fixture->writers);
    ps_byte_buffer_clear(&fixture->file.bytes, 0);
    ps_test_stage_fini(&fixture->stage);
}

static inline struct ps_hadoop_writer *begin(struct fixture *fixture)
{
    struct ps_hadoop_writer *writer = ps_hadoop_writer_open(fixture->writers, &fixture->stage.err);
    assert_non_null(writer);
    assert_true(ps_hadoop_writer_begin(writer, &fixture->file.output));
    return writer;
}

static inline enum ps_hadoop_answer add(struct fixture *fixture, struct ps_hadoop_writer *writer,
                                        struct ps_test_event event)
{
    struct ps_lease *lease = ps_test_lease(&fixture->stage, &event, 1);
    enum ps_hadoop_answer answer =
        ps_hadoop_writer_event(writer, lease->batch, ps_lease_event(lease, 0), fixture->stage.now.wall_ms,
                               &fixture->file.output, &fixture->stage.err);
    ps_test_stage_recycle(&fixture->stage);
    return answer;
}

static inline void flush(struct fixture *fixture, struct ps_hadoop_writer *writer)
{
    assert_true(ps_hadoop_writer_flush(writer, &fixture->file.output));
}

static inline void end(struct fixture *fixture, struct ps_hadoop_writer *writer)
{
    assert_true(ps_hadoop_writer_end(writer, &fixture->file.output));
    ps_hadoop_writer_close(writer);
}
