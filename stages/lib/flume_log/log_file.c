#include "stages/lib/flume_log/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096U
#define META_BYTES 65536U
#define WINDOW_BYTES ((size_t)1 << 18)

/* ---- bytes ---- */

/* Returns `length` bytes at `at`, or NULL if the file has fewer or cannot be read. The bytes are valid until the
 * next call. */
static const uint8_t *bytes_at(struct ps_flume_log_file *file, uint64_t at, size_t length)
{
    if (at >= file->window_at && at + length <= file->window_at + file->held)
        return file->window + (at - file->window_at);
    if (at > file->size || length > file->size - at)
        return NULL;
    if (length > file->room || file->room == 0) {
        file->room = length > WINDOW_BYTES ? length : WINDOW_BYTES;
        file->window = ps_must_realloc(file->window, file->room, "a log of Flume");
    }
    file->window_at = at;
    file->held = 0;
    while (file->held < file->room) {
        ssize_t got =
            pread(file->fd, file->window + file->held, file->room - file->held, (off_t)(at + file->held));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && file->held < length) { /* an error after the requested bytes is ignored */
            file->error = errno;
            file->error_at = at + file->held;
        }
        if (got <= 0)
            break;
        file->held += (size_t)got;
    }
    return file->held < length ? NULL : file->window;
}

/* Returns the first `length` bytes of the record at `at`, decrypted; NULL if they cannot be read. Valid until the next call of
 * this or of bytes_at. */
static const uint8_t *record_at(struct ps_flume_log_file *file, uint64_t at, size_t length)
{
    const uint8_t *bytes = bytes_at(file, at, length);
    if (bytes == NULL || file->cipher == NULL)
        return bytes;
    if (length > file->plain_room) {
        file->plain_room = length > WINDOW_BYTES ? length : WINDOW_BYTES;
        file->plain = ps_must_realloc(file->plain, file->plain_room, "a log of Flume");
    }
    memcpy(file->plain, bytes, PS_FLUME_PREFIX_BYTES);
    if (!ps_flume_cipher_decrypt(file->cipher, bytes + PS_FLUME_PREFIX_BYTES, length - PS_FLUME_PREFIX_BYTES,
                                 file->plain + PS_FLUME_PREFIX_BYTES))
        return NULL;
    return file->plain;
}

/* ---- records ---- */

/* Returns whether a record that fits into the file begins at `at`. */
static bool is_record(struct ps_flume_log_file *file, uint64_t at, struct ps_flume_frame *frame)
{
    const uint8_t *head = record_at(file, at, PS_FLUME_FRAME_BYTES);
    return head != NULL && ps_flume_frame_read(head, frame) && frame->length <= file->size - at;
}

/* Returns the offset of the next readable record at or after `from`; the size of the file if there is none. Parses the
 * whole record, because the content of an event can look like a record's head. */
static uint64_t search(struct ps_flume_log_file *file, uint64_t from)
{
    struct ps_flume_frame frame;
    struct ps_flume_record record;
    while (from < file->size) {
        const uint8_t *bytes = bytes_at(file, from, 1);
        if (bytes == NULL)
            break;
        size_t length = file->held - (size_t)(from - file->window_at); /* bytes in the window */
        const uint8_t *found = memchr(bytes, PS_FLUME_RECORD, length);
        if (found == NULL) {
            from += length;
            continue;
        }
        from += (uint64_t)(found - bytes);
        if (is_record(file, from, &frame) && from <= INT32_MAX &&
            ps_flume_log_file_load(file, (uint32_t)from, &record) == NULL)
            return from;
        from++;
    }
    return file->size;
}

/* Returns whether all bytes from `from` to the end of the file have this value. */
static bool is_filled(struct ps_flume_log_file *file, uint64_t from, uint8_t value)
{
    while (from < file->size) {
        uint64_t rest = file->size - from;
        size_t length = rest < WINDOW_BYTES ? (size_t)rest : WINDOW_BYTES;
        const uint8_t *bytes = bytes_at(file, from, length);
        if (bytes == NULL)
            return false;
        for (size_t i = 0; i < length; i++)
            if (bytes[i] != value)
                return false;
        from += length;
    }
    return true;
}

/* ---- opening ---- */

