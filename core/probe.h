/* Probes: what `penstock check` looks at (directories and files), what `penstock check --probe` tries on this
 * machine and on the network, and what a reload tries before it is carried out: one line for each thing, ok or
 * FAILED with cause and cure. A stage has a function for it (core/stage.h). Thread: control, or the helper thread of
 * a reload. */
#pragma once

#include "core/base.h"

enum ps_probed {
    PS_PROBED_OK,
    PS_PROBED_FAILED, /* the component would not work, and would try again */
    PS_PROBED_SKIPPED,
    PS_PROBED_REFUSED, /* the agent does not start with it */
};

struct ps_probe {
    const char *component;
    uint64_t timeout_ms; /* limit for each thing that may have to wait */
    uint64_t until_ns;   /* mono_ns at which all waiting ends; 0: no limit for all together */
    /* A reload: tries only things of this machine that keep the component from opening. It contacts no broker. A
     * port in use does not count as a failure, because the running agent may have it; free space does not matter. */
    bool local;
    /* `key`: the component's key to blame; NULL: not known. `what`: the thing, with its known properties. `cause`,
     * `cure`: of a failure; `cause` also explains why something was skipped; else NULL. The texts live until `tried`
     * returns. */
    void (*tried)(const struct ps_probe *probe, enum ps_probed result, const char *key, const char *what,
                  const char *cause, const char *cure);
    void *argument; /* for `tried` */
    /* `check` without --probe, together with `local`: looks at directories and files only. It opens no port and asks
     * no name server; things that only --probe tries are reported as skipped. */
    bool files_only;
};

/* The functions below report to `tried` one thing that was tried, or not tried. */
void ps_probe_ok(const struct ps_probe *probe, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ps_probe_failed(const struct ps_probe *probe, const char *what, const char *cause, const char *cure);
/* The same, with the key to blame. */
void ps_probe_key_failed(const struct ps_probe *probe, const char *key, const char *what, const char *cause,
                         const char *cure);
/* Reports a failure with which the agent does not start. */
void ps_probe_refused(const struct ps_probe *probe, const char *key, const char *what, const char *cause,
                      const char *cure);
/* Reports a thing that cannot be tried now, because it depends on data that are known only later. */
void ps_probe_skipped(const struct ps_probe *probe, const char *what, const char *cause);

/* Returns how long, in milliseconds, the next thing may wait: 0 to timeout_ms. */
uint32_t ps_probe_left_ms(const struct ps_probe *probe);

/* Checks that the directory exists, that this user may write there, and (unless probe->local) that 64 MiB are free
 * there. Creates nothing: only asks the system. `key` names the directory in the cure. */
void ps_probe_directory(const struct ps_probe *probe, const char *key, const char *path);
/* The same for a directory that the component makes when it is missing: checks the first one above it that exists. */
void ps_probe_directory_to_make(const struct ps_probe *probe, const char *key, const char *path);
/* The same when the component makes this directory, but none above it. */
void ps_probe_directory_to_make_last(const struct ps_probe *probe, const char *key, const char *path);
/* Returns 0, or the errno for which this user cannot read the file; EISDIR for a directory. Does not wait, not even
 * for the writer of a pipe. */
int ps_file_unreadable(const char *path);

/* Reports a failure if the file system of the directory, which may not exist yet, has less than `least_bytes` free:
 * the component would then take no events. Does nothing in a reload, because a disk that fills up is not a mistake of
 * the new configuration. */
void ps_probe_room(const struct ps_probe *probe, const char *key, const char *path, uint64_t least_bytes,
                   const char *cure);
/* For a file that the component reads when it exists, and replaces by one that it writes beside it: checks the file
 * and its directory. */
void ps_probe_file_to_make(const struct ps_probe *probe, const char *key, const char *path);
