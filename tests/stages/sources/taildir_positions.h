/* For the tests of the source taildir: copies of its position file and of the file with the identities, as a kill leaves them. */
#pragma once

#include "core/base.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes `to` a copy of a file; removes it if there is no such file. */
static inline void ps_test_file_copy(const char *from, const char *to)
{
    char bytes[65536];
    ssize_t length;
    (void)unlink(to);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return;
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(out >= 0);
    while ((length = read(in, bytes, sizeof bytes)) > 0)
        assert_int_equal(write(out, bytes, (size_t)length), length);
    close(in);
    close(out);
}

static inline uint64_t ps_test_inode_of(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? status.st_ino : 0;
}

/* Copies both files as they are at one moment, although the source may be writing them. */
static inline void ps_test_positions_copy(const char *from, const char *to)
{
    char second[700], second_to[700];
    uint64_t before[2];
    snprintf(second, sizeof second, "%s.identities", from);
    snprintf(second_to, sizeof second_to, "%s.identities", to);
    do {
        before[0] = ps_test_inode_of(from);
        before[1] = ps_test_inode_of(second);
        ps_test_file_copy(from, to);
        ps_test_file_copy(second, second_to);
    } while (ps_test_inode_of(from) != before[0] || ps_test_inode_of(second) != before[1]);
}

/* Returns the position that this text of a position file has for the inode; 0: none. */
static inline long long ps_test_position_in(const char *json, uint64_t inode)
{
    char found[64];
    snprintf(found, sizeof found, "\"inode\":%llu,\"pos\":", (unsigned long long)inode);
    const char *at = strstr(json, found);
    return at != NULL ? strtoll(at + strlen(found), NULL, 10) : 0;
}
