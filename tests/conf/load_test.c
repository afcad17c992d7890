/* A whole load: URIs over http, backup, external commands. */
#include "tests/support/support.h"

#include "conf/conf.h"
#include "conf/exec.h"
#include "conf/file.h"
#include "conf/text.h"
#include "tests/conf/fake_stages.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned sync_count;

/* In place of libc's: a power cut must not leave half a backup. */
int fsync(int fd)
{
    sync_count++;
    return 0;
}

static const char agent[] = "a1.sources = r1\n"
                            "a1.channels = c1 c2\n"
                            "a1.sinks = k1 k2\n"
                            "a1.sources.r1.type = seq\n"
                            "a1.sources.r1.channels = c2 c1\n"
                            "a1.sources.r1.interceptors = i1\n"
                            "a1.sources.r1.interceptors.i1.type = static\n"
                            "a1.sources.r1.interceptors.i1.value = v\n"
                            "a1.channels.c1.type = memory\n"
                            "a1.channels.c2.type = memory\n"
                            "a1.channels.c2.capacity = 500\n"
                            "a1.sinks.k1.type = null\n"
                            "a1.sinks.k1.channel = c1\n"
                            "a1.sinks.k2.type = file_roll\n"
                            "a1.sinks.k2.channel = c2\n"
                            "a1.sinks.k2.sink.directory = /tmp\n"
                            "a1.penstock.workers = 2\n";

