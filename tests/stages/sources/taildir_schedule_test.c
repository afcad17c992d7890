/* Source taildir under random schedules: logs are appended to, rotated by renaming (with and without a new file, under names that match and
 * others), copied and truncated (also with lines in between), truncated, deleted while they are open, replaced by a copy or by another file, while
 * the source runs, is stopped in order, or dies; its devices may have other numbers then. In every third schedule all files begin with the same 3 KiB. Every line must come once and
 * unchanged; after a crash lines may come again only if they came after the positions were last written, or belong to a file that was written
 * between its copy and its truncation. If all files begin alike, a line comes again at most once for each crash, and for each time that its file
 * was replaced, written to between its copy and its truncation, or copied before it was read. In every second schedule the lines have identities: two lines never have the
 * same one, and a line that comes again after a crash has the one that it had; these crashes find the position file of that moment, which has the
 * random numbers of the files. The seed is printed; PENSTOCK_SEED repeats a run, and PENSTOCK_SCHEDULES=1000 plays more of them. */
#include "tests/stages/sources/taildir_lines.h"
#include "tests/stages/sources/taildir_positions.h"
#include "tests/support/folder.h"
#include "tests/support/identities.h"
#include "tests/support/stage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOGS 3U
#define STEPS 120U
#define SCHEDULES 12U /* a multiple of 6: each kind as often as any other */
#define PASS_MS_MAX 10U
#define NAMES_KEPT 4U /* rotated files of a log */
#define BANNER_BYTES 3072

struct log {
    int fd; /* descriptor of its writer; -1: none */
    bool there;
    unsigned first_line; /* of its present file */
};

static struct ps_test_stage stage;
static unsigned next_rotated;
static bool only_matching; /* rotated names match */
static struct log logs[LOGS];
static char pattern[512], positions[512];
static char text_room[400000];

/* ---- lines ---- */

/* The source's clock follows the real one, except while the test has no CPU: the original of a copy is truncated before the source takes it
 * for a file of its own. */
static void pass_time(void)
{
    static uint64_t before_ns;
    uint64_t now_ns = ps_clock_now().mono_ns, passed_ms = (now_ns - before_ns) / PS_NS_PER_MS;
    if (passed_ms == 0)
        return;
    before_ns = now_ns;
    ps_test_stage_pass_ms(&stage, passed_ms < PASS_MS_MAX ? passed_ms : PASS_MS_MAX);
}

/* Calls the source once, if it is open, in the middle of something else. */
static void poke(void)
{
    if (stage.opened) {
        pass_time();
        (void)ps_test_source_work(&stage);
    }
}

static bool with_banner, with_identities;
static struct ps_test_identities identities; /* that came, each with its line */
static unsigned crash_count, copy_count[LOGS];

/* Writes the first bytes, which all files share. */
static void banner_write(int fd)
{
    static char text[BANNER_BYTES];
    if (!with_banner || lseek(fd, 0, SEEK_END) != 0)
        return;
    memset(text, '#', sizeof text);
    for (size_t at = 99; at < sizeof text; at += 100)
        text[at] = '\n';
    text[sizeof text - 1] = '\n';
    assert_int_equal(write(fd, text, sizeof text), sizeof text);
}

static unsigned append_log; /* log of the appended lines; the last one if their file is of no log */

static void append_to(int fd, unsigned count)
{
    if (count > 0)
        banner_write(fd);
    for (unsigned i = 0; i < LOGS; i++)
        append_log = logs[i].fd == fd ? i : append_log;
    for (; count > 0 && line_count < LINES_MAX; count--) {
        lines[line_count] = (struct line){.seed = 1 + draw(1000000), .log = append_log};
        size_t length = line_text(line_count, text_room);
        text_room[length++] = '\n';
        size_t half = draw(3) == 0 ? draw((unsigned)length) : length; /* in two writes */
        assert_int_equal(write(fd, text_room, half), half);
        if (half < length && draw(4) == 0)
            poke();
        assert_int_equal(write(fd, text_room + half, length - half), length - half);
        line_count++;
    }
}

/* Returns whether a line that came may come again. If all files begin alike, it may do so once for each crash, and for
 * each time that its file was replaced, or written to between its copy and its truncation. */
