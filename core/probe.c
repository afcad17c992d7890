#include "core/probe.h"

#include "core/clock.h"
#include "core/quantity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#define ROOM_MIN_BYTES (UINT64_C(64) << 20)
#define TEXT_BYTES 4608

void ps_probe_ok(const struct ps_probe *probe, const char *format, ...)
{
    char what[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    probe->tried(probe, PS_PROBED_OK, NULL, what, NULL, NULL);
}

void ps_probe_failed(const struct ps_probe *probe, const char *what, const char *cause, const char *cure)
{
    probe->tried(probe, PS_PROBED_FAILED, NULL, what, cause, cure);
}

void ps_probe_key_failed(const struct ps_probe *probe, const char *key, const char *what, const char *cause,
                         const char *cure)
{
    probe->tried(probe, PS_PROBED_FAILED, key, what, cause, cure);
}

void ps_probe_refused(const struct ps_probe *probe, const char *key, const char *what, const char *cause,
                      const char *cure)
{
    probe->tried(probe, PS_PROBED_REFUSED, key, what, cause, cure);
}

void ps_probe_skipped(const struct ps_probe *probe, const char *what, const char *cause)
{
    probe->tried(probe, PS_PROBED_SKIPPED, NULL, what, cause, NULL);
}

uint32_t ps_probe_left_ms(const struct ps_probe *probe)
{
    uint64_t left_ms = probe->timeout_ms, now_ns = ps_clock_now().mono_ns;
    if (probe->until_ns != 0) {
        uint64_t all_ms = now_ns < probe->until_ns ? (probe->until_ns - now_ns) / PS_NS_PER_MS : 0;
        left_ms = all_ms < left_ms ? all_ms : left_ms;
    }
    return left_ms < UINT32_MAX ? (uint32_t)left_ms : UINT32_MAX;
}

static const char *cure_of(int error)
{
    switch (error) {
    case ENOENT:
        return "create it, or set another directory";
    case ENOTDIR:
        return "set a directory";
    case EROFS:
        return "mount the file system for writing, or set another directory";
    case EACCES:
    case EPERM:
        return "let this user write there (chown, chmod; systemd: ReadWritePaths=), or set another directory";
    default:
        return "set another directory";
    }
}

void ps_probe_directory(const struct ps_probe *probe, const char *key, const char *path)
{
    char what[TEXT_BYTES], cause[128];
    struct stat facts;
    struct statvfs system;
    snprintf(what, sizeof what, "%s: directory %s", key, path);
    int error = stat(path, &facts) != 0                                   ? errno
                : !S_ISDIR(facts.st_mode)                                 ? ENOTDIR
                : faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) != 0 ? errno
                : statvfs(path, &system) != 0                             ? errno
                                                                          : 0;
    if (error != 0) {
        ps_probe_key_failed(probe, key, what, strerror(error), cure_of(error));
        return;
    }
    uint64_t free_bytes = (uint64_t)system.f_bavail * system.f_frsize;
    const struct ps_quantity_text room = ps_quantity_print_bytes(free_bytes);
    if (!probe->local && free_bytes < ROOM_MIN_BYTES) {
        snprintf(cause, sizeof cause, "only %s are free, and at least %s are needed", room.text,
                 ps_quantity_print_bytes(ROOM_MIN_BYTES).text);
        ps_probe_key_failed(probe, key, what, cause, "free space there, or set another directory");
    } else if (!probe->local && system.f_files > 0 && system.f_favail == 0) {
        ps_probe_key_failed(probe, key, what, "no inode is free",
                            "delete files there, or set another directory");
    } else {
        ps_probe_ok(probe, "%s: can be written, %s free", what, room.text);
    }
}

/* Changes a path to that of its directory. */
static void to_parent(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash == NULL)
        strcpy(path, ".");
    else
        slash[slash == path] = '\0';
}

/* Changes a path to the nearest one that exists: itself, or a directory above it. */
static void to_existing(char *path)
{
    while (access(path, F_OK) != 0 && strcmp(path, "/") != 0 && strcmp(path, ".") != 0)
        to_parent(path);
}

/* Returns whether the path is in a file system of the kernel (/proc, /sys, ..): no user can make a directory or file
 * there, whatever the permissions say. */
static bool is_of_the_system(const char *path)
{
    static const long types[] = {PROC_SUPER_MAGIC, SYSFS_MAGIC,    DEBUGFS_MAGIC,      TRACEFS_MAGIC,
                                 SECURITYFS_MAGIC, BPF_FS_MAGIC,   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
                                 SELINUX_MAGIC,    EFIVARFS_MAGIC, DEVPTS_SUPER_MAGIC};
    struct statfs system;
    if (statfs(path, &system) != 0)
        return false;
    for (size_t i = 0; i < PS_COUNT_OF(types); i++) {
        if (system.f_type == types[i])
            return true;
    }
    return false;
}

void ps_probe_directory_to_make(const struct ps_probe *probe, const char *key, const char *path)
{
    char part[PATH_MAX], what[TEXT_BYTES];
    snprintf(part, sizeof part, "%s", path);
    to_existing(part);
    if (strcmp(part, path) != 0 && is_of_the_system(part)) {
        snprintf(what, sizeof what, "%s: directory %s", key, path);
        ps_probe_key_failed(probe, key, what, "it cannot be made in a virtual file system of the kernel",
                            "set a directory on a disk");
        return;
    }
    ps_probe_directory(probe, key, part);
}

void ps_probe_room(const struct ps_probe *probe, const char *key, const char *path, uint64_t least_bytes,
                   const char *cure)
{
    char part[PATH_MAX], what[TEXT_BYTES], cause[160];
    struct statvfs system;
    snprintf(part, sizeof part, "%s", path);
    to_existing(part);
    if ((probe->local && !probe->files_only) || statvfs(part, &system) != 0)
        return;
    uint64_t free_bytes = (uint64_t)system.f_bavail * system.f_frsize;
    if (free_bytes >= least_bytes)
        return;
    snprintf(what, sizeof what, "directory %s", path);
    snprintf(cause, sizeof cause, "%s are free in its file system, and at least %s are needed",
             ps_quantity_print_bytes(free_bytes).text, ps_quantity_print_bytes(least_bytes).text);
    ps_probe_key_failed(probe, key, what, cause, cure);
}

void ps_probe_directory_to_make_last(const struct ps_probe *probe, const char *key, const char *path)
{
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    size_t length = strlen(part);
    while (length > 1 && part[length - 1] == '/')
        part[--length] = '\0';
    if (access(part, F_OK) != 0 && errno == ENOENT)
        to_parent(part);
    ps_probe_directory(probe, key, part);
}

int ps_file_unreadable(const char *path)
{
    struct stat facts;
    if (stat(path, &facts) != 0)
        return errno;
    if (S_ISDIR(facts.st_mode))
        return EISDIR;
    return faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0 ? errno : 0;
}

void ps_probe_file_to_make(const struct ps_probe *probe, const char *key, const char *path)
{
    char what[TEXT_BYTES], part[PATH_MAX];
    struct stat facts;
    snprintf(what, sizeof what, "%s: file %s", key, path);
    if (stat(path, &facts) == 0 && !S_ISREG(facts.st_mode)) {
        ps_probe_key_failed(probe, key, what, "it is not a regular file", "name a file");
        return;
    }
    if (access(path, F_OK) == 0 && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0) {
        ps_probe_key_failed(probe, key, what, strerror(errno), "let this user read it, or set another file");
        return;
    }
    snprintf(part, sizeof part, "%s", path);
    to_parent(part);
    ps_probe_directory_to_make(probe, key, part);
}
