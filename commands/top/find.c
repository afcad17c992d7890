/* Finds the agent that runs on this machine by its command line, because connecting to every port of the
 * process would disturb its sources. */
#include "commands/top/top.h"

#include "core/watch/metrics/server.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_BYTES_MAX 65536U

struct finding {
    struct ps_arena *arena;
    const char *url;  /* of the first */
    const char *list; /* "a1 http://127.0.0.1:41414 (process 12)", all */
    unsigned count;
};

/* Returns the value of the last argument that begins with `prefix`, or NULL. */
static const char *argument_of(const char *arguments, size_t length, const char *prefix)
{
    const char *found = NULL;
    for (size_t at = 0; at < length; at += strlen(arguments + at) + 1)
        if (strncmp(arguments + at, prefix, strlen(prefix)) == 0)
            found = arguments + at + strlen(prefix);
    return found;
}

static const char *agent_name(const char *arguments, size_t length)
{
    for (size_t at = 0; at < length; at += strlen(arguments + at) + 1) {
        const char *word = arguments + at, *next = word + strlen(word) + 1;
        if (strncmp(word, "--name=", strlen("--name=")) == 0)
            return word + strlen("--name=");
        if ((strcmp(word, "-n") == 0 || strcmp(word, "--name") == 0) && next < arguments + length)
            return next;
    }
    return "?";
}

/* Returns whether a program called penstock runs `agent` or `node`. */
static bool is_agent(const char *arguments, size_t length)
{
    const char *slash = strrchr(arguments, '/'), *base = slash != NULL ? slash + 1 : arguments;
    const char *command = arguments + strlen(arguments) + 1;
    return strcmp(base, "penstock") == 0 && command < arguments + length &&
           (strcmp(command, "agent") == 0 || strcmp(command, "node") == 0);
}

/* Replaces the address of all interfaces by the loopback address. */
static const char *host_of(struct ps_arena *arena, const char *host)
{
    if (host == NULL || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        return "127.0.0.1";
    return strchr(host, ':') != NULL ? ps_arena_format(arena, "[%s]", host) : ps_arena_text(arena, host);
}

static void look_at(struct finding *finding, const char *pid, const char *arguments, size_t length)
{
    const char *type = argument_of(arguments, length, "-Dflume.monitoring.type=");
    const char *port = argument_of(arguments, length, "-Dflume.monitoring.port=");
    const char *host = argument_of(arguments, length, "-Dpenstock.monitoring.host=");
    if (!is_agent(arguments, length) || type == NULL)
        return;
    unsigned long number = port != NULL ? strtoul(port, NULL, 10) : PS_METRICS_SERVER_PORT;
    const char *url = ps_arena_format(finding->arena, "http://%s:%lu", host_of(finding->arena, host), number);
    if (finding->count++ == 0)
        finding->url = url;
    finding->list =
        ps_arena_format(finding->arena, "%s%s%s at %s (process %s)", finding->list,
                        finding->list[0] != '\0' ? ", " : "", agent_name(arguments, length), url, pid);
}

static void process_read(struct finding *finding, const char *proc, const char *pid)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s/cmdline", proc, pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    char *arguments = ps_must_alloc(1, COMMAND_BYTES_MAX + 1, "a command line");
    size_t length = fread(arguments, 1, COMMAND_BYTES_MAX, file);
    fclose(file);
    arguments[length] = '\0';
    if (length > 0)
        look_at(finding, pid, arguments, length);
    free(arguments);
}

const char *ps_top_find(struct ps_arena *arena, const char *proc, struct ps_err *err)
{
    struct finding finding = {.arena = arena, .list = ""};
    DIR *directory = opendir(proc);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]))
            process_read(&finding, proc, entry->d_name);
    if (directory != NULL)
        closedir(directory);
    if (finding.count > 1) {
        ps_err_set(err, "%u agents run on this machine: %s; name one", finding.count, finding.list);
        return NULL;
    }
    return finding.count == 1 ? finding.url
                              : ps_arena_format(arena, "http://127.0.0.1:%d", PS_METRICS_SERVER_PORT);
}

const char *ps_top_url(struct ps_arena *arena, const char *text)
{
    if (strstr(text, "://") != NULL)
        return text;
    if (text[strspn(text, "0123456789")] == '\0' && text[0] != '\0')
        return ps_arena_format(arena, "http://127.0.0.1:%s", text);
    return strchr(text, ':') != NULL ? ps_arena_format(arena, "http://%s", text)
                                     : ps_arena_format(arena, "http://%s:%d", text, PS_METRICS_SERVER_PORT);
}
