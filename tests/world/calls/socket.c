/* Sockets of the agent over the world's network. IPv6 addresses are IPv4's that are mapped. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/world/descriptor.h"
#include "tests/world/fault.h"
#include "tests/world/net.h"
#include "tests/world/real.h"
#include "tests/world/turn.h"

struct agent_socket {
    int family, type, error;
    struct net_address bound;
    struct net_listener *listener;
    struct net_end *end;
    struct net_address remote; /* of a connected datagram socket */
    bool shares;               /* SO_REUSEPORT */
};

void net_tell_agent(void *description)
{
    descriptor_changed(description);
}

static struct agent_socket *socket_of(int fd)
{
    struct description *open = descriptor_get(fd);
    return open != NULL && open->kind == &kind_socket ? open->state : NULL;
}

/* ---- addresses ---- */

static bool read_address(const struct sockaddr *from, struct net_address *to)
{
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;
        *to = (struct net_address){ntohl(in->sin_addr.s_addr), ntohs(in->sin_port)};
        return true;
    }
    if (from->sa_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;
    uint32_t host;
    memcpy(&host, in6->sin6_addr.s6_addr + 12, sizeof host);
    bool is_loopback = memcmp(&in6->sin6_addr, &in6addr_loopback, sizeof in6addr_loopback) == 0;
    *to = (struct net_address){is_loopback ? NET_LOOPBACK : ntohl(host), ntohs(in6->sin6_port)};
    return true;
}

static void write_address(const struct agent_socket *socket, struct net_address from, struct sockaddr *to,
                          socklen_t *length)
{
    if (to == NULL || length == NULL)
        return;
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address = {0};
    size_t size = sizeof address.in;
    if (socket->family == AF_INET6) {
        size = sizeof address.in6;
        address.in6.sin6_family = AF_INET6;
        address.in6.sin6_port = htons(from.port);
        uint32_t host = htonl(from.host);
        if (from.host != 0) {
            address.in6.sin6_addr.s6_addr[10] = address.in6.sin6_addr.s6_addr[11] = 0xff;
            memcpy(address.in6.sin6_addr.s6_addr + 12, &host, sizeof host);
        }
    } else {
        address.in = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons(from.port), .sin_addr.s_addr = htonl(from.host)};
    }
    memcpy(to, &address, size < *length ? size : *length);
    *length = (socklen_t)size;
}

/* ---- the kind ---- */

static ssize_t socket_read(struct description *open, void *to, size_t length)
{
    struct agent_socket *socket = open->state;
    if (socket->end == NULL)
        return -ENOTCONN;
    struct net_address from;
    return socket->type == SOCK_DGRAM ? net_receive_datagram(socket->end, to, length, &from)
                                      : net_receive(socket->end, to, length, false);
}

static ssize_t socket_write(struct description *open, const void *from, size_t length)
{
    struct agent_socket *socket = open->state;
    if (socket->end == NULL)
        return -ENOTCONN;
    return socket->type == SOCK_DGRAM ? net_send_datagram(socket->end, socket->remote, from, length)
                                      : net_send(socket->end, from, length);
}

static bool has_connection(const struct agent_socket *socket)
{
    struct net_listener *listener = socket->listener;
    for (const struct net_end *end = world->net->ends; end != NULL; end = end->next)
        if (!end->accepted && !end->closed && end->state == NET_OPEN && end->listener == listener)
            return true;
    return false;
}

static short socket_ready(struct description *open)
{
    const struct agent_socket *socket = open->state;
    if (socket->listener != NULL)
        return has_connection(socket) ? POLLIN : 0;
    return socket->end == NULL ? POLLOUT | POLLHUP : net_ready(socket->end);
}

static void socket_close(struct description *open)
{
    struct agent_socket *socket = open->state;
    if (socket->listener != NULL)
        net_unlisten(socket->listener);
    if (socket->end != NULL && socket->type == SOCK_STREAM)
        net_close(socket->end);
    else if (socket->end != NULL)
        net_close_datagrams(socket->end);
    free(socket);
}

