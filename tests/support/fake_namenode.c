#include "tests/support/fake_namenode.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stages/lib/varint.h"
#include "tests/support/port.h"
#include "tests/support/support.h"

#define REST_MAX_NS (4 * PS_NS_PER_S)

/* ---- the client's side ---- */

void ps_test_hdfs_init(struct ps_test_hdfs *hdfs)
{
    struct ps_err err = {0};
    *hdfs = (struct ps_test_hdfs){.now = {.mono_ns = 1000 * PS_NS_PER_S, .wall_ms = 1700000000000}};
    hdfs->port.component = "sink test";
    hdfs->port.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    hdfs->port.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(ps_hadoop_loop_open(&hdfs->loop, &hdfs->port, &err), PS_OK);
    ps_test_hdfs_turn(hdfs);
}

void ps_test_hdfs_fini(struct ps_test_hdfs *hdfs)
{
    ps_hadoop_loop_close(hdfs->loop);
    close(hdfs->port.epoll_fd);
    close(hdfs->port.wake_fd);
}

void ps_test_hdfs_turn(struct ps_test_hdfs *hdfs)
{
    eventfd_t woken;
    eventfd_read(hdfs->port.wake_fd, &woken);
    hdfs->due_ns = ps_hadoop_loop_turn(hdfs->loop, &hdfs->now);
}

void ps_test_hdfs_pass(struct ps_test_hdfs *hdfs, uint64_t ms)
{
    hdfs->now.mono_ns += ms * PS_NS_PER_MS;
    hdfs->now.wall_ms += (int64_t)ms;
    ps_test_hdfs_turn(hdfs);
}

void ps_test_hdfs_pass_to_rest(struct ps_test_hdfs *hdfs, uint64_t ms)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    ps_test_hdfs_pass(hdfs, ms);
    while (hdfs->due_ns <= hdfs->now.mono_ns || hdfs->due_ns > hdfs->now.mono_ns + REST_MAX_NS) {
        assert_true(ps_test_patient_ns() < until_ns);
        usleep(100);
        ps_test_hdfs_turn(hdfs);
    }
}

/* Runs a turn; when nothing is due, waits a moment for the kernel or the resolver's thread. */
static void turn_or_wait(struct ps_test_hdfs *hdfs, unsigned *waited_ms)
{
    ps_test_hdfs_turn(hdfs);
    if (hdfs->due_ns <= hdfs->now.mono_ns)
        return;
    struct pollfd ready[] = {{.fd = hdfs->port.epoll_fd, .events = POLLIN},
                             {.fd = hdfs->port.wake_fd, .events = POLLIN}};
    if (poll(ready, 2, 1) == 0 && ++*waited_ms > PS_TEST_PATIENCE_MS)
        fail_msg("nothing happens any more");
}

void ps_test_hdfs_await(struct ps_test_hdfs *hdfs, const bool *condition)
{
    for (unsigned waited_ms = 0; !*condition;)
        turn_or_wait(hdfs, &waited_ms);
}

/* ---- the listener ---- */

