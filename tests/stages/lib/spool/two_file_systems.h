/* A directory whose folder `sub` is on another file system, as if mounted there. Both give their inodes the same
 * numbers: 1 to the first file that is looked at, and so on. One file of a test includes it: it defines functions of
 * libc, so that the whole program uses them. */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/support.h"

static const char *two_systems_in; /* NULL: the file system is not changed */
static struct {
    ino_t real[4096];
    size_t count;
} inodes[2];

static int see(const char *path, int result, struct stat *status)
{
    size_t length = two_systems_in != NULL ? strlen(two_systems_in) : 0, number = 0;
    if (result != 0 || length == 0 || strncmp(path, two_systems_in, length) != 0 || S_ISDIR(status->st_mode))
        return result;
    bool other = strncmp(path + length, "/sub/", 5) == 0;
    while (number < inodes[other].count && inodes[other].real[number] != status->st_ino)
        number++;
    if (number == inodes[other].count) {
        assert_true(number < PS_COUNT_OF(inodes[other].real));
        inodes[other].real[inodes[other].count++] = status->st_ino;
    }
    status->st_ino = number + 1;
    status->st_dev += other;
    return 0;
}

int stat(const char *restrict path, struct stat *restrict status)
{
    return see(path, fstatat(AT_FDCWD, path, status, 0), status);
}

int fstat(int fd, struct stat *status)
{
    char link[32], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    return see(path, fstatat(fd, "", status, AT_EMPTY_PATH), status);
}
