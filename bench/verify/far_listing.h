/* Which files a path means: itself, everything in a directory, or what a pattern matches. Thread: the far
 * end's. */
#pragma once

#include "core/status.h"

#include <sys/types.h>

#define PS_FAR_FILES_MAX (1U << 20)

enum ps_far_place_kind { PS_FAR_FILE, PS_FAR_DIRECTORY, PS_FAR_PATTERN };

struct ps_far_place {
    enum ps_far_place_kind kind;
    const char *path;
    bool siblings; /* PS_FAR_FILE: also PATH.* and PATH-*, which rotation makes */
    bool by_name;  /* order: by name, else by time of the last change, then by name */
};

struct ps_far_identity { /* of a file, whatever its name; born tells apart who got the same inode */
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
    char **directories; /* that were looked into */
    size_t directory_count;
    bool truncated; /* more than PS_FAR_FILES_MAX */
};

/* PS_FAIL: a path that is neither file nor directory. A file that is missing is PS_OK here. */
enum ps_status ps_far_place_init(struct ps_far_place *place, const char *path, struct ps_err *err);
/* Files that go away meanwhile are left out. Owns: ps_far_listing_fini. */
void ps_far_listing_take(struct ps_far_listing *listing, const struct ps_far_place *place);
void ps_far_listing_fini(struct ps_far_listing *listing);

/* Which of two files was written before the other, as far as that can be told: by `place`'s order. */
int ps_far_order(const struct ps_far_place *place, const char *a_path, uint64_t a_changed_ns,
                 const char *b_path, uint64_t b_changed_ns);

/* Of a path or an open descriptor (path NULL). False: it is no regular file. */
bool ps_far_identify(const char *path, int fd, struct ps_far_listed *file);
int ps_far_identity_compare(const struct ps_far_identity *a, const struct ps_far_identity *b);
