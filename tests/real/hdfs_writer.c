/* Writes files to a real HDFS through penstock's own client, all at the same time: batches of lines, each with a flush, and the next one
 * when it is acknowledged. It prints one line of JSON: what was written, and how long flushes and closes took.
 *
 *   hdfs_writer --url hdfs://HOST:PORT (webhdfs://..) --path /DIR/NAME [OPTION]...
 *
 *   --files N           /DIR/NAME.0 .. (default 1)         --batches N        for each file (default 10)
 *   --batch BYTES       (default 20000)                    --rest MS          between an acknowledgement and the next batch
 *   --block-size BYTES  --replication N                    (default: the server's)
 *   --hsync             instead of hflush                  --timeout MS       of a call (default 30000)
 *   --conf DIR          of core-site.xml and hdfs-site.xml, without --block-size and --replication
 *   --copy DIR          also writes DIR/NAME.0 ..: what was acknowledged, for comparing
 *   --recover           writes nothing: closes files that another process left open
 *   --until FILE        ends with the first batch that is acknowledged once this file is there
 *   --leave             ends without closing the files     --read             reads each file back and compares it with what was written
 *   --progress FILE     rewritten with the number of acknowledged batches of all files
 *   --principal P       of Kerberos                        --keytab FILE      with its keys
 *   --proxy USER        for whom it writes
 *   --idle MS           rests for this time after the last batch, then prints how much memory each open file holds
 *
 * Exit code: 0, or 1 with reason when an operation failed. */
#include "core/log/log.h"
#include "core/thread.h"
#include "stages/lib/hadoop/configuration.h"
#include "stages/lib/hadoop/hdfs/open.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

struct writer {
    struct ps_file_stream *stream;
    char path[512], name[256];
    unsigned number, batches;
    uint64_t line, began_ns, resume_ns;
    FILE *copy;
    char *batch;
    size_t batch_length;
    char *content; /* of the whole file, with --read */
    size_t content_length;
    bool closing, done, reading;
};

static struct {
    const char *block_bytes, *replication; /* "": the server's */
    const char *url, *path, *copy, *configuration, *progress, *until, *principal, *keytab, *proxy_user;
    unsigned files, batches, rest_ms;
    unsigned long batch_bytes, timeout_ms, idle_ms;
    bool hsync, leave, read, recover;
} options = {.files = 1,
             .batches = 10,
             .batch_bytes = 20000,
             .timeout_ms = 30000,
             .block_bytes = "",
             .replication = ""};

static struct ps_filesystem *filesystem;
static struct writer *writers;
static struct ps_now now;
static uint64_t *flush_ns, *close_ns;
static size_t flush_count, close_count, done_count, acknowledged_batches, replicas_min = 1000;

_Noreturn static void give_up(const struct writer *writer, const char *what,
                              const struct ps_file_answer *answer)
{
    printf("{\"failed\":\"%s\",\"error\":%d,\"batches\":%u,\"reason\":\"%s\"}\n", what, (int)answer->error,
           writer->batches, answer->reason);
    fflush(stdout);
    _exit(1);
}

static void next_batch(struct writer *writer);

static void read_back(void *argument, const struct ps_file_answer *answer)
{
    struct writer *writer = argument;
    if (answer->error != PS_FILE_OK)
        give_up(writer, "read", answer);
    if (answer->content_length != writer->content_length ||
        memcmp(answer->content, writer->content, answer->content_length) != 0)
        give_up(writer, "content", &(struct ps_file_answer){.reason = "differs"});
    writer->done = true;
    done_count++;
}

static void closed(void *argument, const struct ps_file_answer *answer)
{
    struct writer *writer = argument;
    if (answer->error != PS_FILE_OK)
        give_up(writer, "close", answer);
    now = ps_clock_now();
    close_ns[close_count++] = now.mono_ns - writer->began_ns;
    if (options.read) {
        ps_file_read(filesystem, writer->path, 256U << 20, read_back, writer);
        return;
    }
    writer->done = true;
    done_count++;
}

