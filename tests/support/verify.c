#include "tests/support/verify.h"

#include "bench/support/stamp.h"
#include "core/clock.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#define RUN 0x3fa9c2U
#define RUN_TEXT "3fa9c2"

/* ---- faults ---- */

#define COVERED_BYTES 100U

static char *event_make(unsigned sequence, unsigned sent, enum ps_test_wrap wrap, size_t *length)
{
    static const char *const before[] = {
        "", "<34>Oct 11 22:14:15 host app[7]: ", "{\"host\":\"h1\",\"level\":3,\"message\":\""};
    static const char *const behind[] = {"", "", "\",\"end\":true}"};
    char covered[COVERED_BYTES], *event = calloc(1, 512);
    assert_non_null(event);
    snprintf(covered, sizeof covered, " event %u of a test; what follows are letters to fill it up: abcdefgh",
             sequence);
    size_t at = strlen(before[wrap]), size = strlen(covered);
    memcpy(event, before[wrap], at);
    memcpy(event + at + PS_STAMP_BYTES, covered, size);
    ps_stamp_write(&(struct ps_stamp){.run = RUN,
                                      .source = 5,
                                      .sequence = sequence,
                                      .due_us = UINT64_C(1763633880000000) + sequence,
                                      .covered = (uint32_t)size,
                                      .last = sequence + 1 == sent},
                   event + at);
    strcpy(event + at + PS_STAMP_BYTES + size, behind[wrap]);
    *length = strlen(event);
    return event;
}

static void write_one(struct ps_test_faults *faults, const char *event, size_t length)
{
    char *copy = calloc(1, length + 1);
    assert_non_null(copy);
    memcpy(copy, event, length);
    faults->events[faults->count] = copy;
    faults->lengths[faults->count++] = length;
}

void ps_test_faults_make(struct ps_test_faults *faults, unsigned sent, enum ps_test_wrap wrap)
{
    assert_true(sent >= 20);
    unsigned missing = sent / 7, twice = sent / 5, swapped = sent / 3, changed = sent / 2, cut = sent - 4;
    *faults = (struct ps_test_faults){.sent = sent, .missing = missing};
    faults->events = calloc(sent + 1, sizeof *faults->events);
    faults->lengths = calloc(sent + 1, sizeof *faults->lengths);
    assert_non_null(faults->events);
    assert_non_null(faults->lengths);
    for (unsigned i = 0; i < sent; i++) {
        size_t length;
        unsigned sequence = i == swapped ? i + 1 : i == swapped + 1 ? i - 1 : i;
        char *event = event_make(sequence, sent, wrap, &length);
        char *covered = strchr(event, '~') + PS_STAMP_BYTES;
        if (i == changed)
            covered[20] ^= 1;
        if (i == cut) {
            strcpy(covered + 10, wrap == PS_TEST_WRAP_JSON ? "\"}" : "");
            length = strlen(event);
        }
        for (unsigned times = i == missing ? 0 : i == twice ? 2 : 1; times > 0; times--)
            write_one(faults, event, length);
        free(event);
    }
    assert_int_equal(faults->count, sent);
}

void ps_test_faults_free(struct ps_test_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++)
        free(faults->events[i]);
    free(faults->events);
    free(faults->lengths);
}

char *ps_test_faults_lines(const struct ps_test_faults *faults, size_t *length)
{
    size_t room = 1;
    for (size_t i = 0; i < faults->count; i++)
        room += faults->lengths[i] + 1;
    char *text = malloc(room), *at = text;
    assert_non_null(text);
    for (size_t i = 0; i < faults->count; i++) {
        memcpy(at, faults->events[i], faults->lengths[i]);
        at += faults->lengths[i];
        *at++ = '\n';
    }
    *at = '\0';
    *length = (size_t)(at - text);
    return text;
}

/* ---- the program ---- */

/* A time without events after which it ends by itself: the feeder is done long before. */
#define IDLE "20s"
/* Events that come twice by mistake come within this time after all events. */
#define QUIET_MS 600U

bool ps_test_verify_there(void)
{
    const char *program = getenv("PENSTOCK");
    return program != NULL && access(program, X_OK) == 0;
}

/* Reads what it prints within the time; returns false if it ended. */
static bool read_some(struct ps_test_verify *verify, int wait_ms)
{
    struct pollfd wait = {.fd = verify->output, .events = POLLIN};
    if (poll(&wait, 1, wait_ms) == 0)
        return true;
    verify->text = realloc(verify->text, verify->length + 65537);
    assert_non_null(verify->text);
    ssize_t length = read(verify->output, verify->text + verify->length, 65536);
    assert_true(length >= 0);
    verify->length += (size_t)length;
    verify->text[verify->length] = '\0';
    return length > 0;
}