static bool may_come_again(const struct line *line)
{
    return line->may_repeat || line->came <= line->twice ||
           (with_banner ? line->came <= crash_count + copy_count[line->log] : line->is_copied);
}

/* ---- identities ---- */

/* `again`: the line came after a crash that went back to before it. */
static void identity_check(const struct ps_test_event *event, unsigned number, bool again)
{
    struct line *line = &lines[number];
    if (event->identity[0] == '\0')
        FAIL("line %u has no identity", number);
    unsigned first = (unsigned)ps_test_identities_first(&identities, event->identity, number);
    if (first != number && !lines[first].is_cut)
        FAIL("lines %u and %u have the identity %s", first, number, event->identity);
    if (again && !line->is_copied && !line->is_renumbered && line->twice == 0 &&
        strcmp(line->identity, event->identity) != 0)
        FAIL("line %u, of %s, came again with the identity %s, not %s", number,
             ps_test_event_header(event, "file"), event->identity, line->identity);
    snprintf(line->identity, sizeof line->identity, "%s",
             event->identity); /* of the file that it came from last */
}

/* Checks the lines that came. */
static void take(void)
{
    static char expected[400000];
    for (size_t i = 0; i < stage.event_count; i++) {
        const struct ps_test_event *event = &stage.events[i];
        unsigned number = (unsigned)strtoul(event->body, NULL, 10);
        if (with_banner && event->body[0] == '#')
            continue;
        if (number >= line_count)
            FAIL("a line came that was not written: %.60s", event->body);
        size_t length = line_text(number, expected);
        if (event->length != length || memcmp(event->body, expected, length) != 0)
            FAIL("line %u is not what was written: %u bytes, not %zu, of %s: %.40s", number, event->length,
                 length, ps_test_event_header(event, "file"), event->body);
        if (lines[number].came > 0 && !may_come_again(&lines[number]))
            FAIL("line %u came again, from %s", number, ps_test_event_header(event, "file"));
        if (with_identities)
            identity_check(event, number, lines[number].may_repeat && lines[number].came > 0);
        lines[number].came++;
        lines[number].since_saved = true;
        lines[number].may_repeat = false;
    }
    ps_test_source_clear(&stage);
}

static void work(unsigned calls)
{
    for (; calls > 0; calls--) {
        poke();
        if (draw(2) == 0 && stage.batch != NULL && !ps_batch_is_empty(stage.batch))
            ps_test_source_close_batch(&stage);
    }
    take();
}

/* Works until every line came. */
static void catch_up(void)
{
    uint64_t until = ps_test_patience_end_ns();
    while (missing() > 0) {
        pass_time();
        if (ps_test_source_work(&stage) == PS_IDLE)
            usleep(200);
        ps_test_source_close_batch(&stage);
        take();
        if (ps_test_patient_ns() > until) {
            for (unsigned i = 0; i < line_count; i++) {
                if (lines[i].came == 0)
                    FAIL("line %u of %u did not come, and %u in all", i, line_count, missing());
            }
        }
    }
}

/* ---- what happens to files ---- */

static const char *log_path(unsigned number, const char *suffix)
{
    char name[64];
    snprintf(name, sizeof name, "app%u.log%s", number, suffix);
    return ps_test_folder_path(name);
}

static void writer_close(struct log *log)
{
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}