static void flushed(void *argument, const struct ps_file_answer *answer)
{
    struct writer *writer = argument;
    if (answer->error != PS_FILE_OK)
        give_up(writer, "flush", answer);
    now = ps_clock_now();
    flush_ns[flush_count++] = now.mono_ns - writer->began_ns;
    unsigned replicas = ps_file_replicas(writer->stream);
    if (replicas > 0 && replicas < replicas_min)
        replicas_min = replicas;
    if (writer->copy != NULL &&
        fwrite(writer->batch, 1, writer->batch_length, writer->copy) != writer->batch_length)
        exit(2);
    acknowledged_batches++;
    writer->batches++;
    if (options.progress != NULL) {
        char fresh[1024];
        snprintf(fresh, sizeof fresh, "%s.new", options.progress);
        FILE *file = fopen(fresh, "w");
        if (file == NULL || fprintf(file, "%zu\n", acknowledged_batches) < 0 || fclose(file) != 0 ||
            rename(fresh, options.progress) != 0)
            exit(2);
    }
    bool last = options.until != NULL && access(options.until, F_OK) == 0;
    if (writer->batches < options.batches && !last) {
        writer->resume_ns = now.mono_ns + options.rest_ms * PS_NS_PER_MS;
        if (options.rest_ms == 0)
            next_batch(writer);
        return;
    }
    if (options.leave || options.idle_ms > 0) {
        writer->done = true;
        done_count++;
        return;
    }
    writer->closing = true;
    writer->began_ns = now.mono_ns;
    ps_file_close(writer->stream, closed, writer);
}

static void next_batch(struct writer *writer)
{
    writer->resume_ns = 0;
    writer->batch_length = 0;
    while (writer->batch_length + 80 < options.batch_bytes) {
        writer->batch_length +=
            (size_t)snprintf(writer->batch + writer->batch_length, 80, "file %u line %llu of batch %u %.*s\n",
                             writer->number, (unsigned long long)writer->line, writer->batches,
                             (int)(writer->line % 23), "abcdefghijklmnopqrstuvwxyz");
        writer->line++;
    }
    now = ps_clock_now();
    writer->began_ns = now.mono_ns;
    if (options.read) {
        writer->content = realloc(writer->content, writer->content_length + writer->batch_length);
        if (writer->content == NULL)
            exit(2);
        memcpy(writer->content + writer->content_length, writer->batch, writer->batch_length);
        writer->content_length += writer->batch_length;
    }
    ps_file_write(writer->stream, writer->batch, writer->batch_length);
    ps_file_flush(writer->stream, options.hsync ? PS_FILE_HSYNC : PS_FILE_HFLUSH, flushed, writer);
}

static void created(void *argument, const struct ps_file_answer *answer)
{
    if (answer->error != PS_FILE_OK)
        give_up(argument, "create", answer);
}

static void recovered(void *argument, const struct ps_file_answer *answer)
{
    struct writer *writer = argument;
    if (answer->error == PS_FILE_UNAVAILABLE) {
        ps_file_recover(filesystem, writer->path, PS_FILE_OWN, recovered, writer);
        return;
    }
    if (answer->error != PS_FILE_OK)
        give_up(writer, "recover", answer);
    writer->done = true;
    done_count++;
}

/* Creates the file when one of an earlier run is removed. */
static void removed(void *argument, const struct ps_file_answer *)
{
    struct writer *writer = argument;
    writer->stream = ps_file_create(filesystem, writer->path, created, writer);
    next_batch(writer); /* before the file is there: allowed */
}

static void begin(struct writer *writer, unsigned number)
{
    const char *name = strrchr(options.path, '/');
    snprintf(writer->path, sizeof writer->path, "%s.%u", options.path, number);
    snprintf(writer->name, sizeof writer->name, "%s.%u", name + 1, number);
    writer->number = number;
    if (options.recover) {
        ps_file_recover(filesystem, writer->path, PS_FILE_OWN, recovered, writer);
        return;
    }
    writer->batch = malloc(options.batch_bytes + 200);
    if (options.copy != NULL) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", options.copy, writer->name);
        writer->copy = fopen(path, "w");
        if (writer->copy == NULL)
            exit(2);
    }
    ps_file_remove(filesystem, writer->path, removed, writer);
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double quantile_ms(uint64_t *times, size_t count, double quantile)
{
    qsort(times, count, sizeof *times, ascending);
    return count == 0 ? 0 : (double)times[(size_t)(quantile * (double)(count - 1))] / 1e6;
}

