/* penstock channel repair: moves files that cannot be opened out of the way. A damaged frame needs no repair: the
 * channel skips it, and the frame disappears with its segment. */
#include "commands/channel/channel.h"
#include "core/clock.h"
#include "core/quantity.h"
#include "stages/lib/queue/segment/give_up.h"
#include "stages/lib/queue/segment/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct repair {
    struct ps_channel_command *command;
    char folder[64]; /* "damaged-20261121T101500Z" */
    size_t moved, failed;
    const char *giving_up; /* the file with the bytes that are given up */
    size_t gaps;           /* number of gaps in that file */
    /* A segment stays whose head cannot be read. It may be of the channel's log, so no log is another one. */
    bool is_log_unknown;
};

/* Moves directory/name into directory/damaged-TIME, and makes both names durable. */
static void set_aside(struct repair *repair, const char *directory, const char *name, const char *reason)
{
    struct ps_arena *arena = repair->command->arena;
    const char *from = ps_arena_format(arena, "%s/%s", directory, name);
    const char *folder = ps_arena_format(arena, "%s/%s", directory, repair->folder);
    const char *to = ps_arena_format(arena, "%s/%s", folder, name);
    if (repair->command->dry_run) {
        printf("%s: %s; would be moved to %s\n", from, reason, to);
        repair->moved++;
        return;
    }
    if ((mkdir(folder, 0750) != 0 && errno != EEXIST) || rename(from, to) != 0 ||
        ps_segment_disk.sync_directory(NULL, folder) != 0 ||
        ps_segment_disk.sync_directory(NULL, directory) != 0) {
        ps_channel_say(repair->command, "%s: %s; it cannot be moved to %s: %s", from, reason, to,
                       strerror(errno));
        repair->failed++;
        return;
    }
    printf("%s: %s; moved to %s\n", from, reason, to);
    repair->moved++;
}

/* ---- bytes that the disk cannot read ---- */

#define GIVE_UP_CURE                                                                                         \
    "it stays as it is. First try to read it on another machine; --give-up-unreadable gives up the bytes "   \
    "that the disk cannot read"

static void gap_seen(void *argument, uint64_t offset, uint64_t length)
{
    struct repair *repair = argument;
    repair->gaps++;
    printf("%s: the disk cannot read %llu bytes from byte %llu on: %s given up\n", repair->giving_up,
           (unsigned long long)length, (unsigned long long)offset,
           repair->command->dry_run ? "they would be" : "they are");
}

/* Counts a gap without printing it: gap_seen has already printed those that the first attempt found. */
static void count_gap(void *argument, uint64_t, uint64_t)
{
    ((struct repair *)argument)->gaps++;
}

static void give_up_failed(struct repair *repair, struct ps_err *err)
{
    ps_channel_say(repair->command, "%s", ps_err_join(err));
    repair->failed++;
}

static const char bytes_unreadable[] = "bytes of it cannot be read";

/* Lets `copy` and the original exchange their names, and then moves the original into `folder`. Returns false if the file
 * system cannot exchange names: nothing has changed then. */
static bool exchange(struct repair *repair, const char *directory, const char *from, const char *copy,
                     const char *folder, const char *to)
{
    const struct ps_segment_files *files = &ps_segment_disk;
    struct ps_err err = {0};
    if (renameat2(AT_FDCWD, copy, AT_FDCWD, from, RENAME_EXCHANGE) != 0)
        return false;
    if (files->sync_directory(files->argument, directory) == 0 && rename(copy, to) == 0 &&
        files->sync_directory(files->argument, folder) == 0 &&
        files->sync_directory(files->argument, directory) == 0) {
        printf("%s: %s; moved to %s\n", from, bytes_unreadable, to);
        repair->moved++;
        return true;
    }
    ps_err_set(&err, "%s has the bytes that can be read, but the original, %s, cannot be moved to %s: %s",
               from, copy, to, strerror(errno));
    give_up_failed(repair, &err);
    return true;
}

/* Puts `copy` in place of directory/name, and the original into directory/damaged-TIME. The name always has a file,
 * because an agent that starts without a segment gives up all of its frames; only on a file system that has no hard
 * links, and cannot exchange two names either, the name has no file for a moment. */
