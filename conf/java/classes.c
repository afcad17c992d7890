/* See classes.h. */
#include "conf/java/classes.h"

#include "conf/file.h"
#include "conf/java/jar.h"
#include "conf/java/unread.h"
#include "conf/text.h"
#include "core/array.h"
#include "core/text/ends.h"
#include "core/text/hex.h"
#include "core/text/nearest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACES_MAX 4096U
#define MANIFEST_BYTES_MAX (1U << 20)
/* Maximum number of classes read to find the kind of one class; no real hierarchy has more. */
#define PARENTS_MAX 512U

struct place {
    const char *path;
    struct ps_jar *jar; /* NULL: a folder */
};

struct ps_classes {
    struct ps_arena *arena;
    struct place *places; /* malloc'ed */
    size_t count, room;
    size_t jars;
    struct ps_texts unread;
    const char *blocked; /* the first place that could not be read now; NULL: none */
    int error;           /* its errno */
};

/* ---- places ---- */

static bool is_there(const struct ps_classes *classes, const char *path)
{
    for (size_t i = 0; i < classes->count; i++)
        if (strcmp(classes->places[i].path, path) == 0)
            return true;
    return false;
}

static void add_place(struct ps_classes *classes, const char *path, struct ps_jar *jar)
{
    PS_ARRAY_GROW(classes->places, classes->count, classes->room, "jars");
    classes->places[classes->count++] = (struct place){.path = path, .jar = jar};
    classes->jars += jar != NULL;
}

/* Notes a place that could not be read, unless it does not exist: Java ignores such places. `what` has the reason, if
 * it is known. */
static void note_blocked(struct ps_classes *classes, const char *path, int error, const char *what)
{
    if (ps_unread_is_absent(error) || classes->blocked != NULL)
        return;
    classes->error = error;
    classes->blocked = what != NULL ? ps_arena_text(classes->arena, what)
                                    : ps_arena_format(classes->arena, "%s: %s", path, strerror(error));
}

static void add_folder(struct ps_classes *classes, const char *path)
{
    if (!is_there(classes, path) && classes->count < PLACES_MAX)
        add_place(classes, path, NULL);
}

static void add_jar(struct ps_classes *classes, const char *path);

/* Returns the path of a URL, in which %20 is a blank. */
static char *unescaped(struct ps_arena *arena, const char *url)
{
    char *path = ps_arena_text(arena, url), *to = path;
    for (const char *at = path; *at != '\0'; at++) {
        int high = *at == '%' ? ps_hex_digit(at[1]) : -1, low = high >= 0 ? ps_hex_digit(at[2]) : -1;
        bool is_escape = low >= 0 && high + low > 0; /* a zero byte would end the path */
        *to++ = is_escape ? (char)(high * 16 + low) : *at;
        at += is_escape ? 2 : 0;
    }
    *to = '\0';
    return path;
}

/* Adds an entry of Class-Path, if it exists: a folder, if it ends with a slash, else a jar. */
static void add_named_entry(struct ps_classes *classes, char *path)
{
    size_t length = strlen(path);
    struct stat status;
    if (path[length - 1] != '/') {
        if (access(path, F_OK) == 0 || !ps_unread_is_absent(errno))
            add_jar(classes, path);
        return;
    }
    if (length > 1)
        path[length - 1] = '\0';
    if (stat(path, &status) != 0)
        note_blocked(classes, path, errno, NULL);
    else if (S_ISDIR(status.st_mode))
        add_folder(classes, path);
}

/* Adds what a value of Class-Path names: URLs that are separated by blanks and relative to the jar. Java ignores those that do
 * not exist. */
static void add_named(struct ps_classes *classes, const char *jar, const char *value)
{
    const struct ps_texts names = ps_text_split_blanks(classes->arena, ps_text_trim(classes->arena, value));
    const char *slash = strrchr(jar, '/');
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.items[i];
        if (ps_text_begins(name, "file:"))
            name += strlen("file:");
        char *path = unescaped(classes->arena, name);
        if (*name != '/' && slash != NULL)
            path = ps_arena_format(classes->arena, "%.*s/%s", (int)(slash - jar), jar, path);
        if (*name != '\0')
            add_named_entry(classes, path);
    }
}