void ps_test_namenode_listen(struct ps_test_namenode *namenode)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)namenode->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1;
    namenode->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(namenode->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    assert_int_equal(bind(namenode->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(namenode->listener, 8), 0);
}

void ps_test_namenode_stop_listening(struct ps_test_namenode *namenode)
{
    if (namenode->listener >= 0)
        close(namenode->listener);
    namenode->listener = -1;
}

void ps_test_namenode_init(struct ps_test_namenode *namenode, struct ps_test_hdfs *hdfs)
{
    *namenode = (struct ps_test_namenode){.hdfs = hdfs, .fd = -1, .port = ps_test_port(SOCK_STREAM)};
    ps_test_namenode_listen(namenode);
}

void ps_test_namenode_drop(struct ps_test_namenode *namenode)
{
    if (namenode->fd >= 0)
        close(namenode->fd);
    namenode->fd = -1;
    namenode->in.length = 0;
    namenode->greeted = false;
    if (namenode->context != NULL)
        ps_hadoop__rpc_connection_context__free_unpacked(namenode->context, NULL);
    namenode->context = NULL;
}

void ps_test_namenode_fini(struct ps_test_namenode *namenode)
{
    ps_test_namenode_drop(namenode);
    ps_test_namenode_stop_listening(namenode);
    ps_byte_buffer_clear(&namenode->in, 0);
}

/* ---- requests ---- */

/* Returns false: the client has closed the connection. */
static bool receive(struct ps_test_namenode *namenode)
{
    if (namenode->fd < 0 && namenode->listener >= 0) {
        namenode->fd = accept4(namenode->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        namenode->accepted += namenode->fd >= 0;
    }
    if (namenode->fd < 0)
        return true;
    assert_true(ps_byte_buffer_reserve(&namenode->in, 4096));
    ssize_t length = recv(namenode->fd, namenode->in.data + namenode->in.length, 4096, 0);
    if (length > 0)
        namenode->in.length += (size_t)length;
    return length > 0 || (length < 0 && errno == EAGAIN);
}

static void cut(struct ps_byte_buffer *in, size_t length)
{
    memmove(in->data, in->data + length, in->length - length);
    in->length -= length;
}

static void take_delimited(const uint8_t **at, const uint8_t *end, const uint8_t **message, size_t *length)
{
    size_t head, taken = ps_varint_get_delimited(*at, (size_t)(end - *at), &head);
    assert_true(taken > 0);
    *message = *at + head;
    *length = taken - head;
    *at += taken;
}

static void take_call(struct ps_test_namenode *namenode, const uint8_t *at, const uint8_t *end)
{
    const uint8_t *bytes;
    size_t length;
    take_delimited(&at, end, &bytes, &length);
    PsHadoop__RpcMethod *method = ps_hadoop__rpc_method__unpack(NULL, length, bytes);
    assert_non_null(method);
    assert_string_equal(method->protocol, "org.apache.hadoop.hdfs.protocol.ClientProtocol");
    assert_int_equal(method->protocol_version, 1);
    snprintf(namenode->method, sizeof namenode->method, "%s", method->name);
    ps_hadoop__rpc_method__free_unpacked(method, NULL);
    take_delimited(&at, end, &bytes, &length);
    assert_true(length <= sizeof namenode->message && at == end);
    memcpy(namenode->message, bytes, length);
    namenode->message_length = length;
}

/* Takes the next request out of what has come. Returns its call id; INT32_MIN: it is not there yet. */
static int32_t take_request(struct ps_test_namenode *namenode)
{
    struct ps_byte_buffer *in = &namenode->in;
    if (!namenode->greeted && in->length >= PS_HADOOP_RPC_GREETING_BYTES) {
        assert_memory_equal(in->data, "hrpc\x09\x00\x00", PS_HADOOP_RPC_GREETING_BYTES);
        cut(in, PS_HADOOP_RPC_GREETING_BYTES);
        namenode->greeted = true;
    }
    if (!namenode->greeted || in->length < 4)
        return INT32_MIN;
    uint32_t frame;
    memcpy(&frame, in->data, sizeof frame);
    frame = be32toh(frame);
    if (in->length < 4 + frame)
        return INT32_MIN;
    const uint8_t *at = (const uint8_t *)in->data + 4, *end = at + frame, *bytes;
    size_t length;
    take_delimited(&at, end, &bytes, &length);
    PsHadoop__RpcRequestHeader *header = ps_hadoop__rpc_request_header__unpack(NULL, length, bytes);
    assert_non_null(header);
    assert_int_equal(header->rpc_kind, 2);
    assert_int_equal(header->rpc_op, 0);
    assert_int_equal(header->client_id.len, PS_HADOOP_RPC_CLIENT_ID_BYTES);
    int32_t id = header->call_id;
    if (id == PS_HADOOP_RPC_CALL_CONTEXT) {
        take_delimited(&at, end, &bytes, &length);
        namenode->context = ps_hadoop__rpc_connection_context__unpack(NULL, length, bytes);
        assert_non_null(namenode->context);
    } else if (id >= 0) {
        assert_non_null(namenode->context);
        namenode->id = id;
        namenode->retry_count = header->retry_count;
        memcpy(namenode->client_id, header->client_id.data, PS_HADOOP_RPC_CLIENT_ID_BYTES);
        take_call(namenode, at, end);
    }
    ps_hadoop__rpc_request_header__free_unpacked(header, NULL);
    cut(in, 4 + frame);
    return id;
}

static int32_t await_request(struct ps_test_namenode *namenode)
{
    for (unsigned waited_ms = 0;;) {
        int32_t id = take_request(namenode);
        if (id != INT32_MIN && id != PS_HADOOP_RPC_CALL_CONTEXT)
            return id;
        if (id != INT32_MIN)
            continue;
        turn_or_wait(namenode->hdfs, &waited_ms);
        if (!receive(namenode))
            ps_test_namenode_drop(namenode); /* the next one comes over another connection */
    }
}

void ps_test_namenode_expect(struct ps_test_namenode *namenode, const char *method)
{
    int32_t id = await_request(namenode);
    assert_true(id >= 0);
    assert_string_equal(namenode->method, method);
}

void ps_test_namenode_expect_ping(struct ps_test_namenode *namenode)
{
    assert_int_equal(await_request(namenode), PS_HADOOP_RPC_CALL_PING);
}

void ps_test_namenode_expect_end(struct ps_test_namenode *namenode)
{
    for (unsigned waited_ms = 0; receive(namenode);)
        turn_or_wait(namenode->hdfs, &waited_ms);
    ps_test_namenode_drop(namenode);
}

/* ---- responses ---- */

static struct ps_byte_buffer response(PsHadoop__RpcResponseHeader *header, const ProtobufCMessage *message)
{
    PsHadoop__RpcUser nothing = PS_HADOOP__RPC_USER__INIT;
    struct ps_byte_buffer bytes = {0};
    header->has_server_ipc_version = true;
    header->server_ipc_version = 9;
    assert_true(ps_byte_buffer_reserve(&bytes, 4));
    bytes.length = 4;
    assert_true(ps_hadoop_rpc_put_message(&bytes, &header->base));
    if (header->status == 0)
        assert_true(ps_hadoop_rpc_put_message(&bytes, message != NULL ? message : &nothing.base));
    for (unsigned i = 0; i < 4; i++)
        bytes.data[i] = (char)((bytes.length - 4) >> (24 - 8 * i));
    return bytes;
}

struct ps_byte_buffer ps_test_namenode_success(int32_t id, const ProtobufCMessage *message)
{
    PsHadoop__RpcResponseHeader header = PS_HADOOP__RPC_RESPONSE_HEADER__INIT;
    header.call_id = (uint32_t)id;
    return response(&header, message);
}

struct ps_byte_buffer ps_test_namenode_error(int32_t id, unsigned status, unsigned detail,
                                             const char *exception, const char *message)
{
    PsHadoop__RpcResponseHeader header = PS_HADOOP__RPC_RESPONSE_HEADER__INIT;
    header.call_id = (uint32_t)id;
    header.status = status;
    header.exception_class = (char *)exception; /* the encoder does not change them */
    header.error_message = (char *)message;
    header.has_error_detail = detail != 0;
    header.error_detail = detail;
    return response(&header, NULL);
}

void ps_test_namenode_send(struct ps_test_namenode *namenode, const void *bytes, size_t length)
{
    assert_true(namenode->fd >= 0);
    assert_int_equal(send(namenode->fd, bytes, length, MSG_NOSIGNAL), length);
}

static void send_all(struct ps_test_namenode *namenode, struct ps_byte_buffer bytes)
{
    ps_test_namenode_send(namenode, bytes.data, bytes.length);
    ps_byte_buffer_clear(&bytes, 0);
}

void ps_test_namenode_answer(struct ps_test_namenode *namenode, int32_t id, const ProtobufCMessage *message)
{
    send_all(namenode, ps_test_namenode_success(id, message));
}

void ps_test_namenode_refuse(struct ps_test_namenode *namenode, int32_t id, const char *exception,
                             const char *message)
{
    send_all(namenode, ps_test_namenode_error(id, 1, 1, exception, message));
}
