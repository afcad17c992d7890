#include "tests/support/metastore_peer.h"

#include "stages/lib/hive/message.h"
#include "stages/lib/thrift/legacy.h"
#include "tests/support/metastore_table.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINKS_MAX 8
#define TXNS_MAX 100000
#define MESSAGE_BYTES (1U << 20)
#define SLOW_NS 20000000L
#define PARTITIONS_MAX 256
#define PLACE_BYTES 4096U /* of a folder and the values of a partition */
#define LOCK_OF(txn) ((txn) + 1000000)

struct link {
    int fd;
    uint8_t *in;
    size_t length;
};

enum ps_test_metastore_txn { PS_TEST_TXN_OPEN, PS_TEST_TXN_COMMITTED, PS_TEST_TXN_ABORTED };

static struct {
    pthread_t thread;
    pthread_mutex_t lock; /* guards all that follows */
    bool stop;
    enum ps_test_far_end mode;
    int listener, wake;
    char url[64];
    struct link links[LINKS_MAX];
    size_t link_count;
    struct ps_test_metastore_table table;
    char partitions[PARTITIONS_MAX][PLACE_BYTES];
    size_t partition_count;
    enum ps_test_metastore_txn txns[TXNS_MAX]; /* by number, from 1; a write id is the transaction's */
    size_t txn_count;
    size_t commits[TXNS_MAX], commit_count, mark; /* transactions, in the order of their commits */
    char refused[48]; /* the name of the calls that get an exception, and how many more of them do */
    unsigned refusals;
} peer = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The arguments of a call, in their order. */
struct arguments {
    struct ps_slice texts[64];
    size_t text_count;
    int64_t numbers[24576]; /* i64 */
    size_t number_count;
    int32_t last; /* i32 */
};

static void gather(struct ps_thrift_reader *in, enum ps_thrift_type type, struct arguments *arguments)
{
    enum ps_thrift_type part;
    struct ps_thrift_field field = {0};
    switch (type) {
    case PS_THRIFT_STRUCT:
        while (ps_thrift_read_field(in, &field))
            gather(in, field.type, arguments);
        break;
    case PS_THRIFT_LIST:
        for (uint32_t count = ps_thrift_read_list(in, &part); count > 0; count--)
            gather(in, part, arguments);
        break;
    case PS_THRIFT_STRING:
        PS_ASSERT(arguments->text_count < PS_COUNT_OF(arguments->texts));
        arguments->texts[arguments->text_count++] = ps_thrift_read_text(in);
        break;
    case PS_THRIFT_I64:
        PS_ASSERT(arguments->number_count < PS_COUNT_OF(arguments->numbers));
        arguments->numbers[arguments->number_count++] = ps_thrift_read_i64(in);
        break;
    case PS_THRIFT_I32:
        arguments->last = ps_thrift_read_i32(in);
        break;
    default:
        ps_thrift_skip(in, type);
    }
}

/* ---- answers ---- */

/* Writes "file:/folder/a/b" of a partition's values. */
static void partition_place(const struct arguments *arguments, char place[PLACE_BYTES])
{
    int used = snprintf(place, PLACE_BYTES, "file:%s", peer.table.location);
    for (size_t i = 2; i < arguments->text_count; i++)
        used += snprintf(place + used, PLACE_BYTES - (size_t)used, "/%.*s", (int)arguments->texts[i].length,
                         arguments->texts[i].data);
}

static bool has_partition(const char *place)
{
    for (size_t i = 0; i < peer.partition_count; i++) {
        if (strcmp(peer.partitions[i], place) == 0)
            return true;
    }
    return false;
}

static bool throw(struct ps_thrift_writer * out, int16_t id)
{
    ps_test_metastore_put_exception(out, id, "not this time");
    return false;
}

static void begin_success(struct ps_thrift_writer *out)
{
    ps_thrift_put_field(out, PS_THRIFT_STRUCT, 0, 0);
}