/* Runs the file system until `done_count` writers are done, or `until_ns` has passed. */
static void run(struct ps_port *port, uint64_t until_ns)
{
    while (done_count < options.files || now.mono_ns < until_ns) {
        now = ps_clock_now();
        uint64_t due_ns = ps_filesystem_turn(filesystem, &now);
        for (unsigned i = 0; i < options.files; i++) {
            if (writers[i].resume_ns > 0 && now.mono_ns >= writers[i].resume_ns) {
                next_batch(&writers[i]);
                due_ns = 0;
            } else if (writers[i].resume_ns > 0 && writers[i].resume_ns < due_ns) {
                due_ns = writers[i].resume_ns;
            }
        }
        if (until_ns > 0 && until_ns < due_ns)
            due_ns = until_ns;
        now = ps_clock_now();
        struct epoll_event event;
        uint64_t value;
        int wait_ms = due_ns <= now.mono_ns ? 0
                      : due_ns == PS_NEVER  ? 1000
                                            : (int)((due_ns - now.mono_ns) / 1000000 + 1);
        if (wait_ms > 0 && (done_count < options.files || now.mono_ns < until_ns)) {
            (void)!epoll_wait(port->epoll_fd, &event, 1, wait_ms < 1000 ? wait_ms : 1000);
            (void)!read(port->wake_fd, &value, sizeof value);
        }
    }
}

static void read_options(int count, char **words)
{
    static const struct option known[] = {
        {"url", 1, 0, 'u'},        {"path", 1, 0, 'p'},
        {"files", 1, 0, 'f'},      {"batches", 1, 0, 'n'},
        {"batch", 1, 0, 'b'},      {"rest", 1, 0, 'r'},
        {"block-size", 1, 0, 's'}, {"replication", 1, 0, 'R'},
        {"hsync", 0, 0, 'y'},      {"timeout", 1, 0, 't'},
        {"conf", 1, 0, 'c'},       {"copy", 1, 0, 'C'},
        {"leave", 0, 0, 'l'},      {"read", 0, 0, 'e'},
        {"progress", 1, 0, 'P'},   {"idle", 1, 0, 'i'},
        {"recover", 0, 0, 'v'},    {"until", 1, 0, 'U'},
        {"principal", 1, 0, 'k'},  {"keytab", 1, 0, 'K'},
        {"proxy", 1, 0, 'x'},      {0},
    };
    for (int letter; (letter = getopt_long(count, words, "", known, NULL)) != -1;) {
        switch (letter) {
        case 'u':
            options.url = optarg;
            break;
        case 'p':
            options.path = optarg;
            break;
        case 'f':
            options.files = (unsigned)atoi(optarg);
            break;
        case 'n':
            options.batches = (unsigned)atoi(optarg);
            break;
        case 'b':
            options.batch_bytes = (unsigned long)atol(optarg);
            break;
        case 'r':
            options.rest_ms = (unsigned)atoi(optarg);
            break;
        case 's':
            options.block_bytes = optarg;
            break;
        case 'R':
            options.replication = optarg;
            break;
        case 'y':
            options.hsync = true;
            break;
        case 't':
            options.timeout_ms = (unsigned long)atol(optarg);
            break;
        case 'c':
            options.configuration = optarg;
            break;
        case 'C':
            options.copy = optarg;
            break;
        case 'l':
            options.leave = true;
            break;
        case 'e':
            options.read = true;
            break;
        case 'P':
            options.progress = optarg;
            break;
        case 'U':
            options.until = optarg;
            break;
        case 'v':
            options.recover = true;
            break;
        case 'k':
            options.principal = optarg;
            break;
        case 'K':
            options.keytab = optarg;
            break;
        case 'x':
            options.proxy_user = optarg;
            break;
        case 'i':
            options.idle_ms = (unsigned long)atol(optarg);
            break;
        default:
            exit(2);
        }
    }
    if (options.url == NULL || options.path == NULL || strchr(options.path, '/') == NULL ||
        options.files == 0)
        exit(2);
}

