/* A connection to PostgreSQL, with a server of the test's own, which speaks the protocol as far as it is needed here: what is sent and
 * read, and each message answered once with an error and once with the end of the connection. */
#include "stages/lib/queue/database/database.h"

#include "core/base.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <endian.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGES_MAX 256U
#define ERROR_ANSWER "SERROR\0C22000\0Mno\nluck\0\0"
/* The session; BEGIN; one preparation and three rows; COMMIT; one preparation and two queries. */
#define MESSAGES "QQPBDEBDEBDESQPSBDESBDES"
#define LABEL "the database u@h:1/d: "

enum fault { NO_FAULT, ERROR_FAULT, CLOSE_FAULT };

static struct {
    int listener;
    char port[8];
    pthread_t thread;
    unsigned fault_at; /* number of the message, from 1 on */
    enum fault fault;
    bool refuses;               /* the login */
    char types[MESSAGES_MAX];   /* of the messages, in order: terminated */
    char bound[512], text[512]; /* the last 'B', and the text of the last 'Q' */
    size_t bound_length;
} server;

/* ---- the server's thread ---- */

static bool read_exactly(int fd, void *to, size_t length)
{
    size_t got = 0;
    for (ssize_t n; got < length; got += (size_t)n) {
        n = read(fd, (char *)to + got, length - got);
        if (n <= 0)
            return false;
    }
    return true;
}

static void answer(int fd, char type, const void *bytes, size_t length)
{
    char message[512];
    const uint32_t size = htobe32((uint32_t)length + 4);
    assert_true(length + 5 <= sizeof message);
    message[0] = type;
    memcpy(message + 1, &size, 4);
    memcpy(message + 5, bytes, length);
    (void)send(fd, message, length + 5, MSG_NOSIGNAL);
}

#define ANSWER(fd, type, bytes) answer(fd, type, bytes, sizeof(bytes) - 1)

/* Columns of each type that the channel has: name, table, number, type, size, modifier, format. */
#define COLUMN(type, size) "c\0\0\0\0\0\0\0\0\0\0" type "\0" size "\377\377\377\377\0\1"

static void answer_message(int fd, char type)
{
    switch (type) {
    case 'Q':
        ANSWER(fd, 'C', "SET\0");
        ANSWER(fd, 'Z', "I");
        break;
    case 'P':
        ANSWER(fd, '1', "");
        break;
    case 'B':
        ANSWER(fd, '2', "");
        break;
    case 'D':
        ANSWER(fd, 'T',
               "\0\6" COLUMN("\24", "\10") COLUMN("\27", "\4") COLUMN("\20", "\1") COLUMN("\21", "\377")
                   COLUMN("\31", "\377") COLUMN("\24", "\10"));
        break;
    case 'E':
        ANSWER(
            fd, 'D',
            "\0\6\0\0\0\10\377\377\377\377\377\377\377\376\0\0\0\4\200\0\0\1\0\0\0\1\1\0\0\0\3a\0b\0\0\0\2xy"
            "\377\377\377\377");
        ANSWER(fd, 'D',
               "\0\6\0\0\0\10\0\0\0\1\0\0\0\2\0\0\0\4\0\0\1\0\0\0\0\1\0\0\0\0\0\0\0\0\0\377\377\377\377");
        ANSWER(fd, 'C', "SELECT 2\0");
        break;
    case 'S':
        ANSWER(fd, 'Z', "I");
        break;
    default:
        break;
    }
}

/* Reads messages until the client goes, or the fault comes. After an error a server skips what comes before the next
 * synchronisation. */
