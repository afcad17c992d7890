/* The classes of a class path: which jar or folder has a class, and what that class extends and implements. Jars are
 * opened as Java opens them: those of FOLDER with a star after it (in the order of the directory, which is not that
 * of their names), and those that a jar's manifest names. Nothing is executed. Thread: the control thread. */
#pragma once

#include "conf/java/class_file.h"

struct ps_classes;

/* Opens the class path. Texts of the results live until ps_classes_close. */
struct ps_classes *ps_classes_open(const struct ps_texts *entries);
void ps_classes_close(struct ps_classes *classes);

/* Returns whether Java takes a file of this name for a jar of "FOLDER/" and a star: it ends with .jar or .JAR. */
bool ps_classes_is_jar(const char *name);

/* Returns the number of places that were searched. */
size_t ps_classes_jars(const struct ps_classes *classes);
size_t ps_classes_folders(const struct ps_classes *classes);
/* Returns the files that are not jars, each with the reason. */
const struct ps_texts *ps_classes_unread(const struct ps_classes *classes);
/* Returns the first place that could not be read now, as "FILE: Too many open files", and its errno; NULL: all were
 * read. A class that is not found may be in such a place. */
const char *ps_classes_blocked(const struct ps_classes *classes, int *error);

struct ps_class {
    const char *place; /* the jar or folder that has it */
    struct ps_class_file file;
    const char *damage; /* the class exists but cannot be read: the reason; else NULL */
    /* with `damage`: the errno if its file could not be read now; 0: its bytes are wrong */
    int error;
};

/* Finds a class by its name as Java writes it: org.example.Filter$Builder. The first place that has it counts.
 * Returns false when none has it. */
bool ps_classes_find(struct ps_classes *classes, const char *name, struct ps_class *found);

/* Returns whether the class is the interface `target` ("org.apache.flume.Sink"), or implements or extends it. If not,
 * `*missing` is a superclass or an interface of the class that is in none of the places, or NULL. */
bool ps_classes_is_a(struct ps_classes *classes, const struct ps_class *class, const char *target,
                     const char **missing);

/* Returns whether a place after the place of `first` also has a class of this name, which Java does not use, and sets
 * `*other` to that class. */
bool ps_classes_again(struct ps_classes *classes, const char *name, const struct ps_class *first,
                      const char **other);

/* Returns the name, nearest to `name`, of a class that is a `target`; NULL: no name is near. */
const char *ps_classes_nearest(struct ps_classes *classes, const char *name, const char *target);
