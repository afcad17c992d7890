#include "tests/support/folder.h"

#include "tests/support/support.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[256];

int ps_test_folder_setup(void **state)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/penstock-test-XXXXXX", temporary != NULL ? temporary : "/tmp");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

void ps_test_folder_in_memory(void)
{
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    return remove(path);
}

int ps_test_folder_teardown(void **state)
{
    int code = folder[0] == '\0' ? 0 : nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    folder[0] = '\0';
    return code;
}

const char *ps_test_folder(void)
{
    return folder;
}

const char *ps_test_folder_path(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void ps_test_folder_append(const char *name, const void *data, size_t length)
{
    int fd = open(ps_test_folder_path(name), O_WRONLY | O_CREAT | O_APPEND, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, length), length);
    close(fd);
}

const char *ps_test_folder_read(const char *name)
{
    static char text[1 << 18];
    FILE *file = fopen(ps_test_folder_path(name), "r");
    if (file == NULL)
        return NULL;
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    assert_true(length < sizeof text);
    text[length] = '\0';
    return text;
}
