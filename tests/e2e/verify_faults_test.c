/* The command penstock verify finds exactly the planted faults, with every far end: Kafka, a file, a
 * directory of rolled files, Avro containers of every codec, gzip, followed files that are rotated, TCP by
 * lines and by frames, UDP, HTTP as JSON and as lines; with the stamps alone, inside syslog and inside
 * JSON. */
#include "tests/support/avro.h"
#include "tests/support/folder.h"
#include "tests/support/kafka/cluster.h"
#include "tests/support/net.h"
#include "tests/support/verify.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <librdkafka/rdkafka.h>

#define SENT 300U

static void append_event(const char *name, const struct ps_test_faults *faults, size_t index)
{
    ps_test_folder_append(name, faults->events[index], faults->lengths[index]);
    ps_test_folder_append(name, "\n", 1);
}

/* Runs `check` for each format that can contain the stamp. */
static void each_wrap(void (*check)(const struct ps_test_faults *faults))
{
    if (!ps_test_verify_there())
        ps_test_skip("there is no program at $PENSTOCK");
    for (unsigned wrap = PS_TEST_WRAP_NONE; wrap <= PS_TEST_WRAP_JSON; wrap++) {
        struct ps_test_faults faults;
        ps_test_faults_make(&faults, SENT, (enum ps_test_wrap)wrap);
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        check(&faults);
        ps_test_folder_teardown(NULL);
        ps_test_faults_free(&faults);
    }
}

/* ---- files ---- */

static void expect_of(const struct ps_test_faults *faults, const char *name, const char *query)
{
    struct ps_test_verify verify;
    ps_test_verify_start(&verify, SENT, "file://%s/%s%s", ps_test_folder(), name, query);
    ps_test_verify_expect_faults(&verify, faults);
}

static void check_file(const struct ps_test_faults *faults)
{
    size_t length;
    char *lines = ps_test_faults_lines(faults, &length);
    ps_test_folder_append("file", lines, length);
    expect_of(faults, "file", "");
    free(lines);
}

static void check_directory(const struct ps_test_faults *faults)
{
    char name[64];
    for (size_t i = 0; i < faults->count; i++) {
        snprintf(name, sizeof name, "1700000000000-%zu", i / 17 + 1);
        append_event(name, faults, i);
    }
    /* All have the same time: their numbers give the order. */
    for (size_t i = 0; i <= faults->count / 17; i++) {
        struct timespec times[2] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000}};
        snprintf(name, sizeof name, "1700000000000-%zu", i + 1);
        utimensat(AT_FDCWD, ps_test_folder_path(name), times, 0);
    }
    expect_of(faults, "", "");
}

static void check_gzip(const struct ps_test_faults *faults)
{
    size_t length;
    char *lines = ps_test_faults_lines(faults, &length);
    gzFile file = gzopen(ps_test_folder_path("file.gz"), "w");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, lines, (unsigned)length), length);
    gzclose(file);
    expect_of(faults, "file.gz", "");
    free(lines);
}

static void avro_make(struct ps_test_avro *avro, const struct ps_test_faults *faults, const char *codec)
{
    ps_test_avro_begin(avro, PS_TEST_AVRO_FLUME, codec);
    for (size_t i = 0; i < faults->count; i++) {
        ps_test_avro_event(avro, faults->events[i], faults->lengths[i]);
        if (i % 40 == 39)
            ps_test_avro_end_block(avro);
    }
    ps_test_avro_end_block(avro);
}

static void check_avro(const struct ps_test_faults *faults)
{
    static const char *const codecs[] = {"null", "deflate", "snappy"};
    for (size_t i = 0; i < 3; i++) {
        struct ps_test_avro avro;
        avro_make(&avro, faults, codecs[i]);
        ps_test_folder_append(codecs[i], avro.data, avro.length);
        expect_of(faults, codecs[i], "");
        ps_test_avro_free(&avro);
    }
}

