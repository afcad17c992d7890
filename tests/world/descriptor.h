/* Descriptors of the agent's process. Each leads to an open description, which has a kind: its functions. A description is memory
 * of the process, and ends with it; what it leads to (inodes, ends of connections) is the world's. */
#pragma once

#include <sys/types.h>

#include "tests/world/disk.h"

#define DESCRIPTORS_MAX 1024

struct description;

/* Results are as of the kernel: a count, or a negative errno; -EAGAIN when the caller would have to wait. */
struct description_kind {
    const char *name;
    ssize_t (*read)(struct description *open, void *to, size_t length);
    ssize_t (*write)(struct description *open, const void *from, size_t length);
    short (*ready)(struct description *open); /* as of poll */
    void (*close)(struct description *open);  /* the last descriptor is closed */
    mode_t mode;                              /* as of fstat; 0: see the inode */
};

struct description {
    const struct description_kind *kind;
    unsigned references;
    int flags; /* O_APPEND, O_NONBLOCK, access */
    uint64_t offset;
    struct disk_inode *inode; /* of files and directories */
    char *path;               /* of a directory: what it was opened as */
    void *state;              /* of the kind */
    uint64_t edges;           /* counts changes, for EPOLLET */
};

/* Forgets all descriptors, and opens 0, 1 and 2. At the start of a life. */
void descriptors_begin(void);

/* Makes a description, and the lowest free descriptor, at least `least`. Returns it, or -EMFILE. */
int descriptor_open(const struct description_kind *kind, void *state, int flags, bool close_on_exec,
                    struct description **made);
int descriptor_share(struct description *open, int least, bool close_on_exec);
/* Returns the description, or NULL. */
struct description *descriptor_get(int fd);
/* Where it is kept whether an open descriptor is closed by exec. */
bool *descriptor_close_on_exec(int fd);
int descriptor_close(int fd);
/* Returns how many are open. */
unsigned descriptors_open(void);
/* Something happened to a description: those who wait for it look again. */
void descriptor_changed(struct description *open);

/* Removes a description that is closed from what waits for it. In calls/wait.c. */
void descriptor_forget(struct description *open);

/* One of a pair of sockets sends no more. In calls/pipe.c. */
long pair_shutdown(struct description *open);

/* A descriptor of the real system behind one of the world; -1 if it is none. */
int descriptor_real(int fd);
/* Opens a file of the real system, for reading. Returns a descriptor or a negative errno. */
int descriptor_open_real(const char *path, int flags);

/* Sets errno from a kernel's result. */
long descriptor_result(long result);

extern const struct description_kind kind_file, kind_directory, kind_null, kind_random, kind_output,
    kind_real, kind_socket;
