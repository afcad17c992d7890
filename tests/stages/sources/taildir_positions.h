/* For the tests of the source taildir: copies of its position file and of the file with the identities, as a kill leaves them. */
#pragma once

#include "tests/support/support.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
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

/* Returns the offset that the position file has for this file, or -1 if it has none. */
static inline long long ps_test_position_of(const char *position_file, const char *path)
{
    static char entries[1 << 20];
    char entry[64];
    long long offset = -1;
    FILE *file = fopen(position_file, "re");
    if (file == NULL)
        return -1;
    entries[fread(entries, 1, sizeof entries - 1, file)] = '\0';
    fclose(file);
    snprintf(entry, sizeof entry, "\"inode\":%llu,\"pos\":", (unsigned long long)ps_test_inode_of(path));
    for (const char *at = entries; (at = strstr(at, entry)) != NULL;) { /* the last one counts */
        at += strlen(entry);
        offset = strtoll(at, NULL, 10);
    }
    return offset;
}

/* Returns the number at the beginning of the file's first line that does not begin with '#'. Returns UINT_MAX if there is no such line, or
 * the position file has the file's position after this line's beginning. */
static inline unsigned ps_test_first_unsaved(const char *position_file, const char *path)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    long long offset = 0, position = ps_test_position_of(position_file, path);
    unsigned number = UINT_MAX;
    FILE *file = fopen(path, "re");
    while (file != NULL && number == UINT_MAX && (length = getline(&line, &room, file)) > 0) {
        number = line[0] == '#' ? UINT_MAX : (unsigned)strtoul(line, NULL, 10);
        offset += line[0] == '#' ? length : 0;
    }
    if (file != NULL)
        fclose(file);
    free(line);
    return position >= 0 && position <= offset ? number : UINT_MAX;
}
