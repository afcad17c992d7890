/* See tail_command.h. Options: coreutils' tail; sudo(8). */
#include "stages/lib/process/tail_command.h"

#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

#define PATHS_LENGTH_MAX 200 /* total of the paths, which check shows twice in a message of 1,023 bytes */

struct parsing {
    struct ps_arena *arena;
    const char *const *next; /* the words that are not read yet */
    bool shell, follows, quiet;
    size_t paths_length;
    struct ps_tail_command *command;
};

/* Returns the value of an option: the rest of its word, or the next word. NULL: there is none. */
static const char *value_of(struct parsing *parsing, const char *rest)
{
    if (*rest != '\0')
        return rest;
    return *parsing->next != NULL ? *parsing->next++ : NULL;
}

static bool read_count(struct parsing *parsing, const char *count)
{
    bool from_start = count != NULL && (strcmp(count, "+1") == 0 || strcmp(count, "+0") == 0);
    bool from_line = count != NULL && count[0] == '+'; /* a later line: taildir cannot begin there */
    parsing->command->from_start = from_start;
    return count != NULL && (from_start || !from_line);
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
            parsing->quiet = true;
            break;
        case 'n':
        case 'c':
            return read_count(parsing, value_of(parsing, letters + 1));
        case 's': /* seconds between two looks */
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
    bool quiet = strcmp(option, "--quiet") == 0 || strcmp(option, "--silent") == 0;
    parsing->follows |= follow;
    parsing->quiet |= quiet;
    return follow || quiet || strcmp(option, "--retry") == 0 || strncmp(option, "--sleep-interval=", 17) == 0;
}

static bool is_program(const char *word, const char *program)
{
    const char *slash = word != NULL ? strrchr(word, '/') : NULL;
    return word != NULL && strcmp(slash != NULL ? slash + 1 : word, program) == 0;
}

/* Returns whether the word can be the name of a file, and is written the same in a shell, an agent file and an
 * expression, except for dots and pluses. */
static bool is_plain(const char *path)
{
    size_t length = strlen(path);
    return path[0] == '/' && path[length - 1] != '/' && length <= PATHS_LENGTH_MAX &&
           path[strspn(path, LETTERS "/._-+,:@%=")] == '\0' && strncmp(path, "/dev/", 5) != 0 &&
           strncmp(path, "/proc/", 6) != 0;
}

/* Only the part after the last slash is an expression. */
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

/* Removes the quotes as a shell does. The text between them must be plain, else the command is not one that is
 * recognized. */
static const char *unquote(const struct parsing *parsing, const char *word)
{
    size_t length = strlen(word);
    bool quoted = length > 2 && (word[0] == '"' || word[0] == '\'') && word[length - 1] == word[0];
    return parsing->shell && quoted ? ps_arena_copy(parsing->arena, word + 1, length - 2) : word;
}

static bool read_path(struct parsing *parsing, const char *word)
{
    struct ps_tail_command *command = parsing->command;
    const char *path = unquote(parsing, word);
    parsing->paths_length += strlen(path);
    if (command->count == PS_TAIL_COMMAND_FILES_MAX || parsing->paths_length > PATHS_LENGTH_MAX ||
        !is_plain(path))
        return false;
    command->files[command->count].path = path;
    command->files[command->count++].pattern = pattern_of(parsing->arena, path);
    return true;
}

/* sudo -n -u USER: reads up to the program that it runs. */
static bool read_sudo(struct parsing *parsing)
{
    if (!is_program(*parsing->next, "sudo"))
        return true;
    parsing->command->sudo = true;
    for (parsing->next++; *parsing->next != NULL && **parsing->next == '-'; parsing->next++) {
        const char *option = *parsing->next;
        if (strcmp(option, "-u") == 0 && parsing->next[1] != NULL)
            parsing->next++;
        else if (option[1] == '\0' || option[1 + strspn(option + 1, "nEH")] != '\0')
            return false;
    }
    return true;
}

bool ps_tail_command_parse(struct ps_arena *arena, const char *const *words, bool shell,
                           struct ps_tail_command *command)
{
    *command = (struct ps_tail_command){.count = 0};
    struct parsing parsing = {.arena = arena, .next = words, .shell = shell, .command = command};
    bool options = true;
    if (!read_sudo(&parsing) || !is_program(*parsing.next, "tail"))
        return false;
    parsing.next++;
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
    command->titles = command->count > 1 && !parsing.quiet;
    return parsing.follows && command->count > 0;
}
