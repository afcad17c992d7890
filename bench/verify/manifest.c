/* Reads and parses manifests. */
#include "bench/verify/manifest.h"
#include "bench/support/stamp.h"
#include "conf/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#define FILE_BYTES_MAX (64U << 20)

enum ps_status ps_manifest_run(const char *what, const char *text, uint32_t *run, struct ps_err *err)
{
    size_t length = strlen(text);
    if (length == 0 || length > 6 || strspn(text, "0123456789abcdefABCDEF") != length)
        return ps_err_set(err, "%s: \"%s\" is not a run: write up to 6 hexadecimal digits, as in 3fa9c2",
                          what, text);
    *run = (uint32_t)strtoul(text, NULL, 16);
    return PS_OK;
}

static int by_source(const void *a, const void *b)
{
    const struct ps_manifest_source *left = a, *right = b;
    return left->source < right->source ? -1 : left->source > right->source;
}

/* Reads a number of an object; returns false when it is missing and `must` be present, not a number, or out
 * of range. */
static bool number(const json_t *object, const char *key, bool must, uint64_t max, uint64_t *to)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL)
        return !must;
    if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > max)
        return false;
    *to = (uint64_t)json_integer_value(value);
    return true;
}

/* A manifest without these keys is one of an earlier version, or of another program: everything was completed. */
static bool unfinished_read(struct ps_manifest_source *source, const json_t *object)
{
    uint64_t done_max = source->events - source->failed;
    source->completed = done_max;
    if (!number(object, "completed", false, done_max, &source->completed))
        return false;
    source->unfinished_from = source->completed < done_max ? 0 : source->events;
    return number(object, "unfinished_from", false, source->events, &source->unfinished_from);
}

static enum ps_status sources_read(struct ps_manifest *manifest, const json_t *list, struct ps_err *err)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > PS_STAMP_SOURCE_MAX + 1U)
        return ps_err_set(err, "it has no list of \"sources\"");
    manifest->sources = ps_must_alloc(count > 0 ? count : 1, sizeof *manifest->sources, "a manifest");
    for (size_t i = 0; i < count; i++) {
        struct ps_manifest_source *source = &manifest->sources[i];
        const json_t *object = json_array_get(list, i);
        uint64_t name = 0;
        if (!number(object, "source", true, PS_STAMP_SOURCE_MAX, &name) ||
            !number(object, "events", true, PS_STAMP_SEQUENCE_MAX + 1, &source->events) ||
            !number(object, "failed", false, source->events, &source->failed) ||
            !unfinished_read(source, object))
            return ps_err_set(err, "entry %zu of its \"sources\" is not {\"source\": .., \"events\": ..}",
                              i + 1);
        source->source = (uint32_t)name;
        manifest->events += source->events;
        manifest->failed += source->failed;
        manifest->completed += source->completed;
    }
    manifest->source_count = (uint32_t)count;
    qsort(manifest->sources, count, sizeof *manifest->sources, by_source);
    for (size_t i = 1; i < count; i++)
        if (manifest->sources[i].source == manifest->sources[i - 1].source)
            return ps_err_set(err, "source %u is in it twice", manifest->sources[i].source);
    return PS_OK;
}

enum ps_status ps_manifest_parse(struct ps_manifest *manifest, const char *text, size_t length,
                                 struct ps_err *err)
{
    json_error_t error;
    memset(manifest, 0, sizeof *manifest);
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        return ps_err_set(err, "line %d is not valid JSON: %s", error.line, error.text);
    const char *run = json_string_value(json_object_get(root, "run"));
    enum ps_status status =
        run != NULL ? ps_manifest_run("its \"run\"", run, &manifest->run, err)
                    : ps_err_set(err, "it has no \"run\": is it what `penstock load --manifest` wrote?");
    if (status == PS_OK)
        status = sources_read(manifest, json_object_get(root, "sources"), err);
    manifest->running = json_is_true(json_object_get(root, "running"));
    manifest->seconds = json_number_value(json_object_get(root, "seconds"));
    json_decref(root);
    if (status != PS_OK)
        ps_manifest_fini(manifest);
    return status;
}

enum ps_status ps_manifest_read(struct ps_manifest *manifest, const char *path, bool *found,
                                struct ps_err *err)
{
    struct stat facts;
    struct ps_file file;
    memset(manifest, 0, sizeof *manifest);
    *found = false;
    if (stat(path, &facts) != 0)
        return errno == ENOENT ? PS_OK : ps_err_set(err, "--manifest %s: %s", path, strerror(errno));
    if (!S_ISREG(facts.st_mode))
        return ps_err_set(err, "--manifest %s: it is not a file", path);
    if (ps_file_read(path, FILE_BYTES_MAX, &file, err) != PS_OK)
        return ps_err_append(err, "reading --manifest");
    enum ps_status status = ps_manifest_parse(manifest, file.bytes, file.length, err);
    ps_file_free(&file);
    if (status != PS_OK)
        return ps_err_append(err, "--manifest %s cannot be used", path);
    *found = true;
    return PS_OK;
}

void ps_manifest_fini(struct ps_manifest *manifest)
{
    free(manifest->sources);
    memset(manifest, 0, sizeof *manifest);
}

const struct ps_manifest_source *ps_manifest_find(const struct ps_manifest *manifest, uint32_t source)
{
    const struct ps_manifest_source key = {.source = source};
    if (manifest->source_count == 0)
        return NULL;
    return bsearch(&key, manifest->sources, manifest->source_count, sizeof key, by_source);
}
