#include "stages/lib/encryption/key/file.h"

#include "core/text/base64.h"
#include "core/text/hex.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the forms ---- */

static bool is_key_length(size_t length)
{
    return length == 16 || length == 24 || length == PS_KEY_BYTES_MAX;
}

static size_t parse_hex(const uint8_t *text, size_t length, uint8_t *key)
{
    if (length % 2 != 0 || !is_key_length(length / 2))
        return 0;
    for (size_t i = 0; i < length; i++)
        if (ps_hex_digit(text[i]) < 0)
            return 0;
    for (size_t i = 0; i < length / 2; i++)
        key[i] = (uint8_t)(ps_hex_digit(text[2 * i]) << 4 | ps_hex_digit(text[2 * i + 1]));
    return length / 2;
}

static size_t parse_base64(const uint8_t *text, size_t length, uint8_t *key)
{
    char bytes[PS_KEY_BYTES_MAX + 4];
    size_t count;
    if (length == 0 || length % 4 != 0 || length > sizeof bytes / 3 * 4 ||
        !ps_base64_decode((const char *)text, length, bytes, &count) || !is_key_length(count))
        return 0;
    memcpy(key, bytes, count);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return count;
}

static bool is_text(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((bytes[i] < 0x20 || bytes[i] > 0x7e) && (bytes[i] < '\t' || bytes[i] > '\r'))
            return false;
    return true;
}

static size_t without_blanks(const uint8_t *bytes, size_t length)
{
    while (length > 0 &&
           (bytes[length - 1] == ' ' || (bytes[length - 1] >= '\t' && bytes[length - 1] <= '\r')))
        length--;
    return length;
}

size_t ps_key_file_parse(const uint8_t *bytes, size_t length, uint8_t *key, struct ps_err *err)
{
    size_t digits = without_blanks(bytes, length), found = parse_hex(bytes, digits, key);
    if (found == 0)
        found = parse_base64(bytes, digits, key);
    if (found > 0)
        return found;
    if (length == 0) {
        ps_err_set(err, "the file is empty");
    } else if (is_text(bytes, length)) {
        ps_err_set(err,
                   "its text is not a key: a key is 32, 48 or 64 hexadecimal digits, or Base64 of 16, 24 "
                   "or 32 bytes; `openssl rand -hex 32` prints one");
    } else if (!is_key_length(length)) {
        ps_err_set(err, "it has %zu bytes; a key of AES has 16, 24 or 32", length);
    } else {
        memcpy(key, bytes, length);
        return length;
    }
    return 0;
}

/* ---- the file ---- */

/* Tests the file's owner and modes: a user who can write the file can choose the key, and a user who can read the
 * file has the key. */
static enum ps_status check_access(const char *path, const struct stat *about, struct ps_err *err)
{
    if (!S_ISREG(about->st_mode))
        return ps_err_set(err, "%s is not a regular file", path);
    if ((about->st_mode & (S_IRWXO | S_IWGRP)) != 0)
        return ps_err_set(
            err, "%s can be %s (mode %04o): a secret is for one user alone; chmod 0400, or 0440 for a group",
            path, (about->st_mode & S_IRWXO) != 0 ? "used by all users" : "written by its group",
            (unsigned)about->st_mode & 07777U);
    if (about->st_uid != 0 && about->st_uid != geteuid())
        return ps_err_set(
            err,
            "%s belongs to user %u, who can change it; it must be root's or that of user %u, who reads it",
            path, (unsigned)about->st_uid, (unsigned)geteuid());
    return PS_OK;
}

/* Reads at most `room` bytes of a file with a secret, which must be a regular file and belong to root or to the
 * process's user. The group must not be able to write the file, and other users neither to read nor to write it.
 * Returns false with the reason, which names the file. The caller overwrites the bytes. */
static bool read_secret(const char *path, uint8_t *bytes, size_t room, size_t *length, struct ps_err *err)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool good = false;
    *length = 0;
    if (fd < 0 || fstat(fd, &about) != 0) {
        ps_err_set(err, "%s cannot be read: %s", path, strerror(errno));
    } else if (check_access(path, &about, err) == PS_OK) {
        ssize_t got = 1;
        while (got > 0 && *length < room) {
            got = read(fd, bytes + *length, room - *length);
            if (got < 0 && errno == EINTR)
                got = 1;
            else
                *length += got > 0 ? (size_t)got : 0;
        }
        uint8_t more;
        if (got < 0)
            ps_err_set(err, "%s cannot be read: %s", path, strerror(errno));
        else if (*length == room && read(fd, &more, 1) > 0)
            ps_err_set(err, "%s is longer than %zu bytes", path, room);
        else
            good = true;
    }
    if (fd >= 0)
        close(fd);
    return good;
}

enum ps_status ps_key_file_add(struct ps_key_ring *ring, const char *name, const char *path,
                               struct ps_err *err)
{
    uint8_t bytes[PS_KEY_FILE_BYTES_MAX], key[PS_KEY_BYTES_MAX];
    size_t length;
    enum ps_status status = PS_FAIL;
    if (read_secret(path, bytes, sizeof bytes, &length, err)) {
        struct ps_err reason = {0};
        size_t found = ps_key_file_parse(bytes, length, key, &reason);
        status = found > 0 ? ps_key_ring_add(ring, name, key, found, err)
                           : ps_err_set(err, "%s: %s", path, reason.text);
    }
    OPENSSL_cleanse(bytes, sizeof bytes);
    OPENSSL_cleanse(key, sizeof key);
    return status;
}

bool ps_password_file_read(const char *path, char *password, size_t room, struct ps_err *err)
{
    size_t length;
    if (!read_secret(path, (uint8_t *)password, room - 1, &length, err))
        return false;
    while (length > 0 && (unsigned char)password[length - 1] <= ' ')
        length--;
    password[length] = '\0';
    size_t blanks = 0;
    while (blanks < length && (unsigned char)password[blanks] <= ' ')
        blanks++;
    memmove(password, password + blanks, length - blanks + 1);
    return true;
}
