/* penstock channel verify, repair and export on a small channel of which every fifth byte is changed, one at a time: verify names the
 * record with that byte, and after repair the channel opens with all other events. */
#include "commands/commands.h"
#include "stages/lib/queue/segment/events.h"
#include "stages/lib/queue/segment/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/support.h"

#define SEGMENT_BYTES 1024U
#define FRAMES 14U
#define FILES_MAX 16U

/* The files of the channel as they should be. */
struct file {
    char name[64];
    char *bytes;
    size_t length;
};
static struct file files[FILES_MAX];
static size_t file_count;

static void note(void *argument, const char *text)
{
}

static struct ps_segment_log *open_log(void)
{
    static char data[256], checkpoint[256];
    static const char *directories[1] = {data};
    struct ps_err err = {0};
    snprintf(data, sizeof data, "%s/data", ps_test_folder());
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", ps_test_folder());
    struct ps_segment_options options = {.directories = {1, directories},
                                         .state_directory = checkpoint,
                                         .segment_bytes = SEGMENT_BYTES,
                                         .files = &ps_segment_disk,
                                         .report = note};
    struct ps_segment_log *log = ps_segment_log_open(&options, &err);
    if (log == NULL)
        fail_msg("%s", err.text);
    return log;
}

/* Appends frame `number` with two events: "NUMBER.0" and "NUMBER.1". */
static void append(struct ps_segment_log *log, unsigned number)
{
    struct ps_events_encoder encoder = {0};
    struct ps_segment_place place;
    struct ps_err err = {0};
    char body[32];
    ps_events_begin(&encoder);
    ps_events_shared(&encoder, "host", 4, "web", 3);
    for (unsigned i = 0; i < 2; i++) {
        int length = snprintf(body, sizeof body, "%u.%u", number, i);
        ps_events_add(&encoder, body, (uint32_t)length, 1);
        ps_events_header(&encoder, "number", 6, body, (uint32_t)length);
    }
    const char *payload = ps_events_end(&encoder);
    assert_int_equal(ps_segment_log_append(log, payload, (uint32_t)encoder.length, encoder.count,
                                           encoder.body_bytes, &place, &err),
                     PS_OK);
    assert_int_equal(ps_segment_log_sync(log, &err), PS_OK);
    ps_events_encoder_fini(&encoder);
}

static void keep(const char *name)
{
    struct stat about;
    struct file *file = &files[file_count++];
    snprintf(file->name, sizeof file->name, "%s", name);
    int fd = open(ps_test_folder_path(name), O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &about) == 0);
    file->length = (size_t)about.st_size;
    file->bytes = malloc(file->length);
    assert_int_equal(read(fd, file->bytes, file->length), file->length);
    close(fd);
}

/* Frame 2 was delivered; three segments. */
static int make_channel(void **state)
{
    struct ps_segment_place place;
    char name[64];
    ps_test_folder_in_memory();
    if (ps_test_folder_setup(state) != 0)
        return 1;
    assert_int_equal(mkdir(ps_test_folder_path("data"), 0750), 0);
    assert_int_equal(mkdir(ps_test_folder_path("checkpoint"), 0750), 0);
    struct ps_segment_log *log = open_log();
    for (unsigned number = 1; number <= FRAMES; number++) {
        append(log, number);
        if (number != 3)
            continue;
        assert_true(ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED &&
                    ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED);
        assert_int_equal(place.number, 2);
        ps_segment_log_take(log, &place);
    }
    ps_segment_log_close(log);
    file_count = 0;
    keep("checkpoint/state");
    for (unsigned i = 1; i < FILES_MAX; i++) {
        snprintf(name, sizeof name, "data/%012u.segment", i);
        if (access(ps_test_folder_path(name), F_OK) != 0)
            break;
        keep(name);
    }
    assert_true(file_count >= 4);
    return 0;
}