static void answer_partition(struct ps_thrift_writer *out, enum ps_hive_call call,
                             const struct arguments *arguments)
{
    char place[PLACE_BYTES];
    partition_place(arguments, place);
    bool is_there = has_partition(place);
    if ((call == PS_HIVE_GET_PARTITION) != is_there) { /* missing, or there already */
        (void) throw(out, 2);
        return;
    }
    if (!is_there) {
        PS_ASSERT(peer.partition_count < PARTITIONS_MAX && strlen(place) < sizeof peer.partitions[0]);
        memcpy(peer.partitions[peer.partition_count++], place, strlen(place) + 1);
    }
    begin_success(out);
    ps_thrift_put_field(out, PS_THRIFT_STRUCT, 6, 0);
    ps_test_metastore_put_storage(out, &peer.table, place);
    ps_thrift_put_stop(out);
}

static void answer_open(struct ps_thrift_writer *out, int32_t count)
{
    begin_success(out);
    ps_thrift_put_field(out, PS_THRIFT_LIST, 1, 0);
    ps_thrift_put_list(out, PS_THRIFT_I64, (uint32_t)count);
    for (; count > 0; count--) {
        PS_ASSERT(peer.txn_count + 1 < TXNS_MAX);
        peer.txns[++peer.txn_count] = PS_TEST_TXN_OPEN;
        ps_thrift_put_i64(out, (int64_t)peer.txn_count);
    }
    ps_thrift_put_stop(out);
}

static void put_lock_answer(struct ps_thrift_writer *out, int64_t txn, enum ps_hive_lock_state state)
{
    begin_success(out);
    ps_thrift_put_field(out, PS_THRIFT_I64, 1, 0);
    ps_thrift_put_i64(out, LOCK_OF(txn));
    ps_thrift_put_field(out, PS_THRIFT_I32, 2, 0);
    ps_thrift_put_i32(out, (int32_t)state);
    ps_thrift_put_stop(out);
}

/* Answers with the aborted transactions between two numbers. */
static void answer_heartbeat(struct ps_thrift_writer *out, const struct arguments *arguments)
{
    uint32_t count = 0;
    for (int64_t i = arguments->numbers[0]; i <= arguments->numbers[1]; i++)
        count += peer.txns[i] == PS_TEST_TXN_ABORTED;
    begin_success(out);
    ps_thrift_put_field(out, PS_THRIFT_SET, 1, 0);
    ps_thrift_put_list(out, PS_THRIFT_I64, count);
    for (int64_t i = arguments->numbers[0]; i <= arguments->numbers[1]; i++) {
        if (peer.txns[i] == PS_TEST_TXN_ABORTED)
            ps_thrift_put_i64(out, i);
    }
    ps_thrift_put_stop(out);
}

static void commit(struct ps_thrift_writer *out, int64_t txn)
{
    enum ps_test_metastore_txn state = PS_TEST_TXN_COMMITTED;
    if (peer.txns[txn] == PS_TEST_TXN_OPEN) {
        peer.txns[txn] = state;
        peer.commits[peer.commit_count++] = (size_t)txn;
    }
    if (peer.txns[txn] != state)
        (void) throw(out, 2);
}

