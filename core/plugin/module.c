#include "core/plugin/module.h"

#include "core/plugin/elf.h"
#include "core/plugin/plugin.h"
#include "core/plugin/validate.h"
#include "core/plugin/watch.h"
#include "core/thread.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX ((size_t)256 << 20)
#define COMPARE_BYTES 4096U
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3: the copy may be executed even where vm.memfd_noexec is 1 */
#endif

struct loaded {
    struct ps_module module;
    char *path;
    const struct ps_stage_ops **stages;
    size_t bytes;
    /* The descriptor of the copy. It stays open, because dlopen knows objects by their path, and the path has the
     * descriptor's number. */
    int fd;
    void *handle;
    unsigned users;
    struct loaded *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* `lock` guards `list` and `is_loading`. The list also has the objects that stay loaded without users. */
static struct loaded *list;
/* Whether a thread is in dlopen. A constructor that does not return keeps the dynamic linker's lock, so that dlclose
 * would wait for ever. */
static bool is_loading;
/* Held while a file is loaded, which may take for ever, so ps_module_close does not take it. Taken before `lock`. */
static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t loads; /* `load_lock` guards it */

/* ---- the file ---- */

static enum ps_status check_file(const struct stat *file, const char **cure, struct ps_err *err)
{
    *cure = "build it with cc -shared -fPIC";
    if (!S_ISREG(file->st_mode))
        return ps_err_set(err, "is not a regular file");
    if (file->st_size == 0)
        return ps_err_set(err, "is empty");
    if ((uint64_t)file->st_size > FILE_BYTES_MAX)
        return ps_err_set(err, "has %lld bytes, and the limit is %zu", (long long)file->st_size,
                          FILE_BYTES_MAX);
    *cure = "take the right away: chmod o-w";
    if ((file->st_mode & S_IWOTH) != 0)
        return ps_err_set(
            err, "can be written by every user of this machine, who could run code with the agent's rights");
    return PS_OK;
}

static bool read_all(int fd, unsigned char *bytes, size_t length)
{
    size_t have = 0;
    while (have < length) {
        ssize_t count = read(fd, bytes + have, length - have);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        have += (size_t)count;
    }
    return true;
}

/* Returns the bytes of the file, which the caller frees, or NULL. */
static unsigned char *read_file(const char *path, size_t *length, const char **cure, struct ps_err *err)
{
    struct stat before, after;
    *cure = "give the user of the agent the right to read it";
    /* open does not wait if the file is a FIFO without a writer */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        *cure = "copy it to this place, or remove the link that points there";
    if (fd < 0 || fstat(fd, &before) != 0) {
        ps_err_set(err, "cannot be read: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    unsigned char *bytes = NULL;
    if (check_file(&before, cure, err) == PS_OK) {
        *length = (size_t)before.st_size;
        bytes = ps_must_alloc(1, *length, "a plug-in");
        *cure = "copy it under another name, and rename it when it is complete";
        bool whole = read_all(fd, bytes, *length) && fstat(fd, &after) == 0 &&
                     after.st_size == before.st_size && after.st_mtim.tv_sec == before.st_mtim.tv_sec &&
                     after.st_mtim.tv_nsec == before.st_mtim.tv_nsec;
        if (!whole) {
            ps_err_set(err, "has changed while it was read");
            free(bytes);
            bytes = NULL;
        }
    }
    close(fd);
    return bytes;
}

static bool has_bytes(const struct loaded *loaded, const unsigned char *bytes)
{
    unsigned char part[COMPARE_BYTES];
    for (size_t at = 0; at < loaded->bytes; at += sizeof part) {
        size_t length = loaded->bytes - at < sizeof part ? loaded->bytes - at : sizeof part;
        if (pread(loaded->fd, part, length, (off_t)at) != (ssize_t)length ||
            memcmp(part, bytes + at, length) != 0)
            return false;
    }
    return true;
}

/* Returns the descriptor of a sealed copy in memory (memfd), or -1 after writing the reason. */
static int copy_bytes(const char *path, const unsigned char *bytes, size_t length, const char **cure,
                      struct ps_err *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create(name, flags | MFD_EXEC);
    if (fd < 0 && errno == EINVAL) /* an older kernel, which does not know the flag */
        fd = memfd_create(name, flags);
    size_t written = 0;
    while (fd >= 0 && written < length) {
        ssize_t count = write(fd, bytes + written, length - written);
        if (count < 0 && errno != EINTR)
            break;
        written += count > 0 ? (size_t)count : 0;
    }
    if (fd >= 0 && written == length &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
        return fd;
    *cure = "allow files in memory that can be executed: sysctl vm.memfd_noexec must be 0 or 1";
    ps_err_set(err, "cannot be copied into memory: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* ---- the stages ---- */

/* Reads the table of stages up to its NULL, or up to the size of its symbol if it has no NULL. */
static enum ps_status take_stages(struct loaded *loaded, const char **cure, struct ps_err *err)
{
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    const struct ps_stage_ops *const *table = dlsym(loaded->handle, PS_PLUGIN_SYMBOL);
    *cure = "write PS_PLUGIN(&stage, ...) in one of its files; a jar's native library belongs in native/";
    if (table == NULL || dladdr1(table, &info, (void **)&symbol, RTLD_DL_SYMENT) == 0 || symbol == NULL)
        return ps_err_set(err, "is not a plug-in: it has no symbol %s", PS_PLUGIN_SYMBOL);
    size_t room = symbol->st_size / sizeof *table;
    loaded->stages = ps_must_alloc(room + 1, sizeof *loaded->stages, "stages of a plug-in");
    for (size_t i = 0; i < room && table[i] != NULL; i++)
        loaded->stages[loaded->module.stage_count++] = table[i];
    if (loaded->module.stage_count == 0)
        return ps_err_set(err, "is not a plug-in: its table %s is empty", PS_PLUGIN_SYMBOL);
    loaded->module.stages = loaded->stages;
    return ps_plugin_validate(loaded->stages, loaded->module.stage_count, cure, err);
}

/* ---- loading ---- */

static void unload(struct loaded *loaded)
{
    if (loaded->handle != NULL)
        dlclose(loaded->handle);
    if (loaded->fd >= 0)
        close(loaded->fd);
    free(loaded->stages);
    free(loaded->path);
    free(loaded);
}

/* Returns whether code or data of the object may be in use after its last stage was torn down. A stage that fills or
 * edits batches may give headers static values, which live as long as their events: in channels, also over a reload. */
static bool stays(const struct loaded *loaded)
{
    for (size_t i = 0; i < loaded->module.stage_count; i++) {
        enum ps_kind kind = loaded->stages[i]->kind;
        if (kind != PS_KIND_SINK && kind != PS_KIND_SERIALIZER && kind != PS_KIND_SELECTOR)
            return true;
    }
    return ps_thread_some_left_alone();
}

static void *open_copy(int fd, const char *path, struct ps_err *err)
{
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ps_plugin_watch_begin(path);
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    ps_plugin_watch_end();
    if (handle != NULL)
        return handle;
    const char *reason = dlerror();
    size_t length = strlen(name);
    if (reason != NULL && strncmp(reason, name, length) == 0 && strncmp(reason + length, ": ", 2) == 0)
        reason += length + 2;
    ps_err_set(err, "cannot be loaded: %s", reason != NULL ? reason : "no reason is known");
    return NULL;
}

/* Loads a copy of the bytes. Returns NULL with the reason on failure. */
static struct loaded *load(const char *path, const unsigned char *bytes, size_t length, const char **cure,
                           struct ps_err *err)
{
    struct loaded *loaded = ps_must_alloc(1, sizeof *loaded, "a plug-in");
    loaded->path = ps_must_copy_text(path, "a plug-in");
    loaded->module.path = loaded->path;
    loaded->module.load = ++loads;
    loaded->bytes = length;
    loaded->fd = copy_bytes(path, bytes, length, cure, err);
    enum ps_status status = loaded->fd >= 0 ? PS_OK : PS_FAIL;
    if (status == PS_OK) {
        *cure = "build it with the headers of this penstock, and install the libraries that it needs";
        loaded->handle = open_copy(loaded->fd, path, err);
        status = loaded->handle != NULL ? take_stages(loaded, cure, err) : PS_FAIL;
    }
    if (status == PS_OK)
        return loaded;
    unload(loaded);
    return NULL;
}

/* Returns the object with these bytes, with one user more, or NULL: then `is_loading` is set. */
static struct loaded *find(const char *path, const unsigned char *bytes, size_t length)
{
    pthread_mutex_lock(&lock);
    struct loaded *loaded = list;
    while (loaded != NULL &&
           (loaded->bytes != length || strcmp(loaded->path, path) != 0 || !has_bytes(loaded, bytes)))
        loaded = loaded->next;
    if (loaded != NULL)
        loaded->users++;
    is_loading = loaded == NULL;
    pthread_mutex_unlock(&lock);
    return loaded;
}

/* Called after `load`: adds the object to the list, and ends `is_loading`. `loaded` is NULL if the file could not be
 * loaded. */
static void add(struct loaded *loaded)
{
    pthread_mutex_lock(&lock);
    is_loading = false;
    if (loaded != NULL) {
        loaded->users = 1;
        loaded->next = list;
        list = loaded;
    }
    pthread_mutex_unlock(&lock);
}

const struct ps_module *ps_module_open(const char *path, const char **cure, struct ps_err *err)
{
    size_t length = 0;
    unsigned char *bytes = read_file(path, &length, cure, err);
    struct loaded *loaded = NULL;
    if (bytes != NULL && ps_elf_check(bytes, length, cure, err) == PS_OK) {
        pthread_mutex_lock(&load_lock);
        loaded = find(path, bytes, length);
        if (loaded == NULL) {
            loaded = load(path, bytes, length, cure, err);
            add(loaded);
        }
        pthread_mutex_unlock(&load_lock);
    }
    free(bytes);
    return loaded != NULL ? &loaded->module : NULL;
}

void ps_module_close(const struct ps_module *module)
{
    pthread_mutex_lock(&lock);
    struct loaded **at = &list;
    while (&(*at)->module != module)
        at = &(*at)->next;
    struct loaded *loaded = *at;
    if (--loaded->users == 0 && !is_loading && !stays(loaded)) {
        *at = loaded->next;
        unload(loaded);
    }
    pthread_mutex_unlock(&lock);
}
