/* Calls a real metastore as a sink does that streams into a transactional table, and writes the files that belong to it, by
 * penstock's client and writer: the table is read, its partition made, transactions opened, locked, written, committed and
 * aborted. Prints a line for each call.
 *
 *   hive_calls ADDRESSES DATABASE TABLE PARTITION ROWS [commit|abort|leave [CONF [PRINCIPAL KEYTAB]]]
 *
 * PARTITION: "day=2026-11-21", or "-": none. The table: one bucket, columns (id int, name string), on the local disk. Of
 * three transactions the first and the last do what the last word says, with ROWS rows each; the second is aborted after it
 * has written. ROWS 0: the table is missing, and the transactions are aborted. CONF: a directory with hive-site.xml and
 * core-site.xml, for Kerberos.
 *
 * Environment: CALL_TIMEOUT_S, how long a call may take (default 60).
 *
 * Exit code: 0, or 1 when a call failed. */
#include "core/stage.h"
#include "core/thread.h"
#include "stages/lib/hadoop/loop.h"
#include "stages/lib/hive/metastore.h"
#include "stages/lib/orc/acid.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define TXNS 3

struct file {
    struct ps_output output;
    FILE *file;
};

static struct ps_hadoop_loop *loop;
static struct ps_port port = {.component = "hive_calls", .name = "hive_calls"};
static struct ps_metastore *metastore;
static struct ps_hive_request request = {.user = "penstock", .host = "localhost", .agent = "hive_calls"};
static bool waiting;
static enum ps_hive_error outcome;
static int64_t numbers[2 * TXNS], lock_id;
static size_t number_count;
static enum ps_hive_lock_state lock_state;
static char location[1024], columns[1024];

static void keep_table(const struct ps_hive_table *table)
{
    size_t used = 0;
    snprintf(location, sizeof(location), "%.*s", (int)table->location.length, table->location.data);
    for (size_t i = 0; i < table->columns.count; i++) {
        const struct ps_hive_pair *column = &table->columns.all[i];
        used += (size_t)snprintf(columns + used, sizeof(columns) - used, "%s%.*s:%.*s", i == 0 ? "" : ",",
                                 (int)column->name.length, column->name.data, (int)column->value.length,
                                 column->value.data);
    }
    struct ps_slice transactional = ps_hive_pairs_find(&table->parameters, "transactional");
    printf("  %s, struct<%s>, %d buckets, %zu partition keys, transactional=%.*s\n", location, columns,
           table->bucket_count, table->partition_keys.count, (int)transactional.length, transactional.data);
}

static void done(void *argument, const struct ps_hive_answer *answer)
{
    const char *name = argument;
    waiting = false;
    outcome = answer->error;
    number_count = answer->number_count < 2 * TXNS ? answer->number_count : 2 * TXNS;
    memcpy(numbers, answer->numbers, number_count * sizeof(int64_t));
    lock_id = answer->lock;
    lock_state = answer->lock_state;
    printf("%s: %d %s", name, (int)answer->error, answer->reason);
    for (size_t i = 0; i < number_count; i++)
        printf(" %" PRId64, numbers[i]);
    putchar('\n');
    if (answer->table.location.length > 0)
        keep_table(&answer->table);
}

/* Makes a call and waits for its answer. Ends the program unless it is OK or `other`. */
static void call(enum ps_hive_call number, enum ps_hive_error other)
{
    waiting = true;
    ps_metastore_call(metastore, number, &request, done, (void *)(uintptr_t)ps_hive_call_names[number]);
    while (waiting) {
        struct epoll_event event;
        struct ps_now now = ps_clock_now();
        uint64_t due = ps_hadoop_loop_turn(loop, &now);
        now = ps_clock_now();
        if (waiting && due > now.mono_ns)
            (void)!epoll_wait(port.epoll_fd, &event, 1, 20);
    }
    if (outcome != PS_HIVE_OK && outcome != other)
        exit(1);
}

static bool write_file(struct ps_output *output, const void *bytes, size_t length)
{
    return fwrite(bytes, 1, length, ((struct file *)(void *)output)->file) == length;
}