static void serve(int fd)
{
    bool skips = false;
    char type, payload[512];
    uint32_t length;
    for (unsigned count = 0; read_exactly(fd, &type, 1) && read_exactly(fd, &length, 4);) {
        length = be32toh(length) - 4;
        if (length > sizeof payload || !read_exactly(fd, payload, length) || type == 'X')
            return;
        if (type == 'B') {
            memcpy(server.bound, payload, length);
            server.bound_length = length;
        } else if (type == 'Q') {
            memcpy(server.text, payload, length);
        }
        if (count < MESSAGES_MAX - 1)
            server.types[count] = type;
        bool fails = ++count == server.fault_at;
        if (fails && server.fault == CLOSE_FAULT)
            return;
        if (fails && !skips) {
            ANSWER(fd, 'E', ERROR_ANSWER);
            skips = true;
            if (type == 'Q')
                ANSWER(fd, 'Z', "I");
        } else if (!skips || type == 'S') {
            answer_message(fd, type);
        }
        skips = skips && type != 'S' && type != 'Q';
    }
}

static void *run_server(void *unused)
{
    uint32_t length = 0;
    char startup[1024];
    int fd = accept(server.listener, NULL, NULL);
    if (fd < 0)
        return NULL;
    if (read_exactly(fd, &length, 4) && be32toh(length) <= sizeof startup &&
        read_exactly(fd, startup, be32toh(length) - 4)) {
        if (server.refuses) {
            ANSWER(fd, 'E', "SFATAL\0C28000\0Mnot you\0\0");
        } else {
            ANSWER(fd, 'R', "\0\0\0\0");
            ANSWER(fd, 'Z', "I");
            serve(fd);
        }
    }
    close(fd);
    return NULL;
}

/* ---- the client ---- */

static struct ps_database_settings settings;
static struct ps_pair options[6];

static void start_server(unsigned fault_at, enum fault fault, bool refuses)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    memset(&server, 0, sizeof server);
    server.fault_at = fault_at;
    server.fault = fault;
    server.refuses = refuses;
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server.listener >= 0);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server.listener, 1), 0);
    assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &size), 0);
    snprintf(server.port, sizeof server.port, "%u", ntohs(address.sin_port));
    options[0] = (struct ps_pair){.key = "host", .value = "127.0.0.1"};
    options[1] = (struct ps_pair){.key = "port", .value = server.port};
    options[2] = (struct ps_pair){.key = "user", .value = "u"};
    options[3] = (struct ps_pair){.key = "dbname", .value = "d"};
    options[4] = (struct ps_pair){.key = "sslmode", .value = "disable"};
    options[5] = (struct ps_pair){.key = "gssencmode", .value = "disable"};
    settings = (struct ps_database_settings){.label = "u@h:1/d",
                                             .options = {.items = options, .count = PS_COUNT_OF(options)},
                                             .isolation = "READ COMMITTED"};
    assert_int_equal(pthread_create(&server.thread, NULL, run_server, NULL), 0);
}

static void stop_server(void)
{
    shutdown(server.listener, SHUT_RDWR); /* ends an accept that nobody answers */
    pthread_join(server.thread, NULL);
    close(server.listener);
}

static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static unsigned row_count;

static bool take_row(void *argument, const struct ps_database_value *values)
{
    assert_ptr_equal(argument, &row_count);
    bool first = row_count++ == 0;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(values[i].type, PS_DATABASE_NUMBER);
    assert_true(values[0].number == (first ? -2 : INT64_C(0x100000002)));
    assert_true(values[1].number == (first ? -INT64_C(0x7fffffff) : 256));
    assert_true(values[2].number == first);
    assert_int_equal(values[3].type, PS_DATABASE_BYTES);
    assert_int_equal(values[3].length, first ? 3 : 0);
    assert_memory_equal(values[3].data, "a\0b", values[3].length);
    assert_int_equal(values[4].type, PS_DATABASE_TEXT);
    assert_int_equal(values[4].length, first ? 2 : 0);
    assert_memory_equal(values[4].data, "xy", values[4].length);
    assert_int_equal(values[5].type, PS_DATABASE_NULL);
    return true;
}

static bool take_one(void *argument, const struct ps_database_value *values)
{
    (void)take_row(argument, values);
    return false;
}

static const struct ps_database_statement write_statement = {
    .number = 3, .parameters = "nfbt", .text = {[PS_DATABASE_POSTGRES] = "INSERT"}};
static const struct ps_database_statement read_statement = {
    .number = 12, .parameters = "", .text = {[PS_DATABASE_POSTGRES] = "SELECT"}};

