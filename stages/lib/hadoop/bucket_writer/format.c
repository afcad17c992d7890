#include "stages/lib/hadoop/bucket_writer/format.h"

#include "core/quantity.h"

/* Returns whether hdfs.codeC names a codec other than None. */
static bool has_codec(const struct ps_bucket_format_names *names)
{
    enum ps_hadoop_codec codec;
    return names->codec != NULL && ps_hadoop_codec_find(names->codec, &codec) != PS_HADOOP_CODEC_NONE;
}

enum ps_status ps_bucket_format_find(const struct ps_bucket_format_names *names,
                                     struct ps_hadoop_format *format, const char **key, struct ps_err *err)
{
    *key = "hdfs.fileType";
    if (!ps_hadoop_file_type_find(names->file_type, &format->type))
        return ps_err_set(err, "%s is neither SequenceFile, DataStream nor CompressedStream",
                          names->file_type);
    *key = "hdfs.codeC";
    if (format->type == PS_HADOOP_DATA_STREAM && names->codec != NULL)
        return ps_err_set(err, "files of the type DataStream are not compressed: use CompressedStream");
    if (format->type == PS_HADOOP_COMPRESSED_STREAM && !has_codec(names))
        return ps_err_set(err, "hdfs.fileType CompressedStream needs a codec");
    if (names->codec != NULL) {
        format->blocks = true;
        switch (ps_hadoop_codec_find(names->codec, &format->codec)) {
        case PS_HADOOP_CODEC_LZO:
            return ps_err_set(
                err, "%s: LZO is not in penstock, because its library is under the GPL: use lz4 or snappy",
                names->codec);
        case PS_HADOOP_CODEC_UNKNOWN:
            return ps_err_set(err,
                              "%s is not a codec of Hadoop: use None, default, deflate, gzip, bzip2, lz4, "
                              "snappy or zstandard",
                              names->codec);
        case PS_HADOOP_CODEC_NONE: /* Hadoop uses its default codec for a SequenceFile, as CompressionOption does */
            format->codec = PS_HADOOP_CODEC_DEFAULT;
            break;
        case PS_HADOOP_CODEC_FOUND:
            break;
        }
    }
    *key = "hdfs.writeFormat";
    if (format->type == PS_HADOOP_SEQUENCE_FILE &&
        !ps_hadoop_write_format_find(names->write_format, &format->text))
        return ps_err_set(err, "%s is neither Writable nor Text; custom classes need Flume",
                          names->write_format);
    return PS_OK;
}

const char *ps_bucket_format_suffix(const struct ps_bucket_format_names *names,
                                    const struct ps_hadoop_format *format)
{
    return has_codec(names) ? ps_hadoop_codecs[format->codec].extension : "";
}

void ps_bucket_outline_rolls(int64_t interval_s, int64_t bytes, int64_t events, FILE *out)
{
    const char *joint = ", a new one after ";
    if (interval_s > 0) {
        fprintf(out, "%s%s", joint, ps_quantity_print_s((double)interval_s).text);
        joint = " or ";
    }
    if (bytes > 0) {
        fprintf(out, "%s%s bytes", joint, ps_quantity_print_count((uint64_t)bytes).text);
        joint = " or ";
    }
    if (events > 0)
        fprintf(out, "%s%s %s", joint, ps_quantity_print_count((uint64_t)events).text,
                ps_quantity_word((uint64_t)events, "event", "events"));
}