static FILE *create(const char *folder, const char *name)
{
    char path[2048];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    PS_ASSERT(file != NULL);
    return file;
}

/* Writes the delta of one transaction. */
static void write_delta(int64_t write_id, int64_t first, int64_t rows)
{
    char folder[1536], name[PS_ORC_ACID_NAME_BYTES], type_text[1100];
    struct ps_err err;
    ps_orc_acid_delta_name(write_id, name);
    snprintf(folder, sizeof(folder), "%s/%s", location + strlen("file:"), name);
    PS_ASSERT(mkdir(folder, 0777) == 0);
    FILE *version = create(folder, PS_ORC_ACID_VERSION_FILE);
    fputs(PS_ORC_ACID_VERSION, version);
    fclose(version);
    ps_orc_acid_bucket_name(0, name);
    struct file file = {.output.write = write_file, .file = create(folder, name)};
    snprintf(type_text, sizeof(type_text), "struct<%s>", columns);
    struct ps_orc_type *type = ps_orc_type_parse(type_text, &err);
    PS_ASSERT(type != NULL);
    struct ps_orc_settings settings = ps_orc_settings_usual(type);
    struct ps_orc_acid *acid = ps_orc_acid_open(&settings, 0, write_id, &file.output, &err);
    PS_ASSERT(acid != NULL);
    for (int64_t i = 0; i < rows; i++) {
        char text[32];
        struct ps_orc_value values[2] = {{.integer = first + i}, {.null = i % 10 == 9}};
        values[1].bytes = text;
        values[1].length = (uint32_t)snprintf(text, sizeof(text), "name %" PRId64, first + i);
        PS_ASSERT(ps_orc_acid_insert(acid, &(struct ps_orc_value){.items = values, .item_count = 2}));
    }
    PS_ASSERT(ps_orc_acid_end(acid));
    ps_orc_acid_close(acid);
    ps_orc_type_destroy(type);
    fclose(file.file);
}

static void run_txn(unsigned number, const int64_t *ids, int64_t rows, const char *end)
{
    request.txn = ids[0];
    request.write_id = ids[1];
    if (request.partition != NULL)
        call(PS_HIVE_ADD_DYNAMIC_PARTITIONS, PS_HIVE_OK);
    call(PS_HIVE_LOCK, PS_HIVE_OK);
    printf("  lock %" PRId64 ", state %d\n", lock_id, (int)lock_state);
    request.lock = lock_id;
    while (lock_state == PS_HIVE_LOCK_WAITING)
        call(PS_HIVE_CHECK_LOCK, PS_HIVE_OK);
    write_delta(request.write_id, number * rows, rows);
    request.txn_min = request.txn_max = request.txn;
    call(PS_HIVE_HEARTBEAT_TXN_RANGE, PS_HIVE_OK);
    if (strcmp(end, "commit") == 0) {
        call(PS_HIVE_COMMIT_TXN, PS_HIVE_OK);
        call(PS_HIVE_ABORT_TXN, PS_HIVE_TXN_COMMITTED); /* and this does not abort it */
        call(PS_HIVE_COMMIT_TXN, PS_HIVE_OK);
    } else if (strcmp(end, "abort") == 0) {
        request.txns = &request.txn;
        request.txns_count = 1;
        call(PS_HIVE_ABORT_TXNS, PS_HIVE_OK);
        call(PS_HIVE_COMMIT_TXN, PS_HIVE_TXN_GONE);
        call(PS_HIVE_ABORT_TXN, PS_HIVE_OK);
    }
}

/* Transactions without a table. */
static void run_empty(void)
{
    int64_t opened[TXNS];
    request.txn_count = TXNS;
    call(PS_HIVE_OPEN_TXNS, PS_HIVE_OK);
    memcpy(opened, numbers, sizeof(opened));
    request.txn_min = opened[0];
    request.txn_max = opened[TXNS - 1];
    call(PS_HIVE_HEARTBEAT_TXN_RANGE, PS_HIVE_OK);
    request.txns = opened;
    request.txns_count = TXNS;
    call(PS_HIVE_ABORT_TXNS, PS_HIVE_OK);
}

