/* What the files of the configuration share: its entries. */
#pragma once

#include "stages/lib/hadoop/configuration.h"

struct ps_hadoop_entry {
    char *key;
    char *written; /* as it stands in the file, trimmed */
    char *value;   /* with variables replaced; NULL before that was done */
    char *place;   /* file:line */
    bool final;
};

struct ps_hadoop_configuration {
    struct ps_hadoop_entry *entries;
    size_t count, room;
};

/* The entry of a key, by its old name or its new one; NULL. */
struct ps_hadoop_entry *ps_hadoop_configuration_entry(const struct ps_hadoop_configuration *configuration,
                                                      const char *key);
/* Sets a key, unless it is final. `place` and texts are copied. */
void ps_hadoop_configuration_set(struct ps_hadoop_configuration *configuration, const char *key,
                                 const char *value, const char *place, bool final);

/* Reads a file, and what it includes (configuration_xml.c). `text` NULL: reads the file `path`. */
enum ps_status ps_hadoop_configuration_read(struct ps_hadoop_configuration *configuration, const char *path,
                                            const char *text, size_t length, struct ps_err *err);
