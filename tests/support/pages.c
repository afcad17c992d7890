#include "tests/support/pages.h"

#include "core/base.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATHS_MAX 8

struct page {
    char *path, *files; /* the files that are left, separated by commas */
};

/* Answers one request with the page's next file. */
static void answer(int client, struct page *page)
{
    static char text[1 << 16];
    char name[256] = "", head[128];
    size_t length = 0;
    unsigned status = 404;
    if (page != NULL) {
        size_t end = strcspn(page->files, ",");
        snprintf(name, sizeof name, "%.*s", (int)end, page->files);
        if (page->files[end] == ',')
            page->files += end + 1;
        FILE *file = fopen(name, "re");
        if (file != NULL) {
            length = fread(text, 1, sizeof text, file);
            fclose(file);
            status = strspn(name, "0123456789") == 3 ? (unsigned)strtoul(name, NULL, 10) : 200;
        }
    }
    int head_length =
        snprintf(head, sizeof head, "HTTP/1.1 %u X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                 status, length);
    (void)!write(client, head, (size_t)head_length);
    (void)!write(client, text, length);
}

static _Noreturn void serve(int listener, struct page *pages, size_t count)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        char request[8192], path[512] = "", token[128] = "";
        size_t length = 0;
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            _exit(1);
        for (ssize_t got; length < sizeof request - 1 &&
                          (got = read(client, request + length, sizeof request - 1 - length)) > 0;) {
            length += (size_t)got;
            request[length] = '\0';
            if (strstr(request, "\r\n\r\n") != NULL)
                break;
        }
        sscanf(request, "GET %511s", path);
        const char *bearer = strstr(request, "Authorization: ");
        if (bearer != NULL)
            sscanf(bearer + 15, "%127[^\r]", token);
        FILE *log = fopen("requests", "ae");
        if (log != NULL) {
            fprintf(log, "%s%s%s\n", path, token[0] != '\0' ? " " : "", token);
            fclose(log);
        }
        struct page *found = NULL;
        for (size_t i = 0; i < count && found == NULL; i++)
            if (strcmp(pages[i].path, path) == 0)
                found = &pages[i];
        answer(client, found);
        close(client);
    }
}

int ps_test_pages(int argc, char **argv, int (*run)(int argc, char **argv))
{
    static struct page pages[PATHS_MAX];
    static char address[32], words[32][256];
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof name;
    size_t count = 0;
    int at = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (; at < argc && strcmp(argv[at], "--") != 0 && count < PATHS_MAX; at++) {
        char *equals = strrchr(argv[at], '=');
        if (equals == NULL)
            return 96;
        *equals = '\0';
        pages[count++] = (struct page){argv[at], equals + 1};
    }
    if (listener < 0 || bind(listener, (struct sockaddr *)&name, sizeof name) != 0 ||
        listen(listener, 16) != 0 || getsockname(listener, (struct sockaddr *)&name, &length) != 0)
        return 96;
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(name.sin_port));
    pid_t server = fork();
    if (server == 0)
        serve(listener, pages, count);
    close(listener);
    for (int i = at + 1; i < argc && i - at < 32; i++) {
        char *mark = strstr(argv[i], "ADDRESS");
        if (mark == NULL)
            continue;
        snprintf(words[i - at], sizeof words[0], "%.*s%s%s", (int)(mark - argv[i]), argv[i], address,
                 mark + strlen("ADDRESS"));
        argv[i] = words[i - at];
    }
    int code = run(argc - at - 1, argv + at + 1);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return code;
}
