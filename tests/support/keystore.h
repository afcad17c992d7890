/* Key stores in tests: the committed ones, and files in the test's folder (tests/support/folder.h).
 * Thread: the test's. */
#pragma once

#include "tests/support/support.h"

#include "stages/lib/keystore/keystore.h"

#define PS_TEST_STORE_PASSWORD "changeit" /* of the committed ones */

/* Returns the path of a committed store (tests/stages/data/stores, made by make.sh there); valid for the
 * next three calls. */
const char *ps_test_store_fixture(const char *name);

/* Opens a store. Returns NULL with a message. */
struct ps_keystore *ps_test_store_open(const char *path, const char *type, const char *password,
                                       const char *key_password, struct ps_err *err);
/* Expects a sound store of this kind with this number of keys, which fit their certificates, and trust anchors. */
struct ps_keystore *ps_test_store_expect(const char *path, const char *type, const char *password,
                                         const char *key_password, const char *kind, size_t keys,
                                         int trusted);
/* Expects a message that has `words`, the path and the key, and no password. `blamed`: the message names the source
 * of this password ("password", "key password"); NULL: of none. */
void ps_test_store_expect_fault(const char *path, const char *type, const char *password,
                                const char *key_password, const char *blamed, const char *words);

void ps_test_store_write(const char *path, const void *data, size_t length);
/* Returns the length; the file must be shorter than `room`. */
size_t ps_test_store_read(const char *path, uint8_t *data, size_t room);
