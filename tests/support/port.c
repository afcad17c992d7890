#include "tests/support/port.h"

#include "tests/support/support.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

/* After the ports of tests/support/ports.sh. */
#define FIRST 30000U
#define COUNT 2700U
#define STEP 37U /* distance between the first ports of two processes */

unsigned ps_test_port(int type)
{
    static unsigned calls;
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned port = FIRST + ((unsigned)getpid() * STEP + calls++) % COUNT;
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        int bound = bind(fd, (struct sockaddr *)&address, sizeof address), yes = 1;
        /* The socket stays bound, which keeps other tests away while the port is closed. It does not listen,
         * so that a connection is refused. The listener sets SO_REUSEADDR as well. */
        if (bound != 0 || type != SOCK_STREAM ||
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0)
            close(fd);
        if (bound == 0)
            return port;
    }
    fail_msg("no free port");
    return 0;
}
