/* The bucket path of an event: its directory and the beginning of its file name, from the escapes of hdfs.path and
 * hdfs.filePrefix (BucketPath.escapeString in HDFSEventSink.process). Both together are the name of its bucket. Thread:
 * control builds a bucket path; each worker has a cache of its own. */
#pragma once

#include "stages/lib/text/escape.h"

#define PS_BUCKET_PATH_BYTES 4096U

struct ps_bucket_path {
    const char *url;              /* scheme and authority of hdfs.path: "hdfs://nn:8020"; "": none */
    const struct ps_escape *path; /* the rest of hdfs.path */
    const struct ps_escape *prefix;
    const char *constant; /* directory and prefix, if they are the same for all events; else NULL */
    uint32_t constant_directory_length;
    bool refuses_colons; /* the file system accepts no colons (DFSUtil.isValidName) */
    /* For the search for files of other runs (orphans.c): `root` is the directory before the first escape, NULL for
     * "/"; `depth` is the possible depth of directories below it; `prefix_begins` is the beginning of file names, and
     * `prefix_is_whole` is set if only the number follows it. */
    const char *root;
    uint32_t depth;
    const char *base; /* as `root`, but "/" where that is the directory, and whatever the prefix is */
    bool by_header;   /* a header of the event is a part of the path */
    const char *prefix_begins;
    bool prefix_is_whole;
};

/* Buffers of one worker. The owner zeroes them. */
struct ps_bucket_path_cache {
    struct ps_escape_cache path, prefix;
    char text[PS_BUCKET_PATH_BYTES];
};

/* The name of a bucket: "/logs/web/FlumeData". Not terminated; valid until the next expansion. */
struct ps_bucket_name {
    const char *text;
    uint32_t length;
    uint32_t directory_length; /* without the slash at its end */
};

enum ps_bucket_flaw {
    PS_BUCKET_FLAW_NONE,
    PS_BUCKET_FLAW_NO_TIMESTAMP,
    PS_BUCKET_FLAW_BAD_TIMESTAMP,
    PS_BUCKET_FLAW_TOO_LONG,
    PS_BUCKET_FLAW_PARENT, /* a header's value has the component ".." */
    PS_BUCKET_FLAW_NUL,    /* a header's value has a NUL character */
    PS_BUCKET_FLAW_COLON,  /* a header's value has a colon, and the file system accepts none in names */
};

/* Compiles both patterns. A relative path begins at `home`; ".." is resolved as Path does. Returns PS_FAIL with an error that
 * names the key. Thread: control. */
enum ps_status ps_bucket_path_build(struct ps_bucket_path *bucket_path, struct ps_arena *arena,
                                    const char *path, const char *prefix, const char *home,
                                    const struct ps_escape_options *options, struct ps_err *err);

/* Returns the length of "scheme://authority" or "scheme:" at the beginning of a path, as org.apache.hadoop.fs.Path
 * splits it; 0 if there is none. Thread: any. */
size_t ps_bucket_url_length(const char *path);

/* Normalizes a path as Path does: removes repeated slashes, components ".", and a slash at the end unless the path is "/". Returns the new
 * length. Thread: any. */
uint32_t ps_bucket_path_normalize(char *path, uint32_t length);
/* Returns whether the path, which begins with a slash, has a component "..". Thread: any. */
bool ps_bucket_path_has_parent(const char *path, uint32_t length);

/* Expands the bucket's name for an event. Normalizes the directory as Path does: removes repeated slashes, a slash at the end, and
 * components ".". The prefix is the beginning of a file name. Thread: the worker that owns `cache`. */
enum ps_bucket_flaw ps_bucket_path_of(const struct ps_bucket_path *bucket_path,
                                      struct ps_bucket_path_cache *cache, const struct ps_batch *batch,
                                      const struct ps_event *event, const struct ps_now *now,
                                      struct ps_bucket_name *name);

/* Returns a text with what is wrong with the event, and the cure. */
const char *ps_bucket_flaw_text(enum ps_bucket_flaw flaw);
