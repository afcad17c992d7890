/* See jar.h. A class path has hundreds of jars with tens of thousands of entries, of which few are read. This file
 * reads the list of entries (the central directory) itself, because libzip allocates an object and computes a local
 * time for each entry, which takes several times as long. Unusual jars (zip64, encrypted, damaged) and entries that
 * this file cannot read are left to libzip. */
#include "conf/java/jar.h"

#include "conf/java/unread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zip.h>
#include <zlib.h>

#define END_BYTES 22U /* length of the end-of-central-directory record, without its comment */
#define LIST_BYTES_MAX (64U << 20)
#define ENTRY_BYTES 46U /* length of a central directory header, without name, extra field and comment */
#define LOCAL_HEADER_BYTES 30U /* length of a local file header, without name and extra field */
#define STORED 0U
#define DEFLATED 8U
#define ENCRYPTED 1U /* a flag of an entry */
#define OF_ZIP64 UINT32_MAX

struct entry {
    size_t name; /* place in `names` */
    uint32_t flags, method, crc, packed, size, header;
};

struct ps_jar {
    char *path;
    int fd;
    struct entry *entries; /* NULL: libzip reads the jar */
    size_t count;
    char *names; /* each ends with a zero byte */
    zip_t *zip;  /* NULL: not needed yet */
    int error;   /* ps_jar_error */
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

/* ---- the list of entries ---- */

static uint32_t number16(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8;
}

static uint32_t number32(const unsigned char *at)
{
    return number16(at) | number16(at + 2) << 16;
}

static bool read_at(int fd, void *to, size_t length, uint64_t offset)
{
    size_t got = 0;
    while (got < length) {
        ssize_t count = pread(fd, (char *)to + got, length - got, (off_t)(offset + got));
        if (count <= 0)
            return false;
        got += (size_t)count;
    }
    return true;
}

struct list {
    uint64_t offset;
    uint32_t bytes, count;
};

/* Finds the central directory. A jar with a comment at its end is left to libzip. */
static bool find_list(int fd, uint64_t file_bytes, struct list *list)
{
    unsigned char tail[END_BYTES];
    if (file_bytes < END_BYTES || !read_at(fd, tail, END_BYTES, file_bytes - END_BYTES) ||
        memcmp(tail, "PK\5\6", 4) != 0 || number16(tail + 20) != 0)
        return false;
    *list = (struct list){
        .offset = number32(tail + 16), .bytes = number32(tail + 12), .count = number16(tail + 10)};
    return number16(tail + 4) == 0 && number16(tail + 8) == list->count && list->count < UINT16_MAX &&
           list->offset != OF_ZIP64 && list->bytes <= LIST_BYTES_MAX &&
           list->offset + list->bytes == file_bytes - END_BYTES;
}

/* Parses the central directory. Returns false when the bytes are not a central directory, or when an entry needs
 * zip64. */
static bool take_entries(struct ps_jar *jar, const unsigned char *bytes, const struct list *list)
{
    size_t at = 0, named = 0;
    for (size_t i = 0; i < list->count; i++) {
        const unsigned char *head = bytes + at;
        if (list->bytes - at < ENTRY_BYTES || memcmp(head, "PK\1\2", 4) != 0)
            return false;
        size_t name_length = number16(head + 28), further = number16(head + 30) + number16(head + 32);
        if (list->bytes - at - ENTRY_BYTES < name_length + further ||
            memchr(head + ENTRY_BYTES, '\0', name_length) != NULL)
            return false;
        struct entry *entry = &jar->entries[i];
        *entry = (struct entry){.name = named,
                                .flags = number16(head + 8),
                                .method = number16(head + 10),
                                .crc = number32(head + 16),
                                .packed = number32(head + 20),
                                .size = number32(head + 24),
                                .header = number32(head + 42)};
        if (entry->packed == OF_ZIP64 || entry->size == OF_ZIP64 || entry->header == OF_ZIP64)
            return false;
        memcpy(jar->names + named, head + ENTRY_BYTES, name_length);
        named += name_length;
        jar->names[named++] = '\0';
        at += ENTRY_BYTES + name_length + further;
    }
    jar->count = list->count;
    return at == list->bytes;
}

static void forget_list(struct ps_jar *jar)
{
    free(jar->entries);
    free(jar->names);
    jar->entries = NULL;
    jar->names = NULL;
    jar->count = 0;
}

/* Returns false when the jar is not an ordinary one. */
static bool read_list(struct ps_jar *jar, uint64_t file_bytes)
{
    struct list list;
    if (!find_list(jar->fd, file_bytes, &list))
        return false;
    unsigned char *bytes = ps_must_alloc(list.bytes + 1, 1, "the entries of a jar");
    jar->entries = ps_must_alloc(list.count + 1, sizeof *jar->entries, "the entries of a jar");
    jar->names = ps_must_alloc((size_t)list.bytes + 1, 1, "the entries of a jar");
    bool good = read_at(jar->fd, bytes, list.bytes, list.offset) && take_entries(jar, bytes, &list);
    free(bytes);
    if (!good)
        forget_list(jar);
    return good;
}

struct ps_jar *ps_jar_open(const char *path, int *error, struct ps_err *err)
{
    struct stat status;
    *error = 0;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        ps_err_set(err, "%s is not a file", path);
        return NULL;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        *error = errno;
        ps_err_set(err, "%s: %s", path, strerror(*error));
        return NULL;
    }
    struct ps_jar *jar = ps_must_alloc(1, sizeof *jar, "a jar");
    jar->path = strdup(path);
    PS_ASSERT(jar->path != NULL);
    jar->fd = fd;
    bool ordinary = fstat(fd, &status) == 0 && read_list(jar, (uint64_t)status.st_size);
    if (!ordinary && (jar->zip = open_zip(path, error, err)) == NULL) {
        ps_jar_close(jar);
        return NULL;
    }
    return jar;
}

