/* `penstock plugin test FILE.so`: starts penstock-plugin-test, which has the conformance suites (tests/plugin), from the place
 * where it was installed with this program. */
#include "commands/plugin/plugin.h"

#include "core/arena.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 4096U
#define WORDS_MAX 48U

/* Returns the path of the test program, or NULL after printing why there is none. */
static const char *find_program(struct ps_arena *arena)
{
    /* beside the program in a build folder, and below its prefix */
    static const char *const places[] = {"penstock-plugin-test", "../lib/penstock/penstock-plugin-test"};
    char self[PATH_BYTES];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL)
        *slash = '\0';
    for (size_t i = 0; i < PS_COUNT_OF(places); i++) {
        const char *path = ps_arena_format(arena, "%s/%s", self, places[i]);
        if (access(path, X_OK) == 0)
            return path;
    }
    fprintf(stderr, "penstock plugin test: there is no %s/%s; install penstock with its files for plug-ins\n",
            self, places[1]);
    return NULL;
}

/* An object that was built by gcc with -fsanitize=address needs the library of the sanitizer, which must be the first one in
 * the process. Returns its name, or NULL. */
static const char *find_sanitizer(struct ps_arena *arena, const char *path)
{
    static const char begin[] = "libasan.so.";
    char *text = NULL;
    size_t room = 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    const char *name = NULL;
    while (name == NULL && getdelim(&text, &room, '\0', file) > 0) { /* a name is between two zero bytes */
        if (strncmp(text, begin, strlen(begin)) == 0)
            name = ps_arena_text(arena, text);
    }
    fclose(file);
    free(text);
    return name;
}

static void add(const char **words, size_t *count, const char *option, const struct ps_texts *values)
{
    for (size_t i = 0; i < values->count && *count + 3 < WORDS_MAX; i++) {
        words[(*count)++] = option;
        words[(*count)++] = values->items[i];
    }
}

int ps_main_plugin_test(const struct ps_plugin_command *command, const char *file)
{
    const char *words[WORDS_MAX], *program = find_program(command->arena);
    const char *const options[][2] = {{"--stage", command->stage},
                                      {"--check", command->check},
                                      {"--send", command->sends},
                                      {"--arrived", command->arrives},
                                      {"--receive", command->receives},
                                      {"--read", command->reads},
                                      {"--routes", command->routes},
                                      {"--limit", ps_arena_format(command->arena, "%u", command->limit_s)}};
    size_t count = 0;
    if (program == NULL)
        return 1;
    words[count++] = program;
    words[count++] = file;
    for (size_t i = 0; i < PS_COUNT_OF(options); i++) {
        if (options[i][1] != NULL) {
            words[count++] = options[i][0];
            words[count++] = options[i][1];
        }
    }
    add(words, &count, "--key", &command->keys);
    add(words, &count, "--fresh", &command->fresh);
    words[count] = NULL;
    const char *sanitizer = find_sanitizer(command->arena, file);
    if (sanitizer != NULL)
        setenv("LD_PRELOAD", sanitizer, 1);
    fflush(stdout);
    execv(program, (char *const *)(uintptr_t)words);
    fprintf(stderr, "penstock plugin test: cannot run %s: %s\n", program, strerror(errno));
    return 1;
}
