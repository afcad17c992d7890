/* See conformance_spool.h. */
#include "tests/support/conformance_spool.h"

#include "stages/lib/spool/meta.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#define LINES 10U

char ps_test_spool_directory[64];
static FILE *file;
static unsigned file_number; /* counts over all tests, so that no name is used twice */

static void directory_remove(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", ps_test_spool_directory);
    if (ps_test_spool_directory[0] != '\0' && system(command) != 0)
        print_message("%s stays\n", ps_test_spool_directory);
    ps_test_spool_directory[0] = '\0';
}

void ps_test_spool_prepare(void)
{
    static bool registered;
    if (!registered)
        assert_int_equal(atexit(directory_remove), 0);
    registered = true;
    directory_remove();
    snprintf(ps_test_spool_directory, sizeof ps_test_spool_directory, "/tmp/penstock-spool-XXXXXX");
    assert_non_null(mkdtemp(ps_test_spool_directory));
}

void ps_test_spool_send(unsigned number)
{
    char hidden[128], name[128];
    snprintf(hidden, sizeof hidden, "%s/.%08u", ps_test_spool_directory, file_number);
    snprintf(name, sizeof name, "%s/%08u", ps_test_spool_directory, file_number);
    if (file == NULL)
        file = fopen(hidden, "w");
    assert_non_null(file);
    fprintf(file, "event %u\n", number);
    if (number % LINES != LINES - 1)
        return;
    assert_int_equal(fclose(file), 0);
    file = NULL;
    assert_int_equal(rename(hidden, name), 0);
    file_number++;
}

void ps_test_spool_end(void)
{
    if (file != NULL)
        fclose(file);
    file = NULL;
}

unsigned ps_test_spool_position(void)
{
    unsigned count = 0;
    char path[128];
    struct ps_spool_meta meta;
    DIR *directory = opendir(ps_test_spool_directory);
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += strstr(entry->d_name, ".COMPLETED") != NULL ? LINES : 0;
    closedir(directory);
    snprintf(path, sizeof path, "%s/.flumespool/" PS_SPOOL_META_NAME, ps_test_spool_directory);
    assert_int_equal(ps_spool_meta_read(path, &meta, NULL), PS_OK);
    FILE *begun = meta.target != NULL ? fopen(meta.target, "r") : NULL;
    for (uint64_t at = 0; begun != NULL && at < meta.position; at++)
        count += fgetc(begun) == '\n';
    if (begun != NULL)
        fclose(begun);
    ps_spool_meta_fini(&meta);
    return count;
}
