/* penstock avro-client: sends lines to an avro source, as `flume-ng avro-client` does
 * (org.apache.flume.client.avro.AvroCLIClient), with its options. Where Flume logs a failure and exits with
 * 0, this command exits with an error status. */
#include "commands/avro_client/avro_client.h"

#include "bench/support/live.h"
#include "conf/bind.h"
#include "conf/text.h"
#include "conf/properties/properties.h"
#include "core/arena.h"
#include "core/clock.h"
#include "commands/commands.h"
#include "commands/line/line.h"
#include "core/log/log.h"
#include "core/quantity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_EVENTS 5                      /* without properties: AvroCLIClient.BATCH_SIZE */
#define BATCH_BYTES_MAX (4U << 20)          /* a batch of this size takes no more events */
#define PROGRESS_AFTER_NS (2 * PS_NS_PER_S) /* runs shorter than this print no rate */
#define MARK_EVERY_NS PS_NS_PER_S

struct command {
    const char *host, *port, *file, *directory, *header_file, *properties_file;
    struct ps_texts properties; /* -D KEY=VALUE */
    struct ps_arena *arena;
    const volatile sig_atomic_t *interrupts;
    /* The following members are used during the run. */
    struct penstock_client *client;
    struct ps_rpc_input input;
    struct ps_rpc_batch batch;
    struct ps_live live;
    uint64_t began_ns, shown_ns, marked_ns;
    uint64_t events, bytes; /* acknowledged */
};

/* ---- the command line ---- */

static ps_row_take take_property;

#define PS_ROW_TARGET struct command

static const struct ps_command_row rows[] = {
    {"host", 'H', "HOST", PS_ROW_TEXT(host), .help = "the host of the source"},
    {"port", 'p', "PORT", PS_ROW_TEXT(port), .help = "its port"},
    {"rpcProps", 'P', "FILE", PS_ROW_TEXT(properties_file),
     .help = "Flume's RPC client properties, instead of host and port: hosts, batch-size, time-outs, "
             "compression, ssl; client.type default, default_failover, default_loadbalance or thrift"},
    {"filename", 'F', "FILE", PS_ROW_TEXT(file),
     .help = "sends the lines of this file; default: standard input"},
    {"dirname", 0, "DIRECTORY", PS_ROW_TEXT(directory),
     .help = "sends the files of a spooling directory, and renames each to FILE.COMPLETED"},
    {"headerFile", 'R', "FILE", PS_ROW_TEXT(header_file),
     .help = "headers of every event: a properties file, KEY=VALUE in each line"},
    {NULL, 'D', "KEY=VALUE", PS_ROW_TAKE(take_property),
     .help = "a property of Java: -Djavax.net.ssl.trustStore=FILE"},
    {"conf", 'c', "DIRECTORY", PS_ROW_IGNORED, .help = "accepted as by flume-ng, without effect"},
    {"classpath", 'C', "PATH", PS_ROW_IGNORED, .help = "the same"},
    {"plugins-path", 0, "PATH", PS_ROW_IGNORED, .help = "the same"},
    {NULL, 'X', "OPTION", PS_ROW_IGNORED, .help = "the same"},
    {.help = NULL},
};

const struct ps_command_line ps_line_avro_client = {
    .name = "avro-client",
    .usage =
        "Usage: penstock avro-client {-H HOST -p PORT | -P FILE} [-F FILE | --dirname DIRECTORY] [-R FILE]\n"
        "Sends lines to an avro source of penstock or of Flume, one event each, and waits until the source "
        "has taken\nthem. Takes the options of `flume-ng avro-client`.\n",
    .rows = rows,
    .ends = "A batch has 5 events, or with --rpcProps the number of batch-size (default 100); it has fewer "
            "when standard\n"
            "input pauses. The command sends a batch after the source has answered OK to the batch before, "
            "and ends at the\n"
            "first other answer.\n"
            "\n"
            "Exit status: 0 all events are acknowledged, 1 some are not (the last line has the number of "
            "those that are),\n"
            "2 wrong usage, or a file cannot be read.\n"
            "\n"
            "Examples:\n"
            "  penstock avro-client -H collector -p 4141 -F /var/log/app.log -R headers.properties\n"
            "  journalctl -f -o cat | penstock avro-client -H collector -p 4141\n"
            "  penstock avro-client -P rpc.properties --dirname /var/spool/events\n",
};

static bool wrong(const char *what)
{
    fprintf(stderr, "penstock avro-client: %s\n", what);
    return false;
}