/* Joins each line that begins with a blank to the line before it, and finds Class-Path. */
static void add_manifest(struct ps_classes *classes, struct ps_jar *jar, const char *path)
{
    char *bytes, *to;
    size_t length;
    if (ps_jar_read(jar, "META-INF/MANIFEST.MF", MANIFEST_BYTES_MAX, &bytes, &length, NULL) != PS_JAR_READ)
        return;
    to = bytes;
    for (const char *at = bytes; at < bytes + length; at++) {
        if (*at == '\r')
            continue;
        if (*at == '\n' && at + 1 < bytes + length && at[1] == ' ')
            at++;
        else
            *to++ = *at;
    }
    *to = '\0';
    for (char *line = bytes; line != NULL;) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        if (ps_text_begins(line, "Class-Path:"))
            add_named(classes, path, line + strlen("Class-Path:"));
        line = end != NULL ? end + 1 : NULL;
    }
    free(bytes);
}

static void add_jar(struct ps_classes *classes, const char *path)
{
    struct ps_err err = {.length = 0};
    if (is_there(classes, path) || classes->count == PLACES_MAX)
        return;
    int error;
    struct ps_jar *jar = ps_jar_open(path, &error, &err);
    if (jar == NULL && error != 0) {
        note_blocked(classes, path, error, err.text);
        return;
    }
    if (jar == NULL) {
        ps_texts_add(classes->arena, &classes->unread, ps_arena_text(classes->arena, err.text));
        return;
    }
    add_place(classes, path, jar);
    add_manifest(classes, jar, path);
}

bool ps_classes_is_jar(const char *name)
{
    return ps_text_ends(name, ".jar") || ps_text_ends(name, ".JAR");
}

static int is_jar(const struct dirent *entry)
{
    return ps_classes_is_jar(entry->d_name);
}

static void add_jars_of(struct ps_classes *classes, const char *folder)
{
    struct dirent **names;
    /* in the order of the directory, as the JVM */
    int count = scandir(folder, &names, is_jar, NULL);
    if (count < 0)
        note_blocked(classes, folder, errno, NULL);
    for (int i = 0; i < count; i++) {
        add_jar(classes, ps_arena_format(classes->arena, "%s/%s", folder, names[i]->d_name));
        free(names[i]);
    }
    if (count >= 0)
        free(names);
}

static void add_entry(struct ps_classes *classes, const char *entry)
{
    size_t length = strlen(entry);
    struct stat status;
    if (strcmp(entry, "*") == 0) {
        add_jars_of(classes, ".");
    } else if (ps_text_ends(entry, "/*")) {
        add_jars_of(classes, ps_arena_copy(classes->arena, entry, length == 2 ? 1 : length - 2));
    } else {
        const char *path = *entry != '\0' ? entry : ".";
        if (stat(path, &status) != 0) {
            note_blocked(classes, path, errno, NULL);
            return;
        }
        if (S_ISDIR(status.st_mode))
            add_folder(classes, path);
        else
            add_jar(classes, path);
    }
}

struct ps_classes *ps_classes_open(const struct ps_texts *entries)
{
    struct ps_classes *classes = ps_must_alloc(1, sizeof *classes, "a class path");
    classes->arena = ps_arena_create();
    for (size_t i = 0; i < entries->count; i++)
        add_entry(classes, entries->items[i]);
    return classes;
}

void ps_classes_close(struct ps_classes *classes)
{
    if (classes == NULL)
        return;
    for (size_t i = 0; i < classes->count; i++)
        ps_jar_close(classes->places[i].jar);
    free(classes->places);
    ps_arena_destroy(classes->arena);
    free(classes);
}

size_t ps_classes_jars(const struct ps_classes *classes)
{
    return classes->jars;
}

size_t ps_classes_folders(const struct ps_classes *classes)
{
    return classes->count - classes->jars;
}

const struct ps_texts *ps_classes_unread(const struct ps_classes *classes)
{
    return &classes->unread;
}

const char *ps_classes_blocked(const struct ps_classes *classes, int *error)
{
    *error = classes->error;
    return classes->blocked;
}

/* ---- one class ---- */

/* Reads the file of a class from a folder. `*error`: the errno of PS_JAR_UNREAD; else 0. */
static enum ps_jar_read read_of_folder(const char *path, struct ps_file *file, int *error, struct ps_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *error = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (ps_unread_is_absent(*error))
        return PS_JAR_ABSENT;
    if (*error != 0)
        ps_err_set(err, "%s: %s", path, strerror(*error));
    else if (ps_file_read(path, PS_CLASS_FILE_BYTES_MAX, file, err) == PS_OK)
        return PS_JAR_READ;
    return *error != 0 ? PS_JAR_UNREAD : PS_JAR_BAD;
}

