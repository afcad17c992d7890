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

/* Finds the key in the bytes of a file. `key` has PS_KEY_BYTES_MAX; the caller overwrites it. Returns its
 * length; 0 if there is none, with the reason, but not the bytes, in `err`. */
size_t ps_key_file_parse(const uint8_t *bytes, size_t length, uint8_t *key, struct ps_err *err);

/* Reads the text of a file with a secret, which must be a regular file of root or of the process's user that others can neither
 * read nor write, and the group cannot write. The text is terminated, and without leading and trailing blanks, as Flume and Hadoop do.
 * The caller overwrites the text. */
bool ps_password_file_read(const char *path, char *password, size_t room, struct ps_err *err);

/* Reads a key file into the ring. */
enum ps_status ps_key_file_add(struct ps_key_ring *ring, const char *name, const char *path,
                               struct ps_err *err);