static int remove_channel(void **state)
{
    for (size_t i = 0; i < file_count; i++)
        free(files[i].bytes);
    return ps_test_folder_teardown(state);
}

static void save(const struct file *file)
{
    int fd = open(ps_test_folder_path(file->name), O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, file->bytes, file->length), file->length);
    close(fd);
}

/* In the next run this read of a file, counted from 1, fails, and so do all that follow; 0: none. */
static unsigned first_failing_read, reads;

/* Runs `penstock channel WORD FOLDER [OPTION]`; returns what it printed, to be freed. */
static char *run(const char *word, const char *option, int *code)
{
    char *argv[] = {(char *)"channel", (char *)word, (char *)ps_test_folder(), (char *)option, NULL};
    int out = memfd_create("out", 0), saved = dup(1), saved_error = dup(2),
        nowhere = open("/dev/null", O_WRONLY);
    fflush(stdout);
    fflush(stderr);
    dup2(out, 1);
    dup2(nowhere, 2);
    *code = ps_main_channel(option != NULL ? 4 : 3, argv);
    first_failing_read = 0;
    fflush(stdout);
    fflush(stderr);
    dup2(saved, 1);
    dup2(saved_error, 2);
    close(saved);
    close(saved_error);
    close(nowhere);
    off_t length = lseek(out, 0, SEEK_END);
    char *text = calloc(1, (size_t)length + 1);
    assert_int_equal(pread(out, text, (size_t)length, 0), length);
    close(out);
    return text;
}

static json_t *verify(int *code)
{
    char *text = run("verify", "--json", code);
    json_t *root = json_loads(text, 0, NULL);
    if (root == NULL)
        fail_msg("no JSON: %s", text);
    free(text);
    return root;
}

/* Returns whether a damaged record of this file has the byte. */
static bool names(const json_t *root, const struct file *file, size_t at)
{
    size_t i;
    json_t *item, *list = json_object_get(root, "damaged");
    json_array_foreach(list, i, item)
    {
        const char *path = json_string_value(json_object_get(item, "file"));
        json_int_t begin = json_integer_value(json_object_get(item, "byte"));
        json_int_t length = json_integer_value(json_object_get(item, "bytes"));
        size_t tail = strlen(path) > strlen(file->name) ? strlen(path) - strlen(file->name) : 0;
        if (strcmp(path + tail, file->name) == 0 && begin <= (json_int_t)at &&
            (json_int_t)at < begin + length)
            return true;
    }
    return false;
}

static void test_whole_channel(void **state)
{
    int code;
    json_t *root = verify(&code);
    assert_int_equal(code, 0);
    assert_int_equal(json_integer_value(json_object_get(root, "undelivered_events")), 2 * (FRAMES - 1));
    assert_int_equal(json_integer_value(json_object_get(root, "events")), 2 * FRAMES);
    assert_int_equal(json_array_size(json_object_get(root, "damaged")), 0);
    json_decref(root);
    char *text = run("export", NULL, &code);
    assert_int_equal(code, 0);
    assert_memory_equal(text, "1.0\n1.1\n3.0\n3.1\n4.0\n", 20);
    free(text);
    text = run("export", "--json", &code);
    const char *first = "{\"headers\":{\"host\":\"web\",\"number\":\"1.0\"},\"body\":\"1.0\"}\n";
    assert_memory_equal(text, first, strlen(first));
    free(text);
    text = run("export", "--all", &code);
    assert_memory_equal(text, "1.0\n1.1\n2.0\n2.1\n", 16);
    free(text);
    text = run("repair", NULL, &code);
    assert_int_equal(code, 0);
    assert_non_null(strstr(text, "nothing to set aside"));
    free(text);
    for (size_t i = 0; i < file_count; i++) { /* nothing has changed */
        struct stat about;
        assert_int_equal(stat(ps_test_folder_path(files[i].name), &about), 0);
        assert_int_equal(about.st_size, files[i].length);
    }
}

