/* Loads rules files with their includes, each file once and with size limits, and combines them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fnv.h"
#include "regex/rules/internal.h"

uint64_t ps_rules_hash(uint64_t hash, const char *bytes, size_t length)
{
    hash = ps_fnv64(hash, bytes, length);
    return hash != 0 ? hash : 1;
}

/* ---- one file ---- */

static const char too_long[] = "all rules files together may have at most 64 MiB";

struct content {
    char *bytes; /* malloc'ed */
    size_t length;
};

/* Reads to the end. Returns NULL, or the reason for the failure. */
static const char *content_read(int fd, size_t guess, struct content *content)
{
    size_t room = guess + 1;
    content->bytes = ps_must_alloc(1, room, "a file of rules");
    for (;;) {
        if (content->length == room) {
            room *= 2;
            content->bytes = ps_must_realloc(content->bytes, room, "a file of rules");
        }
        ssize_t got = read(fd, content->bytes + content->length, room - content->length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return strerror(errno);
        content->length += (size_t)got;
        if (content->length > PS_RULES_FILE_BYTES_MAX)
            return too_long;
        if (got == 0)
            return NULL;
    }
}

/* Returns the line and column (from 1) of `at` in `text`. */
static struct ps_rules_place place_of(const char *file, const char *text, const char *at)
{
    struct ps_rules_place place = {file, 1, 1};
    for (; text < at; text++) {
        if (*text == '\n') {
            place.line++;
            place.column = 1;
        } else if (((unsigned char)*text & 0xc0) != 0x80) {
            place.column++;
        }
    }
    return place;
}

static void text_parse(struct rules_loader *loader, const char *file, const char *text, size_t length,
                       unsigned depth)
{
    bool nul;
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
        text += 3;
        length -= 3;
    }
    const char *bad = length > 0 ? ps_rules_text_bad_byte(text, length, &nul) : NULL;
    if (bad != NULL) {
        const char *what = nul ? "a NUL byte" : "this is not UTF-8";
        const char *cure =
            length >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)
                ? "it looks like UTF-16: save it as UTF-8"
            : nul ? "in a string write \\x00"
                  : "save the file as UTF-8; other bytes are written \\xHH in strings";
        ps_rules_problem_add(loader->problems, PS_RULES_ERROR, place_of(file, text, bad), cure, "%s", what);
        return;
    }
    loader->bytes += length;
    ps_rules_parse_text(loader, file, text, length, depth);
}

/* "a.rules:3 -> b.rules:1 -> a.rules" */
static const char *chain_text(struct rules_loader *loader, size_t from, struct ps_rules_place last)
{
    const char *text = "";
    for (size_t i = from; i < loader->seen_count; i++)
        if (loader->seen[i].open && i > from)
            text = ps_arena_format(loader->arena, "%s%s -> ", text,
                                   ps_rules_place_text(loader->arena, loader->seen[i].include));
    return ps_arena_format(loader->arena, "%s%s -> %s", text, ps_rules_place_text(loader->arena, last),
                           loader->seen[from].path);
}

/* Returns true if the file was already read, and reports this. */
static bool seen_before(struct rules_loader *loader, const struct stat *status, struct ps_rules_place place)
{
    for (size_t i = 0; i < loader->seen_count; i++) {
        const struct rules_open_file *seen = &loader->seen[i];
        if (seen->inode != status->st_ino || seen->device != status->st_dev || seen->inode == 0)
            continue;
        if (seen->open)
            ps_rules_problem_add(loader->problems, PS_RULES_ERROR, place, "remove one of these includes",
                                 "files include each other in a cycle: %s", chain_text(loader, i, place));
        else
            ps_rules_problem_add(loader->problems, PS_RULES_WARNING, place, NULL,
                                 "%s is included already, at %s: it is not read again", seen->path,
                                 ps_rules_place_text(loader->arena, seen->include));
        return true;
    }
    return false;
}