/* Files are written while they are read: one is renamed, then one is copied and truncated. */
static void check_rotated(const struct ps_test_faults *faults)
{
    struct ps_test_verify verify;
    ps_test_verify_start(&verify, SENT, "file://%s/app.log?follow=true", ps_test_folder());
    for (size_t i = 0; i < faults->count; i++) {
        append_event("app.log", faults, i);
        if (i == 100 || i == 102)
            rename(ps_test_folder_path("app.log"), ps_test_folder_path(i == 100 ? "app.log.2" : "app.log.1"));
        if (i == 200) {
            char data[65536];
            FILE *file = fopen(ps_test_folder_path("app.log"), "r");
            size_t length = fread(data, 1, sizeof data, file);
            fclose(file);
            ps_test_folder_append("app.log-copy", data, length);
            assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
        }
        if (i % 50 == 49)
            usleep(20000);
    }
    ps_test_verify_expect_faults(&verify, faults);
}

static void check_avro_followed(const struct ps_test_faults *faults)
{
    struct ps_test_verify verify;
    struct ps_test_avro avro;
    avro_make(&avro, faults, "deflate");
    ps_test_verify_start(&verify, SENT, "file://%s?follow=true", ps_test_folder());
    for (size_t at = 0; at < avro.length; at += 777) {
        ps_test_folder_append("events.avro", avro.data + at, avro.length - at < 777 ? avro.length - at : 777);
        usleep(2000);
    }
    ps_test_verify_expect_faults(&verify, faults);
    ps_test_avro_free(&avro);
}

/* ---- Kafka ---- */

