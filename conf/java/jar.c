/* See jar.h. */
#include "conf/java/jar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <zip.h>

struct ps_jar {
    zip_t *zip;
};

struct ps_jar *ps_jar_open(const char *path, struct ps_err *err)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        ps_err_set(err, "%s: %s", path, strerror(errno));
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        ps_err_set(err, "%s is not a file", path);
        return NULL;
    }
    int code = 0;
    zip_t *zip = zip_open(path, ZIP_RDONLY, &code);
    if (zip == NULL) {
        zip_error_t reason;
        zip_error_init_with_code(&reason, code);
        ps_err_set(err, "%s is not a jar: %s", path, zip_error_strerror(&reason));
        zip_error_fini(&reason);
        return NULL;
    }
    struct ps_jar *jar = ps_must_alloc(1, sizeof *jar, "a jar");
    jar->zip = zip;
    return jar;
}

void ps_jar_close(struct ps_jar *jar)
{
    if (jar != NULL)
        zip_discard(jar->zip);
    free(jar);
}

const char *ps_jar_entry(struct ps_jar *jar, size_t index)
{
    return zip_get_name(jar->zip, index, 0);
}

/* Reads the whole entry. Returns its length; -1 if it is damaged or longer than `bytes_max`. */
static zip_int64_t read_all(zip_file_t *file, char *bytes, size_t bytes_max)
{
    size_t length = 0;
    while (length <= bytes_max) {
        zip_int64_t count = zip_fread(file, bytes + length, bytes_max + 1 - length);
        if (count < 0)
            return -1;
        if (count == 0)
            return (zip_int64_t)length;
        length += (size_t)count;
    }
    return -1;
}

enum ps_jar_read ps_jar_read(struct ps_jar *jar, const char *entry, size_t bytes_max, char **bytes,
                             size_t *length, struct ps_err *err)
{
    zip_int64_t index = zip_name_locate(jar->zip, entry, 0);
    if (index < 0)
        return PS_JAR_ABSENT;
    zip_stat_t status;
    bool known = zip_stat_index(jar->zip, (zip_uint64_t)index, 0, &status) == 0 &&
                 (status.valid & ZIP_STAT_SIZE) != 0 && status.size <= bytes_max;
    zip_file_t *file = known ? zip_fopen_index(jar->zip, (zip_uint64_t)index, 0) : NULL;
    if (file == NULL) {
        ps_err_set(err, "its entry %s cannot be read%s%s", entry, known ? ": " : "",
                   known ? zip_strerror(jar->zip) : "");
        return PS_JAR_BAD;
    }
    size_t room = (size_t)status.size;
    *bytes = ps_must_alloc(room + 1, 1, "a class");
    zip_int64_t count = read_all(file, *bytes, room);
    zip_fclose(file);
    if (count < 0) {
        free(*bytes);
        ps_err_set(err, "its entry %s is damaged", entry);
        return PS_JAR_BAD;
    }
    *length = (size_t)count;
    return PS_JAR_READ;
}
