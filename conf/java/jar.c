/* See jar.h. */
#include "conf/java/jar.h"

#include "conf/java/unread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <zip.h>

struct ps_jar {
    zip_t *zip;
    int error; /* ps_jar_error */
};

/* Returns the errno of a failure that says nothing about the file's bytes; 0: they are wrong. */
static int errno_of(const zip_error_t *reason)
{
    if (zip_error_code_zip(reason) == ZIP_ER_MEMORY)
        return ENOMEM;
    int error = zip_error_system_type(reason) == ZIP_ET_SYS ? zip_error_code_system(reason) : 0;
    /* an error without a cure, such as EINVAL for a damaged place, is about the file's bytes: 0 */
    return ps_unread_cure(error) != NULL ? error : 0;
}

static zip_t *open_zip(const char *path, int *error, struct ps_err *err)
{
    int code = 0;
    zip_t *zip = zip_open(path, ZIP_RDONLY, &code);
    if (zip == NULL) {
        zip_error_t reason;
        zip_error_init_with_code(&reason, code);
        *error = errno_of(&reason);
        if (*error != 0)
            ps_err_set(err, "%s: %s", path, strerror(*error));
        else
            ps_err_set(err, "%s is not a jar: %s", path, zip_error_strerror(&reason));
        zip_error_fini(&reason);
    }
    return zip;
}

struct ps_jar *ps_jar_open(const char *path, int *error, struct ps_err *err)
{
    struct stat status;
    *error = 0;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        ps_err_set(err, "%s is not a file", path);
        return NULL;
    }
    zip_t *zip = open_zip(path, error, err);
    if (zip == NULL)
        return NULL;
    struct ps_jar *jar = ps_must_alloc(1, sizeof *jar, "a jar");
    jar->zip = zip;
    return jar;
}

void ps_jar_close(struct ps_jar *jar)
{
    if (jar == NULL)
        return;
    zip_discard(jar->zip);
    free(jar);
}

const char *ps_jar_entry(struct ps_jar *jar, size_t index)
{
    return zip_get_name(jar->zip, index, 0);
}

int ps_jar_error(const struct ps_jar *jar)
{
    return jar->error;
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

enum ps_jar_read ps_jar_read(struct ps_jar *jar, const char *name, size_t bytes_max, char **bytes,
                             size_t *length, struct ps_err *err)
{
    zip_int64_t index = zip_name_locate(jar->zip, name, 0);
    if (index < 0)
        return PS_JAR_ABSENT;
    zip_stat_t status;
    bool known = zip_stat_index(jar->zip, (zip_uint64_t)index, 0, &status) == 0 &&
                 (status.valid & ZIP_STAT_SIZE) != 0 && status.size <= bytes_max;
    zip_file_t *file = known ? zip_fopen_index(jar->zip, (zip_uint64_t)index, 0) : NULL;
    if (file == NULL) {
        ps_err_set(err, "its entry %s cannot be read%s%s", name, known ? ": " : "",
                   known ? zip_strerror(jar->zip) : "");
        jar->error = known ? errno_of(zip_get_error(jar->zip)) : 0;
        return jar->error != 0 ? PS_JAR_UNREAD : PS_JAR_BAD;
    }
    size_t room = (size_t)status.size;
    *bytes = ps_must_alloc(room + 1, 1, "a class");
    zip_int64_t count = read_all(file, *bytes, room);
    jar->error = count < 0 ? errno_of(zip_file_get_error(file)) : 0;
    zip_fclose(file);
    if (count < 0) {
        free(*bytes);
        if (jar->error != 0)
            ps_err_set(err, "its entry %s: %s", name, strerror(jar->error));
        else
            ps_err_set(err, "its entry %s is damaged", name);
        return jar->error != 0 ? PS_JAR_UNREAD : PS_JAR_BAD;
    }
    *length = (size_t)count;
    return PS_JAR_READ;
}