static enum ps_status take_property(void *target, const struct ps_command_row *, const char *text,
                                    struct ps_err *err)
{
    struct command *command = target;
    if (strchr(text, '=') == NULL)
        return ps_err_set(err, "-D takes KEY=VALUE");
    ps_texts_add(command->arena, &command->properties, text);
    return PS_OK;
}

static bool options_fit(const struct command *command)
{
    if (command->file != NULL && command->directory != NULL)
        return wrong("--filename and --dirname cannot be used together: one run for each");
    if (command->properties_file == NULL && (command->host == NULL || command->port == NULL))
        return wrong("name the source: --host and --port, or --rpcProps");
    if (command->properties_file != NULL && (command->host != NULL || command->port != NULL))
        fputs("penstock avro-client: --host and --port are not used with --rpcProps, as in Flume\n", stderr);
    return true;
}

/* Returns -1 to continue, else the exit code. */
static int parse(struct command *command, int argc, char **argv)
{
    int operands, code = ps_command_line_parse(&ps_line_avro_client, command, argc, argv, &operands);
    if (code >= 0)
        return code;
    if (operands > 0) {
        fprintf(stderr, "penstock avro-client: unexpected \"%s\"; name a file with -F\n", argv[1]);
        return 2;
    }
    return options_fit(command) ? -1 : 2;
}

/* ---- headers ---- */

/* Reads the headers of every event from the header file. */
static enum ps_status headers_read(struct command *command, struct penstock_client_header **headers,
                                   size_t *count, struct ps_err *err)
{
    struct ps_pairs pairs = {.count = 0};
    if (command->header_file != NULL &&
        ps_properties_read(command->arena, command->header_file, &pairs, err) != PS_OK)
        return PS_FAIL;
    *count = pairs.count;
    *headers = ps_arena_alloc(command->arena, (pairs.count + 1) * sizeof **headers);
    for (size_t i = 0; i < pairs.count; i++)
        (*headers)[i] = (struct penstock_client_header){pairs.items[i].key, pairs.items[i].value};
    return PS_OK;
}

/* ---- the run ---- */

/* struct penstock_client_options: message, interrupted, system_property */
static void message(void *, const char *text)
{
    fprintf(stderr, "penstock avro-client: %s\n", text);
}

static int interrupted(void *command_)
{
    const struct command *command = command_;
    return *command->interrupts > 0;
}

static const char *property_find(void *command_, const char *name)
{
    const struct command *command = command_;
    size_t length = strlen(name);
    for (size_t i = command->properties.count; i-- > 0;) { /* the last option counts */
        const char *item = command->properties.items[i];
        if (strncmp(item, name, length) == 0 && item[length] == '=')
            return item + length + 1;
    }
    return NULL;
}

static enum ps_status client_open(struct command *command, struct ps_err *err)
{
    struct penstock_client_error error;
    const struct penstock_client_options settings = {.size = sizeof settings,
                                                     .argument = command,
                                                     .message = message,
                                                     .interrupted = interrupted,
                                                     .system_property = property_find,
                                                     .batch_events_max = BATCH_EVENTS};
    int64_t port;
    if (command->properties_file != NULL)
        command->client = penstock_client_open_file(command->properties_file, &settings, &error);
    else if (!ps_parse_int(command->port, &port) || port < 1 || port > 65535)
        return ps_err_set(err, "--port %s: a port is a number from 1 to 65535", command->port);
    else
        command->client = penstock_client_open(command->host, (unsigned)port, &settings, &error);
    return command->client != NULL ? PS_OK : ps_err_set(err, "%s", error.text);
}

static enum ps_status input_open(struct command *command, struct ps_err *err)
{
    command->input.interrupts = command->interrupts;
    return command->directory != NULL ? ps_rpc_input_open_directory(&command->input, command->directory, err)
                                      : ps_rpc_input_open(&command->input, command->file, err);
}

/* Prepares the headers, the client and the lines. */
static enum ps_status prepare(struct command *command, struct ps_err *err)
{
    struct penstock_client_header *headers;
    size_t header_count;
    if (headers_read(command, &headers, &header_count, err) != PS_OK || client_open(command, err) != PS_OK)
        return PS_FAIL;
    ps_rpc_batch_init(&command->batch, headers, header_count,
                      penstock_client_batch_events_max(command->client));
    return input_open(command, err);
}

static void progress_show(struct command *command, uint64_t now_ns)
{
    uint64_t ran_ns = now_ns - command->began_ns;
    if (ran_ns < PROGRESS_AFTER_NS || now_ns < command->shown_ns + PS_LIVE_EVERY_NS)
        return;
    command->shown_ns = now_ns;
    ps_live_status(&command->live, "%s %s, %s, %s; %s", ps_quantity_print_count(command->events).text,
                   ps_quantity_word(command->events, "event", "events"),
                   ps_quantity_print_bytes(command->bytes).text,
                   ps_quantity_print_event_rate((double)command->events * 1e9 / (double)ran_ns).text,
                   command->input.path);
}