static void replace_by(struct repair *repair, const char *directory, const char *name, const char *copy)
{
    const struct ps_segment_files *files = &ps_segment_disk;
    struct ps_arena *arena = repair->command->arena;
    const char *from = ps_arena_format(arena, "%s/%s", directory, name);
    const char *folder = ps_arena_format(arena, "%s/%s", directory, repair->folder);
    const char *to = ps_arena_format(arena, "%s/%s", folder, name);
    size_t failed = repair->failed;
    struct ps_err err = {0};
    bool has_folder = mkdir(folder, 0750) == 0 || errno == EEXIST;
    bool linked = has_folder && link(from, to) == 0;
    if (has_folder && !linked && exchange(repair, directory, from, copy, folder, to))
        return;
    if (!linked)
        set_aside(repair, directory, name, bytes_unreadable);
    if (repair->failed > failed)
        return;
    bool renamed =
        (!linked || files->sync_directory(files->argument, folder) == 0) && rename(copy, from) == 0;
    if (renamed && files->sync_directory(files->argument, directory) == 0) {
        if (linked)
            printf("%s: %s; moved to %s\n", from, bytes_unreadable, to);
        repair->moved += linked ? 1 : 0;
        return;
    }
    ps_err_set(&err, "%s cannot take the place of %s: %s", copy, from, strerror(errno));
    give_up_failed(repair, &err);
    if (renamed)
        return;
    if (linked) {
        (void)unlink(to);
    } else if (rename(to, from) == 0) {
        repair->moved--;
    } else {
        return; /* the copy is all that is left here */
    }
    (void)unlink(copy);
}

/* Replaces directory/name by a copy of its readable bytes, and moves the original aside. */
static void give_up_in(struct repair *repair, const char *directory, const char *name)
{
    struct ps_arena *arena = repair->command->arena;
    const char *from = ps_arena_format(arena, "%s/%s", directory, name);
    const char *copy = ps_arena_format(arena, "%s/%s.%s", directory, name, repair->folder);
    struct ps_err err = {0};
    repair->giving_up = from;
    repair->gaps = 0;
    const struct ps_segment_files *files = &ps_segment_disk;
    if (ps_segment_give_up(files, from, NULL, gap_seen, repair, &err) != PS_OK) {
        give_up_failed(repair, &err);
        return;
    }
    if (repair->gaps == 0)
        return;
    if (repair->command->dry_run) {
        set_aside(repair, directory, name, bytes_unreadable);
        return;
    }
    if (ps_segment_give_up(files, from, copy, count_gap, repair, &err) == PS_OK) {
        replace_by(repair, directory, name, copy);
        return;
    }
    give_up_failed(repair, &err);
    (void)files->remove(files->argument, copy);
}

/* ---- which log ---- */

static bool is_given_up(const struct repair *repair, int error)
{
    return repair->command->give_up && ps_segment_is_disk_error(error);
}

struct found {
    const char *directory;
    uint64_t number, log;
    enum ps_survey_head head;
    int error;
};

struct files {
    struct found *items;
    size_t count;
};

static enum ps_status find_files(struct repair *repair, struct files *files, struct ps_err *err)
{
    const struct ps_texts *directories = &repair->command->data_directories;
    for (size_t i = 0; i < directories->count; i++) {
        size_t count = 0;
        uint64_t *numbers = ps_segment_survey_files(directories->items[i], &count);
        if (numbers == NULL)
            return ps_err_set(err, "%s cannot be read: %s", directories->items[i], strerror(errno));
        for (size_t k = 0; k < count; k++) {
            struct found one = {.directory = directories->items[i], .number = numbers[k]};
            struct ps_segment_head head;
            uint64_t bytes;
            one.head = ps_segment_survey_head(one.directory, one.number, &head, &bytes);
            one.error = errno;
            repair->is_log_unknown |= one.head == PS_SURVEY_HEAD_FAILED && !is_given_up(repair, one.error);
            if (one.head == PS_SURVEY_HEAD_STRAY)
                continue; /* the file's error is printed when the channel is opened */
            one.log = one.head == PS_SURVEY_HEAD_RIGHT ? head.log : 0;
            files->items =
                ps_must_realloc(files->items, (files->count + 1) * sizeof *files->items, "segments");
            files->items[files->count++] = one;
        }
        free(numbers);
    }
    return PS_OK;
}

static size_t segments_of(const struct files *files, uint64_t log)
{
    size_t count = 0;
    for (size_t i = 0; i < files->count; i++)
        count += files->items[i].head == PS_SURVEY_HEAD_RIGHT && files->items[i].log == log;
    return count;
}

