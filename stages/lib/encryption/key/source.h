/* The places of a channel's keys, from the configuration. Thread: the control thread makes the structure; any
 * thread loads the keys. */
#pragma once

#include "core/arena.h"
#include "core/option.h"
#include "stages/lib/encryption/key/ring.h"

struct ps_class_path;

struct ps_key_source {
    const char *provider; /* "KEYFILE", "JCEKSFILE" or a Java class; NULL: none */
    struct ps_texts names;
    struct ps_pairs
        properties; /* KEYFILE: "NAME.keyFile"; JCEKSFILE: "NAME.passwordFile", else the store's */
    const char *store_file, *store_password_file; /* JCEKSFILE */
    struct ps_pairs settings;                     /* a class: further keys */
    const struct ps_class_path *class_path;       /* a class; NULL: it cannot be called */
};

/* Returns whether the provider is a Java class: the builder of an org.apache.flume.channel.file.encryption.KeyProvider. */
bool ps_key_source_is_class(const struct ps_key_source *source);

/* Adds the active key (NULL: none) to the names if the provider is a class: a class may have keys that
 * encryption.keyProvider.keys does not name. */
void ps_key_source_complete(struct ps_key_source *source, const char *active_key, struct ps_arena *arena);

/* Checks that each name has a file, or the other settings that the provider needs. Reads no file. */
enum ps_status ps_key_source_check(const struct ps_key_source *source, struct ps_err *err);
/* Calls `add` for each file that ps_key_source_load reads. */
void ps_key_source_files(const struct ps_key_source *source, void (*add)(void *argument, const char *path),
                         void *argument);
/* Reads all keys. Returns NULL if one of them cannot be read; `err` names it. Waits for the disk and, if the provider is
 * a class, for the JVM that runs it (stages/lib/java/ask.h). */
struct ps_key_ring *ps_key_source_load(const struct ps_key_source *source, struct ps_err *err);