/* Everything that a channel does: settings of the session, three rows, a commit, and rows read twice. */
static enum ps_status use(void *database, struct ps_err *err)
{
    const struct ps_database_value values[] = {{.type = PS_DATABASE_NUMBER, .number = -5},
                                               {.type = PS_DATABASE_NUMBER, .number = 7},
                                               {.type = PS_DATABASE_BYTES, .length = 3, .data = "p\0q"},
                                               {.type = PS_DATABASE_TEXT, .length = 2, .data = "tt"}};
    const struct ps_database_ops *ops = &ps_database_postgres;
    row_count = 0;
    if (ops->execute(database, "BEGIN", err) != PS_OK)
        return PS_FAIL;
    for (unsigned i = 0; i < 3; i++) {
        if (ops->run(database, &write_statement, values, err) != PS_OK)
            return PS_FAIL;
    }
    if (ops->execute(database, "COMMIT", err) != PS_OK ||
        ops->query(database, &read_statement, NULL, take_row, &row_count, err) != PS_OK)
        return PS_FAIL;
    assert_int_equal(row_count, 2);
    row_count = 0;
    if (ops->query(database, &read_statement, NULL, take_one, &row_count, err) != PS_OK)
        return PS_FAIL;
    assert_int_equal(row_count, 1);
    return PS_OK;
}

static void test_messages(void **state)
{
    struct ps_err err = {.length = 0};
    start_server(0, NO_FAULT, false);
    void *database = ps_database_postgres.connect(&settings, &err);
    if (database == NULL)
        fail_msg("%s", err.text);
    if (use(database, &err) != PS_OK)
        fail_msg("%s", err.text);
    ps_database_postgres.close(database);
    stop_server();
    assert_string_equal(server.types, MESSAGES);
    assert_string_equal(server.text, "COMMIT");
    assert_int_equal(err.length, 0);
}

static void assert_failed(const struct ps_err *err, const char *expected)
{
    assert_int_equal(strncmp(err->text, LABEL, strlen(LABEL)), 0);
    assert_null(strchr(err->text, '\n')); /* one line of the log */
    if (strstr(err->text, expected) == NULL)
        fail_msg("\"%s\" does not say %s", err->text, expected);
}

/* Each message gets an error for an answer once, and the end of the connection once: some call fails and says why, nothing waits, and
 * nothing stays open. */
static void test_faults(void **state)
{
    unsigned before = descriptors();
    for (unsigned at = 1; at <= strlen(MESSAGES); at++) {
        for (enum fault fault = ERROR_FAULT; fault <= CLOSE_FAULT; fault++) {
            struct ps_err err = {.length = 0};
            enum ps_status status = PS_FAIL;
            if (fault == ERROR_FAULT && MESSAGES[at - 1] == 'S')
                continue; /* has no answer of its own */
            start_server(at, fault, false);
            void *database = ps_database_postgres.connect(&settings, &err);
            assert_int_equal(database == NULL, at == 1); /* the settings of the session */
            if (database != NULL) {
                status = use(database, &err);
                ps_database_postgres.close(database);
            }
            stop_server();
            assert_int_equal(status, PS_FAIL);
            if (fault == ERROR_FAULT)
                assert_string_equal(err.text, LABEL "ERROR:  no luck");
            else
                assert_failed(&err, "");
            assert_int_equal(descriptors(), before);
        }
    }
}

/* A connection that fails while it is made. */
static void test_no_connection(void **state)
{
    struct ps_err err = {.length = 0};
    unsigned before = descriptors();
    start_server(0, NO_FAULT, true);
    assert_null(ps_database_postgres.connect(&settings, &err));
    stop_server();
    assert_failed(&err, "FATAL:  not you");
    err.length = 0;
    assert_null(ps_database_postgres.connect(&settings, &err)); /* nobody listens any more */
    assert_failed(&err, "Connection refused");
    err.length = 0;
    options[1].value = "0";
    assert_null(ps_database_postgres.connect(&settings, &err)); /* not even begun */
    assert_failed(&err, "invalid port number: \"0\"");
    assert_int_equal(descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_no_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