/* Sends the gathered events. */
static bool batch_send(struct command *command, struct ps_err *err)
{
    struct ps_rpc_batch *batch = &command->batch;
    if (batch->count == 0)
        return true;
    struct penstock_client_error error;
    size_t acknowledged;
    int status = penstock_client_append_batch(command->client, ps_rpc_batch_events(batch), batch->count,
                                              &acknowledged, &error);
    command->events += acknowledged;
    if (status != PENSTOCK_CLIENT_OK) {
        ps_err_set(err, "%s", error.text);
        return false;
    }
    command->bytes += batch->length;
    ps_rpc_batch_begin(batch);
    ps_rpc_input_acknowledge(&command->input);
    uint64_t now_ns = ps_clock_now().mono_ns;
    progress_show(command, now_ns);
    if (now_ns < command->marked_ns + MARK_EVERY_NS)
        return true;
    command->marked_ns = now_ns;
    return ps_rpc_input_mark(&command->input, err) == PS_OK;
}

/* Sends all lines. */
static bool lines_send(struct command *command, struct ps_err *err)
{
    struct ps_rpc_batch *batch = &command->batch;
    for (bool more = true; more;) {
        struct ps_slice line;
        if (*command->interrupts > 0) {
            ps_err_set(err, "interrupted");
            return false;
        }
        enum ps_rpc_line result = ps_rpc_input_line(&command->input, batch->count == 0, &line, err);
        if (result == PS_RPC_LINE_FAILED)
            return false;
        if (result == PS_RPC_LINE)
            ps_rpc_batch_add(batch, &line);
        bool whole =
            result != PS_RPC_LINE || batch->count >= batch->count_max || batch->length >= BATCH_BYTES_MAX;
        if (whole && !batch_send(command, err))
            return false;
        if (result == PS_RPC_LINE_END && ps_rpc_input_next(&command->input, &more, err) != PS_OK)
            return false;
    }
    return true;
}

static void failure_tell(const struct command *command, const struct ps_err *err)
{
    fprintf(stderr, "penstock avro-client: %s; %s %s acknowledged", err->text,
            ps_quantity_print_count(command->events).text,
            ps_quantity_word(command->events, "event is", "events are"));
    if (command->input.acknowledged_line > 0)
        fprintf(stderr, ", up to line %s of %s",
                ps_quantity_print_count(command->input.acknowledged_line).text, command->input.path);
    fputs(command->batch.count > 0 ? "; those of the last batch may have arrived\n" : "\n", stderr);
}

/* Returns the exit status. */
static int run(struct command *command, struct ps_err *err)
{
    bool good;
    struct penstock_client_error error;
    if (prepare(command, err) != PS_OK) {
        fprintf(stderr, "penstock avro-client: %s\n", ps_err_join(err));
        return 2;
    }
    command->began_ns = command->marked_ns = ps_clock_now().mono_ns;
    ps_live_init(&command->live, stderr, false, isatty(STDERR_FILENO) == 0);
    /* Connects before it reads, as Flume does, so that a dead source is reported immediately. */
    good = penstock_client_connect(command->client, &error) == PENSTOCK_CLIENT_OK;
    if (!good)
        ps_err_set(err, "%s", error.text);
    good = good && lines_send(command, err);
    ps_live_clear(&command->live);
    if (good)
        printf("%s %s acknowledged\n", ps_quantity_print_count(command->events).text,
               ps_quantity_word(command->events, "event is", "events are"));
    else
        failure_tell(command, err);
    if (!good && ps_rpc_input_mark(&command->input, err) != PS_OK)
        fprintf(stderr, "penstock avro-client: %s: the next run sends the file from its beginning\n",
                err->text);
    return good ? 0 : 1;
}

int ps_main_avro_client(int argc, char **argv)
{
    struct command *command = ps_must_alloc(1, sizeof *command, "avro-client");
    struct ps_err err = {.length = 0};
    command->arena = ps_arena_create();
    int code = parse(command, argc, argv);
    if (code < 0) {
        ps_log_set_level(PS_LOG_WARN);
        command->interrupts = ps_interrupts_catch();
        code = run(command, &err);
    }
    ps_rpc_input_close(&command->input);
    ps_rpc_batch_fini(&command->batch);
    penstock_client_close(command->client);
    ps_arena_destroy(command->arena);
    free(command);
    return code;
}
