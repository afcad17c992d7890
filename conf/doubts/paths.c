/* See conf/validate/check.h. Identifies the stages by name and reads Flume's keys, never their plans. */
#include "conf/validate/check.h"

#include "conf/parts.h"
#include "conf/text.h"
#include "conf/validate/component.h"

#include <ctype.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum form {
    FORM_ONE,   /* a path */
    FORM_LIST,  /* paths between commas */
    FORM_GROUP, /* the row's key is a prefix; a directory and an expression for names */
    FORM_URL,   /* a path or URL of a file system, with escapes such as %{header} */
};

static const struct path_row {
    enum ps_kind kind;
    const char *stage; /* NULL: any */
    const char *key;
    enum form form;
    const char *several; /* the cure where several places are meant */
} rows[] = {
    {PS_KIND_SOURCE, "spooldir", "spoolDir", FORM_ONE,
     "name one directory, and make a source for each other one"},
    {PS_KIND_SOURCE, "spooldir", "trackerDir", FORM_ONE, "name one directory"},
    {PS_KIND_SOURCE, "taildir", "positionFile", FORM_ONE, "name one file"},
    {PS_KIND_SOURCE, "taildir", "filegroups.", FORM_GROUP,
     "name one directory here, and add a group to filegroups for each other one"},
    {PS_KIND_CHANNEL, "file", "checkpointDir", FORM_ONE, "name one directory"},
    {PS_KIND_CHANNEL, "file", "backupCheckpointDir", FORM_ONE, "name one directory"},
    {PS_KIND_CHANNEL, "file", "dataDirs", FORM_LIST, "write each directory, with commas between them"},
    {PS_KIND_CHANNEL, "spillablememory", "checkpointDir", FORM_ONE, "name one directory"},
    {PS_KIND_CHANNEL, "spillablememory", "backupCheckpointDir", FORM_ONE, "name one directory"},
    {PS_KIND_CHANNEL, "spillablememory", "dataDirs", FORM_LIST,
     "write each directory, with commas between them"},
    {PS_KIND_SOURCE, NULL, "penstock.deadletter", FORM_ONE, "name one directory"},
    {PS_KIND_SINK, NULL, "penstock.deadletter", FORM_ONE, "name one directory"},
    {PS_KIND_SINK, "file_roll", "sink.directory", FORM_ONE, "name one directory"},
    {PS_KIND_SINK, "hdfs", "hdfs.path", FORM_URL,
     "name one directory; events that go to several need a channel and a sink for each"},
};

struct doubting {
    struct ps_conf *conf;
    const struct ps_conf_part *part;
    const struct path_row *row;
    const struct ps_pair *pair;
};

/* What is wrong with a path, and what to write. */
struct doubt {
    const char *what, *cure;
};

static bool exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

/* ---- the kinds of doubt ---- */

/* Returns the path that a shell makes of "~/in" or "~user/in"; NULL: there is no such user. */
static const char *of_home(struct ps_arena *arena, const char *path)
{
    size_t length = strcspn(path, "/");
    const char *name = ps_arena_copy(arena, path + 1, length - 1), *home = getenv("HOME");
    const struct passwd *user = *name != '\0' ? getpwnam(name) : NULL;
    if (*name != '\0')
        home = user != NULL ? user->pw_dir : NULL;
    return home != NULL ? ps_arena_format(arena, "%s%s", home, path + length) : NULL;
}

/* Returns "write /in", or, for one path of several, "write /in instead of ~/in". */
static const char *cure_with(const struct doubting *doubting, const char *instead, const char *path)
{
    struct ps_arena *arena = doubting->conf->arena;
    return strcmp(path, doubting->pair->value) == 0
               ? ps_arena_format(arena, "write %s", instead)
               : ps_arena_format(arena, "write %s instead of %s", instead, path);
}

