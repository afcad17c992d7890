/* Checks whether the file of an open stream still exists. Datanodes continue to acknowledge bytes of a deleted file. Without this check
 * only `complete` would notice, perhaps after an hour, and everything acknowledged meanwhile would be lost without a message. (Hadoop's
 * client does not check either.)
 *
 * A file that is being written is checked once in LOOK_NS by getFileInfo, which costs the namenode little. If the path has no file or
 * another one, an fsync of the file's id shows whether this client still writes it: writing a renamed file continues. */
#include "stages/lib/hadoop/hdfs/internal.h"

#include <stdlib.h>

#define LOOK_NS (10 * PS_NS_PER_S)

static uint64_t now_of(const struct ps_hdfs_stream *stream)
{
    return ps_hadoop_loop_now(stream->hdfs->loop).mono_ns;
}

static void end_look(struct ps_hdfs_stream *stream)
{
    struct ps_namenode_call *call = stream->existence.look;
    stream->existence.look = NULL;
    stream->existence.looked_ns = now_of(stream);
    free(call);
}

void ps_hdfs_stream_is_there(struct ps_hdfs_stream *stream)
{
    stream->existence.looked_ns = now_of(stream);
    stream->existence.there_bytes = stream->stream.acknowledged_bytes;
}

/* Other errors, such as an unreachable namenode, are noticed elsewhere. */
static void confirmed(struct ps_namenode_call *call, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs_stream *stream = call->argument;
    if (answer->error == PS_FILE_OK)
        stream->existence.there_bytes = stream->existence.look_bytes;
    if (answer->error == PS_FILE_MISSING || answer->error == PS_FILE_LEASE)
        ps_hdfs_stream_fail(
            stream, answer->error,
            "%s: somebody has deleted it, or writes it now; %llu bytes that were acknowledged "
            "since it was last seen, %llu s ago, are lost: %s",
            stream->path,
            (unsigned long long)(stream->stream.acknowledged_bytes - stream->existence.there_bytes),
            (unsigned long long)((now_of(stream) - stream->existence.looked_ns) / PS_NS_PER_S),
            answer->reason);
    else
        end_look(stream);
}

static void looked(struct ps_namenode_call *call, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs_stream *stream = call->argument;
    bool same = answer->error == PS_FILE_OK && answer->status->file_id == stream->file_id;
    if ((answer->error == PS_FILE_OK && !same) || answer->error == PS_FILE_MISSING) {
        ps_namenode_fsync(stream->hdfs->namenode, call, stream->path, stream->file_id, -1, confirmed);
        return;
    }
    if (same)
        stream->existence.there_bytes = stream->existence.look_bytes;
    end_look(stream);
}

void ps_hdfs_stream_look(struct ps_hdfs_stream *stream)
{
    if (stream->existence.look != NULL || stream->file_id == 0 ||
        now_of(stream) < stream->existence.looked_ns + LOOK_NS)
        return;
    stream->existence.look = ps_must_alloc(1, sizeof *stream->existence.look, "a call to the namenode");
    stream->existence.look->argument = stream;
    stream->existence.look_bytes = stream->stream.acknowledged_bytes;
    ps_namenode_get_file_info(stream->hdfs->namenode, stream->existence.look, stream->path, looked);
}