static enum ps_status cipher_make(const struct ps_flume_meta *meta, const char *path,
                                  const struct ps_flume_keys *keys, struct ps_flume_cipher **cipher,
                                  char **key_name, struct ps_err *err)
{
    char name[PS_KEY_NAME_BYTES_MAX + 1];
    struct ps_err reason = {0};
    struct ps_slice codec = meta->cipher;
    if (codec.length != strlen(PS_FLUME_CIPHER_NAME) ||
        strncasecmp(codec.data, PS_FLUME_CIPHER_NAME, codec.length) != 0)
        return ps_err_set(err, "%s: the log is encrypted with %.*s; only " PS_FLUME_CIPHER_NAME " is read",
                          path, (int)codec.length, codec.length > 0 ? codec.data : "");
    if (meta->parameters.length != PS_FLUME_CIPHER_BLOCK_BYTES || meta->key_alias.length == 0 ||
        meta->key_alias.length >= sizeof name)
        return ps_err_set(err, "%s: it does not say how the log is encrypted: the file is damaged", path);
    snprintf(name, sizeof name, "%.*s", (int)meta->key_alias.length, meta->key_alias.data);
    const struct ps_key *key = keys->find != NULL ? keys->find(keys->argument, name, &reason) : NULL;
    if (key == NULL)
        return ps_err_set(err, "%s: the log is encrypted (" PS_FLUME_CIPHER_NAME ", key %s): %s", path, name,
                          reason.length > 0 ? reason.text : "the key is not there");
    *cipher = ps_flume_cipher_create(key, (const uint8_t *)meta->parameters.data);
    if (*cipher == NULL)
        return ps_err_set(err, "%s: OpenSSL does not decrypt", path);
    *key_name = ps_must_copy_text(name, "a key of Flume");
    return PS_OK;
}

/* Reads log-N.meta. Returns PS_FAIL if the log cannot be read. */
static enum ps_status meta_read(const char *directory, uint32_t number, const struct ps_flume_keys *keys,
                                struct ps_flume_cipher **cipher, char **key_name, const char **damaged,
                                struct ps_err *err)
{
    char path[PATH_BYTES];
    struct ps_flume_meta meta;
    snprintf(path, sizeof path, "%s/log-%u.meta", directory, number);
    uint8_t *bytes = ps_must_alloc(1, META_BYTES, "a file of Flume");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : pread(fd, bytes, META_BYTES, 0);
    int error = errno;
    if (fd >= 0)
        close(fd);
    enum ps_status status = PS_OK;
    if (fd < 0 && error == ENOENT)
        *damaged = "its .meta file is not there";
    else if (got < 0)
        status = ps_err_set(err, "%s cannot be read: %s", path, strerror(error));
    else if (!ps_flume_meta_read(bytes, (size_t)got, &meta))
        *damaged = "its .meta file is damaged";
    else if (meta.version != PS_FLUME_VERSION)
        status =
            ps_err_set(err, "%s: the log has version %u; only version 3, of Flume 1.3 and later, is read",
                       path, meta.version);
    else if (meta.encrypted)
        status = cipher_make(&meta, path, keys, cipher, key_name, err);
    free(bytes);
    return status;
}

struct ps_flume_log_file *ps_flume_log_file_open(const char *directory, uint32_t number,
                                                 const struct ps_flume_keys *keys, const char **damaged,
                                                 struct ps_err *err)
{
    char path[PATH_BYTES];
    struct stat about;
    struct ps_flume_cipher *cipher = NULL;
    char *key_name = NULL;
    *damaged = NULL;
    if (meta_read(directory, number, keys, &cipher, &key_name, damaged, err) != PS_OK)
        return NULL;
    snprintf(path, sizeof path, "%s/log-%u", directory, number);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0) {
        ps_err_set(err, "%s cannot be opened: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        ps_flume_cipher_destroy(cipher);
        free(key_name);
        return NULL;
    }
    struct ps_flume_log_file *file = ps_must_alloc(1, sizeof *file, "a log of Flume");
    file->path = ps_must_copy_text(path, "a log of Flume");
    file->fd = fd;
    file->number = number;
    file->size = (uint64_t)about.st_size;
    file->cipher = cipher;
    file->key_name = key_name;
    return file;
}

