/* Replaces libFuzzer's main outside the fuzz preset: runs the target on every file of the named folders
 * and on the named files. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    struct stat facts;
    if (fstat(fileno(file), &facts) != 0)
        exit(1);
    size_t size = (size_t)facts.st_size;
    uint8_t *data =
        malloc(size > 0 ? size : 1); /* exactly as long as the input, so that ASan detects an overrun */
    if (data == NULL || fread(data, 1, size, file) != size)
        exit(1);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    replayed++;
}

static void replay(const char *path)
{
    struct stat facts;
    if (stat(path, &facts) != 0) {
        perror(path);
        exit(1);
    }
    if (!S_ISDIR(facts.st_mode)) {
        replay_file(path);
        return;
    }
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        replay(name);
    }
    if (folder != NULL)
        closedir(folder);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%u inputs replayed\n", replayed);
    return replayed > 0 ? 0 : 1;
}
