/* Encodes events as the bytes of a file, like the writers of Flume's sink hdfs: HDFSDataStream, HDFSCompressedDataStream and
 * HDFSSequenceFile. It is independent of file systems: it appends bytes to a struct ps_output in the order of the file.
 *
 *   ps_hadoop_writers   of one open sink: the compressor and the buffers that all its files share
 *   ps_hadoop_writer    of one open file
 *
 *   writer = ps_hadoop_writer_open(writers)
 *   begin                                     the header
 *   { event.., flush }..                      flush: at the end of every transaction, before an hflush
 *   end                                       before the file is closed
 *   begin, ..                                 the next file, even if the previous one was not ended
 *   ps_hadoop_writer_close(writer)
 *
 * An event's bytes may stay in the writer until `flush`. After that the writer has no bytes of events, and Hadoop can read everything
 * that was appended even if nothing follows: every compressor was finished, and every block ended. So a file that is cut after a flush
 * has everything that was flushed.
 *
 * Memory of each open file: 300 bytes and the serializer's state; between two flushes also the plain bytes of its events
 * (CompressedStream, SequenceFile in blocks), at most 1 MiB. The events of one transaction are in memory anyway, so a thousand files
 * that share a transaction need no more than its size. Files have no compressors of their own: each open sink has one, of 0.3 MB (gzip,
 * deflate), 1.3 MB (zstd), 7.6 MB (bzip2) or 16 kB (lz4, snappy).
 *
 * After false or PS_HADOOP_FAILED the file cannot be continued: the caller abandons the stream, and writes its events since the last
 * flush to another file.
 *
 * Thread: the sink's worker. Never waits. */
#pragma once

#include "core/stage.h"
#include "stages/lib/filesystem/filesystem.h"
#include "stages/lib/hadoop/file/codec.h"

enum ps_hadoop_file_type {
    PS_HADOOP_SEQUENCE_FILE, /* hdfs.fileType = SequenceFile: keys are timestamps in ms (LongWritable), values are bodies */
    PS_HADOOP_DATA_STREAM,       /* DataStream: the bytes of the serializer */
    PS_HADOOP_COMPRESSED_STREAM, /* CompressedStream: the same bytes, compressed */
};

/* Format of the files, from the configuration. Constant, shared by all workers. */
struct ps_hadoop_format {
    enum ps_hadoop_file_type type;
    enum ps_hadoop_codec codec; /* CompressedStream; SequenceFile in blocks */
    /* SequenceFile: blocks of 1,000,000 bytes of keys and values (io.seqfile.compress.blocksize), and at every flush, as Flume's sink
     * writes with hdfs.codeC (org.apache.hadoop.io.SequenceFile.CompressionType.BLOCK; else NONE). */
    bool blocks;
    bool text; /* SequenceFile: values are Text (hdfs.writeFormat = Text), else BytesWritable (Writable) */
    /* DataStream, CompressedStream: the bound serializer; SequenceFile has none, as in Flume. */
    const struct ps_stage_ops *serializer;
    void *serializer_plan;
};

/* Finds a file type, case-insensitive as in Flume. Returns false if there is no such type. */
bool ps_hadoop_file_type_find(const char *name, enum ps_hadoop_file_type *type);

/* Reads hdfs.writeFormat: "Writable", "Text", or Flume's class for one of them (HDFSWritableSerializer$Builder,
 * HDFSTextSerializer$Builder). Returns false for another class. */
bool ps_hadoop_write_format_find(const char *name, bool *text);

struct ps_hadoop_writers;

/* Opens the common part. `format` and `port` must outlive the common part. Returns NULL with the reason if there is
 * no memory. */
struct ps_hadoop_writers *ps_hadoop_writers_open(const struct ps_hadoop_format *format, struct ps_port *port,
                                                 struct ps_err *err);
/* Schemas at URLs of file systems (hdfs:, webhdfs:) are read through the sink's file system. The sink turns the
 * file system, and closes it before the writers. `url`: of the file system, as in struct ps_hadoop_settings; "":
 * schemas of any server are read, as for the default file system. */
void ps_hadoop_writers_read_schemas(struct ps_hadoop_writers *writers, struct ps_filesystem *filesystem,
                                    const char *url);
/* Call it after all writers of the format were closed. NULL is allowed. */
void ps_hadoop_writers_close(struct ps_hadoop_writers *writers);

struct ps_hadoop_writer;

/* Opens a writer for a new file. Returns NULL with the reason if there is no memory, or the serializer fails. */
struct ps_hadoop_writer *ps_hadoop_writer_open(struct ps_hadoop_writers *writers, struct ps_err *err);
/* Closes the writer; bytes that were not flushed are lost. NULL is allowed. */
void ps_hadoop_writer_close(struct ps_hadoop_writer *writer);

/* Begins a file, and forgets the previous one. Returns false if `output` refused bytes or there is no memory, like flush and end. */
bool ps_hadoop_writer_begin(struct ps_hadoop_writer *writer, struct ps_output *output);

enum ps_hadoop_answer {
    PS_HADOOP_WRITTEN,
    /* The serializer waits for something that is being read (an Avro schema). Nothing was written; call again with this
     * event in a later cycle: the port's wake_fd or epoll_fd wakes the worker. */
    PS_HADOOP_LATER,
    /* The event cannot be in the same file as the previous ones (its Avro schema is another one). Nothing was written:
     * flush, end, and write it to a new file. Not returned for the first event of a file. */
    PS_HADOOP_NEW_FILE,
    /* The event cannot be in any file (an invalid timestamp; no schema). Nothing was written; `err` has the reason. Flume's
     * sink rolls back, and tries again without end. */
    PS_HADOOP_REFUSED,
    PS_HADOOP_FAILED, /* `output` refused bytes, or there is no memory */
};

/* Writes an event. `wall_ms`: the key of an event without the header `timestamp` (SequenceFile). */
enum ps_hadoop_answer ps_hadoop_writer_event(struct ps_hadoop_writer *writer, const struct ps_batch *batch,
                                             const struct ps_event *event, int64_t wall_ms,
                                             struct ps_output *output, struct ps_err *err);

/* Appends the bytes that are still in the writer. Appends nothing if there was no event since the last flush. */
bool ps_hadoop_writer_flush(struct ps_hadoop_writer *writer, struct ps_output *output);

/* Returns whether an event's bytes are appended when the event is written, and not only by a flush. If they are not, a file whose
 * next event failed may lack events before that one. */
bool ps_hadoop_writer_is_direct(const struct ps_hadoop_writer *writer);

/* Flushes, and appends the end of the file if its format has one. */
bool ps_hadoop_writer_end(struct ps_hadoop_writer *writer, struct ps_output *output);
