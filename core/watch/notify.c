#include "core/watch/notify.h"
#include "core/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int socket_fd = -1; /* kept until the process ends; -1: not made yet */

bool ps_notify_open(void)
{
    if (socket_fd < 0 && getenv("NOTIFY_SOCKET") != NULL)
        socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return socket_fd >= 0;
}

static bool send_text(const char *text, size_t length)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* Accepts a path, or '@' and a name in the abstract namespace. */
    if (path == NULL || (path[0] != '/' && path[0] != '@') || path[1] == '\0')
        return false;
    size_t path_length = strlen(path);
    if (path_length >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, path, path_length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    if (!ps_notify_open())
        return false;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_length + (path[0] == '/'));
    return sendto(socket_fd, text, length, MSG_NOSIGNAL, (const struct sockaddr *)&address, size) ==
           (ssize_t)length;
}

bool ps_notify(const char *format, ...)
{
    char text[1001];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length <= 0)
        return false;
    return send_text(text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

bool ps_notify_ready(const char *status)
{
    return ps_notify("READY=1\nSTATUS=%s", status);
}

bool ps_notify_reloading(void)
{
    return ps_notify("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(ps_clock_now().mono_ns / 1000));
}

bool ps_notify_stopping(const char *status)
{
    return ps_notify("STOPPING=1\nSTATUS=%s", status);
}

uint64_t ps_notify_watchdog_ms(void)
{
    const char *limit_us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (limit_us == NULL || (pid != NULL && strtol(pid, NULL, 10) != getpid()))
        return 0;
    char *end;
    unsigned long long limit = strtoull(limit_us, &end, 10);
    if (*end != '\0' || limit == 0)
        return 0;
    return limit / 2000 > 0 ? limit / 2000 : 1;
}

bool ps_notify_watchdog(void)
{
    return ps_notify("WATCHDOG=1");
}
