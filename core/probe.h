/* What `penstock check` looks at (directories and files) and what `penstock check --probe` tries on this machine and on the
 * network: one line for each thing, ok or FAILED with cause and cure; and what a reload tries before it is carried out. A
 * stage has a function for it (core/stage.h).
 * Thread: control, or the helper thread of a reload. */
#pragma once

#include "core/base.h"

enum ps_probed {
    PS_PROBED_OK,
    PS_PROBED_FAILED, /* the component does not work, and tries again */
    PS_PROBED_SKIPPED,
    PS_PROBED_REFUSED, /* the agent does not start with it */
};

struct ps_probe {
    const char *component;
    uint64_t timeout_ms; /* for each thing that may have to wait */
    uint64_t until_ns;   /* mono_ns at which nothing waits any more; 0: no limit for all together */
    /* A reload: only what is of this machine and keeps the component from opening. No broker is asked; a port in
     * use is no failure, because the running agent may have it; free space does not matter. */
    bool local;
    /* `key`: the component's key that is to blame; NULL: not known. `what`: the thing, and what is known of it. `cause`,
     * `cure`: of a failure; `cause` also says why something was skipped; else NULL. Texts live until it returns. */
    void (*tried)(const struct ps_probe *probe, enum ps_probed result, const char *key, const char *what,
                  const char *cause, const char *cure);
    void *argument; /* for `tried` */
    /* `check` without --probe, together with `local`: only directories and files. No port is opened, no name server asked;
     * what --probe would try is reported as skipped. */
    bool files_only;
};

/* Report one thing that was tried, or not tried, to `tried`. */
void ps_probe_ok(const struct ps_probe *probe, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ps_probe_failed(const struct ps_probe *probe, const char *what, const char *cause, const char *cure);
/* The same, with the key that is to blame. */
void ps_probe_key_failed(const struct ps_probe *probe, const char *key, const char *what, const char *cause,
                         const char *cure);
/* The same; the agent does not start with it. */
void ps_probe_refused(const struct ps_probe *probe, const char *key, const char *what, const char *cause,
                      const char *cure);
/* It depends on something that is known only later. */
void ps_probe_skipped(const struct ps_probe *probe, const char *what, const char *cause);

/* For how long the next thing may wait: 0 to timeout_ms. */
uint32_t ps_probe_left_ms(const struct ps_probe *probe);

/* Whether the directory exists, this user may write there, and (unless probe->local) there is room: 64 MiB. Creates nothing: it asks the
 * system. `key` names it in the cure. */
void ps_probe_directory(const struct ps_probe *probe, const char *key, const char *path);
/* The same for a directory that the component makes if it is not there: the first one above it that exists counts. */
void ps_probe_directory_to_make(const struct ps_probe *probe, const char *key, const char *path);
/* The same when the component makes this directory, but none above it. */
void ps_probe_directory_to_make_last(const struct ps_probe *probe, const char *key, const char *path);
/* Returns 0, or the error number that says why this user cannot read the file; EISDIR: it is a directory. Does not wait, also not
 * for the writer of a pipe. */
int ps_file_unreadable(const char *path);

/* Reports the directory when less than `least_bytes` are free in the file system that has it, or will have it: the component then
 * takes no events. Does nothing in a reload, because a disk that fills up is not a mistake of the new configuration. */
void ps_probe_room(const struct ps_probe *probe, const char *key, const char *path, uint64_t least_bytes,
                   const char *cure);
/* A file that the component reads when it is there, and replaces by one that it writes aside: it, and where it is. */
void ps_probe_file_to_make(const struct ps_probe *probe, const char *key, const char *path);