/* Returns the log that the state names if it has segments, else the log with the most segments. */
static uint64_t choose_log(const struct files *files, const struct ps_survey_state *state)
{
    uint64_t chosen = state->generation > 0 ? state->log : 0;
    if (segments_of(files, chosen) > 0)
        return chosen;
    for (size_t i = 0; i < files->count; i++)
        if (files->items[i].head == PS_SURVEY_HEAD_RIGHT &&
            segments_of(files, files->items[i].log) > segments_of(files, chosen))
            chosen = files->items[i].log;
    return chosen;
}

/* If two files have the same number, the channel reads the first one. */
static bool is_double(const struct files *files, size_t at)
{
    const struct found *file = &files->items[at];
    for (size_t i = 0; i < at; i++)
        if (files->items[i].number == file->number && files->items[i].head == PS_SURVEY_HEAD_RIGHT &&
            files->items[i].log == file->log)
            return true;
    return false;
}

/* Handles a file that cannot be opened or read. Returns whether it is given up. It stays unless the disk is the reason:
 * it may be sound then, and the next `repair` can read it. */
static bool gives_up(struct repair *repair, const char *path, const char *reason, int error)
{
    if (is_given_up(repair, error))
        return true;
    if (ps_segment_is_disk_error(error))
        ps_channel_say(repair->command, "%s: %s: " GIVE_UP_CURE, path, reason);
    else
        ps_channel_say(repair->command,
                       "%s: %s: it stays as it is, because this says nothing about the file. Remove the "
                       "cause, and repair again",
                       path, reason);
    repair->failed++;
    return false;
}

/* A segment without a valid head cannot be read at all. */
static void set_unreadable_aside(struct repair *repair, const char *directory, const char *name, int error)
{
    struct ps_arena *arena = repair->command->arena;
    const char *reason = ps_arena_format(arena, "its head cannot be read (%s)", strerror(error));
    if (gives_up(repair, ps_arena_format(arena, "%s/%s", directory, name), reason, error))
        set_aside(repair, directory, name, reason);
}

/* Moves the segments aside that the channel cannot open. `newest`: the segment that the state names. A later segment
 * may be left over from a crash during its creation; the agent removes it. */
static void set_segments_aside(struct repair *repair, const struct files *files, uint64_t log,
                               uint64_t newest)
{
    struct ps_arena *arena = repair->command->arena;
    for (size_t i = 0; i < files->count; i++) {
        const struct found *file = &files->items[i];
        const char *name = ps_arena_format(arena, "%012llu.segment", (unsigned long long)file->number);
        if (file->head == PS_SURVEY_HEAD_FAILED)
            set_unreadable_aside(repair, file->directory, name, file->error);
        else if (file->head == PS_SURVEY_HEAD_DAMAGED)
            set_aside(repair, file->directory, name, "its head is damaged");
        else if (file->head == PS_SURVEY_HEAD_ZERO && file->number <= newest)
            set_aside(repair, file->directory, name, "its head is zero");
        else if (file->head == PS_SURVEY_HEAD_RIGHT && file->log != log && repair->is_log_unknown)
            continue;
        else if (file->head == PS_SURVEY_HEAD_RIGHT && file->log != log)
            set_aside(repair, file->directory, name, "it is a segment of another log");
        else if (file->head == PS_SURVEY_HEAD_RIGHT && is_double(files, i))
            set_aside(repair, file->directory, name, "another file also has its number, and is read");
        else if (file->head == PS_SURVEY_HEAD_RIGHT && repair->command->give_up)
            give_up_in(repair, file->directory, name);
    }
}

/* Returns whether the state was read, does not exist, is no file, or is given up. Otherwise the command moves nothing: without the state
 * it does not know which log's segments stay. */
static bool state_is_decided(struct repair *repair, const struct ps_survey_state *state)
{
    struct ps_arena *arena = repair->command->arena;
    int error = state->error;
    if (error == 0 || error == ENOENT || error == EISDIR)
        return true;
    const char *path = ps_arena_format(arena, "%s/state", repair->command->checkpoint_directory);
    return gives_up(repair, path, ps_arena_format(arena, "it cannot be read (%s)", strerror(error)), error);
}

