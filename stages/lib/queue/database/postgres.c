/* PostgreSQL, through libpq. Statements without rows are sent in a pipeline, so that a transaction of a thousand
 * statements does not wait for a thousand answers. No call waits longer than ANSWER_MS for the server. */
#include <endian.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/quantity.h"
#include "stages/lib/queue/database/database.h"

#define CONNECT_MS UINT64_C(10000)
#define ANSWER_MS UINT64_C(60000)
/* Statements that are sent before their answers are read. */
#define PIPELINE_STATEMENTS 256U
/* Type numbers of pg_type. */
#define TYPE_TRUTH 16U
#define TYPE_BYTES 17U
#define TYPE_LONG 20U
#define TYPE_INT 23U
#define TYPE_TEXT 25U

struct postgres {
    const struct ps_database_settings *settings;
    PGconn *connection;
    bool prepared[PS_DATABASE_STATEMENTS_MAX];
    unsigned sent; /* statements in the pipeline whose answers were not read yet */
    bool pipeline;
};

/* Sets the error to the database's name and the server's message on one line. */
static enum ps_status failed_with(const struct postgres *postgres, const char *words, struct ps_err *err)
{
    char text[512];
    size_t length = 0;
    for (; *words != '\0' && length + 2 < sizeof text; words++) {
        if (*words != '\n')
            text[length++] = *words;
        else if (words[1] != '\0')
            text[length++] = ' ';
    }
    text[length] = '\0';
    return ps_err_set(err, "the database %s: %s", postgres->settings->label, text);
}

static enum ps_status failed(const struct postgres *postgres, struct ps_err *err)
{
    const char *words = PQerrorMessage(postgres->connection);
    return failed_with(postgres, *words != '\0' ? words : "the connection is gone", err);
}

static void postgres_close(void *database)
{
    struct postgres *postgres = database;
    PQfinish(postgres->connection);
    free(postgres);
}

/* ---- waiting ---- */

static bool await_socket(const struct postgres *postgres, short events, uint64_t until_ns)
{
    struct pollfd ready = {.fd = PQsocket(postgres->connection), .events = events};
    uint64_t now = ps_clock_now().mono_ns;
    return ready.fd >= 0 && now < until_ns && poll(&ready, 1, (int)((until_ns - now) / PS_NS_PER_MS + 1)) > 0;
}

/* Sends the remaining bytes, and waits for a result. */
static enum ps_status await_result(struct postgres *postgres, struct ps_err *err)
{
    uint64_t until_ns = ps_clock_now().mono_ns + ANSWER_MS * PS_NS_PER_MS;
    for (;;) {
        int unsent = PQflush(postgres->connection);
        if (unsent < 0)
            return failed(postgres, err);
        if (unsent == 0 && !PQisBusy(postgres->connection))
            return PS_OK;
        if (!await_socket(postgres, (short)(unsent > 0 ? POLLIN | POLLOUT : POLLIN), until_ns))
            return ps_err_set(err, "the database %s: no answer within %s", postgres->settings->label,
                              ps_quantity_print_ns(ANSWER_MS * PS_NS_PER_MS).text);
        if (PQconsumeInput(postgres->connection) == 0)
            return failed(postgres, err);
    }
}

static bool is_good(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_SINGLE_TUPLE ||
           status == PGRES_PIPELINE_SYNC || status == PGRES_EMPTY_QUERY;
}

/* ---- connecting ---- */

static void no_notice(void *, const char *)
{
}

static enum ps_status await_connection(struct postgres *postgres, struct ps_err *err)
{
    uint64_t until_ns = ps_clock_now().mono_ns + CONNECT_MS * PS_NS_PER_MS;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
        if (!await_socket(postgres, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_ns))
            return ps_err_set(err, "the database %s: no connection within %s", postgres->settings->label,
                              ps_quantity_print_ns(CONNECT_MS * PS_NS_PER_MS).text);
        state = PQconnectPoll(postgres->connection);
    }
    return state == PGRES_POLLING_OK ? PS_OK : failed(postgres, err);
}

static enum ps_status postgres_execute(void *database, const char *text, struct ps_err *err);

/* Session settings. The server must detect a dead connection, because the connection holds the channel's lock. A promise
 * needs a commit that is on the server's disk. */