static void check_kafka(const struct ps_test_faults *faults)
{
    struct ps_test_verify verify;
    char text[256];
    struct ps_test_cluster cluster;
    ps_test_cluster_start(&cluster, 1);
    ps_test_cluster_topic(&cluster, "faults", 3);
    ps_test_verify_start(&verify, SENT, "kafka://%s/faults", cluster.bootstrap);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", cluster.bootstrap, text, sizeof text);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    assert_non_null(producer);
    for (size_t i = 0; i < faults->count; i++)
        assert_int_equal(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC("faults"), RD_KAFKA_V_PARTITION(1),
                                           RD_KAFKA_V_VALUE(faults->events[i], faults->lengths[i]),
                                           RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(producer, PS_TEST_PATIENCE_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    ps_test_verify_expect_faults(&verify, faults);
    rd_kafka_destroy(producer);
    ps_test_cluster_stop(&cluster);
}

/* ---- listening ---- */

static void check_tcp(const struct ps_test_faults *faults)
{
    struct ps_test_verify verify;
    size_t length;
    char *lines = ps_test_faults_lines(faults, &length);
    ps_test_verify_start(&verify, SENT, "tcp://127.0.0.1:0");
    int fd = ps_test_connect("127.0.0.1", verify.port);
    for (size_t at = 0; at < length; at += 1009)
        ps_test_send(fd, lines + at, length - at < 1009 ? length - at : 1009);
    ps_test_verify_expect_faults(&verify, faults);
    close(fd);
    free(lines);
}

static void check_tcp_octets(const struct ps_test_faults *faults)
{
    struct ps_test_verify verify;
    bool syslog = faults->events[0][0] == '<'; /* verify recognizes syslog by it */
    ps_test_verify_start(&verify, SENT, syslog ? "tcp://127.0.0.1:0" : "tcp://127.0.0.1:0?framing=octets");
    int fd = ps_test_connect("127.0.0.1", verify.port);
    for (size_t i = 0; i < faults->count; i++) {
        char head[16];
        ps_test_send(fd, head, (size_t)sprintf(head, "%zu ", faults->lengths[i]));
        ps_test_send(fd, faults->events[i], faults->lengths[i]);
    }
    close(fd);
    ps_test_verify_expect_faults(&verify, faults);
}

static void check_udp(const struct ps_test_faults *faults)
{
    struct ps_test_verify verify;
    ps_test_verify_start(&verify, SENT, "udp://127.0.0.1:0");
    int fd = ps_test_connect_udp("127.0.0.1", verify.port);
    for (size_t i = 0; i < faults->count; i++)
        ps_test_send(fd, faults->events[i], faults->lengths[i]);
    ps_test_verify_expect_faults(&verify, faults);
    close(fd);
}

static void post(int fd, const char *type, const char *body, size_t length)
{
    char text[512];
    size_t used = 0;
    ps_test_send(
        fd, text,
        (size_t)snprintf(text, sizeof text,
                         "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                         type, length));
    ps_test_send(fd, body, length);
    for (text[0] = '\0'; strstr(text, "\r\n\r\n") == NULL; text[used] = '\0') {
        ssize_t n = recv(fd, text + used, sizeof text - 1 - used, 0);
        assert_true(n > 0);
        used += (size_t)n;
    }
    assert_int_equal(strncmp(text, "HTTP/1.1 200 ", 13), 0);
}

static void check_http_lines(const struct ps_test_faults *faults)
{
    struct ps_test_verify verify;
    size_t length;
    char *lines = ps_test_faults_lines(faults, &length), *at = lines;
    ps_test_verify_start(&verify, SENT, "http://127.0.0.1:0");
    int fd = ps_test_connect("127.0.0.1", verify.port);
    while (*at != '\0') { /* seven events per request */
        char *end = at;
        for (unsigned i = 0; i < 7 && *end != '\0'; i++)
            end = strchr(end, '\n') + 1;
        post(fd, "text/plain", at, (size_t)(end - at));
        at = end;
    }
    ps_test_verify_expect_faults(&verify, faults);
    close(fd);
    free(lines);
}

/* Flume's JSON handler: bodies are strings, so quotes in them are escaped. */
static void check_http_json(const struct ps_test_faults *faults)
{
    struct ps_test_verify verify;
    ps_test_verify_start(&verify, SENT, "http://127.0.0.1:0");
    int fd = ps_test_connect("127.0.0.1", verify.port);
    char *body = malloc(65536);
    assert_non_null(body);
    for (size_t i = 0; i < faults->count;) {
        size_t length = (size_t)sprintf(body, "[");
        for (size_t last = i + 11 < faults->count ? i + 11 : faults->count; i < last; i++) {
            length += (size_t)sprintf(body + length, "%s{\"headers\":{\"host\":\"h1\"},\"body\":\"",
                                      length > 1 ? "," : "");
            for (const char *one = faults->events[i]; *one != '\0'; one++) {
                if (*one == '"' || *one == '\\')
                    body[length++] = '\\';
                body[length++] = *one;
            }
            length += (size_t)sprintf(body + length, "\"}");
        }
        body[length++] = ']';
        post(fd, "application/json", body, length);
    }
    ps_test_verify_expect_faults(&verify, faults);
    close(fd);
    free(body);
}

#define TEST(name)                                                                                           \
    static void test_##name(void **state)                                                                    \
    {                                                                                                        \
        (void)state;                                                                                         \
        each_wrap(check_##name);                                                                             \
    }
TEST(file)
TEST(directory)
TEST(gzip)
TEST(avro)
TEST(rotated)
TEST(avro_followed)
TEST(kafka)
TEST(tcp)
TEST(tcp_octets)
TEST(udp)
TEST(http_lines)
TEST(http_json)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_file, ps_test_folder_teardown),
        cmocka_unit_test_teardown(test_directory, ps_test_folder_teardown),
        cmocka_unit_test_teardown(test_gzip, ps_test_folder_teardown),
        cmocka_unit_test_teardown(test_avro, ps_test_folder_teardown),
        cmocka_unit_test_teardown(test_rotated, ps_test_folder_teardown),
        cmocka_unit_test_teardown(test_avro_followed, ps_test_folder_teardown),
        cmocka_unit_test_teardown(test_kafka, ps_test_folder_teardown),
        cmocka_unit_test_teardown(test_tcp, ps_test_folder_teardown),
        cmocka_unit_test_teardown(test_tcp_octets, ps_test_folder_teardown),
        cmocka_unit_test_teardown(test_udp, ps_test_folder_teardown),
        cmocka_unit_test_teardown(test_http_lines, ps_test_folder_teardown),
        cmocka_unit_test_teardown(test_http_json, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