void ps_jar_close(struct ps_jar *jar)
{
    if (jar == NULL)
        return;
    if (jar->zip != NULL)
        zip_discard(jar->zip);
    if (jar->fd >= 0)
        close(jar->fd);
    forget_list(jar);
    free(jar->path);
    free(jar);
}

const char *ps_jar_entry(struct ps_jar *jar, size_t index)
{
    if (jar->entries == NULL)
        return zip_get_name(jar->zip, index, 0);
    return index < jar->count ? jar->names + jar->entries[index].name : NULL;
}

/* ---- the bytes of an entry ---- */

static bool inflate_all(const char *packed, const struct entry *entry, char *bytes)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)packed,
                       .avail_in = entry->packed,
                       .next_out = (Bytef *)bytes,
                       .avail_out = entry->size};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
        return false;
    bool good = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_out == 0;
    inflateEnd(&stream);
    return good;
}

/* Returns the entry's bytes, which the caller frees; NULL: libzip must try it. */
static char *read_entry(struct ps_jar *jar, const struct entry *entry, size_t bytes_max)
{
    unsigned char head[LOCAL_HEADER_BYTES];
    bool deflated = entry->method == DEFLATED;
    if ((entry->flags & ENCRYPTED) != 0 || (!deflated && entry->method != STORED) ||
        entry->size > bytes_max || entry->packed > entry->size + entry->size / 8 + 64 ||
        (!deflated && entry->packed != entry->size) || !read_at(jar->fd, head, sizeof head, entry->header) ||
        memcmp(head, "PK\3\4", 4) != 0)
        return NULL;
    uint64_t from = (uint64_t)entry->header + sizeof head + number16(head + 26) + number16(head + 28);
    char *packed = ps_must_alloc((size_t)entry->packed + 1, 1, "a class");
    char *bytes = deflated ? ps_must_alloc((size_t)entry->size + 1, 1, "a class") : packed;
    bool good = read_at(jar->fd, packed, entry->packed, from) &&
                (!deflated || inflate_all(packed, entry, bytes)) &&
                crc32(0, (const Bytef *)bytes, entry->size) == entry->crc;
    if (deflated)
        free(packed);
    if (good)
        return bytes;
    free(bytes);
    return NULL;
}

static const struct entry *find_entry(const struct ps_jar *jar, const char *name)
{
    for (size_t i = 0; i < jar->count; i++) {
        if (strcmp(jar->names + jar->entries[i].name, name) == 0)
            return &jar->entries[i];
    }
    return NULL;
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

static enum ps_jar_read read_by_libzip(struct ps_jar *jar, const char *entry, size_t bytes_max, char **bytes,
                                       size_t *length, struct ps_err *err)
{
    if (jar->zip == NULL && (jar->zip = open_zip(jar->path, &jar->error, err)) == NULL)
        return jar->error != 0 ? PS_JAR_UNREAD : PS_JAR_BAD;
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
            ps_err_set(err, "its entry %s: %s", entry, strerror(jar->error));
        else
            ps_err_set(err, "its entry %s is damaged", entry);
        return jar->error != 0 ? PS_JAR_UNREAD : PS_JAR_BAD;
    }
    *length = (size_t)count;
    return PS_JAR_READ;
}

enum ps_jar_read ps_jar_read(struct ps_jar *jar, const char *name, size_t bytes_max, char **bytes,
                             size_t *length, struct ps_err *err)
{
    if (jar->entries == NULL)
        return read_by_libzip(jar, name, bytes_max, bytes, length, err);
    const struct entry *entry = find_entry(jar, name);
    if (entry == NULL)
        return PS_JAR_ABSENT;
    *bytes = read_entry(jar, entry, bytes_max);
    if (*bytes == NULL)
        return read_by_libzip(jar, name, bytes_max, bytes, length, err);
    *length = entry->size;
    return PS_JAR_READ;
}