static enum ps_status set_session(struct postgres *postgres, struct ps_err *err)
{
    char text[512];
    snprintf(
        text, sizeof text,
        "SET search_path = flume;SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL %s;SET "
        "idle_in_transaction_session_timeout = 60000;SET tcp_keepalives_idle = 20; SET "
        "tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;SELECT set_config('synchronous_commit', "
        "'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        postgres->settings->isolation);
    return postgres_execute(postgres, text, err);
}

static void *postgres_connect(const struct ps_database_settings *settings, struct ps_err *err)
{
    struct postgres *postgres = ps_must_alloc(1, sizeof *postgres, "a connection to a database");
    size_t count = settings->options.count;
    const char **keywords = ps_must_alloc(2 * (count + 1), sizeof *keywords, "options of a database");
    const char **values = keywords + count + 1;
    for (size_t i = 0; i < count; i++) {
        keywords[i] = settings->options.items[i].key;
        values[i] = settings->options.items[i].value;
    }
    postgres->settings = settings;
    postgres->connection = PQconnectStartParams(keywords, values, 0);
    free((void *)keywords);
    if (postgres->connection == NULL || PQstatus(postgres->connection) == CONNECTION_BAD)
        (void)failed(postgres, err);
    else if (await_connection(postgres, err) == PS_OK) {
        PQsetNoticeProcessor(postgres->connection, no_notice, NULL);
        if (PQsetnonblocking(postgres->connection, 1) != 0)
            (void)failed(postgres, err);
        else if (set_session(postgres, err) == PS_OK)
            return postgres;
    }
    postgres_close(postgres);
    return NULL;
}

/* ---- statements ---- */

/* Reads the results of one statement; reports the first failure. */
static enum ps_status read_results(struct postgres *postgres, struct ps_err *err)
{
    enum ps_status status = PS_OK;
    for (;;) {
        if (await_result(postgres, err) != PS_OK)
            return PS_FAIL;
        PGresult *result = PQgetResult(postgres->connection);
        if (result == NULL)
            return status;
        if (!is_good(result) && status == PS_OK)
            status = failed_with(postgres, PQresultErrorMessage(result), err);
        PQclear(result);
    }
}

/* Reads the outstanding results of the pipeline, and leaves pipeline mode. */
static enum ps_status end_pipeline(struct postgres *postgres, struct ps_err *err)
{
    enum ps_status status = PS_OK;
    bool synced = false;
    if (!postgres->pipeline)
        return PS_OK;
    if (PQpipelineSync(postgres->connection) == 0)
        return failed(postgres, err);
    while (!synced) {
        if (await_result(postgres, err) != PS_OK)
            return PS_FAIL;
        PGresult *result = PQgetResult(postgres->connection);
        if (result == NULL && PQstatus(postgres->connection) == CONNECTION_BAD)
            return failed(postgres, err); /* the result of the pipeline's sync point will not come */
        if (result == NULL)               /* NULL also separates two statements */
            continue;
        synced = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        if (!is_good(result) && status == PS_OK)
            status = failed_with(postgres, PQresultErrorMessage(result), err);
        PQclear(result);
    }
    postgres->sent = 0;
    postgres->pipeline = false;
    if (PQexitPipelineMode(postgres->connection) == 0)
        return failed(postgres, err);
    return status;
}

static enum ps_status postgres_execute(void *database, const char *text, struct ps_err *err)
{
    struct postgres *postgres = database;
    if (end_pipeline(postgres, err) != PS_OK)
        return PS_FAIL;
    if (PQsendQuery(postgres->connection, text) == 0)
        return failed(postgres, err);
    return read_results(postgres, err);
}

static const char *name_of(const struct ps_database_statement *statement, char name[16])
{
    snprintf(name, 16, "s%u", statement->number);
    return name;
}

static bool send_prepare(struct postgres *postgres, const struct ps_database_statement *statement)
{
    Oid types[PS_DATABASE_VALUES_MAX];
    char name[16];
    int count = 0;
    for (const char *letter = statement->parameters; *letter != '\0'; letter++)
        types[count++] = *letter == 'n'   ? TYPE_LONG
                         : *letter == 'f' ? TYPE_TRUTH
                         : *letter == 'b' ? TYPE_BYTES
                                          : TYPE_TEXT;
    postgres->prepared[statement->number] = true;
    return PQsendPrepare(postgres->connection, name_of(statement, name),
                         statement->text[PS_DATABASE_POSTGRES], count, types) != 0;
}

static bool send_statement(struct postgres *postgres, const struct ps_database_statement *statement,
                           const struct ps_database_value *values)
{
    const char *data[PS_DATABASE_VALUES_MAX];
    int lengths[PS_DATABASE_VALUES_MAX], formats[PS_DATABASE_VALUES_MAX];
    uint64_t numbers[PS_DATABASE_VALUES_MAX];
    char truths[PS_DATABASE_VALUES_MAX], name[16];
    int count = 0;
    for (const char *letter = statement->parameters; *letter != '\0'; letter++, count++) {
        const struct ps_database_value *value = &values[count];
        formats[count] = 1;
        if (*letter == 'n') {
            numbers[count] = htobe64((uint64_t)value->number);
            data[count] = (const char *)&numbers[count];
            lengths[count] = sizeof numbers[count];
        } else if (*letter == 'f') {
            truths[count] = value->number != 0;
            data[count] = &truths[count];
            lengths[count] = 1;
        } else {
            data[count] = value->data;
            lengths[count] = (int)value->length;
        }
    }
    return PQsendQueryPrepared(postgres->connection, name_of(statement, name), count, data, lengths, formats,
                               1) != 0;
}

static enum ps_status postgres_run(void *database, const struct ps_database_statement *statement,
                                   const struct ps_database_value *values, struct ps_err *err)
{
    struct postgres *postgres = database;
    if (!postgres->pipeline && PQenterPipelineMode(postgres->connection) == 0)
        return failed(postgres, err);
    postgres->pipeline = true;
    if (!postgres->prepared[statement->number] && !send_prepare(postgres, statement))
        return failed(postgres, err);
    if (!send_statement(postgres, statement, values))
        return failed(postgres, err);
    return ++postgres->sent < PIPELINE_STATEMENTS ? PS_OK : end_pipeline(postgres, err);
}

/* ---- rows ---- */

static int64_t number_of(const char *bytes, int length)
{
    uint64_t number = 0;
    for (int i = 0; i < length; i++)
        number = number << 8 | (unsigned char)bytes[i];
    return length == 4 ? (int32_t)number : (int64_t)number;
}

static struct ps_database_value column(const PGresult *result, int at)
{
    struct ps_database_value value = {.type = PS_DATABASE_NULL};
    const char *bytes = PQgetvalue(result, 0, at);
    int length = PQgetlength(result, 0, at);
    Oid type = PQftype(result, at);
    if (PQgetisnull(result, 0, at))
        return value;
    if (type == TYPE_LONG || type == TYPE_INT || type == TYPE_TRUTH) {
        value.type = PS_DATABASE_NUMBER;
        value.number = number_of(bytes, length);
        return value;
    }
    value.type = type == TYPE_BYTES ? PS_DATABASE_BYTES : PS_DATABASE_TEXT;
    value.data = bytes;
    value.length = (size_t)length;
    return value;
}

static bool give_row(const PGresult *result, ps_database_row *row, void *argument)
{
    struct ps_database_value columns[PS_DATABASE_VALUES_MAX];
    int count = PQnfields(result);
    PS_ASSERT(count <= (int)PS_COUNT_OF(columns));
    for (int i = 0; i < count; i++)
        columns[i] = column(result, i);
    return row(argument, columns);
}

static enum ps_status postgres_query(void *database, const struct ps_database_statement *statement,
                                     const struct ps_database_value *values, ps_database_row *row,
                                     void *argument, struct ps_err *err)
{
    struct postgres *postgres = database;
    enum ps_status status = PS_OK;
    bool wanted = true;
    if (end_pipeline(postgres, err) != PS_OK)
        return PS_FAIL;
    if (!postgres->prepared[statement->number]) {
        if (!send_prepare(postgres, statement))
            return failed(postgres, err);
        if (read_results(postgres, err) != PS_OK)
            return PS_FAIL;
    }
    if (!send_statement(postgres, statement, values))
        return failed(postgres, err);
    (void)PQsetSingleRowMode(postgres->connection);
    for (;;) {
        if (await_result(postgres, err) != PS_OK)
            return PS_FAIL;
        PGresult *result = PQgetResult(postgres->connection);
        if (result == NULL)
            return status;
        if (!is_good(result) && status == PS_OK)
            status = failed_with(postgres, PQresultErrorMessage(result), err);
        if (wanted && PQresultStatus(result) == PGRES_SINGLE_TUPLE)
            wanted = give_row(result, row, argument);
        PQclear(result);
    }
}

const struct ps_database_ops ps_database_postgres = {
    .connect = postgres_connect,
    .close = postgres_close,
    .execute = postgres_execute,
    .run = postgres_run,
    .query = postgres_query,
};