static void link_to_unreadable(const char *name)
{
    (void)unlink(ps_test_folder_path(name));
    assert_int_equal(symlink("/proc/self/mem", ps_test_folder_path(name)), 0);
}

static uint64_t fed(void);

/* Files whose first byte gives an input/output error, as the memory of a process at address 0 does: repair leaves
 * them alone until an option gives them up. The state file records what was delivered, so without it those events
 * come again. */
static void test_unreadable_files(void **state)
{
    static const char *const names[] = {"data/000000000077.segment", "checkpoint/state"};
    struct stat about;
    int code;
    uint64_t all = ((UINT64_C(1) << (FRAMES + 1)) - 2);
    for (unsigned i = 0; i < 2; i++) {
        link_to_unreadable(names[i]);
        json_t *root = verify(&code);
        assert_int_equal(code, 1);
        const char *why = json_string_value(json_object_get(root, "cannot_be_opened"));
        assert_true(why != NULL && strstr(why, "cannot be read: Input/output error") != NULL);
        json_decref(root);
        free(run("repair", NULL, &code));
        assert_int_equal(code, 1);
        free(run("repair", "--dry-run", &code));
        assert_int_equal(code, 1);
        assert_int_equal(lstat(ps_test_folder_path(names[i]), &about), 0);
        assert_true(S_ISLNK(about.st_mode));
        free(run("repair", "--give-up-unreadable", &code));
        assert_int_equal(code, 0);
        assert_true(lstat(ps_test_folder_path(names[i]), &about) != 0 || S_ISREG(about.st_mode));
        assert_int_equal(fed() & ~(i == 0 ? UINT64_C(0) : UINT64_C(4)), all & ~UINT64_C(4));
    }
}

static ino_t bad_file;      /* the file of which the disk cannot read the first block; 0: none */
static bool renaming_fails; /* of a file to the name of the state */

/* Called in place of libc's functions. */
ssize_t pread(int fd, void *to, size_t length, off_t offset)
{
    struct stat about;
    bool is_bad = bad_file != 0 && offset < 4096 && fstat(fd, &about) == 0 && about.st_ino == bad_file;
    is_bad |= first_failing_read > 0 && ++reads >= first_failing_read;
    errno = EIO;
    return is_bad ? -1 : syscall(SYS_pread64, fd, to, length, offset);
}

int rename(const char *from, const char *to)
{
    bool fails = renaming_fails && strcmp(to, ps_test_folder_path("checkpoint/state")) == 0;
    errno = EIO;
    return fails ? -1 : renameat(AT_FDCWD, from, AT_FDCWD, to);
}

/* The copy of the readable bytes cannot replace the file: the old file stays, and no other file is left. */
static void test_unreplaceable_file(void **state)
{
    const char *path = ps_test_folder_path("checkpoint/state");
    struct stat before, about;
    int code;
    assert_int_equal(stat(path, &before), 0);
    bad_file = before.st_ino;
    renaming_fails = true;
    for (unsigned tries = 0; tries < 2; tries++) {
        free(run("repair", "--give-up-unreadable", &code));
        assert_int_equal(code, 1);
        assert_int_equal(stat(ps_test_folder_path("checkpoint/state"), &about), 0);
        assert_int_equal(about.st_ino, before.st_ino);
        assert_int_equal(about.st_nlink, 1);
    }
    renaming_fails = false;
    free(run("repair", "--give-up-unreadable", &code));
    assert_int_equal(code, 0);
    assert_int_equal(stat(ps_test_folder_path("checkpoint/state"), &about), 0);
    assert_int_not_equal(about.st_ino, before.st_ino);
    bad_file = 0;
}