int main(int count, char **words)
{
    struct ps_err err;
    struct ps_hadoop_configuration *configuration = NULL;
    read_options(count, words);
    struct ps_port port = {.component = "hdfs_writer", .name = "hdfs_writer"};
    port.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    port.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct epoll_event wake = {.events = EPOLLIN};
    epoll_ctl(port.epoll_fd, EPOLL_CTL_ADD, port.wake_fd, &wake);
    char *sizes;
    int length = asprintf(&sizes,
                          "<configuration><property name=\"dfs.blocksize\" value=\"%s\"/>"
                          "<property name=\"dfs.replication\" value=\"%s\"/></configuration>",
                          options.block_bytes, options.replication);
    if ((options.configuration != NULL
             ? ps_hadoop_configuration_load(&configuration, options.configuration, &err)
             : ps_hadoop_configuration_parse(&configuration, "the options", sizes, (size_t)length, &err)) !=
        PS_OK) {
        fprintf(stderr, "%s\n", ps_err_join(&err));
        return 2;
    }
    struct ps_hadoop_settings settings = {.configuration = configuration,
                                          .url = options.url,
                                          .proxy_user = options.proxy_user,
                                          .kerberos_principal = options.principal,
                                          .keytab = options.keytab,
                                          .call_timeout_ns = options.timeout_ms * PS_NS_PER_MS,
                                          .port = &port};
    if (ps_hadoop_open(&settings, &filesystem, &err) != PS_OK) {
        fprintf(stderr, "%s\n", ps_err_join(&err));
        return 2;
    }
    writers = calloc(options.files, sizeof *writers);
    flush_ns = calloc((size_t)options.files * options.batches, sizeof *flush_ns);
    close_ns = calloc(options.files, sizeof *close_ns);
    if (writers == NULL || flush_ns == NULL || close_ns == NULL)
        return 2;
    now = ps_clock_now();
    uint64_t began_ns = now.mono_ns;
    size_t used_before = mallinfo2().uordblks;
    for (unsigned i = 0; i < options.files; i++)
        begin(&writers[i], i);
    run(&port, 0);
    now = ps_clock_now();
    double seconds = (double)(now.mono_ns - began_ns) / 1e9;
    if (options.idle_ms > 0)
        run(&port, now.mono_ns + options.idle_ms * PS_NS_PER_MS);
    size_t used = (mallinfo2().uordblks - used_before) / options.files;
    printf("{\"files\":%u,\"batches\":%zu,\"bytes\":%.0f,\"seconds\":%.3f,\"flush_p50_ms\":%.3f,\"flush_p99_"
           "ms\":%.3f,"
           "\"flush_max_ms\":%.1f,\"close_p50_ms\":%.1f,\"close_max_ms\":%.1f,\"replicas_min\":%zu,\"file_"
           "bytes\":%zu}\n",
           options.files, acknowledged_batches,
           (double)acknowledged_batches * (double)writers[0].batch_length, seconds,
           quantile_ms(flush_ns, flush_count, 0.5), quantile_ms(flush_ns, flush_count, 0.99),
           quantile_ms(flush_ns, flush_count, 1), quantile_ms(close_ns, close_count, 0.5),
           quantile_ms(close_ns, close_count, 1), replicas_min, used);
    fflush(stdout);
    for (unsigned i = 0; i < options.files; i++) {
        if (writers[i].copy != NULL)
            fclose(writers[i].copy);
        free(writers[i].batch);
        free(writers[i].content);
    }
    if (options.leave)
        _exit(0); /* as a process that is killed */
    ps_filesystem_close(filesystem);
    ps_hadoop_configuration_free(configuration);
    free(sizes);
    free(writers);
    free(flush_ns);
    free(close_ns);
    close(port.epoll_fd);
    close(port.wake_fd);
    ps_thread_exit_process(0); /* a helper that was left alone may still be in the Kerberos library */
}
