/* SQLite. Several channels can use one file, each with its own connection and lock. Every transaction is synced
 * (write-ahead log, synchronous = FULL). */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/durable.h"
#include "core/fnv.h"
#include "stages/lib/queue/database/database.h"

/* Time that a transaction waits for transactions of other channels or programs. */
#define BUSY_MS 5000
/* On a full file system, removing events needs space as well: in the write-ahead log, which is copied to the database file at 4
 * MiB, and in that file for the copied pages. This space is reserved when the file system has RESERVE_TIMES as much. */
#define RESERVE_BYTES (UINT64_C(8) << 20)
#define RESERVE_TIMES 2U

struct sqlite {
    const struct ps_database_settings *settings;
    sqlite3 *file;
    struct stat main, log; /* the files when they were opened and locked */
    /* The descriptor of SQLite's write-ahead log, which has the channel's lock; -1: there is no such log. */
    int log_fd;
    bool has_reserve; /* the file FILE-reserve exists, with all its bytes */
    sqlite3_stmt *prepared[PS_DATABASE_STATEMENTS_MAX];
};

static enum ps_status failed(const struct sqlite *sqlite, struct ps_err *err)
{
    int code = sqlite3_errcode(sqlite->file);
    const char *cure = "";
    if (code == SQLITE_FULL)
        cure = ": make room in its file system";
    else if (code == SQLITE_BUSY)
        cure = ": another program has locked it for too long";
    else if (code == SQLITE_READONLY || code == SQLITE_CANTOPEN || code == SQLITE_PERM)
        cure = ": this user must be able to write the file and its directory";
    else if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        cure = ": it is left as it is; move it away, and a new one is made";
    return ps_err_set(err, "the database %s: %s%s", sqlite->settings->label, sqlite3_errmsg(sqlite->file),
                      cure);
}

static enum ps_status sqlite_execute(void *database, const char *text, struct ps_err *err)
{
    struct sqlite *sqlite = database;
    return sqlite3_exec(sqlite->file, text, NULL, NULL, NULL) == SQLITE_OK ? PS_OK : failed(sqlite, err);
}

static void sqlite_close(void *database)
{
    struct sqlite *sqlite = database;
    for (size_t i = 0; i < PS_COUNT_OF(sqlite->prepared); i++)
        sqlite3_finalize(sqlite->prepared[i]);
    (void)sqlite3_close(sqlite->file);
    if (sqlite->log_fd >= 0)
        close(sqlite->log_fd);
    free(sqlite);
}