const struct description_kind kind_socket = {"socket",     socket_read,  socket_write,
                                             socket_ready, socket_close, S_IFSOCK | 0777};

static int make_socket(int family, int type, struct agent_socket **made)
{
    struct agent_socket *socket = calloc(1, sizeof *socket);
    socket->family = family;
    socket->type = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    int fd = descriptor_open(&kind_socket, socket, O_RDWR | ((type & SOCK_NONBLOCK) != 0 ? O_NONBLOCK : 0),
                             (type & SOCK_CLOEXEC) != 0, NULL);
    if (fd < 0)
        free(socket);
    else
        *made = socket;
    return fd;
}

static void own(int fd, struct agent_socket *socket, struct net_end *end)
{
    socket->end = end;
    end->description = descriptor_get(fd);
}

/* ---- calls ---- */

int socket(int family, int type, int protocol)
{
    if (!turn_is_ours())
        return (int)descriptor_result(real_call(SYS_socket, family, type, protocol, 0, 0, 0));
    call_enter("socket", (uint64_t)family, (uint64_t)type);
    struct agent_socket *made;
    return (int)descriptor_result(call_leave((family != AF_INET && family != AF_INET6) || world->net == NULL
                                                 ? -EAFNOSUPPORT
                                                 : make_socket(family, type, &made)));
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    call_enter("bind", (uint64_t)fd, 0);
    struct agent_socket *socket = socket_of(fd);
    if (socket == NULL || !read_address(address, &socket->bound))
        return (int)descriptor_result(call_leave(socket == NULL ? -ENOTSOCK : -EAFNOSUPPORT));
    world_note(socket->bound.port);
    if (socket->bound.host != 0 &&
        socket->bound.host >> 24 != NET_LOOPBACK >> 24) /* the machine's own addresses */
        return (int)descriptor_result(call_leave(-EADDRNOTAVAIL));
    if (socket->type == SOCK_DGRAM) {
        if (socket->bound.port != 0 && net_keeps_datagrams(socket->bound.port, socket->shares))
            return (int)descriptor_result(call_leave(-EADDRINUSE));
        own(fd, socket, net_datagrams(NULL, socket->bound));
        socket->end->shares = socket->shares;
    }
    return (int)call_leave(0);
}

int listen(int fd, int backlog)
{
    call_enter("listen", (uint64_t)fd, 0);
    struct agent_socket *socket = socket_of(fd);
    if (socket == NULL)
        return (int)descriptor_result(call_leave(-ENOTSOCK));
    if (socket->listener == NULL)
        socket->listener =
            socket->shares ? net_listen_shared(socket->bound) : net_listen(NULL, socket->bound);
    if (socket->listener == NULL)
        return (int)descriptor_result(call_leave(-EADDRINUSE));
    socket->listener->description = descriptor_get(fd);
    return (int)call_leave(0);
}

static int accept_one(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    struct description *open = descriptor_get(fd);
    struct agent_socket *listening = socket_of(fd), *made;
    if (listening == NULL || listening->listener == NULL)
        return listening == NULL ? -ENOTSOCK : -EINVAL;
    struct net_end *end;
    while ((end = net_accept(listening->listener)) == NULL) {
        if ((open->flags & O_NONBLOCK) != 0)
            return -EAGAIN;
        turn_wait(&turn_io, WORLD_NEVER);
    }
    int accepted = make_socket(listening->family, SOCK_STREAM | flags, &made);
    if (accepted < 0) {
        end->accepted = false; /* it goes on waiting */
        return accepted;
    }
    own(accepted, made, end);
    write_address(made, end->remote, address, length);
    return accepted;
}

int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict length, int flags)
{
    call_enter("accept4", (uint64_t)fd, 0);
    return (int)descriptor_result(
        call_leave(-fault_strikes(FAULT_ACCEPT, NULL) ?: accept_one(fd, address, length, flags)));
}

int accept(int fd, struct sockaddr *restrict address, socklen_t *restrict length)
{
    return accept4(fd, address, length, 0);
}

static int state_error(const struct net_end *end)
{
    return end->state == NET_REFUSED ? ECONNREFUSED : end->state == NET_RESET ? ECONNRESET : 0;
}

