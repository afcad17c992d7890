/* The values of hdfs.fileType, hdfs.codeC and hdfs.writeFormat (HDFSEventSink.configure, HDFSWriterFactory). Thread: control. */
#pragma once

#include "stages/lib/hadoop/file/writer.h"

struct ps_bucket_format_names {
    const char *file_type, *codec, *write_format; /* `codec` NULL: not set */
};

/* Sets all of `format` except the serializer. On PS_FAIL, `*key` is the key with the wrong value. */
enum ps_status ps_bucket_format_find(const struct ps_bucket_format_names *names,
                                     struct ps_hadoop_format *format, const char **key, struct ps_err *err);

/* Returns the extension of the codec, or "". */
const char *ps_bucket_format_suffix(const struct ps_bucket_format_names *names,
                                    const struct ps_hadoop_format *format);

/* Writes ", a new one after 30 s or 1,024 bytes" for the outline; 0: no limit. */
void ps_bucket_outline_rolls(int64_t interval_s, int64_t bytes, int64_t events, FILE *out);