/* Reads the file of a class from a place. Returns PS_JAR_ABSENT when it is not there. */
static enum ps_jar_read read_file(const struct place *place, const char *name, struct ps_arena *arena,
                                  struct ps_file *file, int *error, struct ps_err *err)
{
    enum ps_jar_read read;
    if (place->jar == NULL)
        return read_of_folder(ps_arena_format(arena, "%s/%s", place->path, name), file, error, err);
    read = ps_jar_read(place->jar, name, PS_CLASS_FILE_BYTES_MAX, &file->bytes, &file->length, err);
    *error = read == PS_JAR_UNREAD ? ps_jar_error(place->jar) : 0;
    return read;
}

/* `name` has slashes. */
static bool find(struct ps_classes *classes, const char *name, struct ps_class *found)
{
    const char *path = ps_arena_format(classes->arena, "%s.class", name);
    for (size_t i = 0; i < classes->count; i++) {
        struct ps_file file = {.bytes = NULL};
        struct ps_err err = {.length = 0};
        int error;
        enum ps_jar_read read = read_file(&classes->places[i], path, classes->arena, &file, &error, &err);
        if (read == PS_JAR_ABSENT)
            continue;
        *found = (struct ps_class){.place = classes->places[i].path, .error = error};
        bool good = read == PS_JAR_READ &&
                    ps_class_file_parse(classes->arena, file.bytes, file.length, &found->file, &err) == PS_OK;
        if (good && strcmp(found->file.name, name) != 0) {
            ps_err_set(&err, "the file has the class %s", found->file.name);
            good = false;
        }
        if (!good)
            found->damage = ps_arena_text(classes->arena, err.text);
        if (read == PS_JAR_READ)
            free(file.bytes);
        return true;
    }
    return false;
}

/* Returns a copy of the name with another separator of packages. */
static char *separated(struct ps_arena *arena, const char *name, char from, char to)
{
    char *copy = ps_arena_text(arena, name);
    for (char *at = copy; *at != '\0'; at++)
        if (*at == from)
            *at = to;
    return copy;
}

bool ps_classes_find(struct ps_classes *classes, const char *name, struct ps_class *found)
{
    if (*name == '\0' || strchr(name, '/') != NULL)
        return false;
    return find(classes, separated(classes->arena, name, '.', '/'), found);
}

/* ---- parents ---- */

struct search {
    struct ps_classes *classes;
    const char *target; /* with slashes */
    const char *missing;
    struct ps_texts seen;
};

static bool is_of_java(const char *name)
{
    return ps_text_begins(name, "java/") || ps_text_begins(name, "javax/");
}

static bool is_a(struct search *search, const struct ps_class_file *file);

static bool parent_is_a(struct search *search, const char *name)
{
    struct ps_class parent;
    if (name == NULL || is_of_java(name) || ps_texts_have(&search->seen, name) ||
        search->seen.count == PARENTS_MAX)
        return false;
    if (strcmp(name, search->target) == 0)
        return true;
    ps_texts_add(search->classes->arena, &search->seen, name);
    bool found = find(search->classes, name, &parent);
    if (!found || parent.damage != NULL) {
        if (search->missing == NULL)
            search->missing = separated(search->classes->arena, name, '/', '.');
        return false;
    }
    return is_a(search, &parent.file);
}

static bool is_a(struct search *search, const struct ps_class_file *file)
{
    if (strcmp(file->name, search->target) == 0 || parent_is_a(search, file->super))
        return true;
    for (size_t i = 0; i < file->interfaces.count; i++)
        if (parent_is_a(search, file->interfaces.items[i]))
            return true;
    return false;
}

bool ps_classes_is_a(struct ps_classes *classes, const struct ps_class *class, const char *target,
                     const char **missing)
{
    struct search search = {.classes = classes, .target = separated(classes->arena, target, '.', '/')};
    bool yes = class->damage == NULL && is_a(&search, &class->file);
    *missing = yes ? NULL : search.missing;
    return yes;
}

/* ---- did you mean ---- */

#define NAME_BYTES 80U