/* The disk fails at each read of `export`: it never shows less than all events without saying so. */
static void test_export_names_what_it_cannot_read(void **state)
{
    int code;
    char *whole = run("export", NULL, &code), *text;
    unsigned number = 0, shown = 0;
    do {
        first_failing_read = ++number;
        reads = 0;
        text = run("export", NULL, &code);
        if (code == 0)
            assert_string_equal(text, whole);
        shown += code == 1 && *text != '\0';
        free(text);
    } while (reads >= number);
    assert_int_equal(code, 0);
    assert_true(shown > 0); /* a part of the events was shown */
    free(whole);
}

/* Returns the number of the frame of events that has the byte `at`, or 0. *covered: whether the byte belongs to a
 * head or a frame, not to padding. */
static uint64_t frame_at(const struct file *file, size_t at, bool *covered)
{
    struct ps_segment_head head;
    struct ps_frame frame;
    assert_true(ps_segment_head_read(file->bytes, &head));
    *covered = at < PS_SEGMENT_HEAD_BYTES;
    for (size_t begin = PS_SEGMENT_HEAD_BYTES;
         begin + PS_FRAME_HEAD_BYTES <= file->length && ps_frame_read(file->bytes + begin, head.salt, &frame);
         begin += ps_frame_span(frame.length)) {
        if (at < begin || at >= begin + ps_frame_span(frame.length))
            continue;
        *covered = at < begin + PS_FRAME_HEAD_BYTES + frame.length;
        return frame.kind == PS_FRAME_EVENTS ? frame.number : 0;
    }
    return 0;
}

/* Returns the numbers of the frames that the channel feeds, as bits. */
static uint64_t fed(void)
{
    struct ps_segment_log *log = open_log();
    struct ps_segment_place place;
    uint64_t numbers = 0;
    char payload[SEGMENT_BYTES];
    while (ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED)
        if (place.length <= sizeof payload &&
            ps_segment_load(&ps_segment_disk, &place, &(struct ps_sealer){0}, payload, NULL) ==
                PS_SEGMENT_READ_WHOLE)
            numbers |= UINT64_C(1) << place.number;
    ps_segment_log_close(log);
    return numbers;
}

static void flip(struct file *file, size_t at)
{
    bool covered = true;
    int code;
    uint64_t all = ((UINT64_C(1) << (FRAMES + 1)) - 2) & ~UINT64_C(4), lost = 0;
    bool is_segment = file != &files[0];
    uint64_t number = is_segment ? frame_at(file, at, &covered) : 0;
    if (is_segment && at < PS_SEGMENT_HEAD_BYTES) /* none of its frames can be read */
        for (size_t i = PS_SEGMENT_HEAD_BYTES; i < file->length; i += PS_FRAME_ALIGN) {
            bool ignored;
            uint64_t one = frame_at(file, i, &ignored);
            lost |= one > 0 ? UINT64_C(1) << one : 0;
        }
    else if (number > 0 && covered)
        lost = UINT64_C(1) << number;
    file->bytes[at] ^= (char)(1U << at % 8);
    save(file);
    json_t *root = verify(&code);
    bool named = names(root, file, at);
    json_int_t missing = json_integer_value(json_object_get(root, "lost_frames"));
    size_t count = json_array_size(json_object_get(root, "damaged"));
    json_decref(root);
    if (covered && !named)
        fail_msg("%s: byte %zu is changed, and verify does not name it", file->name, at);
    if (code == 0 && (lost & all) != 0)
        fail_msg("%s: byte %zu is changed, and verify says that all is well", file->name, at);
    if (covered && at >= PS_SEGMENT_HEAD_BYTES && is_segment)
        assert_int_equal(count, 1); /* that record and no other */
    if (number > 0 && covered)
        assert_int_equal(missing, (lost & all) != 0);
    free(run("repair", NULL, &code));
    assert_int_equal(code, 0);
    uint64_t out = fed();
    if ((out & ~lost & all) != (all & ~lost))
        fail_msg("%s: byte %zu is changed, and other events are lost: %llx", file->name, at,
                 (unsigned long long)out);
    file->bytes[at] ^= (char)(1U << at % 8);
    for (size_t i = 0; i < file_count; i++)
        save(&files[i]);
}