static int connect_to(int fd, struct net_address to)
{
    struct description *open = descriptor_get(fd);
    struct agent_socket *socket = socket_of(fd);
    if (socket->type == SOCK_DGRAM) {
        socket->remote = to;
        if (socket->end == NULL)
            own(fd, socket, net_datagrams(NULL, (struct net_address){NET_LOOPBACK, 0}));
        return 0;
    }
    if (socket->end != NULL)
        return socket->end->state == NET_CONNECTING ? -EALREADY
               : socket->end->state == NET_OPEN     ? -EISCONN
                                                    : -state_error(socket->end);
    own(fd, socket, net_connect(NULL, NET_LOOPBACK, to));
    if ((open->flags & O_NONBLOCK) != 0)
        return -EINPROGRESS;
    while (socket->end->state == NET_CONNECTING)
        turn_wait(&turn_io, WORLD_NEVER);
    return -state_error(socket->end);
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    call_enter("connect", (uint64_t)fd, 0);
    struct net_address to;
    if (socket_of(fd) == NULL)
        return (int)descriptor_result(call_leave(-ENOTSOCK));
    if (!read_address(address, &to))
        return (int)descriptor_result(call_leave(-EAFNOSUPPORT));
    world_note(to.port);
    return (int)descriptor_result(call_leave(-fault_strikes(FAULT_CONNECT, NULL) ?: connect_to(fd, to)));
}

static int name_of(int fd, struct sockaddr *address, socklen_t *length, bool remote)
{
    struct agent_socket *socket = socket_of(fd);
    if (socket == NULL)
        return -ENOTSOCK;
    struct net_address found = socket->listener != NULL ? socket->listener->address
                               : socket->end != NULL    ? socket->end->local
                                                        : socket->bound;
    if (remote) {
        if (socket->end == NULL || socket->end->state != NET_OPEN)
            return -ENOTCONN;
        found = socket->type == SOCK_DGRAM ? socket->remote : socket->end->remote;
    }
    write_address(socket, found, address, length);
    return 0;
}

int getsockname(int fd, struct sockaddr *restrict address, socklen_t *restrict length)
{
    return (int)descriptor_result(name_of(fd, address, length, false));
}

int getpeername(int fd, struct sockaddr *restrict address, socklen_t *restrict length)
{
    return (int)descriptor_result(name_of(fd, address, length, true));
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    struct agent_socket *socket = socket_of(fd);
    if (socket == NULL)
        return (int)descriptor_result(-ENOTSOCK);
    if (level == SOL_SOCKET && name == SO_REUSEPORT && length == sizeof(int))
        socket->shares = *(const int *)value != 0;
    return 0;
}

int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict length)
{
    struct agent_socket *socket = socket_of(fd);
    if (socket == NULL)
        return (int)descriptor_result(-ENOTSOCK);
    int found = 0;
    if (level == SOL_SOCKET && name == SO_ERROR) {
        found = socket->end == NULL ? 0 : state_error(socket->end);
        if (socket->end != NULL && socket->end->state == NET_RESET && socket->error == found)
            found = 0; /* told once */
        socket->error = found;
    } else if (level == SOL_SOCKET && (name == SO_RCVBUF || name == SO_SNDBUF)) {
        found = (int)(socket->type == SOCK_DGRAM ? world->net->datagram_bytes : NET_BUFFER_BYTES);
    } else if (level == SOL_SOCKET && name == SO_TYPE) {
        found = socket->type;
    } else if (level == SOL_SOCKET && name == SO_MEMINFO) {
        memset(value, 0, *length);
        if (*length >= SK_MEMINFO_VARS * sizeof(uint32_t) && socket->end != NULL)
            ((uint32_t *)value)[SK_MEMINFO_DROPS] = socket->end->drops;
        return 0;
    } else if (level == IPPROTO_TCP && name == TCP_INFO) {
        memset(value, 0, *length);
        return 0;
    }
    memcpy(value, &found, *length < sizeof found ? *length : sizeof found);
    return 0;
}

