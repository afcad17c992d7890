/* See place.h. */
#include "commands/plugin/fetch/place.h"

#include "core/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int remove_entry(const char *path, const struct stat *, int, struct FTW *)
{
    return remove(path);
}

static int remove_below(const char *path, const struct stat *, int, struct FTW *at)
{
    return at->level > 0 ? remove(path) : 0;
}

/* Returns whether the folder of this name is still the one that is locked: another process may have removed it. */
static bool is_locked_one(const struct ps_fetch_place *place)
{
    struct stat named, locked;
    return stat(place->work, &named) == 0 && fstat(place->lock, &locked) == 0 &&
           named.st_ino == locked.st_ino && named.st_dev == locked.st_dev;
}

enum ps_status ps_fetch_place_begin(struct ps_fetch_place *place, const char *plugins, const char *name,
                                    struct ps_err *err)
{
    place->lock = -1;
    int failed = ps_directories_make(plugins, 0755);
    if (failed != 0)
        return ps_err_set(err, "cannot make the folder %s: %s", plugins, strerror(failed));
    char *absolute = realpath(plugins, NULL);
    if (absolute == NULL)
        return ps_err_set(err, "cannot find the folder %s: %s", plugins, strerror(errno));
    place->plugins = ps_arena_text(place->arena, absolute);
    free(absolute);
    place->folder = ps_arena_format(place->arena, "%s/%s", place->plugins, name);
    place->work = ps_arena_format(place->arena, "%s/.%s.fetch", place->plugins, name);
    if (mkdir(place->work, 0755) != 0 && errno != EEXIST)
        return ps_err_set(err, "cannot make the folder %s: %s", place->work, strerror(errno));
    place->lock = open(place->work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place->lock < 0)
        return ps_err_set(err, "cannot open the folder %s: %s", place->work, strerror(errno));
    if (flock(place->lock, LOCK_EX | LOCK_NB) != 0 || !is_locked_one(place)) {
        close(place->lock);
        place->lock = -1;
        return ps_err_set(err, "another penstock plugin fetch %s runs, with the folder %s", name,
                          place->work);
    }
    if (nftw(place->work, remove_below, 8, FTW_DEPTH | FTW_PHYS) != 0) /* of one that was killed */
        return ps_err_set(err, "cannot empty the folder %s: %s", place->work, strerror(errno));
    return PS_OK;
}

enum ps_status ps_fetch_place_put(const struct ps_fetch_place *place, const char *made, struct ps_err *err)
{
    const char *from = ps_arena_format(place->arena, "%s/%s", place->work, made);
    (void)syncfs(place->lock);
    /* The former folder takes the place of the new one, and goes with `work`. */
    bool put = renameat2(AT_FDCWD, from, AT_FDCWD, place->folder, RENAME_NOREPLACE) == 0 ||
               (errno == EEXIST && renameat2(AT_FDCWD, from, AT_FDCWD, place->folder, RENAME_EXCHANGE) == 0);
    if (!put && errno == EINVAL) { /* a file system without these */
        const char *former = ps_arena_format(place->arena, "%s/former", place->work);
        put = (rename(place->folder, former) == 0 || errno == ENOENT) && rename(from, place->folder) == 0;
    }
    if (!put)
        return ps_err_set(err, "cannot rename %s to %s: %s", from, place->folder, strerror(errno));
    int failed = ps_directory_sync(place->plugins);
    return failed == 0 ? PS_OK : ps_err_set(err, "cannot sync %s: %s", place->plugins, strerror(failed));
}

void ps_fetch_place_end(struct ps_fetch_place *place)
{
    if (place->lock < 0)
        return;
    (void)nftw(place->work, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    close(place->lock);
    place->lock = -1;
}
