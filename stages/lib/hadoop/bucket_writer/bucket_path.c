#include "stages/lib/hadoop/bucket_writer/bucket_path.h"

#include <ctype.h>
#include <string.h>

#define HEADER_DEPTH 3U /* assumed number of slashes in a header's value */

size_t ps_bucket_url_length(const char *path)
{
    size_t length = 0;
    while (isalnum((unsigned char)path[length]) ||
           strchr("+-.", path[length] == '\0' ? '/' : path[length]) != NULL)
        length++;
    if (length == 0 || path[length] != ':')
        return 0;
    length++;
    if (strncmp(path + length, "//", 2) != 0)
        return length;
    return length + 2 + strcspn(path + length + 2, "/");
}

/* Removes repeated slashes and components ".", as org.apache.hadoop.fs.Path does. Does not change the last component. Returns the new end. */
static uint32_t drop_empty_components(char *path, uint32_t from, uint32_t end)
{
    uint32_t kept = from;
    for (uint32_t i = from; i < end; i++) {
        bool at_beginning = kept > 0 && path[kept - 1] == '/';
        if (path[i] == '/' && at_beginning)
            continue;
        if (path[i] == '.' && at_beginning && i + 1 < end && path[i + 1] == '/')
            continue;
        path[kept++] = path[i];
    }
    return kept;
}

uint32_t ps_bucket_path_normalize(char *path, uint32_t length)
{
    uint32_t kept = drop_empty_components(path, 0, length);
    if (kept >= 2 && path[kept - 1] == '.' && path[kept - 2] == '/')
        kept--;
    return kept > 1 && path[kept - 1] == '/' ? kept - 1 : kept;
}

bool ps_bucket_path_has_parent(const char *path, uint32_t length)
{
    for (uint32_t i = 0; i + 3 <= length; i++) {
        if (memcmp(path + i, "/..", 3) == 0 && (i + 3 == length || path[i + 3] == '/'))
            return true;
    }
    return false;
}

/* Removes each component ".." of an absolute pattern, and the component before it. */
static enum ps_status resolve_parents(char *pattern, struct ps_err *err)
{
    char *end = pattern; /* end of the part that is kept */
    for (const char *at = pattern; *at != '\0';) {
        size_t length = 1 + strcspn(at + 1, "/");
        if (length == 3 && memcmp(at, "/..", 3) == 0) {
            *end = '\0';
            char *parent = strrchr(pattern, '/');
            if (end == pattern || parent == NULL)
                return ps_err_set(err, "hdfs.path: \"..\" is above the root");
            if (strchr(parent, '%') != NULL)
                return ps_err_set(err, "hdfs.path: \"..\" follows an escape, which may expand to several "
                                       "directories, or to none: write the path without \"..\"");
            end = parent;
        } else if (length > 1 && !(length == 2 && at[1] == '.')) {
            memmove(end, at, length);
            end += length;
        }
        at += length;
    }
    if (end == pattern)
        *end++ = '/';
    *end = '\0';
    return PS_OK;
}

/* Sets the path's constant if neither part depends on the event. */
static void find_constant(struct ps_bucket_path *bucket_path, struct ps_arena *arena)
{
    const char *path = ps_escape_constant(bucket_path->path),
               *prefix = ps_escape_constant(bucket_path->prefix);
    if (path == NULL || prefix == NULL)
        return;
    char *directory = ps_arena_text(arena, path);
    uint32_t length = ps_bucket_path_normalize(directory, (uint32_t)strlen(directory));
    if (length == 1)
        length = 0; /* the root directory: its slash is the one before the name */
    bucket_path->constant_directory_length = length;
    char *constant = ps_arena_format(arena, "%.*s/%s", (int)length, directory, prefix);
    constant[drop_empty_components(constant, length + 1, (uint32_t)strlen(constant))] = '\0';
    bucket_path->constant = constant;
}