static struct ps_command *command_of(struct ps_command *command, const char *const *words)
{
    char *argv[20] = {(char *)(uintptr_t) "agent"};
    int argc = 1;
    struct ps_err err;
    while (*words != NULL)
        argv[argc++] = (char *)(uintptr_t)*words++;
    assert_int_equal(ps_command_parse(command, argc, argv, &err), PS_OK);
    return command;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Returns the spec of the text, plus a line, with `from` replaced by `to` when given. The conf is already
 * destroyed. */
static struct ps_agent_spec *spec_of(const char *more, const char *from, const char *to)
{
    struct ps_command command;
    struct ps_conf *conf;
    command_of(&command,
               WORDS("-n", "a1", "-f", "x", "-Dtwice=first", "-Dkey=value", "-Dtwice=second", "-Dlast=1"));
    char *text = ps_arena_format(command.arena, "%s%s", agent, more);
    char *found = from != NULL ? strstr(text, from) : NULL;
    if (from != NULL) {
        assert_non_null(found);
        text =
            ps_arena_format(command.arena, "%.*s%s%s", (int)(found - text), text, to, found + strlen(from));
    }
    assert_int_equal(ps_conf_load_text(&command, fake_table(), "x", text, strlen(text), &conf), PS_OK);
    assert_int_equal(conf->problems.count, 0);
    struct ps_agent_spec *spec = ps_conf_take_spec(conf);
    ps_conf_destroy(conf);
    ps_command_fini(&command);
    return spec;
}

/* ---- files and URIs ---- */

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_changed_files_are_seen_and_a_backup_helps(void **state)
{
    char directory[] = "/tmp/penstock-load-XXXXXX", path[64], backup[64], clean[64], kept[96];
    struct stat facts;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/agent.properties", directory);
    snprintf(backup, sizeof backup, "%s/some/backup", directory);
    snprintf(kept, sizeof kept, "%s/.a1.properties", backup);
    struct ps_command command;
    struct ps_conf *conf;
    struct ps_err err = {.length = 0};
    command_of(&command, WORDS("-n", "a1", "-f", path, "-b", backup));
    write_text(path, ps_arena_format(
                         command.arena,
                         "%sa1.sources.r1.interceptors.i1.key = \\ a\\u00e9\\ud83d\\ude00=:#\\\\\n", agent));
    assert_int_equal(ps_conf_load(&command, fake_table(), &conf), PS_OK);
    assert_int_not_equal(access(kept, F_OK), 0); /* it does not run yet */
    sync_count = 0;
    assert_int_equal(ps_conf_backup(conf, &command, &err), PS_OK);
    assert_int_equal(sync_count, 4); /* the names of two directories, the file, and its name */
    assert_int_equal(stat(kept, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    assert_false(ps_conf_changed(conf, &command, &err));
    write_text(path, agent);
    assert_true(ps_conf_changed(conf, &command, &err));
    struct timespec times[2] = {facts.st_atim,
                                {.tv_sec = conf->origins[0].modified_ns / 1000000000,
                                 .tv_nsec = conf->origins[0].modified_ns % 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_true(ps_conf_changed(conf, &command, &err)); /* of the same time, but another length */
    write_text(path, ps_arena_format(
                         command.arena,
                         "%sa1.sources.r1.interceptors.i1.key = \\ a\\u00e9\\ud83d\\ude00=:#\\\\\n", agent));
    times[1].tv_sec -= 3600;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_true(ps_conf_changed(conf, &command, &err)); /* an older file was put in its place */
    unlink(path);
    assert_false(ps_conf_changed(conf, &command, &err)); /* deleted: the running agent continues */
    ps_conf_destroy(conf);
    write_text(path, "a1.sources = r1\n"); /* an error: no channels */
    assert_int_equal(ps_conf_load(&command, fake_table(), &conf), PS_FAIL);
    assert_int_equal(ps_conf_backup(conf, &command, &err), PS_OK); /* the good backup stays */
    ps_conf_destroy(conf);
    unlink(path);
    assert_int_equal(ps_conf_load(&command, fake_table(), &conf), PS_OK);
    assert_int_equal(conf->problems.warnings, 2); /* the file is missing; the backup is used */
    const struct ps_conf_part *interceptor = &conf->agent.sources[0].interceptors[0];
    assert_string_equal(ps_pairs_get(&interceptor->pairs, "key"), "a\303\251\360\237\230\200=:#\\");
    ps_conf_destroy(conf);
    ps_command_fini(&command);
    snprintf(clean, sizeof clean, "rm -rf %s", directory);
    assert_int_equal(system(clean), 0);
}

struct reply {
    const char *head, *body; /* body NULL: none */
    bool is_conditional;     /* a request with If-Modified-Since gets the status 304 instead */
};

/* A web server that gives the replies in order and records the requests. */
struct server {
    const struct reply *replies;
    size_t reply_count;
    int fd;
    pthread_t thread;
    char requests[4][2048];
    int count;
};

#define NOT_MODIFIED "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"

static void *server_run(void *argument)
{
    struct server *server = argument;
    for (size_t i = 0; i < server->reply_count; i++) {
        const struct reply *reply = &server->replies[i];
        int client = accept(server->fd, NULL, NULL);
        if (client < 0)
            return NULL;
        size_t length = 0;
        while (strstr(server->requests[i], "\r\n\r\n") == NULL) {
            ssize_t got = read(client, server->requests[i] + length, sizeof server->requests[i] - 1 - length);
            if (got <= 0)
                break;
            length += (size_t)got;
        }
        bool is_unmodified =
            reply->is_conditional && strstr(server->requests[i], "If-Modified-Since") != NULL;
        const char *head = is_unmodified ? NOT_MODIFIED : reply->head;
        ssize_t sent = write(client, head, strlen(head));
        if (reply->body != NULL && !is_unmodified && sent > 0)
            sent = write(client, reply->body, strlen(reply->body));
        close(client);
        server->count++;
    }
    return NULL;
}

/* Starts the server, and writes the URI of its configuration. */
static void server_start(struct server *server, char *uri, size_t room)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->fd, 4), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, server_run, server), 0);
    snprintf(uri, room, "http://127.0.0.1:%d/agent.properties", ntohs(address.sin_port));
}

/* Waits until all replies are given. */
static void server_end(struct server *server)
{
    pthread_join(server->thread, NULL);
    close(server->fd);
    assert_int_equal(server->count, server->reply_count);
}

static void test_a_configuration_comes_over_http(void **state)
{
    static const struct reply replies[] = {
        {"HTTP/1.1 200 OK\r\nLast-Modified: Wed, 15 Nov 2023 03:43:20 GMT\r\nConnection: close\r\n\r\n",
         agent, false},
        {NOT_MODIFIED, NULL, false},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", NULL, false},
        {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", NULL, false},
    };
    struct server server = {.replies = replies, .reply_count = PS_COUNT_OF(replies)};
    char uri[64];
    server_start(&server, uri, sizeof uri);
    struct ps_command command;
    struct ps_conf *conf;
    struct ps_err err = {.length = 0};
    command_of(&command, WORDS("-n", "a1", "-u", uri, "-user", "flume", "-pwd", "secret"));
    assert_int_equal(ps_conf_load(&command, fake_table(), &conf), PS_OK);
    assert_int_equal(conf->agent.sink_count, 2);
    assert_int_equal(conf->origins[0].modified_s, 1700019800);
    assert_false(ps_conf_changed(conf, &command, &err));
    assert_int_equal(err.length, 0);
    assert_false(ps_conf_changed(conf, &command, &err));
    assert_non_null(strstr(err.text, "404"));
    ps_conf_destroy(conf);
    assert_int_equal(ps_conf_load(&command, fake_table(), &conf), PS_FAIL);
    assert_non_null(strstr(conf->problems.items[0].what, "-user and -pwd"));
    ps_conf_destroy(conf);
    ps_command_fini(&command);
    server_end(&server);
    assert_non_null(strstr(server.requests[0], "Authorization: Basic Zmx1bWU6c2VjcmV0"));
    assert_null(strstr(server.requests[0], "If-Modified-Since"));
    assert_non_null(strstr(server.requests[1], "If-Modified-Since: Wed, 15 Nov 2023 03:43:20 GMT"));
}

/* The configuration is changed, read, and changed again with the same Last-Modified: the next check sees that. If it was
 * read long after its change, the server is asked for later changes only. */
static void test_changes_over_http_of_the_same_second(void **state)
{
#define OF_TIME(date)                                                                                        \
    "HTTP/1.1 200 OK\r\nDate: Wed, 15 Nov 2023 " date " GMT\r\n"                                             \
    "Last-Modified: Wed, 15 Nov 2023 03:43:20 GMT\r\nConnection: close\r\n\r\n"
    static const char *const heads[] = {OF_TIME("03:43:20"), OF_TIME("03:43:21"), OF_TIME("03:44:19"),
                                        OF_TIME("03:44:20")};
    for (size_t i = 0; i < PS_COUNT_OF(heads); i++) {
        bool is_new = i < 3;
        const struct reply replies[] = {
            {heads[i], agent, false}, {heads[i], agent, true}, {heads[i], "a1.sources = r2\n", true}};
        struct server server = {.replies = replies, .reply_count = PS_COUNT_OF(replies)};
        struct ps_command command;
        struct ps_conf *conf;
        struct ps_err err = {.length = 0};
        char uri[64];
        server_start(&server, uri, sizeof uri);
        command_of(&command, WORDS("-n", "a1", "-u", uri));
        assert_int_equal(ps_conf_load(&command, fake_table(), &conf), PS_OK);
        assert_false(ps_conf_changed(conf, &command, &err));
        assert_int_equal(ps_conf_changed(conf, &command, &err), is_new);
        assert_int_equal(err.length, 0);
        ps_conf_destroy(conf);
        ps_command_fini(&command);
        server_end(&server);
        assert_int_equal(strstr(server.requests[2], "If-Modified-Since") == NULL, is_new);
    }
#undef OF_TIME
}

/* ---- commands ---- */

static void test_commands_give_their_first_line(void **state)
{
    static const struct {
        const char *words, *argument, *line, *expected;
    } cases[] = {
        {"echo hello", "world", "hello world", NULL},       {"printf a%sb\\r\\nsecond", "-", "a-b", NULL},
        {"printf", "no newline", "no newline", NULL},       {"true", "x", NULL, "printed nothing"},
        {"false", "x", NULL, "exited with status 1"},       {"/nonexistent/command", "x", NULL, "cannot run"},
        {"sleep", "20", NULL, "did not end in time"},       {"sh -c", "kill -9 $$", NULL, "signal 9"},
        {"head -c 200000", "/dev/zero", NULL, "more than"},
    };
    struct ps_arena *arena = ps_arena_create();
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {.length = 0};
        struct ps_texts words = ps_text_split_blanks(arena, cases[i].words);
        int timeout_ms = strcmp(cases[i].words, "sleep") == 0 ? 100 : PS_EXEC_TIMEOUT_MS;
        const char *line = ps_exec_first_line(arena, &words, cases[i].argument, timeout_ms, &err);
        if (cases[i].line != NULL) {
            assert_non_null(line);
            assert_string_equal(line, cases[i].line);
        } else {
            assert_null(line);
            if (strstr(err.text, cases[i].expected) == NULL)
                fail_msg("\"%s\" does not contain \"%s\"", err.text, cases[i].expected);
        }
    }
    ps_arena_destroy(arena);
}

static long memory_kb(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

static void test_passwords_of_uris_are_masked(void **state)
{
    static const char *const cases[][2] = {
        {"http://u:secret@h/x", "http://u:***@h/x"},
        {"https://secret@h:80/x", "https://***@h:80/x"},
        {"http://u:se@cret@h/x", "http://u:***@h/x"},
        {"http://u:se/cret@h/x", "http://u:***@h/x"},
        {"http://h:80/a@b", "http://h:80/a@b"},
        {"http://h/a:b@c", "http://h/a:b@c"},
        {"http://[::1]:80/a@b", "http://[::1]:80/a@b"},
        {"file:///etc/a@b", "file:///etc/a@b"},
        {"/etc/a:b@c", "/etc/a:b@c"},
    };
    char room[64];
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++)
        assert_string_equal(ps_file_uri_masked(cases[i][0], room, sizeof room), cases[i][1]);
    struct ps_command command;
    struct ps_conf *conf;
    struct ps_err err = {.length = 0};
    command_of(&command, WORDS("-n", "a1", "-u", "http://u:secret@127.0.0.1:1/a1.properties"));
    assert_int_equal(ps_conf_load(&command, fake_table(), &conf), PS_FAIL);
    const char *text = ps_problem_text(conf->arena, &conf->problems.items[0]);
    assert_non_null(strstr(text, "http://u:***@127.0.0.1:1/a1.properties: error: cannot read http://u:***@"));
    assert_null(strstr(text, "secret"));
    assert_false(ps_conf_changed(conf, &command, &err));
    assert_non_null(strstr(err.text, "http://u:***@127.0.0.1:1"));
    assert_null(strstr(err.text, "secret"));
    ps_conf_destroy(conf);
    ps_command_fini(&command);
}

/* 120 KB of references that are never closed stay unchanged; copies per reference would take 3.8 GB. */
static void test_unclosed_references_cost_little(void **state)
{
    enum { COUNT = 60000 };
    char *text = calloc(COUNT, 2 + 1);
    assert_non_null(text);
    for (size_t i = 0; i < COUNT; i++)
        memcpy(text + 2 * i, "${", 2);
    struct ps_arena *arena = ps_arena_create();
    long before_kb = memory_kb();
    struct ps_agent_spec *spec = spec_of("", "i1.value = v", ps_arena_format(arena, "i1.value = %s", text));
    assert_string_equal(((const struct fake_plan *)spec->sources[0].interceptors[0].plan)->serializer_type,
                        text);
    assert_true(memory_kb() - before_kb < 200 * 1024);
    ps_arena_destroy(spec->arena);
    ps_arena_destroy(arena);
    free(text);
}

/* The file is not read when a stage was compiled for another contract. */
static void test_stages_of_another_contract_are_refused(void **state)
{
    struct ps_stage_ops other = *fake_table()[0];
    const struct ps_stage_ops *const stages[] = {fake_table()[1], &other, NULL};
    struct ps_command command;
    struct ps_conf *conf;
    other.contract.version++;
    command_of(&command, WORDS("-n", "a1", "-f", "x"));
    assert_int_equal(ps_conf_load_text(&command, stages, "x", agent, strlen(agent), &conf), PS_FAIL);
    assert_int_equal(conf->problems.count, 1);
    const char *version =
        ps_arena_format(command.arena, "version %u of the contract", PS_CONTRACT_VERSION + 1);
    assert_non_null(strstr(ps_problem_text(command.arena, &conf->problems.items[0]), version));
    ps_conf_destroy(conf);
    ps_command_fini(&command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changed_files_are_seen_and_a_backup_helps),
        cmocka_unit_test(test_a_configuration_comes_over_http),
        cmocka_unit_test(test_changes_over_http_of_the_same_second),
        cmocka_unit_test(test_commands_give_their_first_line),
        cmocka_unit_test(test_unclosed_references_cost_little),
        cmocka_unit_test(test_passwords_of_uris_are_masked),
        cmocka_unit_test(test_stages_of_another_contract_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
