/* The jars that `penstock plugin fetch` brings: one list for each plug-in, made of lists/NAME.jars by cmake/plugin.cmake.
 * A list has lines "brings TEXT", "flume VERSION" (of lists/flume_VERSION.jars, whose lines are part of it), "note TEXT", and
 * "FOLDER GROUP:ARTIFACT:VERSION[:CLASSIFIER] SHA256". Used by commands/plugin/fetch only. Thread: main. */
#pragma once

#include "core/arena.h"
#include "core/option.h"

struct ps_fetch_text {
    const char *name; /* "jms"; of Flume's own jars "flume_1.11.0" */
    const char *text;
};

/* Ends with a NULL name. */
extern const struct ps_fetch_text ps_fetch_texts[];

struct ps_fetch_jar {
    const char *folder; /* "lib" or "libext" */
    const char *group, *artifact, *version;
    const char *classifier; /* "": none */
    const char *sha256;     /* 64 digits, small letters */
    const char *file;       /* "lib/flume-jms-source-1.11.0.jar" */
};

struct ps_fetch_list {
    const char *name;
    const char *brings; /* what it is for, and the versions */
    const char *flume;  /* "1.11.0" */
    struct ps_texts notes;
    struct ps_fetch_jar *jars;
    size_t count;
};

/* Returns the list of this plug-in, or NULL. `name` may also be a type or a class that needs it: "asynchbase",
 * "org.apache.flume.sink.kite.DatasetSink". */
struct ps_fetch_list *ps_fetch_list(struct ps_arena *arena, const char *name);

/* Returns the name of plug-in number `index`, or NULL after the last. */
const char *ps_fetch_name(size_t index);