/* Returns `name` if it names a class that exists, is a `target` and can be instantiated; else NULL. */
static const char *if_target(struct ps_classes *classes, const char *name, const char *target)
{
    struct ps_class found;
    const char *missing;
    return ps_classes_find(classes, name, &found) && !found.file.is_interface && !found.file.is_abstract &&
                   ps_classes_is_a(classes, &found, target, &missing)
               ? name
               : NULL;
}

/* Offers the classes of a jar by the last part of their names. */
static void offer_jar(struct ps_classes *classes, struct ps_jar *jar, struct ps_nearest *nearest,
                      const char *target, const char **best)
{
    const char *entry;
    for (size_t i = 0; nearest->distance > 0 && (entry = ps_jar_entry(jar, i)) != NULL; i++) {
        char last[NAME_BYTES];
        const char *slash = strrchr(entry, '/'), *end = strstr(entry, ".class");
        const char *name = slash != NULL ? slash + 1 : entry;
        if (end == NULL || end < name || strlen(end) != strlen(".class") ||
            (size_t)(end - name) >= sizeof last)
            continue;
        snprintf(last, sizeof last, "%.*s", (int)(end - name), name);
        struct ps_nearest nearer = *nearest;
        ps_nearest_offer(&nearer, last);
        if (nearer.distance == nearest->distance)
            continue;
        char *whole = ps_arena_copy(classes->arena, entry, (size_t)(end - entry));
        const char *class = if_target(classes, separated(classes->arena, whole, '/', '.'), target);
        if (class == NULL)
            continue;
        nearest->distance = nearer.distance;
        *best = class;
    }
}

/* Returns the name as Java writes it, from a file's name or a name with a semicolon. */
static char *cleaned(struct ps_arena *arena, const char *name)
{
    char *clean = separated(arena, name, '/', '.');
    static const char *const ends[] = {";", ".class", ".java"};
    for (size_t i = 0; i < PS_COUNT_OF(ends); i++) {
        size_t length = strlen(clean), end = strlen(ends[i]);
        if (length > end && ps_text_ends(clean, ends[i]))
            clean[length - end] = '\0';
    }
    return clean;
}

/* Returns the name of an existing class that is probably meant: an inner class, its Builder, the outer class, or the
 * name without a file's ending; else NULL. */
static const char *rewritten(struct ps_classes *classes, const char *name, const char *target)
{
    char *clean = cleaned(classes->arena, name);
    char *inner = ps_arena_text(classes->arena, clean), *outer = ps_arena_text(classes->arena, clean);
    char *dot = strrchr(inner, '.'), *dollar = strchr(outer, '$');
    if (dot != NULL) /* a class within a class is often written with a dot */
        *dot = '$';
    if (dollar != NULL)
        *dollar = '\0';
    const char *tried[] = {clean, inner, ps_arena_format(classes->arena, "%s$Builder", clean),
                           ps_arena_format(classes->arena, "%s$Builder", outer), outer};
    const char *best = NULL;
    for (size_t i = 0; i < PS_COUNT_OF(tried) && best == NULL; i++)
        best = if_target(classes, tried[i], target);
    return best;
}

const char *ps_classes_nearest(struct ps_classes *classes, const char *name, const char *target)
{
    const char *best = rewritten(classes, name, target);
    const char *clean = cleaned(classes->arena, name), *dot = strrchr(clean, '.');
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, dot != NULL ? dot + 1 : clean);
    for (size_t i = 0; best == NULL && i < classes->count; i++)
        if (classes->places[i].jar != NULL)
            offer_jar(classes, classes->places[i].jar, &nearest, target, &best);
    return best;
}

bool ps_classes_again(struct ps_classes *classes, const char *name, const struct ps_class *first,
                      const char **other)
{
    const char *path = ps_arena_format(classes->arena, "%s.class", separated(classes->arena, name, '.', '/'));
    bool behind = false;
    for (size_t i = 0; i < classes->count; i++) {
        struct ps_file file = {.bytes = NULL};
        struct ps_err err = {.length = 0};
        int error;
        if (behind &&
            read_file(&classes->places[i], path, classes->arena, &file, &error, &err) == PS_JAR_READ) {
            free(file.bytes);
            *other = classes->places[i].path;
            return true;
        }
        behind |= strcmp(classes->places[i].path, first->place) == 0;
    }
    return false;
}