static void writer_open(unsigned number)
{
    struct log *log = &logs[number];
    if (log->fd < 0) {
        log->fd = open(log_path(number, ""), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        log->first_line = log->there ? log->first_line : line_count;
        log->there = true;
    }
    assert_true(log->fd >= 0);
}

static void op_append(unsigned number)
{
    writer_open(number);
    append_to(logs[number].fd, 1 + draw(draw(5) == 0 ? 300 : 10));
    note(" append%u(to line %u)", number, line_count);
    if (draw(3) == 0)
        writer_close(&logs[number]);
}

/* Renames app.log.N to app.log.N+1; the oldest is removed after it was read. */
static void shift_names(unsigned number)
{
    char from[512], suffix[16];
    snprintf(suffix, sizeof suffix, ".%u", NAMES_KEPT);
    if (access(log_path(number, suffix), F_OK) == 0)
        catch_up();
    (void)unlink(log_path(number, suffix));
    for (unsigned i = NAMES_KEPT; i > 1; i--) {
        snprintf(suffix, sizeof suffix, ".%u", i - 1);
        snprintf(from, sizeof from, "%s", log_path(number, suffix));
        snprintf(suffix, sizeof suffix, ".%u", i);
        (void)rename(from, log_path(number, suffix));
    }
}

static void op_rename(unsigned number)
{
    struct log *log = &logs[number];
    char from[512], name[64];
    if (!log->there)
        return;
    snprintf(from, sizeof from, "%s", log_path(number, ""));
    if (only_matching || draw(2) == 0) {
        shift_names(number);
        note(" rename%u", number, 0);
        assert_int_equal(rename(from, log_path(number, ".1")), 0);
    } else { /* the source must have seen it under a matching name */
        writer_open(number);
        append_to(log->fd, 1);
        catch_up();
        snprintf(name, sizeof name, "rotated%u", next_rotated++);
        note(" rename%u(to rotated%u)", number, next_rotated - 1);
        if (log->fd >= 0)
            append_to(log->fd, draw(5));
        assert_int_equal(rename(from, ps_test_folder_path(name)), 0);
    }
    log->there = false;
    if (log->fd >= 0 && draw(2) == 0)
        append_to(log->fd, draw(5)); /* the writer has not noticed the deletion yet */
    writer_close(log);
    if (draw(2) == 0) {
        writer_open(number);
        append_to(log->fd, draw(5));
    }
}

static void copy(const char *from, const char *to)
{
    char bytes[65536];
    ssize_t length;
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(in >= 0 && out >= 0);
    while ((length = read(in, bytes, sizeof bytes)) > 0) {
        assert_int_equal(write(out, bytes, (size_t)length), length);
        if (draw(4) == 0)
            poke();
    }
    close(in);
    close(out);
}

/* A crash went back into the banner that all files have, and now the file is cut, or goes. What was read of it is in every file with the banner: what
 * it has next, or another file, may be taken for it, and get its number (decision 89). */
static void mark_cut(unsigned number)
{
    for (unsigned i = logs[number].first_line; with_banner && i < line_count; i++)
        lines[i].is_cut |= lines[i].log == number && lines[i].may_repeat;
    logs[number].first_line = line_count;
}

static void cut(unsigned number)
{
    assert_int_equal(truncate(log_path(number, ""), 0), 0);
    mark_cut(number);
}

/* A crash went back to the beginning of a file, or into the banner that all have. Then the file is copied and cut, or replaced by a copy. Nothing that
 * was read tells that the copy is its copy: the lines that have not come again yet get the number of another file (decision 89). */
static void mark_renumbered(unsigned number, const char *path)
{
    bool is_known = ps_test_position_of(positions, path) > (with_banner ? BANNER_BYTES : 0);
    for (unsigned i = 0; i < line_count; i++)
        lines[i].is_renumbered |= !is_known && lines[i].log == number && lines[i].may_repeat;
}

/* Called before a file is copied and cut. If this process has read no line of it, it may find the copy together with the file: nothing tells which one
 * is the original, and both may be read (decision 57). */
static void mark_unread(unsigned number)
{
    unsigned unread = 0;
    for (unsigned i = logs[number].first_line; i < line_count; i++) {
        if (lines[i].log == number && lines[i].came > 0 && !lines[i].may_repeat)
            return;
        unread += lines[i].log == number;
    }
    for (unsigned i = logs[number].first_line; i < line_count; i++)
        lines[i].twice = lines[i].log == number ? lines[i].came + 1 : lines[i].twice;
    copy_count[number] += unread > 0;
}

static void op_copy_and_cut(unsigned number)
{
    struct log *log = &logs[number];
    char from[512];
    if (!log->there)
        return;
    snprintf(from, sizeof from, "%s", log_path(number, ""));
    shift_names(number);
    if (with_identities)
        mark_renumbered(number, from);
    mark_unread(number);
    note(" copytruncate%u", number, 0);
    copy(from, log_path(number, ".1"));
    if (draw(2) == 0)
        work(draw(10));
    cut(number);
    if (log->fd >= 0 && draw(2) == 0)
        append_to(log->fd, draw(200));
}

/* Its lines may come again: the scenarios taildir_cop* ask that copies repeat no line; here no line may be missing. */
static void mark_copied(unsigned number)
{
    for (unsigned i = 0; i < line_count; i++)
        lines[i].is_copied |= lines[i].log == number;
    copy_count[number]++;
}

/* Lines are written, and read, between the copy and the truncation. */
static void op_copy_lines_and_cut(unsigned number)
{
    struct log *log = &logs[number];
    char from[512];
    if (!log->there)
        return;
    catch_up();
    shift_names(number);
    snprintf(from, sizeof from, "%s", log_path(number, ""));
    note(" copy%u", number, 0);
    copy(from, log_path(number, ".1"));
    writer_open(number);
    mark_copied(number);
    append_to(log->fd, draw(20));
    catch_up();
    note("+truncate%u", number, 0);
    cut(number);
    if (draw(2) == 0)
        append_to(log->fd, draw(200));
}

/* Replaces a file, as editors do, by a copy, or by a file that only begins alike. */
static void op_replace(unsigned number)
{
    struct log *log = &logs[number];
    char to[512], fresh[512];
    bool same = draw(2) == 0;
    if (!log->there)
        return;
    if (stage.opened)
        catch_up(); /* otherwise its unread lines would be lost for good */
    writer_close(log);
    snprintf(to, sizeof to, "%s", log_path(number, ""));
    snprintf(fresh, sizeof fresh, "%s", ps_test_folder_path("fresh"));
    if (with_banner)
        mark_copied(number); /* otherwise the copy is recognized, or another file is taken for it */
    if (with_identities && same)
        mark_renumbered(number, to);
    note(same ? " replace%u(a copy)" : " replace%u(another)", number, 0);
    mark_cut(number);
    if (same) {
        copy(to, fresh);
    } else {
        int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        append_log = number;
        append_to(fd, 1 + draw(50));
        close(fd);
    }
    assert_int_equal(rename(fresh, to), 0);
    if (draw(2) == 0)
        op_append(number);
}

static void op_cut(unsigned number)
{
    if (!logs[number].there)
        return;
    catch_up(); /* otherwise unread lines would be lost */
    note(" cut%u", number, 0);
    cut(number);
    if (logs[number].fd >= 0 && draw(2) == 0)
        append_to(logs[number].fd, draw(200));
}

static void op_delete(unsigned number)
{
    struct log *log = &logs[number];
    if (!log->there)
        return;
    writer_open(number);
    append_to(log->fd, 1);
    catch_up(); /* the file is open now */
    note(" delete%u", number, 0);
    assert_int_equal(unlink(log_path(number, "")), 0);
    mark_cut(number);
    log->there = false;
    append_to(log->fd, draw(5));
    if (draw(2) == 0)
        work(draw(5));
    append_to(log->fd, draw(3));
    writer_close(log);
    if (draw(2) == 0)
        op_append(number);
    catch_up(); /* otherwise a restart would lose it for good */
}

/* The machine was started again, too: its file systems may have other device numbers. */
static void devices_change(void)
{
    if (draw(2) != 0)
        return;
    note(" devices", 0, 0);
    ps_test_devices_change(positions);
}

static void op_restart(unsigned number)
{
    note(" restart", 0, 0);
    ps_test_source_close_batch(&stage); /* everything is delivered */
    take();
    ps_test_stage_close(&stage);
    devices_change();
    if (draw(2) == 0)
        op_append(draw(LOGS));
    if (draw(3) == 0 && missing() == 0)
        op_replace(draw(LOGS));
    if (draw(2) == 0 && logs[0].there) {
        char from[512];
        snprintf(from, sizeof from, "%s", log_path(0, ""));
        writer_close(&logs[0]);
        if (access(log_path(0, ".1"), F_OK) != 0) {
            note(" rename%u(stopped)", 0, 0);
            assert_int_equal(rename(from, log_path(0, ".1")), 0);
            logs[0].there = false;
        }
    }
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
}

/* The source dies, and finds the positions of an earlier moment; with identities those that the position file has. */
static void op_crash(unsigned number)
{
    char saved[600];
    snprintf(saved, sizeof saved, "%s.saved", positions);
    ps_test_source_close_batch(&stage);
    take();
    catch_up();
    ps_test_stage_close(&stage);
    if (!with_identities)
        ps_test_positions_copy(positions, saved);
    for (unsigned i = 0; i < line_count; i++)
        lines[i].since_saved = false;
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    note(" saved", 0, 0);
    for (unsigned i = draw(4); i > 0; i--)
        op_append(draw(LOGS));
    work(draw(30));
    only_matching = true; /* a file that is newer than the positions is found only by its name */
    if (draw(3) == 0)
        op_rename(draw(LOGS));
    only_matching = false;
    /* A file without a saved position that was cut is only known by its banner. */
    if (draw(3) == 0 && !(with_banner && with_identities)) {
        unsigned copied = draw(LOGS);
        for (unsigned i = 0; i < line_count; i++)
            lines[i].is_renumbered |= lines[i].log == copied;
        op_copy_and_cut(copied);
    }
    work(draw(30));
    note(" crash", 0, 0);
    crash_count++;
    if (with_identities)
        ps_test_positions_copy(positions, saved);
    ps_test_stage_close(&stage);
    ps_test_stage_recycle(&stage); /* the open batch is lost with the source */
    ps_test_positions_copy(saved, positions);
    devices_change();
    for (unsigned i = 0; i < line_count; i++)
        lines[i].may_repeat |= lines[i].since_saved;
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    catch_up();
    for (unsigned i = 0; i < 20; i++)
        work(5);
    for (unsigned i = 0; i < line_count; i++)
        lines[i].may_repeat |= lines[i].since_saved; /* lines that were read before the save may still come */
}

/* ---- schedules ---- */

static void start(void)
{
    const char *keys[] = {"filegroups",
                          "g",
                          "filegroups.g",
                          pattern,
                          "positionFile",
                          positions,
                          "fileHeader",
                          "true",
                          "writePosInterval",
                          with_identities && draw(2) == 0 ? "3000" : "20",
                          "batchSize",
                          draw(2) == 0 ? "7" : "1000",
                          "idleTimeout",
                          draw(2) == 0 ? "3600000" : "120000",
                          "maxBatchCount",
                          draw(2) == 0 ? "3" : "1000000",
                          NULL};
    if (with_identities)
        ps_test_stage_start_identities(&stage, &ps_source_taildir, keys);
    else
        ps_test_stage_start(&stage, &ps_source_taildir, keys);
}

static void play(void)
{
    static void (*const ops[])(unsigned number) = {
        op_append, op_append,  op_append, op_append,       op_append,
        op_append, op_rename,  op_rename, op_copy_and_cut, op_cut,
        op_delete, op_restart, op_crash,  op_replace,      op_copy_lines_and_cut};
    start();
    for (unsigned step = 0; step < STEPS; step++) {
        ops[draw((unsigned)PS_COUNT_OF(ops))](draw(LOGS));
        if (draw(3) > 0)
            work(draw(20));
    }
    catch_up();
    for (unsigned i = 0; i < 50; i++) {
        work(10);
        usleep(1000);
    }
    for (unsigned i = 0; i < LOGS; i++)
        writer_close(&logs[i]);
    ps_test_stage_fini(&stage);
}

static void test_schedules(void **unused)
{
    uint64_t seed = ps_test_seed();
    const char *more = getenv("PENSTOCK_SCHEDULES");
    unsigned count = more != NULL ? (unsigned)strtoul(more, NULL, 10) : SCHEDULES;
    for (unsigned i = 0; i < count; i++) {
        with_banner = i % 3 == 1;
        with_identities = i % 2 == 0;
        memset(&identities, 0, sizeof identities);
        crash_count = 0;
        memset(copy_count, 0, sizeof copy_count);
        random_state = (seed * SCHEDULES + i) * 2654435761U + 1;
        line_count = next_rotated = 0;
        trace[0] = '\0';
        memset(logs, 0, sizeof logs);
        for (unsigned k = 0; k < LOGS; k++)
            logs[k].fd = -1;
        ps_test_folder_setup(NULL);
        snprintf(pattern, sizeof pattern, "%s/app.*", ps_test_folder());
        snprintf(positions, sizeof positions, "%s/positions", ps_test_folder());
        play();
        ps_test_folder_teardown(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_schedules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
