/* Turns events into the bytes of a file, as the writers of Flume's sink hdfs do: HDFSDataStream, HDFSCompressedDataStream and
 * HDFSSequenceFile. It knows nothing of file systems: bytes are appended to a struct ps_output, to whose far end they belong in that
 * order.
 *
 *   ps_hadoop_writers   of one open sink: the compressor and the buffers that all its files share
 *   ps_hadoop_writer    of one open file
 *
 *   writer = ps_hadoop_writer_open(writers)
 *   begin                                     the header
 *   { event.., flush }..                      flush: at the end of every transaction, before an hflush
 *   end                                       before the file is closed
 *   begin, ..                                 the next file, also when the one before was not ended
 *   ps_hadoop_writer_close(writer)
 *
 * An event's bytes may stay in the writer until `flush`; after it nothing of an event is in the writer, and all that was appended
 * can be read by Hadoop if nothing more comes: every compressor was finished, every block ended. So a file that is cut after a
 * flush loses nothing that was flushed.
 *
 * What it takes, each open file: 300 bytes and the serializer's state; between two flushes also the plain bytes of its events
 * (CompressedStream, SequenceFile with BLOCK), at most 1 MiB. The events of one transaction are in memory anyway, so a thousand
 * files that share a transaction take no more than it has. Compressors are never held by a file: 0.3 MB (gzip, deflate), 1.3 MB (zstd),
 * 7.6 MB (bzip2), 16 kB (lz4, snappy) once for each open sink.
 *
 * After false or PS_HADOOP_FAILED the file is lost for this writer: abandon the stream; its events since the last flush must be
 * written again, to another file.
 *
 * Thread: the sink's worker. Never waits. */
#pragma once

#include "core/stage.h"
#include "stages/lib/filesystem/filesystem.h"
#include "stages/lib/hadoop/file/codec.h"

enum ps_hadoop_file_type {
    PS_HADOOP_SEQUENCE_FILE, /* hdfs.fileType = SequenceFile: keys are timestamps in ms (LongWritable), values are bodies */
    PS_HADOOP_DATA_STREAM,       /* DataStream: what the serializer writes */
    PS_HADOOP_COMPRESSED_STREAM, /* CompressedStream: the same, compressed */
};

/* org.apache.hadoop.io.SequenceFile.CompressionType. Flume's sink has NONE without hdfs.codeC, BLOCK with it. */
enum ps_hadoop_compression {
    PS_HADOOP_COMPRESSION_NONE,
    PS_HADOOP_COMPRESSION_RECORD, /* each value by itself */
    PS_HADOOP_COMPRESSION_BLOCK, /* 1,000,000 bytes of keys and values (io.seqfile.compress.blocksize), and at every flush */
};

/* What the configuration says of the files; const, shared by all workers. */
struct ps_hadoop_format {
    enum ps_hadoop_file_type type;
    enum ps_hadoop_codec codec;             /* CompressedStream; SequenceFile with RECORD or BLOCK */
    enum ps_hadoop_compression compression; /* SequenceFile */
    bool text; /* SequenceFile: values are Text (hdfs.writeFormat = Text), else BytesWritable (Writable) */
    /* DataStream, CompressedStream: the bound sub-stage; SequenceFile has none, as in Flume. */
    const struct ps_stage_ops *serializer;
    void *serializer_plan;
};

/* Case does not matter, as in Flume. Returns false: there is no such type. */
bool ps_hadoop_file_type_find(const char *name, enum ps_hadoop_file_type *type);

/* hdfs.writeFormat: "Writable", "Text", or Flume's class of one of them (HDFSWritableSerializer$Builder, HDFSTextSerializer$Builder).
 * Returns false: it is another class. */
bool ps_hadoop_write_format_find(const char *name, bool *text);

struct ps_hadoop_writers;

/* `format` and `port` must live as long. Returns NULL and the reason: no memory. */
struct ps_hadoop_writers *ps_hadoop_writers_open(const struct ps_hadoop_format *format, struct ps_port *port,
                                                 struct ps_err *err);
/* Schemas at URLs of file systems (hdfs:, webhdfs:) are read through this one, which is the sink's: the sink turns it, and closes it
 * before the writers. `url`: of the file system, as in struct ps_hadoop_settings; "": of any server, as the default file system. */
void ps_hadoop_writers_read_schemas(struct ps_hadoop_writers *writers, struct ps_filesystem *filesystem,
                                    const char *url);
/* All its writers are closed before. NULL is allowed. */
void ps_hadoop_writers_close(struct ps_hadoop_writers *writers);

/* Memory of all its writers and of what they share, without the blocks of Avro serializers. */
size_t ps_hadoop_writers_bytes(const struct ps_hadoop_writers *writers);

struct ps_hadoop_writer;

/* For a new file. Returns NULL and the reason: no memory, or what the serializer says. */
struct ps_hadoop_writer *ps_hadoop_writer_open(struct ps_hadoop_writers *writers, struct ps_err *err);
/* Discards what was not flushed. NULL is allowed. */
void ps_hadoop_writer_close(struct ps_hadoop_writer *writer);

/* Begins a file; forgets what is left of the one before. Returns false: `output` refused bytes, or there is no memory. The same
 * for flush and end. */
bool ps_hadoop_writer_begin(struct ps_hadoop_writer *writer, struct ps_output *output);

enum ps_hadoop_answer {
    PS_HADOOP_WRITTEN,
    /* The serializer needs something that is being read (an Avro schema). Nothing was written; call again with this event
     * in a later cycle: the port's wake_fd or epoll_fd wakes the worker. */
    PS_HADOOP_LATER,
    /* It cannot stand behind what is in the file (its Avro schema is another one). Nothing was written: flush, end, and
     * write it to a new file. Not for the first event of a file. */
    PS_HADOOP_NEW_FILE,
    /* It can be in no file (a timestamp that is no number; no schema). Nothing was written; `err` says why. Flume's sink rolls
     * back, and tries it again for ever. */
    PS_HADOOP_REFUSED,
    PS_HADOOP_FAILED, /* `output` refused bytes, or there is no memory */
};

/* `wall_ms`: the key of an event without the header `timestamp` (SequenceFile). */
enum ps_hadoop_answer ps_hadoop_writer_event(struct ps_hadoop_writer *writer, const struct ps_batch *batch,
                                             const struct ps_event *event, int64_t wall_ms,
                                             struct ps_output *output, struct ps_err *err);

/* Appends what is still in the writer. Without an event since the last flush nothing is appended. */
bool ps_hadoop_writer_flush(struct ps_hadoop_writer *writer, struct ps_output *output);

/* Flushes, and appends what ends the file, if its format has anything. */
bool ps_hadoop_writer_end(struct ps_hadoop_writer *writer, struct ps_output *output);
