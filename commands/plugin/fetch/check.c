/* See check.h. */
#include "commands/plugin/fetch/check.h"

#include "conf/text.h"
#include "core/text/ends.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CORE "flume-ng-core-"
#define BLOCK_BYTES 65536

/* ---- checksums ---- */

/* Writes the file's SHA-256 as 64 digits, and adds its size to `*bytes`. Returns 0 or an errno. */
static int sha256(const char *path, char *digits, uint64_t *bytes)
{
    static unsigned char block[BLOCK_BYTES];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return errno;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t got; good && (got = fread(block, 1, sizeof block, file)) > 0; *bytes += got)
        good = EVP_DigestUpdate(context, block, got) == 1;
    int failed = ferror(file) != 0 ? EIO : 0;
    good = good && EVP_DigestFinal_ex(context, digest, &length) == 1;
    EVP_MD_CTX_free(context);
    fclose(file);
    for (unsigned i = 0; i < length; i++)
        snprintf(digits + (size_t)2 * i, 3, "%02x", digest[i]);
    return failed != 0 || good ? failed : ENOMEM;
}

static enum ps_status check_jar(const struct ps_fetch_jar *jar, const char *path, uint64_t *bytes,
                                struct ps_err *err)
{
    char digits[2 * EVP_MAX_MD_SIZE + 1] = "";
    int failed = sha256(path, digits, bytes);
    if (failed == ENOENT)
        return ps_err_set(err, "Maven did not bring %s:%s:%s", jar->group, jar->artifact, jar->version);
    if (failed != 0)
        return ps_err_set(err, "cannot read %s: %s", path, strerror(failed));
    if (strcmp(digits, jar->sha256) == 0)
        return PS_OK;
    return ps_err_set(
        err,
        "%s:%s:%s is refused: its SHA-256 is %s, not %s; remove it from Maven's local repository "
        "(~/.m2/repository) and fetch again; if it comes again, the repository of Maven's settings "
        "has another file",
        jar->group, jar->artifact, jar->version, digits, jar->sha256);
}

enum ps_status ps_fetch_check_jars(struct ps_arena *arena, const struct ps_fetch_list *list,
                                   const char *folder, uint64_t *bytes, struct ps_err *err)
{
    const char *path = ps_arena_format(arena, "%s/SHA256SUMS", folder);
    for (size_t i = 0; i < list->count; i++)
        if (check_jar(&list->jars[i], ps_arena_format(arena, "%s/%s", folder, list->jars[i].file), bytes,
                      err) != PS_OK)
            return PS_FAIL;
    FILE *sums = fopen(path, "we");
    if (sums == NULL)
        return ps_err_set(err, "cannot write %s: %s", path, strerror(errno));
    for (size_t i = 0; i < list->count; i++)
        fprintf(sums, "%s  %s\n", list->jars[i].sha256, list->jars[i].file);
    bool failed = ferror(sums) != 0;
    if (fclose(sums) != 0 || failed)
        return ps_err_set(err, "cannot write %s: %s", path, strerror(errno));
    return PS_OK;
}

/* ---- Flume's versions ---- */

/* Returns whether Flume's Context has the signatures of 1.10 and later. */
static bool is_new(const char *version)
{
    char *end;
    unsigned long major = strtoul(version, &end, 10), minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    return major > 1 || minor >= 10;
}

static int is_core(const struct dirent *entry)
{
    return ps_text_begins(entry->d_name, CORE) && ps_text_ends(entry->d_name, ".jar");
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static enum ps_status check_folder(struct ps_arena *arena, const struct ps_fetch_list *list,
                                   const char *folder, struct ps_err *err)
{
    struct dirent **names;
    int count = scandir(folder, &names, is_core, alphasort);
    enum ps_status status = PS_OK;
    for (int i = 0; i < count; i++) {
        const char *name = ps_arena_text(arena, names[i]->d_name);
        free(names[i]);
        if (status != PS_OK || is_new(name + strlen(CORE)) == is_new(list->flume))
            continue;
        status =
            ps_err_set(err,
                       "%s needs Flume %s, and %s/%s would be on the same class path; classes made for the "
                       "one do not run with the other: give it a folder and an agent of its own, with "
                       "--plugins-path FOLDER and without FLUME_HOME",
                       list->name, list->flume, folder, name);
    }
    if (count >= 0)
        free(names);
    return status;
}

enum ps_status ps_fetch_check_flume(struct ps_arena *arena, const struct ps_fetch_list *list,
                                    const char *home, const char *plugins, struct ps_err *err)
{
    enum ps_status status = PS_OK;
    struct dirent **names;
    int count = scandir(plugins, &names, is_visible, alphasort);
    if (home != NULL && *home != '\0')
        status = check_folder(arena, list, ps_arena_format(arena, "%s/lib", home), err);
    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        if (status == PS_OK && strcmp(name, list->name) != 0)
            status = check_folder(arena, list, ps_arena_format(arena, "%s/%s/lib", plugins, name), err);
        if (status == PS_OK && strcmp(name, list->name) != 0)
            status = check_folder(arena, list, ps_arena_format(arena, "%s/%s/libext", plugins, name), err);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    return status;
}
