/* See tail_command.h. Options: coreutils' tail. */
#include "stages/process/tail_command.h"

#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

#define PATH_LENGTH_MAX 200 /* check shows it twice in a message of 1,023 bytes */

struct parsing {
    const char *const *next; /* the words that are not read yet */
    bool follows, from_start;
    const char *path;
};

/* The value of an option: what stands behind it in its word, or the next word. NULL: there is none. */
static const char *value_of(struct parsing *parsing, const char *rest)
{
    if (*rest != '\0')
        return rest;
    return *parsing->next != NULL ? *parsing->next++ : NULL;
}

static bool read_count(struct parsing *parsing, const char *count)
{
    parsing->from_start = count != NULL && (strcmp(count, "+1") == 0 || strcmp(count, "+0") == 0);
    bool from_line = count != NULL && count[0] == '+'; /* a later line: taildir cannot begin there */
    return count != NULL && (parsing->from_start || !from_line);
}

/* -F, -fn0, -n 0, -10f. */
static bool read_short(struct parsing *parsing, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        switch (*letters) {
        case 'f':
        case 'F':
            parsing->follows = true;
            break;
        case 'q':
            break;
        case 'n':
        case 'c':
            return read_count(parsing, value_of(parsing, letters + 1));
        case 's': /* between two looks */
            return value_of(parsing, letters + 1) != NULL;
        default:
            if (*letters < '0' || *letters > '9')
                return false;
        }
    }
    return true;
}

static bool read_long(struct parsing *parsing, const char *option)
{
    static const char *const counts[] = {"--lines", "--bytes"};
    for (size_t i = 0; i < PS_COUNT_OF(counts); i++) {
        size_t length = strlen(counts[i]);
        if (strncmp(option, counts[i], length) != 0)
            continue;
        if (option[length] == '=')
            return read_count(parsing, option + length + 1);
        return option[length] == '\0' && read_count(parsing, value_of(parsing, ""));
    }
    bool follow = strcmp(option, "--follow") == 0 || strcmp(option, "--follow=name") == 0 ||
                  strcmp(option, "--follow=descriptor") == 0;
    parsing->follows |= follow;
    return follow || strcmp(option, "--retry") == 0 || strcmp(option, "--quiet") == 0 ||
           strcmp(option, "--silent") == 0 || strncmp(option, "--sleep-interval=", 17) == 0;
}

static bool read_path(struct parsing *parsing, const char *path)
{
    if (parsing->path != NULL) /* tail writes the names of several files between their lines */
        return false;
    parsing->path = path;
    return true;
}

static bool is_tail(const char *program)
{
    const char *slash = strrchr(program, '/');
    return strcmp(slash != NULL ? slash + 1 : program, "tail") == 0;
}

/* A file, as far as its name tells, and one whose name is the same in a shell, an agent file and an expression, but
 * for dots and pluses. */
static bool is_plain(const char *path)
{
    size_t length = strlen(path);
    return path[0] == '/' && path[length - 1] != '/' && length <= PATH_LENGTH_MAX &&
           path[strspn(path, LETTERS "/._-+,:@%=")] == '\0' && strncmp(path, "/dev/", 5) != 0 &&
           strncmp(path, "/proc/", 6) != 0;
}

/* Only what stands behind the last slash is an expression. */
static const char *pattern_of(struct ps_arena *arena, const char *path)
{
    char *pattern = ps_arena_alloc(arena, 3 * strlen(path) + 1), *to = pattern;
    const char *name = strrchr(path, '/') + 1;
    to = mempcpy(to, path, (size_t)(name - path));
    for (; *name != '\0'; name++) {
        bool literal = *name != '.' && *name != '+';
        if (!literal)
            *to++ = '[';
        *to++ = *name;
        if (!literal)
            *to++ = ']';
    }
    *to = '\0';
    return pattern;
}

bool ps_tail_command_parse(struct ps_arena *arena, const char *const *words, struct ps_tail_command *command)
{
    if (words[0] == NULL || !is_tail(words[0]))
        return false;
    struct parsing parsing = {.next = words + 1};
    bool options = true;
    while (*parsing.next != NULL) {
        const char *word = *parsing.next++;
        bool good = true;
        if (options && strcmp(word, "--") == 0)
            options = false;
        else if (options && strncmp(word, "--", 2) == 0)
            good = read_long(&parsing, word);
        else if (options && word[0] == '-' && word[1] != '\0')
            good = read_short(&parsing, word + 1);
        else
            good = read_path(&parsing, word);
        if (!good)
            return false;
    }
    if (!parsing.follows || parsing.path == NULL || !is_plain(parsing.path))
        return false;
    *command = (struct ps_tail_command){
        .path = parsing.path, .pattern = pattern_of(arena, parsing.path), .from_start = parsing.from_start};
    return true;
}
