/* `penstock deadletter`: reads the letters of a directory. */
#include "commands/deadletter/deadletter.h"
#include "commands/deadletter/internal.h"
#include "core/text/base64.h"
#include "core/text/ends.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int select_letters(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && ps_text_ends(entry->d_name, ".jsonl");
}

const char *ps_deadletter_text(const struct ps_deadletter *letter, const char *name)
{
    const char *text = json_string_value(json_object_get(letter->json, name));
    return text != NULL ? text : "";
}

/* Decodes base64. Returns the bytes, which the caller frees; NULL if the text is not base64. */
static char *decode_base64(const char *text, size_t *length)
{
    size_t characters = strlen(text);
    char *bytes = ps_must_alloc(characters / 4 + 1, 3, "a letter");
    if (ps_base64_decode(text, characters, bytes, length))
        return bytes;
    free(bytes);
    return NULL;
}

/* Sets the body. The caller frees *memory. */
static bool body_of(struct ps_deadletter *letter, char **memory)
{
    const json_t *plain = json_object_get(letter->json, "body");
    *memory = NULL;
    if (json_is_string(plain)) {
        letter->body = json_string_value(plain);
        letter->body_length = json_string_length(plain);
        return true;
    }
    const char *text = json_string_value(json_object_get(letter->json, "body_base64"));
    if (text != NULL)
        letter->body = *memory = decode_base64(text, &letter->body_length);
    return *memory != NULL;
}

/* "sink k1" has the names "sink k1" and "k1"; "interceptor i1 of source r1" also has "i1" and "r1". */
static bool is_component(const char *component, const char *wanted)
{
    size_t length = strlen(wanted);
    for (const char *at = component; length > 0 && (at = strstr(at, wanted)) != NULL; at++)
        if ((at == component || at[-1] == ' ') && (at[length] == '\0' || at[length] == ' '))
            return true;
    return false;
}

static bool is_wanted(const struct ps_deadletter_command *command, const struct ps_deadletter *letter)
{
    const char *time = ps_deadletter_text(letter, "time");
    const char *state = letter->replayed ? "replayed" : letter->aside ? "aside" : "open";
    return (command->agent == NULL || strcmp(command->agent, ps_deadletter_text(letter, "agent")) == 0) &&
           (command->reason == NULL || strcmp(command->reason, ps_deadletter_text(letter, "reason")) == 0) &&
           (command->component == NULL ||
            is_component(ps_deadletter_text(letter, "component"), command->component)) &&
           (command->since == NULL || strcmp(time, command->since) >= 0) &&
           (command->until == NULL || strcmp(time, command->until) < 0) &&
           (command->state == NULL || strcmp(command->state, state) == 0);
}

struct walk {
    const struct ps_deadletter_command *command;
    const struct ps_deadletter_marks *marks;
    bool (*each)(void *argument, const struct ps_deadletter *letter);
    void *argument;
    struct ps_deadletter_found *found;
    uint64_t given;
};

/* Returns how often the letter was replayed in a way that keeps headers. */
static unsigned replays_in_header(const struct ps_deadletter *letter)
{
    const json_t *headers = json_object_get(letter->json, "headers");
    const char *text = json_string_value(json_object_get(headers, PS_DEADLETTER_HEADER));
    unsigned long count = text != NULL ? strtoul(text, NULL, 10) : 0;
    return count < UINT16_MAX ? (unsigned)count : UINT16_MAX;
}

/* Returns whether to continue. */
static bool line_take(struct walk *walk, struct ps_deadletter *letter)
{
    char *memory = NULL;
    bool more = true;
    letter->json = json_loadb(letter->line, letter->line_length, 0, NULL);
    if (!json_is_object(letter->json) || !body_of(letter, &memory)) {
        walk->found->unreadable++;
        fprintf(stderr, "penstock deadletter: %s: the line at byte %llu is not a dead letter\n", letter->file,
                (unsigned long long)letter->offset);
    } else {
        walk->found->letters++;
        ps_deadletter_marks_look(walk->marks, letter);
        unsigned in_header = replays_in_header(letter);
        letter->replays = in_header > letter->replays ? in_header : letter->replays;
        letter->aside = !letter->replayed && letter->replays >= walk->command->replays_max;
        if (is_wanted(walk->command, letter)) {
            more = walk->each(walk->argument, letter) &&
                   (walk->command->limit == 0 || ++walk->given < walk->command->limit);
        }
    }
    json_decref(letter->json);
    free(memory);
    return more;
}