/* Returns the depth of directories of a pattern. The value of a header may have slashes, and the date of %D has two. */
static uint32_t depth_of(const char *rest)
{
    uint32_t depth = *rest != '\0';
    for (const char *at = rest; *at != '\0'; at++) {
        if (*at == '/' && at[1] != '\0')
            depth++;
        if (at[0] == '%' && at[1] == '{')
            depth += HEADER_DEPTH;
        if (at[0] == '%' && at[1] == 'D')
            depth += 2;
    }
    return depth;
}

/* Finds the beginning that all directories and names have in common. A prefix with a slash is not the beginning of a
 * name. */
static void find_root(struct ps_bucket_path *bucket_path, struct ps_arena *arena, const char *path,
                      const char *prefix)
{
    size_t length = strcspn(path, "%"), named = strcspn(prefix, "%");
    bucket_path->prefix_begins = ps_arena_copy(arena, prefix, named);
    bucket_path->prefix_is_whole = prefix[named] == '\0';
    while (path[length] != '\0' && length > 0 && path[length - 1] != '/')
        length--;
    bucket_path->depth = depth_of(path + length);
    char *root = ps_arena_copy(arena, path, length);
    root[ps_bucket_path_normalize(root, (uint32_t)length)] = '\0';
    bucket_path->base = root[0] != '\0' ? root : "/";
    bucket_path->by_header = strstr(path, "%{") != NULL || strstr(prefix, "%{") != NULL;
    if (strcmp(root, "/") != 0 && strchr(prefix, '/') == NULL)
        bucket_path->root = root;
}

static enum ps_status fail_of(struct ps_err *err, const char *key)
{
    struct ps_err cause = *err;
    return ps_err_set(err, "%s: %s", key, ps_err_join(&cause));
}

enum ps_status ps_bucket_path_build(struct ps_bucket_path *bucket_path, struct ps_arena *arena,
                                    const char *path, const char *prefix, const char *home,
                                    const struct ps_escape_options *options, struct ps_err *err)
{
    size_t url_length = ps_bucket_url_length(path);
    *bucket_path = (struct ps_bucket_path){.url = ps_arena_copy(arena, path, url_length)};
    if (strchr(bucket_path->url, '%') != NULL)
        return ps_err_set(
            err, "hdfs.path: %s has an escape; a sink writes to one file system: use a sink for each",
            bucket_path->url);
    path += url_length;
    bool is_root = path[0] == '\0' && url_length > 0;
    char *absolute = ps_arena_format(arena, "%s/%s", path[0] == '/' || is_root ? "" : home,
                                     path[0] == '/' ? path + 1 : path);
    if (resolve_parents(absolute, err) != PS_OK)
        return PS_FAIL;
    path = absolute;
    if (ps_bucket_path_has_parent(ps_arena_format(arena, "/%s", prefix), (uint32_t)strlen(prefix) + 1))
        return ps_err_set(err,
                          "hdfs.filePrefix: it has a component \"..\": write the directory in hdfs.path");
    if (strlen(path) + strlen(prefix) > PS_BUCKET_PATH_BYTES - 512)
        return ps_err_set(err, "hdfs.path: it is too long");
    bucket_path->path = ps_escape_compile(arena, path, options, err);
    if (bucket_path->path == NULL)
        return fail_of(err, "hdfs.path");
    bucket_path->prefix = ps_escape_compile(arena, prefix, options, err);
    if (bucket_path->prefix == NULL)
        return fail_of(err, "hdfs.filePrefix");
    find_constant(bucket_path, arena);
    find_root(bucket_path, arena, path, prefix);
    return PS_OK;
}