static void answer_call(struct ps_thrift_writer *out, enum ps_hive_call call,
                        const struct arguments *arguments)
{
    switch (call) {
    case PS_HIVE_GET_TABLE:
        if (!ps_test_metastore_is_table(arguments->texts[1])) {
            (void) throw(out, 2);
            break;
        }
        begin_success(out);
        ps_thrift_put_field(out, PS_THRIFT_STRUCT, 1, 0);
        ps_test_metastore_put_table(out, &peer.table, arguments->texts[1]);
        ps_thrift_put_stop(out);
        break;
    case PS_HIVE_OPEN_TXNS:
        answer_open(out, arguments->last);
        break;
    case PS_HIVE_ALLOCATE_TABLE_WRITE_IDS:
        ps_test_metastore_put_write_ids(out, arguments->numbers, arguments->number_count);
        break;
    case PS_HIVE_LOCK:
        put_lock_answer(out, arguments->numbers[0], PS_HIVE_LOCK_ACQUIRED);
        break;
    case PS_HIVE_ADD_DYNAMIC_PARTITIONS: /* the transaction, its write id */
        PS_ASSERT(arguments->numbers[0] == arguments->numbers[1]);
        break;
    case PS_HIVE_COMMIT_TXN:
        commit(out, arguments->numbers[0]);
        break;
    case PS_HIVE_ABORT_TXN:
        if (peer.txns[arguments->numbers[0]] == PS_TEST_TXN_COMMITTED)
            ps_test_metastore_put_exception(out, 1, "Transaction txnid:1 is already committed.");
        __attribute__((fallthrough)); /* one that was aborted before counts as aborted now */
    case PS_HIVE_ABORT_TXNS:
        for (size_t i = 0; i < arguments->number_count; i++)
            if (peer.txns[arguments->numbers[i]] == PS_TEST_TXN_OPEN)
                peer.txns[arguments->numbers[i]] = PS_TEST_TXN_ABORTED;
        break;
    case PS_HIVE_HEARTBEAT_TXN_RANGE:
        answer_heartbeat(out, arguments);
        break;
    case PS_HIVE_APPEND_PARTITION:
    case PS_HIVE_GET_PARTITION:
        answer_partition(out, call, arguments);
        break;
    default:
        break;
    }
}

static enum ps_hive_call call_named(struct ps_slice name)
{
    for (int i = 0; i < PS_HIVE_CALLS; i++) {
        if (strlen(ps_hive_call_names[i]) == name.length &&
            memcmp(ps_hive_call_names[i], name.data, name.length) == 0)
            return (enum ps_hive_call)i;
    }
    return PS_HIVE_CALLS;
}

static bool is_refused(enum ps_hive_call call)
{
    bool is = peer.refusals > 0 && strcmp(peer.refused, ps_hive_call_names[call]) == 0;
    peer.refusals -= is;
    return is;
}

/* Answers one message. Returns false: the connection is to be closed. */
static bool answer_message(const struct link *link, size_t length)
{
    static uint8_t reply[MESSAGE_BYTES];
    static struct arguments arguments;
    struct ps_thrift_reader in = {.at = link->in, .end = link->in + length};
    struct ps_thrift_message message;
    struct ps_thrift_writer out = {.at = reply};
    memset(&arguments, 0, sizeof arguments);
    PS_ASSERT(ps_thrift_read_message(&in, &message));
    enum ps_hive_call call = call_named(message.name);
    PS_ASSERT(call < PS_HIVE_CALLS);
    gather(&in, PS_THRIFT_STRUCT, &arguments);
    PS_ASSERT(!in.bad);
    message.type = PS_THRIFT_REPLY;
    ps_thrift_put_message(&out, &message);
    if (!is_refused(call)) {
        answer_call(&out, call, &arguments);
    } else { /* as for a transaction that was aborted */
        (void) throw(&out, 1);
        if (call == PS_HIVE_COMMIT_TXN)
            peer.txns[arguments.numbers[0]] = PS_TEST_TXN_ABORTED;
    }
    ps_thrift_put_stop(&out);
    return send(link->fd, reply, (size_t)(out.at - reply), MSG_NOSIGNAL) == out.at - reply;
}

/* ---- the thread ---- */

static bool serve_link(struct link *link)
{
    uint32_t whole;
    ssize_t got = recv(link->fd, link->in + link->length, MESSAGE_BYTES - link->length, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN))
        return false;
    link->length += got > 0 ? (size_t)got : 0;
    while (ps_thrift_bare_measure(link->in, link->length, MESSAGE_BYTES, &whole) == PS_THRIFT_WHOLE) {
        if (!answer_message(link, whole))
            return false;
        link->length -= whole;
        memmove(link->in, link->in + whole, link->length);
    }
    return true;
}

static void close_link(const struct link *link)
{
    close(link->fd);
    free(link->in);
}

