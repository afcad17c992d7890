#include "bench/suite/pump.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int ps_pump_connect(unsigned port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int attempt = 0; attempt < 200; attempt++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
            return fd;
        close(fd);
        usleep(50000);
    }
    _exit(1);
}

_Noreturn void ps_pump_send(unsigned port, const char *bytes, size_t length)
{
    struct pollfd lanes[PS_PUMP_CONNECTIONS];
    size_t at[PS_PUMP_CONNECTIONS] = {0};
    for (int i = 0; i < PS_PUMP_CONNECTIONS; i++)
        lanes[i] = (struct pollfd){.fd = ps_pump_connect(port), .events = POLLOUT};
    for (;;) {
        poll(lanes, PS_PUMP_CONNECTIONS, 1000);
        for (int i = 0; i < PS_PUMP_CONNECTIONS; i++) {
            if (lanes[i].revents == 0)
                continue;
            ssize_t n = send(lanes[i].fd, bytes + at[i], length - at[i], MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN)
                _exit(0);
            at[i] = n > 0 ? (at[i] + (size_t)n) % length : at[i];
        }
    }
}

void ps_pump_stop(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}
