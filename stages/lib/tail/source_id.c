#include "stages/lib/tail/source_id.h"

#include "core/durable.h"
#include "stages/lib/random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_number(const char *text, size_t length)
{
    return length == 17 && strspn(text, "0123456789abcdef") == 16 && text[16] == '\n';
}

/* Returns 0 for a number, ENOENT if there is none, or why the file cannot be read. */
static int number_read(const char *path, char owner[PS_TAIL_OWNER_BYTES])
{
    char text[32];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    ssize_t length = read(fd, text, sizeof text - 1);
    int error = length < 0 ? errno : 0;
    close(fd);
    if (error != 0)
        return error;
    size_t used = (size_t)length < sizeof text ? (size_t)length : 0;
    text[used] = '\0';
    if (!is_number(text, used))
        return EINVAL;
    memcpy(owner, text, 16);
    owner[16] = '\0';
    return 0;
}

bool ps_tail_source_id_is_overtaken(const char *position_path)
{
    char path[PATH_MAX];
    struct stat positions, number;
    snprintf(path, sizeof path, "%s.id", position_path);
    char last = '\n';
    int fd = open(position_path, O_RDONLY | O_CLOEXEC);
    bool known = fd >= 0 && fstat(fd, &positions) == 0 && stat(path, &number) == 0 && positions.st_size > 0 &&
                 pread(fd, &last, 1, positions.st_size - 1) == 1;
    if (fd >= 0)
        close(fd);
    return known && last != '\n' &&
           (positions.st_mtim.tv_sec != number.st_mtim.tv_sec
                ? positions.st_mtim.tv_sec > number.st_mtim.tv_sec
                : positions.st_mtim.tv_nsec > number.st_mtim.tv_nsec);
}

enum ps_status ps_tail_source_id_need(const char *position_path, bool overtaken,
                                      char owner[PS_TAIL_OWNER_BYTES], struct ps_err *err)
{
    char path[PATH_MAX], fresh[PATH_MAX], text[PS_TAIL_OWNER_BYTES + 1];
    struct ps_random random;
    snprintf(path, sizeof path, "%s.id", position_path);
    snprintf(fresh, sizeof fresh, "%s.id.new", position_path);
    int error = overtaken ? ENOENT : number_read(path, owner);
    if (error == EINVAL)
        return ps_err_set(err,
                          "%s does not have a number of 16 digits: restore it, or remove it to go on from %s",
                          path, position_path);
    if (error == ENOENT) {
        ps_random_init(&random);
        int length = snprintf(text, sizeof text, "%016" PRIx64 "\n", ps_random_next(&random));
        error = ps_file_replace(path, fresh, 0644, text, (size_t)length);
        memcpy(owner, text, 16);
        owner[16] = '\0';
    }
    return error == 0 ? PS_OK : ps_err_set(err, "%s: %s", path, strerror(error));
}

enum ps_status ps_tail_source_id_forget(const char *position_path, struct ps_err *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s.id", position_path);
    if (unlink(path) == 0 || errno == ENOENT || errno == EROFS)
        return PS_OK;
    return ps_err_set(err, "%s cannot be removed: %s", path, strerror(errno));
}