static void test_changed_bytes(void **state)
{
#ifdef __SANITIZE_ADDRESS__
    const size_t step = 13, state_step = 4999;
#else
    const size_t step = 5,
                 state_step = 499; /* at each place of a group of eight bytes, which frames are aligned to */
#endif
    for (size_t i = 0; i < file_count; i++)
        for (size_t at = 0; at < files[i].length; at += i == 0 ? state_step : step)
            flip(&files[i], at);
}

/* ---- what the tools say, and what an agent delivers ---- */

static void write_bytes(const char *name, const char *bytes, size_t length)
{
    struct file file = {.bytes = (char *)(uintptr_t)bytes, .length = length};
    snprintf(file.name, sizeof file.name, "%s", name);
    save(&file);
}

/* Puts a stray into the data directory, which does not belong to the log. */
static void draw_stray(uint64_t *random)
{
    static const char *const names[] = {"data/1.segment",
                                        "data/00000000000001.segment",
                                        "data/18446744073709551615.segment",
                                        "data/99999999999999999999999.segment",
                                        "data/.segment",
                                        "data/x000000000001.segment",
                                        "data/000000000099.segment",
                                        "data/999999999999999999.segment",
                                        "data/000000000000.segment",
                                        "data/segment"};
    const char *name = names[ps_test_random(random) % PS_COUNT_OF(names)];
    const struct file *copied = &files[1 + ps_test_random(random) % (file_count - 1)];
    const char *path = ps_test_folder_path(name);
    struct stat about;
    if (lstat(path, &about) == 0)
        return;
    switch (ps_test_random(random) % 6) {
    case 0:
        (void)mkdir(path, 0750);
        break;
    case 1:
        (void)mkfifo(path, 0640);
        break;
    case 2:
        write_bytes(name, "", 0);
        break;
    case 3:
        write_bytes(name, "this is not the segment of a log, but the notes of somebody", 60);
        break;
    case 4:
        (void)!symlink(".", path);
        break;
    default:
        write_bytes(name, copied->bytes, copied->length);
        break;
    }
}

static void draw_damage(uint64_t *random)
{
    struct file *file = &files[ps_test_random(random) % file_count];
    const char *path = ps_test_folder_path(file->name);
    struct stat about;
    uint64_t what = ps_test_random(random) % 8;
    size_t room = what < 2 ? PS_SEGMENT_HEAD_BYTES : file->length;
    size_t at = ps_test_random(random) % room;
    if (what < 5) {
        file->bytes[at] ^= (char)(1U << at % 8);
        if (stat(path, &about) == 0 && S_ISREG(about.st_mode))
            save(file);
        file->bytes[at] ^= (char)(1U << at % 8);
    } else if (what == 5) {
        (void)unlink(path);
    } else if (what == 6) {
        (void)!truncate(path, (off_t)at);
    } else if (file != &files[0]) {
        (void)unlink(path);
        (void)mkdir(path, 0750);
    }
}

/* Returns the frames that `export` shows whole, as bits. */
static uint64_t exported(void)
{
    int code;
    char *text = run("export", NULL, &code);
    uint64_t first = 0, second = 0;
    if (code > 1)
        fail_msg("export: %d: %s", code, run("inspect", NULL, &code));
    for (char *at = text, *end; *at != '\0'; at = end + 1) {
        char *dot;
        unsigned long number = strtoul(at, &dot, 10);
        end = strchr(at, '\n');
        assert_true(end != NULL && *dot == '.' && number <= FRAMES);
        *(dot[1] == '0' ? &first : &second) |= UINT64_C(1) << number;
    }
    free(text);
    assert_int_equal(first, second);
    return first;
}

