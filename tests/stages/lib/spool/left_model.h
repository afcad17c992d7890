/* A model of the files that are left alone in a run (spool_internal.h): a file is the same one while a listing has one with its device, inode
 * and time of birth. One file of a test includes it. */
#pragma once

#include "stages/lib/spool/spool.h"
#include "stages/lib/tail/identity.h"
#include "tests/support/support.h"

#include <sys/stat.h>

static struct {
    struct {
        uint64_t device, inode, born_ns;
        char path[600];
        bool seen; /* in this listing */
    } files[200];
    size_t count;
} left_model;

static void left_model_add(const struct ps_spool_file *file)
{
    size_t at = left_model.count++;
    assert_true(at < PS_COUNT_OF(left_model.files));
    left_model.files[at].device = file->device;
    left_model.files[at].inode = file->inode;
    left_model.files[at].born_ns = file->born_ns;
    snprintf(left_model.files[at].path, sizeof left_model.files[at].path, "%s", file->path);
}

/* A listing begins. */
static void left_model_list(void)
{
    for (size_t i = 0; i < left_model.count; i++)
        left_model.files[i].seen = false;
}

/* Returns whether the file, which the listing has found, was left alone. */
static bool left_model_has(const struct stat *status, const char *path)
{
    uint64_t born_ns = ps_tail_path_born_ns(path);
    for (size_t i = 0; i < left_model.count; i++) {
        bool same = born_ns != 0 ? born_ns == left_model.files[i].born_ns
                                 : strcmp(path, left_model.files[i].path) == 0;
        if (same && left_model.files[i].inode == status->st_ino &&
            left_model.files[i].device == status->st_dev) {
            left_model.files[i].seen = true;
            return true;
        }
    }
    return false;
}

/* The listing is whole: the files that it did not find are gone. */
static void left_model_listed(void)
{
    size_t kept = 0;
    for (size_t i = 0; i < left_model.count; i++) {
        if (left_model.files[i].seen)
            left_model.files[kept++] = left_model.files[i];
    }
    left_model.count = kept;
}
