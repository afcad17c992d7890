/* Where an event goes: the directory and the beginning of the file name, by the escapes of hdfs.path and hdfs.filePrefix
 * (BucketPath.escapeString in HDFSEventSink.process). Both together are the name of its bucket. Thread: control makes a
 * place; each worker has a cache of its own. */
#pragma once

#include "stages/text/escape.h"

#define PS_HDFS_PLACE_BYTES 4096U

struct ps_hdfs_place {
    const char *url;              /* scheme and authority of hdfs.path: "hdfs://nn:8020"; "": it has none */
    const struct ps_escape *path; /* of the rest */
    const struct ps_escape *prefix;
    const char *constant; /* directory and prefix, if they are the same for all events; else NULL */
    uint32_t constant_directory_length;
    bool refuses_colons; /* the file system does (DFSUtil.isValidName) */
    /* For files of other runs (orphans.c): the directory before the first escape, NULL: that is the root, and how many directories may
     * be below it; the beginning of file names, and whether nothing but the number comes behind it. */
    const char *root;
    uint32_t depth;
    const char *prefix_begins;
    bool prefix_is_whole;
};

/* What one worker needs. The owner zeroes it. */
struct ps_hdfs_place_cache {
    struct ps_escape_cache path, prefix;
    char text[PS_HDFS_PLACE_BYTES];
};

/* A bucket's name: "/logs/web/FlumeData". Not terminated; valid until the next expansion. */
struct ps_hdfs_bucket_name {
    const char *text;
    uint32_t length;
    uint32_t directory_length; /* without the slash behind it */
};

enum ps_hdfs_flaw {
    PS_HDFS_FLAW_NONE,
    PS_HDFS_FLAW_NO_TIMESTAMP,
    PS_HDFS_FLAW_BAD_TIMESTAMP,
    PS_HDFS_FLAW_TOO_LONG,
    PS_HDFS_FLAW_PARENT, /* a header's value has a component ".." */
    PS_HDFS_FLAW_NUL,    /* a header's value has one */
    PS_HDFS_FLAW_COLON,  /* a header's value has one, which the file system takes in no name */
};

/* Compiles both patterns. A relative path begins at `home`, and ".." is resolved as Path does. Returns PS_FAIL with the key in
 * the message. Thread: control. */
enum ps_status ps_hdfs_place_build(struct ps_hdfs_place *place, struct ps_arena *arena, const char *path,
                                   const char *prefix, const char *home,
                                   const struct ps_escape_options *options, struct ps_err *err);

/* Splits a path as org.apache.hadoop.fs.Path does: returns the length of "scheme://authority" or "scheme:" at its
 * beginning; 0: there is none. Thread: any. */
size_t ps_hdfs_url_length(const char *path);

/* Drops slashes behind slashes, components ".", and a slash at the end except of "/", as Path does. Returns the new length. Thread: any. */
uint32_t ps_hdfs_path_normalize(char *path, uint32_t length);
/* Returns whether it has a component ".." behind a slash. Thread: any. */
bool ps_hdfs_path_has_parent(const char *path, uint32_t length);

/* Double slashes, one at the end of the directory, and components "." are dropped, as Path does; the prefix ends in a part of a name. Thread: the worker that owns `cache`. */
enum ps_hdfs_flaw ps_hdfs_place_of(const struct ps_hdfs_place *place, struct ps_hdfs_place_cache *cache,
                                   const struct ps_batch *batch, const struct ps_event *event,
                                   const struct ps_now *now, struct ps_hdfs_bucket_name *name);

/* What is wrong with the event, and the cure. */
const char *ps_hdfs_flaw_text(enum ps_hdfs_flaw flaw);