/* Lists each name once. `hash` 0: the file could not be read. */
static void file_list(struct rules_loader *loader, const char *path, uint64_t hash)
{
    struct ps_rules *rules = &loader->owned->rules;
    struct ps_rules_problems *problems = loader->problems;
    if (ps_rules_names_find(&loader->files, path, strlen(path)) != RULES_NAME_NONE)
        return;
    ps_rules_names_add(&loader->files, loader->arena, path, strlen(path), 0);
    *RULES_PUSH(loader->arena, rules->files, rules->file_count) = ps_arena_text(loader->arena, path);
    *RULES_PUSH(problems->arena, problems->files, problems->file_count) =
        (struct ps_rules_file){ps_arena_text(problems->arena, path), hash};
}

/* Returns whether a file that could not be opened may be opened later without a change of the file. ESTALE: a file server has replaced
 * the file meanwhile. */
static bool is_passing(int error)
{
    return ps_is_shortage(error) || error == ESTALE;
}

/* Opens and reads the file. Returns false after reporting an error, or if the file was already read. */
static bool file_read(struct rules_loader *loader, const char *path, struct ps_rules_place place,
                      struct content *content, struct stat *status)
{
    const char *why = NULL;
    bool met = false;
    /* O_NONBLOCK: a FIFO must not block the caller. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, status) != 0) {
        loader->problems->passing |= is_passing(errno);
        why = strerror(errno);
    } else if (S_ISDIR(status->st_mode))
        why = "it is a directory";
    else if (!S_ISREG(status->st_mode))
        why = "it is not a regular file";
    else if (seen_before(loader, status, place))
        met = true;
    else if ((uint64_t)status->st_size > PS_RULES_FILE_BYTES_MAX)
        why = too_long;
    else
        why = content_read(fd, (size_t)status->st_size, content);
    if (fd >= 0)
        close(fd);
    if (!met)
        file_list(loader, path,
                  why == NULL ? ps_rules_hash(PS_RULES_HASH, content->bytes, content->length) : 0);
    if (why == NULL && content->length > PS_RULES_FILE_BYTES_MAX - loader->bytes)
        why = too_long;
    if (why != NULL)
        ps_rules_problem_add(loader->problems, PS_RULES_ERROR, place, NULL, "cannot read %s: %s", path, why);
    return why == NULL && !met;
}

static void file_parse(struct rules_loader *loader, const char *path, struct ps_rules_place place,
                       unsigned depth)
{
    struct content content = {0};
    struct stat status;
    if (file_read(loader, path, place, &content, &status)) {
        size_t number = loader->seen_count;
        *RULES_PUSH(loader->arena, loader->seen, loader->seen_count) =
            (struct rules_open_file){path, status.st_dev, status.st_ino, place, true};
        text_parse(loader, path, content.bytes, content.length, depth);
        loader->seen[number].open = false;
    }
    free(content.bytes);
}

void ps_rules_include(struct rules_loader *loader, const char *name, struct ps_rules_place place,
                      unsigned depth)
{
    if (depth > PS_RULES_INCLUDE_DEPTH_MAX || loader->seen_count >= RULES_FILES_MAX) {
        ps_rules_problem_add(loader->problems, PS_RULES_ERROR, place, NULL,
                             depth > PS_RULES_INCLUDE_DEPTH_MAX ? "includes are nested more than %u deep"
                                                                : "more than %u files",
                             depth > PS_RULES_INCLUDE_DEPTH_MAX ? PS_RULES_INCLUDE_DEPTH_MAX
                                                                : RULES_FILES_MAX);
        return;
    }
    const char *slash = name[0] == '/' ? NULL : strrchr(place.file, '/');
    const char *path = slash == NULL ? name
                                     : ps_arena_format(loader->arena, "%.*s/%s", (int)(slash - place.file),
                                                       place.file, name);
    file_parse(loader, path, place, depth);
}

/* ---- all files ---- */

static void loader_init(struct rules_loader *loader, struct ps_rules_problems *problems)
{
    *loader = (struct rules_loader){.problems = problems, .arena = ps_arena_create()};
    loader->owned = ps_arena_alloc(loader->arena, sizeof *loader->owned);
    loader->owned->rules.arena = loader->arena;
    problems->files = NULL;
    problems->file_count = 0;
}

static int order_compare(const void *left, const void *right)
{
    const struct ps_rule *const *a = left, *const *b = right;
    if ((*a)->priority != (*b)->priority)
        return (*a)->priority > (*b)->priority ? -1 : 1;
    return *a < *b ? -1 : 1; /* both are in one array */
}

/* Sorts the rules into the order in which they are tried. */
static void rules_sort(struct rules_loader *loader)
{
    struct ps_rules *rules = &loader->owned->rules;
    struct ps_rule **order = ps_arena_alloc(loader->arena, (loader->all_count + 1) * sizeof *order);
    for (size_t i = 0; i < loader->all_count; i++)
        order[i] = &loader->all[i];
    qsort(order, loader->all_count, sizeof *order, order_compare);
    rules->rules = ps_arena_alloc(loader->arena, (loader->all_count + 1) * sizeof *rules->rules);
    rules->disabled = ps_arena_alloc(loader->arena, (loader->all_count + 1) * sizeof *rules->disabled);
    for (size_t i = 0; i < loader->all_count; i++) {
        if (order[i]->disabled)
            rules->disabled[rules->disabled_count++] = *order[i];
        else
            rules->rules[rules->rule_count++] = *order[i];
    }
}

static struct ps_rules *loader_finish(struct rules_loader *loader, size_t errors)
{
    struct ps_rules *rules = &loader->owned->rules;
    if (loader->problems->errors == errors) {
        ps_rules_live_patterns_first(loader);
        rules_sort(loader);
        ps_rules_check_all(loader);
    }
    ps_rules_problems_sort(loader->problems);
    if (loader->problems->errors == errors)
        return rules;
    ps_rules_destroy(rules);
    return NULL;
}

struct ps_rules *ps_rules_load(const char *path, struct ps_rules_problems *problems)
{
    struct rules_loader loader;
    size_t errors = problems->errors;
    loader_init(&loader, problems);
    path = ps_arena_text(loader.arena, path);
    file_parse(&loader, path, (struct ps_rules_place){.file = path}, 0);
    return loader_finish(&loader, errors);
}

struct ps_rules *ps_rules_parse(const char *name, const char *text, size_t length,
                                struct ps_rules_problems *problems)
{
    struct rules_loader loader;
    size_t errors = problems->errors;
    struct stat status;
    loader_init(&loader, problems);
    name = ps_arena_text(loader.arena, name);
    file_list(&loader, name, ps_rules_hash(PS_RULES_HASH, text, length));
    bool there = stat(name, &status) == 0; /* so that a file which it includes detects a cycle */
    *RULES_PUSH(loader.arena, loader.seen, loader.seen_count) =
        (struct rules_open_file){.path = name,
                                 .device = there ? status.st_dev : 0,
                                 .inode = there ? status.st_ino : 0,
                                 .include = {.file = name},
                                 .open = true};
    if (length > PS_RULES_FILE_BYTES_MAX)
        ps_rules_problem_add(problems, PS_RULES_ERROR, (struct ps_rules_place){.file = name}, NULL,
                             "a rules file may have at most 64 MiB");
    else
        text_parse(&loader, name, text, length, 0);
    return loader_finish(&loader, errors);
}

void ps_rules_destroy(struct ps_rules *rules)
{
    if (rules == NULL)
        return;
    struct rules_owned *owned = (struct rules_owned *)rules;
    for (size_t i = owned->disposable_count; i-- > 0;) {
        ps_regex_replacement_destroy(owned->disposables[i].replacement);
        ps_regex_destroy(owned->disposables[i].regex);
    }
    ps_arena_destroy(rules->arena); /* also frees `rules` */
}