static bool doubt_home(const struct doubting *doubting, const char *path, struct doubt *doubt)
{
    const char *instead = path[0] == '~' ? of_home(doubting->conf->arena, path) : NULL;
    if (path[0] != '~' || (instead == NULL && path[1] != '/'))
        return false;
    doubt->what = "only a shell replaces ~ by a home directory: here it is the name of a directory";
    doubt->cure = instead != NULL && doubting->row->form != FORM_URL ? cure_with(doubting, instead, path)
                                                                     : "write the whole path";
    return true;
}

/* Returns the length of "file:" and the like; 0: there is none. */
static size_t scheme_length(const char *path)
{
    size_t length = 0;
    while (isalnum((unsigned char)path[length]))
        length++;
    return length > 1 && path[length] == ':' && path[length + 1] == '/' ? length + 1 : 0;
}

/* "hdfs//namenode/logs". */
static bool doubt_colon(struct ps_arena *arena, const char *path, struct doubt *doubt)
{
    size_t length = 0;
    while (isalnum((unsigned char)path[length]))
        length++;
    if (length == 0 || strncmp(path + length, "//", 2) != 0)
        return false;
    doubt->what = "a colon is missing";
    doubt->cure = ps_arena_format(arena, "write %.*s:%s", (int)length, path, path + length);
    return true;
}

static bool doubt_url(const struct doubting *doubting, const char *path, struct doubt *doubt)
{
    size_t length = scheme_length(path);
    if (length == 0)
        return false;
    const char *rest = path + length;
    doubt->what = "a path of this machine belongs here, not a URL";
    if (strncasecmp(path, "file:", 5) != 0) {
        doubt->cure = "name a directory of this machine";
        return true;
    }
    while (rest[0] == '/' && rest[1] == '/')
        rest++;
    doubt->cure = cure_with(doubting, rest, path);
    return true;
}

/* Returns where a second path begins ("/a,/b", "/a /b"), or NULL. */
static const char *second_path(const char *path)
{
    for (const char *at = path + (*path != '\0'); *at != '\0'; at++) {
        const char *next = at + 1 + strspn(at + 1, " \t");
        if (strchr(" \t,;:", *at) == NULL || (*at == ':' && at == path + scheme_length(path) - 1))
            continue;
        if (*at != ':' && scheme_length(next) > 0)
            return next;
        if ((*next == '/' && next[1] != '/') || (next[0] == '~' && next[1] == '/'))
            return next;
    }
    return NULL;
}

static bool doubt_second(const struct doubting *doubting, const char *path, struct doubt *doubt)
{
    struct ps_arena *arena = doubting->conf->arena;
    const char *second = second_path(path);
    if (second == NULL)
        return false;
    doubt->what = "this is one path, and looks like two";
    doubt->cure = doubting->row->several;
    if (doubting->row->form != FORM_LIST)
        return true;
    const char *words = "", *first = path;
    for (; second != NULL; first = second, second = second_path(first)) {
        size_t length = (size_t)(second - first);
        while (length > 0 && strchr(" \t,;:", first[length - 1]) != NULL)
            length--;
        words = ps_arena_format(arena, "%s%.*s,", words, (int)length, first);
    }
    doubt->cure = ps_arena_format(arena, "directories have commas between them: %s",
                                  cure_with(doubting, ps_arena_format(arena, "%s%s", words, first), path));
    return true;
}

/* Returns the first character that only a shell, or an expression, would not take as it is. */
static const char *pattern_in(const char *path, enum form form)
{
    static const char *const signs[] = {
        [FORM_ONE] = "*?[{", [FORM_LIST] = "*?[{", [FORM_GROUP] = "*?[{(|\\", [FORM_URL] = "*?[{"};
    for (const char *at = path; (at = strpbrk(at, signs[form])) != NULL; at++) {
        size_t braces = *at == '{' ? strcspn(at, "}") : 0;
        if (*at == '{' && memchr(at, ',', braces) == NULL)
            continue; /* "{a}" is a name, "{a,b}" a pattern */
        if (form == FORM_URL && *at == '[' && at - path >= 3 && memcmp(at - 3, "://", 3) == 0)
            continue; /* of an address: "hdfs://[::1]:8020/logs" */
        if (form != FORM_URL || at == path || (at[-1] != '%' && at[-1] != '$'))
            return at;
    }
    return NULL;
}

