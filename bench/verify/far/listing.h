/* Finds the files that a path denotes: the file itself, everything in a directory, or what a pattern matches.
 * Thread: the far end's. */
#pragma once

#include "core/status.h"

#include <sys/types.h>

#define PS_FAR_FILES_MAX (1U << 20)

enum ps_far_place_kind { PS_FAR_FILE, PS_FAR_DIRECTORY, PS_FAR_PATTERN };

struct ps_far_place {
    enum ps_far_place_kind kind;
    const char *path;
    bool siblings; /* PS_FAR_FILE: also PATH.* and PATH-*, which rotation creates */
    /* Sorts by name; otherwise by time of the last change, then by name. */
    bool by_name;
};

/* Identifies a file whatever its name; born_ns tells files apart that had the same inode one after the
 * other. */
struct ps_far_identity {
    uint64_t device, inode, born_ns;
};

struct ps_far_listed {
    char *path;
    struct ps_far_identity identity;
    uint64_t size;
    uint64_t changed_ns;
};

struct ps_far_listing {
    struct ps_far_listed *files; /* in order */
    size_t count, room;
    char **directories; /* directories that were read */
    size_t directory_count;
    bool truncated; /* there are more than PS_FAR_FILES_MAX */
};

/* Returns PS_FAIL for a path that is neither a file nor a directory. A missing file is not an error here. */
enum ps_status ps_far_place_init(struct ps_far_place *place, const char *path, struct ps_err *err);
/* Lists the files, without those that disappear meanwhile. Owns: ps_far_listing_fini. */
void ps_far_listing_take(struct ps_far_listing *listing, const struct ps_far_place *place);
void ps_far_listing_fini(struct ps_far_listing *listing);

/* Compares two files by the time they were written, as far as it can be known, with the order of `place`. */
int ps_far_order(const struct ps_far_place *place, const char *a_path, uint64_t a_changed_ns,
                 const char *b_path, uint64_t b_changed_ns);

/* Identifies the file of a path, or of an open descriptor (path NULL). Returns false when it is not a regular
 * file. */
bool ps_far_identify(const char *path, int fd, struct ps_far_listed *file);
int ps_far_identity_compare(const struct ps_far_identity *a, const struct ps_far_identity *b);