/* Creates the database file. If SQLite created it, every user could read it. */
static enum ps_status make_file(const struct ps_database_settings *settings, struct ps_err *err)
{
    char directory[4096];
    snprintf(directory, sizeof directory, "%s", settings->path);
    char *slash = strrchr(directory, '/');
    if (slash != NULL && slash != directory) {
        *slash = '\0';
        if (ps_directories_need(directory, err) != PS_OK)
            return PS_FAIL;
    }
    int fd = open(settings->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return ps_err_set(err, "the database %s cannot be created: %s", settings->path, strerror(errno));
    close(fd);
    return PS_OK;
}

/* ---- the files ---- */

static ssize_t read_first(sqlite3_file *file, void *to, size_t room)
{
    sqlite3_int64 length = 0;
    if (file->pMethods->xFileSize(file, &length) != SQLITE_OK)
        return -1;
    room = (uint64_t)length < room ? (size_t)length : room;
    return room == 0 || file->pMethods->xRead(file, to, (int)room, 0) == SQLITE_OK ? (ssize_t)room : -1;
}

ssize_t ps_sqlite_read_first(const char *path, void *to, size_t room)
{
    sqlite3_vfs *system = sqlite3_vfs_find(NULL);
    sqlite3_file *file = ps_must_alloc(1, (size_t)system->szOsFile, "a database");
    char *full = ps_must_alloc(1, (size_t)system->mxPathname + 1, "a database");
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB;
    ssize_t length = -1;
    errno = EINVAL;
    /* its result is not only SQLITE_OK, but has another bit when there is a symbolic link in the path */
    bool opened = (system->xFullPathname(system, path, system->mxPathname, full) & 0xff) == SQLITE_OK &&
                  system->xOpen(system, full, file, flags, &flags) == SQLITE_OK;
    if (opened)
        length = read_first(file, to, room);
    int error = errno;
    if (opened)
        file->pMethods->xClose(file);
    free(full);
    free(file);
    errno = error;
    return length;
}

/* Returns whether the path still names this file. Sets errno to 0 if it names another file. */
static bool is_file(const char *path, const struct stat *file)
{
    struct stat named;
    errno = 0;
    return stat(path, &named) == 0 && named.st_dev == file->st_dev && named.st_ino == file->st_ino;
}

struct path {
    char text[4096];
};

static struct path path_beside(const struct ps_database_settings *settings, const char *suffix)
{
    struct path path;
    snprintf(path.text, sizeof path.text, "%s%s", settings->path, suffix);
    return path;
}

/* Notes device and inode of the open database file. */
static enum ps_status note_file(struct sqlite *sqlite, struct ps_err *err)
{
    int moved = 0;
    bool named = stat(sqlite->settings->path, &sqlite->main) == 0;
    (void)sqlite3_file_control(sqlite->file, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return named && moved == 0
               ? PS_OK
               : ps_err_set(err, "the database %s was removed or replaced while it was opened",
                            sqlite->settings->label);
}

/* Finds out whether the name still belongs to the open file. PS_FAIL: not known now, because `stat` failed for another reason, such
 * as a disk error. */
static enum ps_status sqlite_is_same(const void *database, bool *same, struct ps_err *err)
{
    const struct sqlite *sqlite = database;
    *same = is_file(sqlite->settings->path, &sqlite->main);
    if (*same || errno == 0 || errno == ENOENT || errno == ENOTDIR)
        return PS_OK;
    return ps_err_set(err, "the database %s: %s", sqlite->settings->label, strerror(errno));
}

static enum ps_status sqlite_is_there(void *database, struct ps_err *err)
{
    const struct sqlite *sqlite = database;
    const struct path path = path_beside(sqlite->settings, "-wal");
    if (!is_file(sqlite->settings->path, &sqlite->main))
        return ps_err_set(err, "the database %s was removed or replaced while it was written",
                          sqlite->settings->label);
    if (sqlite->log_fd >= 0 && !is_file(path.text, &sqlite->log))
        return ps_err_set(err, "%s was removed or replaced while it was written", path.text);
    return PS_OK;
}

/* Each channel locks one byte, at an offset from the hash of its name, which is the same in all versions. */
static off_t lock_offset(const char *channel)
{
    return (off_t)(ps_fnv64(PS_FNV64, channel, strlen(channel)) >> 2);
}

/* Locks the channel in the write-ahead log. That file exists as long as a process is connected, and SQLite holds no lock on it:
 * closing one of SQLite's other files would release SQLite's own locks. */
static enum ps_status sqlite_lock(void *database, const char *channel, struct ps_err *err)
{
    struct sqlite *sqlite = database;
    const struct path path = path_beside(sqlite->settings, "-wal");
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = lock_offset(channel), .l_len = 1};
    sqlite->log_fd = open(path.text, O_RDWR | O_CLOEXEC);
    if (sqlite->log_fd < 0 || fstat(sqlite->log_fd, &sqlite->log) != 0)
        return errno == ENOENT ? PS_OK
                               : ps_err_set(err, "%s cannot be opened: %s", path.text, strerror(errno));
    /* SQLite syncs the log's name at the first commit, but does not look whether that succeeds. */
    int error = ps_directory_sync_above(path.text);
    if (error != 0)
        return ps_err_set(err, "the directory of %s cannot be synced: %s", path.text, strerror(error));
    if (fcntl(sqlite->log_fd, F_OFD_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES))
        return PS_OK; /* the channel also works on a file system without locks */
    return ps_err_set(err, "the database %s: another agent uses channel %s there", sqlite->settings->label,
                      channel);
}

/* ---- room for removing events ---- */

/* Returns whether all bytes are reserved. A process that was killed while it reserved them leaves a shorter file. */
static bool has_reserve(const struct ps_database_settings *settings)
{
    struct stat about;
    return stat(path_beside(settings, PS_SQLITE_RESERVE).text, &about) == 0 &&
           (uint64_t)about.st_size >= RESERVE_BYTES;
}

static void sqlite_keep_room(void *database)
{
    struct sqlite *sqlite = database;
    struct statvfs system;
    const struct path path = path_beside(sqlite->settings, PS_SQLITE_RESERVE);
    if (sqlite->has_reserve || statvfs(sqlite->settings->path, &system) != 0 ||
        (uint64_t)system.f_bavail * system.f_frsize < RESERVE_TIMES * RESERVE_BYTES)
        return;
    int fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return;
    sqlite->has_reserve = posix_fallocate(fd, 0, (off_t)RESERVE_BYTES) == 0;
    close(fd);
    if (!sqlite->has_reserve)
        (void)unlink(path.text);
}

static bool give_up_reserve(const struct ps_database_settings *settings)
{
    return unlink(path_beside(settings, PS_SQLITE_RESERVE).text) == 0;
}

/* Also copies the write-ahead log to the database file, so that the next transaction starts the log again at its beginning. */
static bool sqlite_make_room(void *database)
{
    struct sqlite *sqlite = database;
    bool given_up = give_up_reserve(sqlite->settings);
    sqlite->has_reserve = false;
    int code = sqlite3_wal_checkpoint_v2(sqlite->file, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    return given_up || code == SQLITE_OK;
}

/* ---- connecting ---- */

/* SQLite treats a journal that it cannot look at as absent. At a later start it finds the journal, and undoes what was committed since.
 * Returns PS_FAIL while the open database has a journal whose first byte is not zero (it is not over), or that cannot be read. */
static enum ps_status has_no_journal(const struct ps_database_settings *settings, struct ps_err *err)
{
    const struct path path = path_beside(settings, "-journal");
    char first = 0;
    int fd = open(path.text, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, &first, 1);
    bool is_read = got >= 0 || (fd < 0 && errno == ENOENT);
    const char *reason = is_read ? "is not over, and SQLite did not see it" : strerror(errno);
    if (fd >= 0)
        close(fd);
    return is_read && first == 0 ? PS_OK : ps_err_set(err, "the journal %s: %s", path.text, reason);
}

static struct sqlite *open_file(const struct ps_database_settings *settings, struct ps_err *err)
{
    struct sqlite *sqlite = ps_must_alloc(1, sizeof *sqlite, "a database");
    sqlite->settings = settings;
    sqlite->log_fd = -1;
    int code =
        sqlite3_open_v2(settings->path, &sqlite->file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    (void)sqlite3_busy_timeout(sqlite->file, BUSY_MS);
    if (code != SQLITE_OK)
        (void)failed(sqlite, err);
    else if (sqlite_execute(sqlite, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", err) == PS_OK &&
             note_file(sqlite, err) == PS_OK && has_no_journal(settings, err) == PS_OK)
        return sqlite;
    sqlite_close(sqlite);
    return NULL;
}

static void *sqlite_connect(const struct ps_database_settings *settings, struct ps_err *err)
{
    if (settings->create && access(settings->path, F_OK) != 0 && make_file(settings, err) != PS_OK)
        return NULL;
    if (access(settings->path, F_OK) != 0) {
        ps_err_set(err, "the database %s cannot be opened: %s", settings->path, strerror(errno));
        if (errno == ENOENT)
            ps_err_append(err, "add ;create=true to driver.url, or create the database");
        return NULL;
    }
    struct sqlite *sqlite = open_file(settings, err);
    /* On a full file system SQLite cannot create the files beside the database. */
    if (sqlite == NULL && give_up_reserve(settings)) {
        *err = (struct ps_err){.length = 0};
        sqlite = open_file(settings, err);
    }
    if (sqlite != NULL) {
        sqlite->has_reserve = has_reserve(settings);
        sqlite_keep_room(sqlite);
    }
    return sqlite;
}

static sqlite3_stmt *prepare(struct sqlite *sqlite, const struct ps_database_statement *statement)
{
    sqlite3_stmt **prepared = &sqlite->prepared[statement->number];
    if (*prepared == NULL)
        (void)sqlite3_prepare_v3(sqlite->file, statement->text[PS_DATABASE_SQLITE], -1,
                                 SQLITE_PREPARE_PERSISTENT, prepared, NULL);
    return *prepared;
}

static int bind(sqlite3_stmt *prepared, int at, const struct ps_database_value *value)
{
    switch (value->type) {
    case PS_DATABASE_NUMBER:
        return sqlite3_bind_int64(prepared, at, value->number);
    case PS_DATABASE_TEXT:
        return sqlite3_bind_text64(prepared, at, value->data, value->length, SQLITE_STATIC, SQLITE_UTF8);
    case PS_DATABASE_BYTES:
        return sqlite3_bind_blob64(prepared, at, value->data, value->length, SQLITE_STATIC);
    case PS_DATABASE_NULL:
        break;
    }
    return sqlite3_bind_null(prepared, at);
}

static struct ps_database_value column(sqlite3_stmt *prepared, int at)
{
    struct ps_database_value value = {.type = PS_DATABASE_NULL};
    switch (sqlite3_column_type(prepared, at)) {
    case SQLITE_NULL:
        return value;
    case SQLITE_INTEGER:
        value.type = PS_DATABASE_NUMBER;
        value.number = sqlite3_column_int64(prepared, at);
        return value;
    case SQLITE_TEXT:
        value.type = PS_DATABASE_TEXT;
        break;
    default:
        value.type = PS_DATABASE_BYTES;
        break;
    }
    value.data = sqlite3_column_blob(prepared, at);
    value.length = (size_t)sqlite3_column_bytes(prepared, at);
    if (value.data == NULL)
        value.data = "";
    return value;
}

static enum ps_status sqlite_query(void *database, const struct ps_database_statement *statement,
                                   const struct ps_database_value *values, ps_database_row *row,
                                   void *argument, struct ps_err *err)
{
    struct sqlite *sqlite = database;
    sqlite3_stmt *prepared = prepare(sqlite, statement);
    int code = prepared != NULL ? SQLITE_OK : SQLITE_ERROR;
    for (int i = 0; code == SQLITE_OK && statement->parameters[i] != '\0'; i++)
        code = bind(prepared, i + 1, &values[i]);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(prepared);
        if (code != SQLITE_ROW)
            break;
        struct ps_database_value columns[PS_DATABASE_VALUES_MAX];
        int count = sqlite3_column_count(prepared);
        PS_ASSERT(count <= (int)PS_COUNT_OF(columns));
        for (int i = 0; i < count; i++)
            columns[i] = column(prepared, i);
        if (!row(argument, columns))
            code = SQLITE_DONE;
        if (code == SQLITE_DONE)
            break;
    }
    enum ps_status status = code == SQLITE_DONE ? PS_OK : failed(sqlite, err);
    (void)sqlite3_reset(prepared);
    return status;
}

static bool no_row(void *, const struct ps_database_value *)
{
    return false;
}

static enum ps_status sqlite_run(void *database, const struct ps_database_statement *statement,
                                 const struct ps_database_value *values, struct ps_err *err)
{
    return sqlite_query(database, statement, values, no_row, NULL, err);
}

const struct ps_database_ops ps_database_sqlite = {
    .connect = sqlite_connect,
    .close = sqlite_close,
    .execute = sqlite_execute,
    .run = sqlite_run,
    .query = sqlite_query,
    .lock = sqlite_lock,
    .is_same = sqlite_is_same,
    .is_there = sqlite_is_there,
    .make_room = sqlite_make_room,
    .keep_room = sqlite_keep_room,
};