static void serve_links(const struct pollfd *polled, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool stays = peer.mode != PS_TEST_FAR_END_DOWN &&
                     ((polled[i].revents == 0 && peer.links[i].length == 0) || serve_link(&peer.links[i]));
        if (stays)
            peer.links[kept++] = peer.links[i];
        else
            close_link(&peer.links[i]);
    }
    peer.link_count = kept;
}

static void accept_links(void)
{
    for (int fd; (fd = accept4(peer.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        if (peer.mode == PS_TEST_FAR_END_DOWN || peer.link_count == LINKS_MAX) {
            close(fd);
            continue;
        }
        peer.links[peer.link_count++] = (struct link){.fd = fd, .in = malloc(MESSAGE_BYTES)};
        PS_ASSERT(peer.links[peer.link_count - 1].in != NULL);
    }
}

static void *serve(void *unused)
{
    pthread_mutex_lock(&peer.lock);
    while (!peer.stop) {
        struct pollfd polled[LINKS_MAX + 2];
        uint64_t count;
        size_t links = peer.link_count;
        for (size_t i = 0; i < links; i++)
            polled[i] = (struct pollfd){.fd = peer.links[i].fd, .events = POLLIN};
        polled[links] = (struct pollfd){.fd = peer.listener, .events = POLLIN};
        polled[links + 1] = (struct pollfd){.fd = peer.wake, .events = POLLIN};
        bool slow = peer.mode == PS_TEST_FAR_END_SLOW;
        pthread_mutex_unlock(&peer.lock);
        poll(polled, links + 2, -1);
        if (slow)
            nanosleep(&(struct timespec){.tv_nsec = SLOW_NS}, NULL);
        pthread_mutex_lock(&peer.lock);
        (void)!read(peer.wake, &count, sizeof count);
        serve_links(polled, links);
        accept_links();
    }
    pthread_mutex_unlock(&peer.lock);
    return NULL;
}

static void lock_and_wake(void)
{
    pthread_mutex_lock(&peer.lock);
    assert_int_equal(write(peer.wake, &(uint64_t){1}, 8), 8);
}

static void unlock(void)
{
    pthread_mutex_unlock(&peer.lock);
}

void ps_test_metastore_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    peer.stop = false;
    peer.mode = PS_TEST_FAR_END_UP;
    peer.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    peer.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(peer.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(peer.listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(peer.listener, 16), 0);
    snprintf(peer.url, sizeof peer.url, "thrift://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    assert_int_equal(pthread_create(&peer.thread, NULL, serve, NULL), 0);
}

void ps_test_metastore_stop(void)
{
    lock_and_wake();
    peer.stop = true;
    unlock();
    pthread_join(peer.thread, NULL);
    while (peer.link_count > 0)
        close_link(&peer.links[--peer.link_count]);
    close(peer.listener);
    close(peer.wake);
}

const char *ps_test_metastore_url(void)
{
    return peer.url;
}

/* ---- what tests say and ask ---- */

void ps_test_metastore_set_table(const struct ps_test_metastore_table *table)
{
    lock_and_wake();
    peer.table = *table;
    peer.partition_count = peer.txn_count = peer.commit_count = peer.mark = 0;
    peer.refusals = 0;
    unlock();
}

void ps_test_metastore_mark(void)
{
    lock_and_wake();
    peer.mark = peer.commit_count;
    unlock();
}

void ps_test_metastore_set(enum ps_test_far_end state)
{
    lock_and_wake();
    peer.mode = state;
    unlock();
}

void ps_test_metastore_refuse(const char *call, unsigned count)
{
    lock_and_wake();
    snprintf(peer.refused, sizeof peer.refused, "%s", call);
    peer.refusals = count;
    unlock();
}

unsigned ps_test_metastore_left(void)
{
    lock_and_wake();
    unsigned left = peer.refusals;
    unlock();
    return left;
}

size_t ps_test_metastore_commits(size_t *numbers, size_t room)
{
    lock_and_wake();
    size_t count = peer.commit_count - peer.mark;
    assert_in_range(count, 0, room);
    memcpy(numbers, peer.commits + peer.mark, count * sizeof *numbers);
    unlock();
    return count;
}