static json_int_t inspected(void)
{
    int code;
    char *text = run("inspect", "--json", &code);
    json_t *root = json_loads(text, 0, NULL);
    assert_non_null(root);
    json_int_t events = json_integer_value(json_object_get(root, "undelivered_events"));
    json_decref(root);
    free(text);
    return events;
}

static void make_anew(void)
{
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s/data' '%s/checkpoint'", ps_test_folder(), ps_test_folder());
    assert_int_equal(system(command), 0);
    assert_int_equal(mkdir(ps_test_folder_path("data"), 0750), 0);
    assert_int_equal(mkdir(ps_test_folder_path("checkpoint"), 0750), 0);
    for (size_t i = 0; i < file_count; i++)
        save(&files[i]);
}

/* Whatever lies in the directories and whatever is damaged: the tools show what the agent delivers, and repair changes none of it. */
static void test_strays_and_damage(void **state)
{
    uint64_t seed = ps_test_seed();
    for (unsigned round = 0; round < 120; round++) {
        uint64_t random = seed + round + 1;
        make_anew();
        for (uint64_t i = ps_test_random(&random) % 3; i < 3; i++)
            draw_stray(&random);
        for (uint64_t i = ps_test_random(&random) % 4; i < 2; i++)
            draw_damage(&random);
        uint64_t before = exported();
        unsigned events = 2 * (unsigned)__builtin_popcountll(before);
        int code = 0;
        if (inspected() != events)
            fail_msg("round %u: inspect says %d events, export %u", round, (int)inspected(), events);
        if (round % 2 == 0) {
            free(run("repair", NULL, &code));
            assert_int_equal(code, 0);
        }
        uint64_t out = fed();
        if (out != before)
            fail_msg("round %u: export shows %llx, the agent delivers %llx", round,
                     (unsigned long long)before, (unsigned long long)out);
    }
}

/* Each command names each stray, and does not count it as damage. */
static void test_strays_are_named(void **state)
{
    static const char *const commands[] = {"inspect", "verify"};
    int code;
    write_bytes("data/1.segment", files[1].bytes, files[1].length);
    assert_int_equal(mkfifo(ps_test_folder_path("data/000000000005.segment"), 0640), 0);
    for (unsigned i = 0; i < PS_COUNT_OF(commands); i++) {
        char *text = run(commands[i], NULL, &code);
        if (code != 0)
            fail_msg("%s: %d: %s", commands[i], code, text);
        assert_non_null(strstr(text, "data/1.segment: a segment's name has another form"));
        assert_non_null(strstr(text, "data/000000000005.segment: it is not a regular file: it is skipped"));
        free(text);
    }
    free(run("repair", NULL, &code));
    assert_int_equal(code, 0);
    for (size_t i = 0; i < file_count; i++)
        assert_int_equal(access(ps_test_folder_path(files[i].name), F_OK), 0);
    write_bytes("data/999999999999999999.segment", "x", 1);
    write_bytes("data/18446744073709551615.segment", "x", 1);
    struct ps_segment_log *log = open_log();
    for (unsigned number = FRAMES + 1; number < FRAMES + 12; number++) /* beyond the FIFO's number */
        append(log, number);
    ps_segment_log_close(log);
    assert_int_equal(fed(), ((UINT64_C(1) << (FRAMES + 12)) - 2) & ~UINT64_C(4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole_channel, make_channel, remove_channel),
        cmocka_unit_test_setup_teardown(test_unreadable_files, make_channel, remove_channel),
        cmocka_unit_test_setup_teardown(test_unreplaceable_file, make_channel, remove_channel),
        cmocka_unit_test_setup_teardown(test_export_names_what_it_cannot_read, make_channel, remove_channel),
        cmocka_unit_test_setup_teardown(test_strays_are_named, make_channel, remove_channel),
        cmocka_unit_test_setup_teardown(test_strays_and_damage, make_channel, remove_channel),
        cmocka_unit_test_setup_teardown(test_changed_bytes, make_channel, remove_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