static enum ps_bucket_flaw flaw_of(enum ps_escape_result result)
{
    switch (result) {
    case PS_ESCAPE_NO_TIMESTAMP:
        return PS_BUCKET_FLAW_NO_TIMESTAMP;
    case PS_ESCAPE_BAD_TIMESTAMP:
        return PS_BUCKET_FLAW_BAD_TIMESTAMP;
    case PS_ESCAPE_TOO_LONG:
        return PS_BUCKET_FLAW_TOO_LONG;
    case PS_ESCAPE_OK:
        break;
    }
    return PS_BUCKET_FLAW_NONE;
}

enum ps_bucket_flaw ps_bucket_path_of(const struct ps_bucket_path *bucket_path,
                                      struct ps_bucket_path_cache *cache, const struct ps_batch *batch,
                                      const struct ps_event *event, const struct ps_now *now,
                                      struct ps_bucket_name *name)
{
    if (bucket_path->constant != NULL) {
        *name = (struct ps_bucket_name){.text = bucket_path->constant,
                                        .length = (uint32_t)strlen(bucket_path->constant),
                                        .directory_length = bucket_path->constant_directory_length};
        return PS_BUCKET_FLAW_NONE;
    }
    uint32_t length, prefix_length;
    enum ps_escape_result result = ps_escape_expand(bucket_path->path, &cache->path, batch, event, now,
                                                    cache->text, PS_BUCKET_PATH_BYTES - 1, &length);
    if (result != PS_ESCAPE_OK)
        return flaw_of(result);
    length = ps_bucket_path_normalize(cache->text, length);
    if (length == 1)
        length = 0;
    cache->text[length] = '/';
    result = ps_escape_expand(bucket_path->prefix, &cache->prefix, batch, event, now,
                              cache->text + length + 1, PS_BUCKET_PATH_BYTES - length - 1, &prefix_length);
    if (result != PS_ESCAPE_OK)
        return flaw_of(result);
    uint32_t end = drop_empty_components(cache->text, length + 1, length + 1 + prefix_length);
    *name = (struct ps_bucket_name){.text = cache->text, .length = end, .directory_length = length};
    if (memchr(name->text, '\0', name->length) != NULL)
        return PS_BUCKET_FLAW_NUL;
    if (bucket_path->refuses_colons && memchr(name->text, ':', name->length) != NULL)
        return PS_BUCKET_FLAW_COLON;
    /* A prefix ".." is no component: the file's number follows it. */
    return memmem(name->text, name->length, "/../", 4) != NULL ? PS_BUCKET_FLAW_PARENT : PS_BUCKET_FLAW_NONE;
}

const char *ps_bucket_flaw_text(enum ps_bucket_flaw flaw)
{
    switch (flaw) {
    case PS_BUCKET_FLAW_NO_TIMESTAMP:
        return "hdfs.path or hdfs.filePrefix has a time escape, and the event has no header timestamp: add a "
               "timestamp interceptor, or set hdfs.useLocalTimeStamp = true";
    case PS_BUCKET_FLAW_BAD_TIMESTAMP:
        return "hdfs.path or hdfs.filePrefix has a time escape, and the event's header timestamp is not a "
               "number of milliseconds, or not above 0 with hdfs.round = true: correct what sets it, or set "
               "hdfs.useLocalTimeStamp = true";
    case PS_BUCKET_FLAW_TOO_LONG:
        return "the path of its file is longer than 4,096 bytes: check the headers in hdfs.path and "
               "hdfs.filePrefix";
    case PS_BUCKET_FLAW_PARENT:
        return "the path of its file has a component \"..\": check the headers in hdfs.path and "
               "hdfs.filePrefix";
    case PS_BUCKET_FLAW_NUL:
        return "the path of its file has a character NUL, which no name can have: check the headers in "
               "hdfs.path and hdfs.filePrefix";
    case PS_BUCKET_FLAW_COLON:
        return "the path of its file has a colon, which HDFS takes in no name: check the headers in "
               "hdfs.path and hdfs.filePrefix (a search_replace or rules interceptor can replace it)";
    case PS_BUCKET_FLAW_NONE:
        break;
    }
    return "none";
}