int shutdown(int fd, int how)
{
    call_enter("shutdown", (uint64_t)fd, (uint64_t)how);
    struct agent_socket *socket = socket_of(fd);
    struct description *open = descriptor_get(fd);
    if (socket == NULL && open != NULL)
        return (int)descriptor_result(call_leave(how == SHUT_RD ? 0 : pair_shutdown(open)));
    if (socket == NULL || socket->end == NULL)
        return (int)descriptor_result(call_leave(socket == NULL ? -ENOTSOCK : -ENOTCONN));
    if (how != SHUT_RD)
        net_shutdown(socket->end);
    return (int)call_leave(0);
}

static long receive(int fd, void *to, size_t length, int flags, struct sockaddr *address,
                    socklen_t *address_length)
{
    struct description *open = descriptor_get(fd);
    struct agent_socket *socket = socket_of(fd);
    if (socket == NULL || socket->end == NULL)
        return socket == NULL ? -ENOTSOCK : -ENOTCONN;
    for (;;) {
        struct net_address from = socket->end->remote;
        long got = socket->type == SOCK_DGRAM ? net_receive_datagram(socket->end, to, length, &from)
                                              : net_receive(socket->end, to, length, (flags & MSG_PEEK) != 0);
        if (got >= 0)
            write_address(socket, from, address, address_length);
        if (got != -EAGAIN || (open->flags & O_NONBLOCK) != 0 || (flags & MSG_DONTWAIT) != 0)
            return got;
        turn_wait(&turn_io, WORLD_NEVER);
    }
}

static long transmit(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *address)
{
    struct description *open = descriptor_get(fd);
    struct agent_socket *socket = socket_of(fd);
    if (socket == NULL || (socket->end == NULL && socket->type == SOCK_STREAM))
        return socket == NULL ? -ENOTSOCK : -ENOTCONN;
    world_note_bytes(bytes, length);
    if (socket->type == SOCK_DGRAM) {
        struct net_address to = socket->remote;
        if (address != NULL && !read_address(address, &to))
            return -EAFNOSUPPORT;
        if (socket->end == NULL)
            own(fd, socket, net_datagrams(NULL, (struct net_address){NET_LOOPBACK, 0}));
        return net_send_datagram(socket->end, to, bytes, length);
    }
    for (size_t done = 0;;) {
        long sent = net_send(socket->end, (const char *)bytes + done, length - done);
        if (sent > 0)
            done += (size_t)sent;
        bool waits = (open->flags & O_NONBLOCK) == 0 && (flags & MSG_DONTWAIT) == 0;
        if (done == length || !waits || (sent < 0 && sent != -EAGAIN))
            return done > 0 ? (long)done : sent;
        if (sent == -EAGAIN)
            turn_wait(&turn_io, WORLD_NEVER);
    }
}

ssize_t recvfrom(int fd, void *restrict to, size_t length, int flags, struct sockaddr *restrict address,
                 socklen_t *restrict address_length)
{
    if (!turn_is_ours())
        return descriptor_result(
            real_call(SYS_recvfrom, fd, (long)to, (long)length, flags, (long)address, (long)address_length));
    if (socket_of(fd) == NULL)
        return read(fd, to, length); /* one of a pair */
    call_enter("recv", (uint64_t)fd, length);
    return descriptor_result(call_leave(-fault_strikes(FAULT_RECEIVE, NULL)
                                            ?: receive(fd, to, length, flags, address, address_length)));
}

ssize_t recv(int fd, void *to, size_t length, int flags)
{
    return recvfrom(fd, to, length, flags, NULL, NULL);
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *address,
               socklen_t address_length)
{
    if (!turn_is_ours())
        return descriptor_result(
            real_call(SYS_sendto, fd, (long)bytes, (long)length, flags, (long)address, (long)address_length));
    if (socket_of(fd) == NULL)
        return write(fd, bytes, length); /* one of a pair */
    call_enter("send", (uint64_t)fd, length);
    return descriptor_result(
        call_leave(-fault_strikes(FAULT_SEND, NULL) ?: transmit(fd, bytes, length, flags, address)));
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    return sendto(fd, bytes, length, flags, NULL, 0);
}

