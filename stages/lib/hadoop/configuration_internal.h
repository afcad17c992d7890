/* The entries of a configuration, for its files only. */
#pragma once

#include "stages/lib/hadoop/configuration.h"

struct ps_hadoop_entry {
    char *key;
    char *written; /* as in the file, trimmed */
    char *value;   /* with variables replaced; NULL before that */
    char *place;   /* file:line */
    bool final;
};

struct ps_hadoop_configuration {
    struct ps_hadoop_entry *entries;
    size_t count, room;
};

/* Sets a key, unless it is final. Copies `place` and the texts. */
void ps_hadoop_configuration_set(struct ps_hadoop_configuration *configuration, const char *key,
                                 const char *value, const char *place, bool final);

/* Reads a file and the files that it includes (configuration_xml.c). `text` NULL: reads the file `path`. */
enum ps_status ps_hadoop_configuration_read(struct ps_hadoop_configuration *configuration, const char *path,
                                            const char *text, size_t length, struct ps_err *err);