static bool doubt_pattern(const struct doubting *doubting, const char *path, struct doubt *doubt)
{
    struct ps_arena *arena = doubting->conf->arena;
    const char *sign = pattern_in(path, doubting->row->form);
    if (sign == NULL)
        return false;
    doubt->what = ps_arena_format(arena, "%.1s stands for itself in the name of a directory", sign);
    doubt->cure = doubting->row->several;
    return true;
}

/* "/x/{d1,d2}" in a list, which commas split: only a shell makes two paths of it. */
static bool doubt_braces(const struct doubting *doubting, struct doubt *doubt)
{
    struct ps_arena *arena = doubting->conf->arena;
    const char *value = doubting->pair->value, *open = value, *words = "";
    size_t length = 0;
    while ((open = strchr(open, '{')) != NULL) {
        length = strcspn(open + 1, "{}");
        if (open[1 + length] == '}' && memchr(open + 1, ',', length) != NULL)
            break;
        open++;
    }
    if (open == NULL)
        return false;
    const char *start = open, *close = open + 1 + length;
    while (start > value && strchr(", \t", start[-1]) == NULL)
        start--;
    int tail = (int)strcspn(close + 1, ", \t");
    for (const char *word = open + 1; word <= close;) {
        int size = (int)strcspn(word, ",}");
        words = ps_arena_format(arena, "%s%s%.*s%.*s%.*s", words, *words != '\0' ? "," : "",
                                (int)(open - start), start, size, word, tail, close + 1);
        word += size + 1;
    }
    doubt->what = "{ stands for itself in the name of a directory";
    doubt->cure = cure_with(doubting, words, ps_arena_copy(arena, start, (size_t)(close + 1 + tail - start)));
    return true;
}

/* "hdfs:\\\\namenode\\logs", "C:\\logs". A directory of this machine that has slashes may have a name with a backslash. A backslash that
 * Java's properties removed is a problem of its own, and comes first. */
static bool doubt_backslash(const struct doubting *doubting, const char *path, struct doubt *doubt)
{
    struct ps_arena *arena = doubting->conf->arena;
    struct ps_place place = {.file = doubting->pair->file, .line = doubting->pair->line};
    bool is_name = doubting->row->form != FORM_URL && strchr(path, '/') != NULL;
    if (strchr(path, '\\') == NULL || is_name || ps_problems_lost_backslash(&doubting->conf->problems, place))
        return false;
    char *slashes = ps_arena_copy(arena, path, strlen(path));
    for (char *at = slashes; (at = strchr(at, '\\')) != NULL;)
        *at = '/';
    const char *colon = strchr(slashes, ':');
    doubt->what = "a backslash is not a slash: directories have / between them";
    if (doubting->row->form == FORM_URL && colon != NULL && colon > slashes + 1 && colon[1] == '/')
        doubt->cure = ps_arena_format(arena, "write %.*s://%s", (int)(colon - slashes), slashes,
                                      colon + 1 + strspn(colon + 1, "/"));
    else
        doubt->cure =
            colon == slashes + 1 ? "name a directory of this machine" : cure_with(doubting, slashes, path);
    return true;
}

/* "$HOME/in": only ${..} is replaced in these files. */
static bool doubt_variable(struct ps_arena *arena, const char *path, struct doubt *doubt)
{
    const char *at = strchr(path, '$');
    if (at == NULL || (!isalpha((unsigned char)at[1]) && at[1] != '_'))
        return false;
    size_t length = 1;
    while (isalnum((unsigned char)at[length]) || at[length] == '_')
        length++;
    doubt->what = ps_arena_format(arena, "%.*s is not replaced here", (int)length, at);
    doubt->cure = ps_arena_format(arena, "write ${env:%.*s}", (int)length - 1, at + 1);
    return true;
}