bool ps_flume_log_file_is_noise(struct ps_flume_log_file *file)
{
    return !is_filled(file, 0, PS_FLUME_END) && !is_filled(file, 0, 0) && !ps_flume_log_file_has_record(file);
}

bool ps_flume_log_file_has_record(struct ps_flume_log_file *file)
{
    return search(file, 0) < file->size;
}

void ps_flume_log_file_close(struct ps_flume_log_file *file)
{
    if (file == NULL)
        return;
    close(file->fd);
    ps_flume_cipher_destroy(file->cipher);
    free(file->key_name);
    free(file->plain);
    free(file->window);
    free(file->path);
    free(file);
}

/* ---- reading ---- */

/* Skips a record that Flume's tool removed. Returns false if its length cannot be right. */
static bool pass_noop(struct ps_flume_log_file *file)
{
    const uint8_t *head = record_at(file, file->next, PS_FLUME_FRAME_BYTES);
    uint8_t record[PS_FLUME_FRAME_BYTES];
    struct ps_flume_frame frame;
    if (head == NULL)
        return false;
    memcpy(record, head, sizeof record);
    record[0] = PS_FLUME_RECORD;
    if (!ps_flume_frame_read(record, &frame) || frame.length > file->size - file->next)
        return false;
    file->next += frame.length;
    return true;
}

/* Skips bytes at file->next that are not a record. */
static enum ps_flume_reading pass(struct ps_flume_log_file *file, struct ps_flume_damage *damage,
                                  const char *reason)
{
    uint64_t begin = file->next;
    file->next = search(file, begin + 1);
    *damage = (struct ps_flume_damage){
        .path = file->path, .offset = begin, .length = file->next - begin, .reason = reason};
    return PS_FLUME_DAMAGED;
}

static enum ps_flume_reading next(struct ps_flume_log_file *file, struct ps_flume_record *record,
                                  uint32_t *offset, struct ps_flume_damage *damage)
{
    struct ps_flume_frame frame;
    for (;;) {
        const uint8_t *first = bytes_at(file, file->next, 1);
        if (file->next >= file->size)
            return PS_FLUME_DONE;
        if (first == NULL) {
            *damage = (struct ps_flume_damage){
                .path = file->path, .offset = file->next, .reason = "the rest of the file cannot be read"};
            file->next = file->size;
            return PS_FLUME_DAMAGED;
        }
        uint8_t kind = *first;
        if (kind == PS_FLUME_NOOP && pass_noop(file))
            continue;
        if ((kind == PS_FLUME_END || kind == 0) && is_filled(file, file->next, kind)) {
            file->next = file->size;
            return PS_FLUME_DONE;
        }
        if (file->next > INT32_MAX || !is_record(file, file->next, &frame))
            return pass(file, damage, "no record can be recognised here");
        *offset = (uint32_t)file->next;
        const char *wrong = ps_flume_log_file_load(file, *offset, record);
        if (wrong == NULL) {
            file->next += frame.length;
            return PS_FLUME_READ;
        }
        if (record->framed) {
            *damage = (struct ps_flume_damage){
                .path = file->path, .offset = file->next, .length = frame.length, .reason = wrong};
            file->next += frame.length;
            return PS_FLUME_DAMAGED;
        }
        return pass(file, damage, wrong);
    }
}

/* After a failed read the result of `next` is not used, because it may report damage or the end of the log. */
enum ps_flume_reading ps_flume_log_file_next(struct ps_flume_log_file *file, struct ps_flume_record *record,
                                             uint32_t *offset, struct ps_flume_damage *damage)
{
    enum ps_flume_reading reading = file->error == 0 ? next(file, record, offset, damage) : PS_FLUME_DONE;
    return file->error == 0 ? reading : PS_FLUME_DONE;
}

const char *ps_flume_log_file_load(struct ps_flume_log_file *file, uint32_t offset,
                                   struct ps_flume_record *record)
{
    struct ps_flume_frame frame;
    if (!is_record(file, offset, &frame))
        return "no record can be recognised here";
    const uint8_t *bytes = record_at(file, offset, frame.length);
    if (bytes == NULL)
        return "it cannot be read";
    return ps_flume_record_read(bytes, frame.length, record);
}