/* Reads until its output contains `part`; returns false if it ended before. */
static bool read_until(struct ps_test_verify *verify, const char *part)
{
    uint64_t end_ns = ps_test_patience_end_ns();
    while (part == NULL || strstr(verify->text, part) == NULL) {
        if (ps_test_patient_ns() > end_ns)
            fail_msg("verify does not end; it printed: %s", verify->text);
        if (!read_some(verify, 1000))
            return false;
    }
    return true;
}

void ps_test_verify_start(struct ps_test_verify *verify, unsigned sent, const char *format, ...)
{
    char url[1024], events[16];
    int pipes[2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(url, sizeof url, format, arguments);
    va_end(arguments);
    snprintf(events, sizeof events, "%u", sent);
    assert_int_equal(pipe(pipes), 0);
    *verify = (struct ps_test_verify){.output = pipes[0], .text = calloc(1, 1)};
    verify->follows = strncmp(url, "file:", 5) != 0 || strstr(url, "follow=true") != NULL;
    verify->pid = fork();
    assert_true(verify->pid >= 0);
    if (verify->pid == 0) {
        const char *program = getenv("PENSTOCK");
        dup2(pipes[1], STDOUT_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        execl(program, program, "verify", "--json", "--from", url, "--run", RUN_TEXT, "--events", events,
              "--idle", IDLE, "--every", "100ms", (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    if (!read_until(verify, "\"ready\""))
        fail_msg("verify --from %s ended early: %s", url, verify->text);
    const char *address = strstr(verify->text, "\"address\":\"");
    verify->port = address != NULL ? (unsigned)strtoul(strchr(address + 11, ':') + 1, NULL, 10) : 0;
}

static void expect(const json_t *summary, const char *key, json_int_t wanted)
{
    const json_t *value = json_object_get(summary, key);
    if (!json_is_integer(value) || json_integer_value(value) != wanted) {
        char *text = json_dumps(summary, JSON_COMPACT);
        fail_msg("%s is not %lld: %.1500s", key, (long long)wanted, text);
    }
}

/* Ends it when it has received everything, and nothing more comes. It ends by itself when events are missing, and when it has read files
 * that nobody writes: then a signal could meet it at its end, where it kills. */
static void end(struct ps_test_verify *verify, unsigned received)
{
    char all[32];
    snprintf(all, sizeof all, "\"received\":%u,", received);
    bool runs = read_until(verify, verify->follows ? all : NULL);
    uint64_t until_ns = ps_clock_now().mono_ns + QUIET_MS * PS_NS_PER_MS;
    while (runs && ps_clock_now().mono_ns < until_ns)
        runs = read_some(verify, 50);
    if (runs)
        assert_int_equal(kill(verify->pid, SIGTERM), 0);
    while (runs)
        runs = read_until(verify, NULL);
}

void ps_test_verify_expect_faults(struct ps_test_verify *verify, const struct ps_test_faults *faults)
{
    int status;
    end(verify, faults->sent - 1);
    close(verify->output);
    assert_int_equal(waitpid(verify->pid, &status, 0), verify->pid);
    while (verify->length > 0 && verify->text[verify->length - 1] == '\n')
        verify->text[--verify->length] = '\0';
    const char *last = strrchr(verify->text, '\n');
    json_t *summary = json_loads(last != NULL ? last + 1 : verify->text, 0, NULL);
    if (summary == NULL)
        fail_msg("no summary: %s", verify->text);
    expect(summary, "records", faults->sent);
    expect(summary, "received", faults->sent - 1);
    expect(summary, "lost", 1);
    expect(summary, "duplicated", 1);
    expect(summary, "reordered", 1);
    expect(summary, "corrupted", 1);
    expect(summary, "cut", 1);
    expect(summary, "broken", 0);
    expect(summary, "foreign", 0);
    const json_t *source = json_array_get(json_object_get(summary, "sources"), 0);
    const json_t *range = json_array_get(json_object_get(source, "lost_ranges"), 0);
    assert_int_equal(json_integer_value(json_array_get(range, 0)), faults->missing);
    assert_int_equal(json_integer_value(json_array_get(range, 1)), faults->missing);
    assert_true(json_is_null(json_object_get(summary, "lossy_far_end")));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    json_decref(summary);
    free(verify->text);
}