/* ---- one value ---- */

static bool is_quoted(const char *value)
{
    size_t length = strlen(value);
    return length > 2 && (value[0] == '"' || value[0] == '\'') && value[length - 1] == value[0];
}

static void report(const struct doubting *doubting, const struct doubt *doubt)
{
    struct ps_conf *conf = doubting->conf;
    const char *key =
        ps_arena_format(conf->arena, "%s.%ss.%s.%s", conf->agent.name,
                        ps_stage_kind_word(doubting->row->kind), doubting->part->name, doubting->pair->key);
    ps_problem_add(&conf->problems, PS_SEVERITY_WARNING,
                   (struct ps_place){doubting->pair->file, doubting->pair->line, key}, doubt->cure, "%s: %s",
                   doubting->pair->value, doubt->what);
    ps_problem_mistake(&conf->problems, PS_MISTAKE_CAUSE);
}

/* Looks at one path of the value. Returns whether it is doubtful; reports it if the text in quotes was not reported
 * before. */
static bool look_at_path(const struct doubting *doubting, const char *path)
{
    struct ps_arena *arena = doubting->conf->arena;
    struct doubt doubt;
    enum form form = doubting->row->form;
    const char *whole = path;
    if (form == FORM_GROUP) {
        const char *slash = strrchr(path, '/');
        path = slash != NULL ? ps_arena_copy(arena, path, (size_t)(slash - path)) : "";
    }
    if (*path == '\0' || (form != FORM_URL && exists(path)))
        return false;
    if (is_quoted(whole))
        return true; /* reported for every key (conf/load.c) */
    bool found =
        doubt_home(doubting, whole, &doubt) ||
        (form != FORM_GROUP && doubt_backslash(doubting, whole, &doubt)) ||
        (form == FORM_URL ? doubt_colon(arena, whole, &doubt) : doubt_url(doubting, whole, &doubt)) ||
        doubt_second(doubting, path, &doubt) || doubt_variable(arena, path, &doubt) ||
        doubt_pattern(doubting, path, &doubt);
    if (found)
        report(doubting, &doubt);
    return found;
}

static void look_at_pair(const struct doubting *doubting)
{
    struct ps_arena *arena = doubting->conf->arena;
    const char *value = doubting->pair->value;
    if (ps_problems_is_unknown(&doubting->conf->problems, value))
        return;
    bool found = false;
    if (doubting->row->form == FORM_LIST && !is_quoted(value)) {
        struct doubt doubt;
        struct ps_texts paths = ps_text_split_commas(arena, value);
        if (doubt_braces(doubting, &doubt)) {
            report(doubting, &doubt);
            found = true;
        }
        for (size_t i = 0; i < paths.count && !found; i++)
            found = look_at_path(doubting, paths.items[i]);
    } else {
        found = look_at_path(doubting, value);
    }
    doubting->conf->doubts += found;
}

static void look_at_part(struct ps_conf *conf, const struct ps_conf_part *part)
{
    for (size_t r = 0; r < PS_COUNT_OF(rows); r++) {
        if (rows[r].kind != part->ops->kind ||
            (rows[r].stage != NULL && strcmp(rows[r].stage, part->ops->name) != 0))
            continue;
        for (size_t i = 0; i < part->pairs.count; i++) {
            const struct ps_pair *pair = &part->pairs.items[i];
            if (rows[r].form == FORM_GROUP ? ps_text_begins(pair->key, rows[r].key)
                                           : strcmp(pair->key, rows[r].key) == 0)
                look_at_pair(&(struct doubting){conf, part, &rows[r], pair});
        }
    }
}

void ps_doubt_paths(struct ps_conf *conf)
{
    const struct ps_conf_part *part;
    for (size_t i = 0; (part = ps_conf_part_at(&conf->agent, i)) != NULL; i++)
        look_at_part(conf, part);
    for (const struct ps_conf_aside *aside = conf->aside; aside != NULL; aside = aside->next)
        look_at_part(conf, &aside->part);
}