/* One call for the history; it may be cut between two pieces. */
static long over_message(int fd, struct msghdr *message, int flags, bool sends)
{
    struct agent_socket *socket = socket_of(fd);
    size_t total = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++)
        total += message->msg_iov[i].iov_len;
    char *joined = malloc(total + 1);
    long result;
    if (sends) {
        size_t at = 0;
        for (size_t i = 0; i < message->msg_iovlen; at += message->msg_iov[i++].iov_len)
            if (message->msg_iov[i].iov_len > 0)
                memcpy(joined + at, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
        result = -fault_strikes(FAULT_SEND, NULL) ?: transmit(fd, joined, total, flags, message->msg_name);
    } else {
        result = -fault_strikes(FAULT_RECEIVE, NULL)
                     ?: receive(fd, joined, total, flags, message->msg_name, &message->msg_namelen);
        size_t left = result > 0 ? (size_t)result : 0, at = 0;
        message->msg_flags = socket != NULL && socket->type == SOCK_DGRAM && left > total ? MSG_TRUNC : 0;
        left = left < total ? left : total;
        for (size_t i = 0; i < message->msg_iovlen && left > 0; i++) {
            size_t part = message->msg_iov[i].iov_len < left ? message->msg_iov[i].iov_len : left;
            memcpy(message->msg_iov[i].iov_base, joined + at, part);
            at += part;
            left -= part;
        }
        message->msg_controllen = 0;
    }
    free(joined);
    return result;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    call_enter("recvmsg", (uint64_t)fd, 0);
    return descriptor_result(call_leave(over_message(fd, message, flags, false)));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    call_enter("sendmsg", (uint64_t)fd, 0);
    struct msghdr copy = *message;
    return descriptor_result(call_leave(over_message(fd, &copy, flags, true)));
}

static int over_messages(int fd, struct mmsghdr *messages, unsigned count, int flags, bool sends)
{
    unsigned done = 0;
    long result = 0;
    while (done < count) {
        result = over_message(fd, &messages[done].msg_hdr, flags, sends);
        if (result < 0)
            break;
        messages[done++].msg_len = (unsigned)result;
        flags |= MSG_DONTWAIT;
    }
    return done > 0 ? (int)done : (int)result;
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *span)
{
    call_enter("recvmmsg", (uint64_t)fd, count);
    return (int)descriptor_result(call_leave(over_messages(fd, messages, count, flags, false)));
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    call_enter("sendmmsg", (uint64_t)fd, count);
    return (int)descriptor_result(call_leave(over_messages(fd, messages, count, flags, true)));
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    int *value = va_arg(arguments, int *);
    va_end(arguments);
    struct agent_socket *socket = turn_is_ours() ? socket_of(fd) : NULL;
    struct description *open = turn_is_ours() ? descriptor_get(fd) : NULL;
    if (request == FIONREAD && socket != NULL && socket->end != NULL) {
        *value = (int)net_arrived_bytes(socket->end);
        return 0;
    }
    if (request == FIONBIO && open != NULL) {
        open->flags = *value != 0 ? open->flags | O_NONBLOCK : open->flags & ~O_NONBLOCK;
        return 0;
    }
    return (int)descriptor_result(-ENOTTY);
}

/* ---- names ---- */

int getnameinfo(const struct sockaddr *restrict address, socklen_t length, char *restrict host,
                socklen_t host_room, char *restrict service, socklen_t service_room, int flags)
{
    struct net_address from;
    if (!read_address(address, &from))
        return EAI_FAMILY;
    struct in_addr in = {htonl(from.host)};
    const struct net_name *name = (flags & NI_NAMEREQD) != 0 ? net_find_host(from.host) : NULL;
    if ((flags & NI_NAMEREQD) != 0 && name == NULL)
        return EAI_NONAME;
    if (host != NULL && name != NULL)
        snprintf(host, host_room, "%s", name->name);
    else if (host != NULL)
        inet_ntop(AF_INET, &in, host, host_room);
    if (service != NULL)
        snprintf(service, service_room, "%u", from.port);
    return 0;
}