/* Opens a regular file. Returns NULL after printing the error; opening a pipe of that name would block. */
static FILE *file_open(const char *path)
{
    struct stat found;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const char *reason = fd < 0 || fstat(fd, &found) != 0 ? strerror(errno)
                         : !S_ISREG(found.st_mode)        ? "it is not a regular file"
                                                          : NULL;
    FILE *file = reason == NULL ? fdopen(fd, "r") : NULL;
    if (file != NULL)
        return file;
    fprintf(stderr, "penstock deadletter: %s: %s\n", path, reason != NULL ? reason : strerror(errno));
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* Reads the first `size` bytes. Returns whether to continue. Sets *failed after printing a read error. */
static bool file_read(struct walk *walk, const char *name, uint64_t size, bool *failed)
{
    char path[4096], *line = NULL;
    size_t room = 0;
    ssize_t length;
    bool more = true;
    snprintf(path, sizeof path, "%s/%s", walk->command->directory, name);
    FILE *file = file_open(path);
    if (file == NULL) {
        *failed = true;
        return true;
    }
    struct ps_deadletter letter = {.file = name};
    walk->found->files++;
    while (more && letter.offset < size && (length = getline(&line, &room, file)) > 0) {
        if (line[length - 1] != '\n') { /* a crash has cut the line off, or it is still being written */
            walk->found->torn++;
            break;
        }
        letter.line = line;
        letter.line_length = (size_t)length;
        more = line_take(walk, &letter);
        letter = (struct ps_deadletter){.file = name, .offset = letter.offset + (uint64_t)length};
    }
    if (ferror(file)) { /* an error, not the end of the file: letters after it are neither shown nor marked */
        fprintf(stderr, "penstock deadletter: %s: %s\n", path, strerror(errno));
        *failed = true;
    }
    walk->found->bytes += letter.offset;
    free(line);
    fclose(file);
    return more;
}

/* Finds the file's size. Returns false after printing why the size is not known. A file that no longer exists has 0
 * bytes; a stopping agent removes a file without letters. */
static bool look_at_size(const char *directory, const char *name, uint64_t *size)
{
    char path[4096];
    struct stat found = {.st_size = 0};
    snprintf(path, sizeof path, "%s/%s", directory, name);
    bool known = stat(path, &found) == 0 || errno == ENOENT;
    if (!known)
        fprintf(stderr, "penstock deadletter: %s: %s\n", path, strerror(errno));
    *size = known ? (uint64_t)found.st_size : 0;
    return known;
}

/* Notes the size of every letter file before it reads the first one, so that letters written meanwhile, perhaps because
 * of the replay itself, are not read. */
bool ps_deadletter_each(const struct ps_deadletter_command *command, const struct ps_deadletter_marks *marks,
                        bool (*each)(void *argument, const struct ps_deadletter *letter), void *argument,
                        struct ps_deadletter_found *found)
{
    struct walk walk = {command, marks, each, argument, found, 0};
    struct dirent **names;
    bool failed = false, more = true;
    *found = (struct ps_deadletter_found){0};
    int count = scandir(command->directory, &names, select_letters, alphasort);
    if (count < 0) {
        fprintf(stderr, "penstock deadletter: %s: %s\n", command->directory, strerror(errno));
        return false;
    }
    uint64_t *sizes = ps_must_alloc((size_t)count + 1, sizeof *sizes, "files of letters");
    for (int i = 0; i < count; i++)
        failed |= !look_at_size(command->directory, names[i]->d_name, &sizes[i]);
    for (int i = 0; i < count; i++) {
        more = more && file_read(&walk, names[i]->d_name, sizes[i], &failed);
        free(names[i]);
    }
    free(sizes);
    free(names);
    return !failed && found->unreadable == 0;
}
