#include "core/watch/metrics/access.h"
#include "core/quantity.h"
#include "core/text/list.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>
#include <unistd.h>

enum ps_status ps_metrics_token_read(const char *path, char token[static PS_ACCESS_TOKEN_BYTES],
                                     struct ps_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t length = fd >= 0 ? read(fd, token, PS_ACCESS_TOKEN_BYTES) : -1;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (length < 0)
        return ps_err_set(err, "cannot read the token file %s: %s", path, strerror(error));
    if (length == PS_ACCESS_TOKEN_BYTES)
        return ps_err_set(err, "the token file %s is longer than %s bytes", path,
                          ps_quantity_print_count(PS_ACCESS_TOKEN_BYTES - 1).text);
    size_t begin = 0, end = (size_t)length;
    while (begin < end && isspace((unsigned char)token[begin]))
        begin++;
    while (end > begin && isspace((unsigned char)token[end - 1]))
        end--;
    memmove(token, token + begin, end - begin);
    token[end - begin] = '\0';
    if (token[0] == '\0')
        return ps_err_set(err, "the token file %s is empty", path);
    for (const char *at = token; *at != '\0'; at++) {
        if (!isgraph((unsigned char)*at))
            return ps_err_set(err, "the token in %s has a character that is not printable ASCII", path);
    }
    if (strlen(token) != end - begin)
        return ps_err_set(err, "the token in %s has a character that is not printable ASCII", path);
    return PS_OK;
}

bool ps_metrics_peer_is_local(const struct sockaddr *peer)
{
    if (peer->sa_family == AF_INET)
        return ((const unsigned char *)&((const struct sockaddr_in *)(const void *)peer)->sin_addr)[0] == 127;
    if (peer->sa_family != AF_INET6)
        return false;
    const struct in6_addr *address = &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(address) || (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

static bool same_name(const char *name, size_t length, const char *other, size_t other_length)
{
    return length == other_length && strncasecmp(name, other, length) == 0;
}

static bool is_address(const char *name, size_t length)
{
    char text[INET6_ADDRSTRLEN + 2];
    unsigned char address[16];
    if (length == 0 || length >= sizeof text)
        return false;
    bool six = name[0] == '[' && name[length - 1] == ']' && length > 2;
    memcpy(text, six ? name + 1 : name, six ? length - 2 : length);
    text[six ? length - 2 : length] = '\0';
    return inet_pton(six ? AF_INET6 : AF_INET, text, address) == 1;
}

bool ps_metrics_host_is_own(const char *header, const char *hosts)
{
    if (header == NULL)
        return true;
    size_t length = header[0] == '[' ? strcspn(header, "]") + 1 : strcspn(header, ":");
    if (length > strlen(header))
        return false;
    const char *port = header + length;
    if (*port == ':')
        port += 1 + strspn(port + 1, "0123456789");
    if (*port != '\0')
        return false;
    if (is_address(header, length))
        return true;
    if (length > 1 && header[length - 1] == '.')
        length--;
    struct utsname machine;
    if (uname(&machine) == 0 && machine.nodename[0] != '\0' &&
        same_name(header, length, machine.nodename, strlen(machine.nodename)))
        return true;
    return same_name(header, length, "localhost", 9) ||
           (hosts != NULL && ps_list_has(hosts, ", \t", header, length));
}

bool ps_metrics_token_matches(const char *header, const char *token)
{
    if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0)
        return false;
    header += 7 + strspn(header + 7, " ");
    size_t length = strlen(header), token_length = strlen(token);
    unsigned char difference = length != token_length;
    for (size_t i = 0; i < token_length; i++)
        difference |= (unsigned char)(token[i] ^ (i < length ? header[i] : 0));
    return difference == 0;
}