/* `is_open`: the file could be opened. */
static void set_state_aside(struct repair *repair, const struct files *files, uint64_t log,
                            const struct ps_survey_state *state, bool is_open)
{
    bool damaged = state->slots[0] == PS_SURVEY_DAMAGED || state->slots[1] == PS_SURVEY_DAMAGED;
    if (!is_open && state->error == ENOENT)
        return;
    if (!is_open)
        set_aside(repair, repair->command->checkpoint_directory, "state", "it cannot be read");
    else if (state->generation == 0 && damaged)
        set_aside(repair, repair->command->checkpoint_directory, "state",
                  "neither of its two slots can be read: events that were delivered since the segments began "
                  "are delivered again");
    else if (state->generation > 0 && segments_of(files, log) > 0 && state->log != log &&
             !repair->is_log_unknown)
        set_aside(repair, repair->command->checkpoint_directory, "state", "it is the state of another log");
    else if (state->error != 0)
        give_up_in(repair, repair->command->checkpoint_directory, "state");
}

/* ---- whether the channel opens now ---- */

static int try_to_open(struct repair *repair)
{
    struct ps_err err = {0};
    /* Writes the state now, so that the frames after the bytes that were given up are kept. */
    bool writes = repair->command->give_up && repair->moved > 0;
    struct ps_segment_options options = {.directories = repair->command->data_directories,
                                         .state_directory = repair->command->checkpoint_directory,
                                         .keys = repair->command->keys,
                                         .plain = true, /* writes no events */
                                         .files = writes ? &ps_segment_disk : &ps_segment_disk_read_only,
                                         .keeps_behind_holes = writes,
                                         .report = ps_channel_report,
                                         .argument = repair->command};
    struct ps_segment_log *log = ps_segment_log_open(&options, &err);
    if (log == NULL) {
        ps_channel_say(repair->command, "the channel cannot be opened: %s", ps_err_join(&err));
        return 1;
    }
    struct ps_segment_fill fill;
    ps_segment_log_fill(log, &fill);
    ps_segment_log_close(log);
    if (repair->moved == 0)
        printf("nothing to set aside; ");
    /* The number of events in lost frames is unknown, so all other frames are read to count the remaining events. */
    printf("the channel opens: %s%s %s not delivered%s\n", fill.frames_lost > 0 ? "at most " : "",
           ps_quantity_print_count(fill.events).text, ps_quantity_word(fill.events, "event is", "events are"),
           fill.frames_lost > 0 ? "; penstock channel verify counts them" : "");
    return 0;
}

static bool lock(const struct ps_channel_command *command, struct ps_segment_locks *locks, struct ps_err *err)
{
    return command->dry_run
               ? ps_segment_lock_log_shared(locks, command->checkpoint_directory, &command->data_directories,
                                            err)
               : ps_segment_lock_log(locks, command->checkpoint_directory, &command->data_directories, err);
}

int ps_main_channel_repair(struct ps_channel_command *command)
{
    struct repair repair = {.command = command};
    struct ps_err err = {0};
    struct ps_survey_state state;
    struct files files = {0};
    struct ps_segment_locks locks = {.state = -1};
    const char *directory = command->operands.count > 0 ? command->operands.items[0] : NULL;
    ps_utc_print(repair.folder, sizeof repair.folder, "damaged-%Y%m%dT%H%M%SZ", time(NULL));
    if (ps_channel_directories(command, directory, &err) != PS_OK ||
        ps_channel_keys_load(command, &err) != PS_OK || !lock(command, &locks, &err) ||
        find_files(&repair, &files, &err) != PS_OK) {
        ps_channel_say(command, "%s", ps_err_join(&err));
        free(files.items);
        ps_segment_unlock_log(&locks);
        return 2;
    }
    bool is_open = ps_segment_survey_state(command->checkpoint_directory, &state);
    if (state_is_decided(&repair, &state)) {
        uint64_t log = choose_log(&files, &state);
        set_segments_aside(&repair, &files, log, state.segment);
        set_state_aside(&repair, &files, log, &state, is_open);
    }
    free(files.items);
    int code = repair.failed > 0 || (command->dry_run && repair.moved > 0) ? 1 : 0;
    if (!command->dry_run && repair.failed == 0)
        code = try_to_open(&repair);
    else if (command->dry_run && repair.moved == 0)
        puts("nothing to set aside");
    ps_segment_unlock_log(&locks);
    return code;
}