static enum ps_status read_security(int argc, char **argv, struct ps_hive_security **security,
                                    struct ps_err *err)
{
    struct ps_hadoop_configuration *configuration;
    if (ps_hadoop_configuration_load_files(&configuration, argv[7], ps_hive_security_files, err) != PS_OK)
        return PS_FAIL;
    enum ps_status status = ps_hive_security_open(security, configuration, argc > 9 ? argv[8] : NULL,
                                                  argc > 9 ? argv[9] : NULL, err);
    ps_hadoop_configuration_free(configuration);
    return status;
}

int main(int argc, char **argv)
{
    struct ps_err err = {.length = 0};
    struct ps_hive_security *security = NULL;
    PS_ASSERT(argc >= 6);
    port.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    port.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event wake = {.events = EPOLLIN | EPOLLET}; /* nobody reads it */
    epoll_ctl(port.epoll_fd, EPOLL_CTL_ADD, port.wake_fd, &wake);
    if (argc > 7 && read_security(argc, argv, &security, &err) != PS_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    const char *timeout = getenv("CALL_TIMEOUT_S");
    const struct ps_metastore_settings settings = {
        .addresses = argv[1],
        .call_timeout_ns = (timeout != NULL ? strtoull(timeout, NULL, 10) : 60) * PS_NS_PER_S,
        .connect_ns = 10 * PS_NS_PER_S,
        .security = security};
    if (ps_hadoop_loop_open(&loop, &port, &err) != PS_OK ||
        ps_metastore_open(&settings, loop, &metastore, &err) != PS_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    const char *value = strchr(argv[4], '=') != NULL ? strchr(argv[4], '=') + 1 : NULL;
    request.database = argv[2];
    request.table = "no_such_table";
    call(PS_HIVE_GET_TABLE, PS_HIVE_MISSING);
    if (strcmp(argv[5], "0") == 0) {
        run_empty();
        ps_metastore_close(metastore);
        ps_hadoop_loop_close(loop);
        ps_hive_security_close(security);
        ps_thread_exit_process(0); /* a helper that was left alone may still be in the Kerberos library */
    }
    request.table = argv[3];
    call(PS_HIVE_GET_TABLE, PS_HIVE_OK);
    if (value != NULL) {
        request.partition = argv[4];
        request.values = &value;
        request.value_count = 1;
        call(PS_HIVE_GET_PARTITION, PS_HIVE_MISSING);
        call(PS_HIVE_APPEND_PARTITION, PS_HIVE_EXISTS);
        call(PS_HIVE_APPEND_PARTITION, PS_HIVE_EXISTS);
        char kept[sizeof(columns)];
        memcpy(kept, columns, sizeof(kept));
        call(PS_HIVE_GET_PARTITION, PS_HIVE_OK);
        memcpy(columns, kept, sizeof(kept));
    }
    int64_t ids[2 * TXNS], rows = strtoll(argv[5], NULL, 10);
    request.txn_count = TXNS;
    call(PS_HIVE_OPEN_TXNS, PS_HIVE_OK);
    int64_t opened[TXNS];
    memcpy(opened, numbers, sizeof(opened));
    request.txns = opened;
    request.txns_count = TXNS;
    call(PS_HIVE_ALLOCATE_TABLE_WRITE_IDS, PS_HIVE_OK);
    PS_ASSERT(number_count == 2 * TXNS);
    memcpy(ids, numbers, sizeof(ids));
    const char *end = argc > 6 ? argv[6] : "commit";
    for (unsigned i = 0; i < TXNS; i++)
        run_txn(i, ids + 2 * i, rows, i == 1 ? "abort" : end);
    ps_metastore_close(metastore);
    ps_hadoop_loop_close(loop);
    ps_hive_security_close(security);
    ps_thread_exit_process(0); /* a helper that was left alone may still be in the Kerberos library */
}
