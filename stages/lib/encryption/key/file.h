/* A file with one secret key, in one of three forms:
 *
 *   32, 48 or 64 hexadecimal digits
 *   Base64 of 16, 24 or 32 bytes (RFC 4648, with padding)
 *   16, 24 or 32 bytes as they are
 *
 * Blanks and line feeds after the digits are allowed. Other text is refused, even when its length fits,
 * because a sentence is not a key. Thread: any; blocks on the disk. */
#pragma once

#include "stages/lib/encryption/key/ring.h"

/* Maximum size of a key file. */
#define PS_KEY_FILE_BYTES_MAX 256U

/* Finds the key in the bytes of a file. `key` has PS_KEY_BYTES_MAX; the caller overwrites it. Returns the length of
 * the key. Returns 0 if there is no key; `err` then has the reason, but not the bytes. */
size_t ps_key_file_parse(const uint8_t *bytes, size_t length, uint8_t *key, struct ps_err *err);

/* Reads the text of a file with a secret, which must be a regular file and belong to root or to the process's user.
 * The group must not be able to write the file, and other users neither to read nor to write it. The text is
 * terminated; leading and trailing blanks are removed, as by Flume and Hadoop. The caller overwrites the text. */
bool ps_password_file_read(const char *path, char *password, size_t room, struct ps_err *err);

/* Reads a key file into the ring. */
enum ps_status ps_key_file_add(struct ps_key_ring *ring, const char *name, const char *path,
                               struct ps_err *err);
