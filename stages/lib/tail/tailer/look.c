/* Looks at directories for new, renamed and deleted files. inotify tells when to look. Each directory is also looked at
 * at intervals, because some changes have no event. A look is a job of the source's thread. */
#include "stages/lib/tail/tailer/internal.h"

#include "core/quantity.h"
#include "regex/regex.h"
#include "stages/lib/tail/trouble.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PURPOSE "a directory that is followed"
/* Interval of looks while inotify reports changes, because some changes have no event (memory mapping, links). */
#define LOOK_NS (5 * PS_NS_PER_S)
#define CHANGES_MAX 1000U /* changes of a look that are taken in one tick */
/* At most this many renames are reported to a look. Of a larger burst, only files that an earlier look has seen are recognised. */
#define RENAMINGS_MAX 10000U
/* After a look, a directory is left alone for this many times the duration of the look: looks take at most 2 % of a CPU. */
#define REST_TIMES 50U
#define REST_NAMES_TIMES 10U /* the same when names have changed */

/* The expressions for the names of files in one directory. The struct belongs to the directory. */
struct matcher {
    struct ps_regex **regexes;
    int *groups;
    size_t count;
    struct ps_regex_scratch *scratch;
    char *own; /* name of the position file if it is in this directory, else NULL */
};

static bool is_own(const struct matcher *matcher, const char *name)
{
    size_t length = matcher->own != NULL ? strlen(matcher->own) : 0;
    if (length == 0 || strncmp(name, matcher->own, length) != 0)
        return false;
    static const char *const suffixes[] = {PS_TAIL_POSITION_FILES};
    for (size_t i = 0; i < PS_COUNT_OF(suffixes); i++) {
        if (strcmp(name + length, suffixes[i]) == 0)
            return true;
    }
    return false;
}

static int match(void *matcher_, const char *name, size_t length)
{
    const struct matcher *matcher = matcher_;
    if (is_own(matcher, name))
        return -2;
    for (size_t i = 0; i < matcher->count; i++) {
        if (ps_regex_find(matcher->regexes[i], matcher->scratch, name, length, 0, NULL, 0))
            return matcher->groups[i];
    }
    return -1;
}

static void matcher_free(void *matcher_)
{
    struct matcher *matcher = matcher_;
    for (size_t i = 0; i < matcher->count; i++)
        ps_regex_destroy(matcher->regexes[i]);
    ps_regex_scratch_destroy(matcher->scratch);
    free(matcher->regexes);
    free(matcher->groups);
    free(matcher->own);
    free(matcher);
}

/* ---- a look ---- */

struct ps_tail_look {
    struct ps_tail_job job;
    struct ps_tail_directory *directory;
    struct ps_tail_renaming *renamings;
    unsigned place;
    int notify_fd;          /* a duplicate of tailer->notify_fd; -1: no events are wanted */
    int watch, watch_error; /* watch_error: the errno for which the last call gave no watch */
    bool names, works;
    struct ps_tail_changes changes;
    uint64_t took_ns;
};

/* Frees the list, and first reports each rename to `directory` if that is not NULL. */
static void renamings_end(struct ps_tail_renaming *renaming, struct ps_tail_directory *directory)
{
    while (renaming != NULL) {
        struct ps_tail_renaming *next = renaming->next;
        if (directory != NULL)
            ps_tail_directory_renamed(directory, renaming->from, renaming->to);
        free(renaming->from);
        free(renaming->to);
        free(renaming);
        renaming = next;
    }
}

static void looking_run(struct ps_tail_job *job)
{
    struct ps_tail_look *looking = (struct ps_tail_look *)(void *)job;
    const char *path = ps_tail_directory_path(looking->directory);
    uint64_t start_ns = ps_clock_now().mono_ns;
    if (looking->notify_fd >= 0) { /* in each look, because the path may lead to another directory by now */
        int former = looking->watch;
        looking->works = ps_tail_notify_works(path);
        looking->watch = looking->works ? ps_tail_notify_add(looking->notify_fd, path, false) : -1;
        looking->watch_error = looking->works && looking->watch < 0 ? errno : 0;
        looking->names |= looking->watch != former; /* another directory may have the same time */
    }
    renamings_end(looking->renamings, looking->directory);
    looking->renamings = NULL;
    ps_tail_directory_look(looking->directory, looking->names, &looking->changes);
    if (looking->changes.error == 0 &&
        looking->watch >= 0) { /* writes to the target of a link have no event in this directory */
        for (size_t i = 0; i < looking->changes.count; i++) {
            const struct ps_tail_change *change = &looking->changes.items[i];
            char target[4096];
            if (!change->link || change->kind == PS_TAIL_FILE_GONE)
                continue;
            int length = snprintf(target, sizeof target, "%s/%s", path, change->name);
            if (length > 0 && (size_t)length < sizeof target)
                (void)ps_tail_notify_add(looking->notify_fd, target, true);
        }
    }
    looking->took_ns = ps_clock_now().mono_ns - start_ns;
}

static void looking_discard(struct ps_tail_job *job)
{
    struct ps_tail_look *looking = (struct ps_tail_look *)(void *)job;
    if (looking->notify_fd >= 0)
        close(looking->notify_fd);
    renamings_end(looking->renamings, NULL);
    ps_tail_changes_free(&looking->changes);
    ps_tail_directory_destroy(looking->directory);
    free(looking);
}

/* Opens a compressed file again if its name changed or it became shorter: the inode may belong to another file now. */
static void look_again_if_compressed(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    if (!log->compressed)
        return;
    if (log->state == PS_TAIL_LOG_CLOSED)
        ps_tail_log_open(tailer, log);
    else
        log->again = true;
}

/* Returns 0, not known, for a time before 1970. */
static uint64_t modified_ns(const struct timespec *modified)
{
    return modified->tv_sec < 0 ? 0 : (uint64_t)modified->tv_sec * PS_NS_PER_S + (uint64_t)modified->tv_nsec;
}

/* Keeps a name in a second directory: the file was moved here and the first directory has not missed it yet, or it has two names. */
static void other_keep(struct ps_tail_log *log, unsigned number, const struct ps_tail_change *change)
{
    free(log->other_name);
    log->other_name = ps_must_copy_text(change->name, PURPOSE);
    log->other_directory = number;
    log->other_group = change->group;
}

static void other_forget(struct ps_tail_log *log)
{
    free(log->other_name);
    log->other_name = NULL;
}

/* Makes this directory and name the file's own, after it lost its former name. */
static void move_here(struct ps_tailer *tailer, struct ps_tail_log *log, unsigned number, int group,
                      const char *name)
{
    log->directory = number;
    if (group >= 0)
        log->group = group;
    ps_tail_log_rename(tailer, log, name, group >= 0);
    look_again_if_compressed(tailer, log);
    if (log->cut_waits) { /* now it waits for a look at this directory */
        tailer->places[number].names = true;
        tailer->places[number].look_ns = 0;
    }
}

static void change_new(struct ps_tailer *tailer, struct ps_tail_place *place, unsigned number,
                       const struct ps_tail_change *change)
{
    struct ps_tail_log *log = ps_tail_log_by_inode(&tailer->table, change->device, change->inode);
    if (log != NULL && log->directory != number) {
        /* Another directory has the file: this is its second name, or it was moved here. */
        if (log->named) {
            other_keep(log, number, change);
            return;
        }
        move_here(tailer, log, number, change->group, change->name);
        ps_tail_log_queue(tailer, log);
        return;
    }
    if (log != NULL) { /* the last look missed this name, or the file was moved away and back */
        log->again = log->state == PS_TAIL_LOG_OPENING;
        log->left_group = change->from != NULL;
        ps_tail_log_rename(tailer, log, change->name, change->group >= 0);
        look_again_if_compressed(tailer, log);
    } else if (change->from !=
               NULL) { /* the file had a name that matches, and lost that name before any look */
        struct ps_tail_change before = *change;
        before.name = (char *)(uintptr_t)change->from;
        before.group = change->from_group;
        log = ps_tail_log_add(tailer, number, &before);
        ps_tail_log_rename(tailer, log, change->name, false);
    } else {
        log = ps_tail_log_add(tailer, number, change);
        log->found_at_start = !place->looked && !place->was_missing;
        log->start_bytes = change->size_bytes;
        log->is_young = ps_tail_is_young(tailer, modified_ns(&change->modified));
        ps_tail_log_changed(tailer, log);
    }
    ps_tail_log_queue(tailer, log);
}

static void change_gone(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    ps_tail_log_rename(tailer, log, NULL, false);
    log->left_group = false;
    log->gone_ns = tailer->now_ns;
    ps_tail_log_changed(tailer, log);
    if (log->other_name != NULL) {
        move_here(tailer, log, log->other_directory, log->other_group, log->other_name);
        other_forget(log);
        ps_tail_log_queue(tailer, log);
        return;
    }
    if (log->state == PS_TAIL_LOG_OPEN) /* read it to its end, and then what its writer still adds */
        ps_tail_log_queue(tailer, log);
}

static void change_take(struct ps_tailer *tailer, unsigned number, const struct ps_tail_change *change)
{
    struct ps_tail_place *place = &tailer->places[number];
    struct ps_tail_log *log = ps_tail_log_by_inode(&tailer->table, change->device, change->inode);
    if (change->kind == PS_TAIL_FILE_NEW || log == NULL) {
        if (change->kind != PS_TAIL_FILE_GONE)
            change_new(tailer, place, number, change);
        return;
    }
    if (log->directory != number) { /* the change is in the directory of the file's second name */
        if (log->other_name != NULL && log->other_directory == number) {
            if (change->kind == PS_TAIL_FILE_GONE)
                other_forget(log);
            else
                other_keep(log, number, change);
        }
        return;
    }
    if (change->kind == PS_TAIL_FILE_GONE) {
        change_gone(tailer, log);
        return;
    }
    bool cut = change->size_bytes < log->read_offset;
    if (cut)
        ps_tail_log_shrank(log, change->size_bytes);
    ps_tail_log_size_set(log, change->size_bytes);
    log->link = change->link;
    if (log->link)
        ps_tail_slots_put(&tailer->links, log->number);
    if (change->kind == PS_TAIL_FILE_RENAMED) {
        log->left_group = change->from != NULL;
        ps_tail_log_rename(tailer, log, change->name, change->group >= 0);
    }
    if (cut || change->kind == PS_TAIL_FILE_RENAMED)
        look_again_if_compressed(tailer, log);
    /* The file may have been written to before the rename was known: a write under its new name finds no file, and a closed file is not
     * found under its old one. The size does not show that it was written over by as many bytes. */
    bool missed = change->kind == PS_TAIL_FILE_RENAMED;
    if (cut || missed || change->size_bytes > log->read_offset || !log->resolved ||
        log->state == PS_TAIL_LOG_COPY)
        ps_tail_log_queue(tailer, log);
}

static void rest(struct ps_tailer *tailer, struct ps_tail_place *place, const struct ps_tail_look *looking)
{
    uint64_t wait_ns = place->watch >= 0 ? LOOK_NS : tailer->settings->poll_ns;
    if (looking->took_ns * REST_TIMES > wait_ns)
        wait_ns = looking->took_ns * REST_TIMES;
    /* `names`: a change was reported during the look. */
    place->look_ns = place->names ? tailer->now_ns : tailer->now_ns + wait_ns;
    place->rest_until_ns = tailer->now_ns + looking->took_ns * REST_NAMES_TIMES;
}

/* Takes some of the changes of a look that was answered. The last one ends the look. */
static void changes_take(struct ps_tailer *tailer, struct ps_tail_place *place)
{
    const struct ps_tail_look *looking = place->job;
    const struct ps_tail_changes *changes = &looking->changes;
    for (unsigned left = CHANGES_MAX; left > 0 && place->taken < changes->count; left--)
        change_take(tailer, looking->place, &changes->items[place->taken++]);
    if (place->taken < changes->count)
        return;
    place->looking = place->taking = false;
    if (!place->looked)
        place->looked_ns = tailer->now_ns;
    place->looked |= changes->error == 0;
    place->was_missing |= !place->looked && (changes->error == ENOENT || changes->error == ENOTDIR);
    rest(tailer, place, looking);
    if (looking->names)
        ps_tail_cut_looked(tailer, looking->place, changes); /* may want the next look sooner */
    ps_tail_unreadable_queue(tailer, looking->place);        /* may want the next look sooner */
}

/* Reports to /readyz a directory that cannot be read. A directory that does not exist yet is not reported: the source waits for it. */
static void directories_tell(struct ps_tailer *tailer)
{
    struct ps_err reason = {.length = 0};
    for (unsigned i = 0; i < tailer->place_count && reason.length == 0; i++) {
        const struct ps_tail_place *place = &tailer->places[i];
        if (place->error != 0 && place->error != ENOENT)
            ps_err_set(&reason, "%s cannot be read: %s", place->path, strerror(place->error));
    }
    ps_tail_trouble_set(tailer->settings->trouble, PS_TAIL_TROUBLE_DIRECTORY,
                        reason.length > 0 ? reason.text : NULL);
}

/* Takes the watch of the directory that the path leads to, and gives up the watch of the directory that it led to before. Queued
 * events of the former watch find no place: the kernel gives its number to no other watch. */
static void watch_take(struct ps_tailer *tailer, struct ps_tail_place *place, int watch)
{
    int former = place->watch;
    place->watch = watch;
    if (former < 0 || former == watch)
        return;
    for (unsigned i = 0; i < tailer->place_count; i++) {
        if (tailer->places[i].watch == former) /* its path leads to the same directory */
            return;
    }
    ps_tail_notify_remove(tailer->notify_fd, former);
}

static void looking_answer(void *owner, struct ps_tail_job *job)
{
    struct ps_tailer *tailer = owner;
    struct ps_tail_look *looking = (struct ps_tail_look *)(void *)job;
    struct ps_tail_place *place = &tailer->places[looking->place];
    const struct ps_tail_changes *changes = &looking->changes;
    if (changes->error == 0)
        watch_take(tailer, place, looking->watch);
    ps_tail_notify_tell(tailer->port->component, place->path, looking->watch_error,
                        &tailer->is_unwatched_told);
    if (changes->error != 0 && changes->error != place->error)
        ps_log(PS_LOG_WARN, tailer->port->component, "%s cannot be read: %s; it is tried again", place->path,
               strerror(changes->error));
    if (place->error != changes->error) {
        place->error = changes->error;
        directories_tell(tailer);
    }
    place->taking = true;
    place->taken = 0;
    changes_take(tailer, place);
}

static void look(struct ps_tailer *tailer, unsigned number)
{
    struct ps_tail_place *place = &tailer->places[number];
    struct ps_tail_look *looking = place->job;
    looking->renamings = place->renamings;
    place->renamings = place->last_renaming = NULL;
    place->renaming_count = 0;
    looking->names = place->names;
    looking->watch = place->watch;
    place->looking = true;
    place->names = false;
    ps_tail_thread_ask(&tailer->thread, &looking->job);
}

/* ---- opening ---- */

static struct matcher *matcher_make(const struct ps_tail_settings *settings, const char *path,
                                    struct ps_err *err)
{
    struct matcher *matcher = ps_must_alloc(1, sizeof *matcher, PURPOSE);
    matcher->regexes = ps_must_alloc(settings->group_count, sizeof(struct ps_regex *), PURPOSE);
    matcher->groups = ps_must_alloc(settings->group_count, sizeof *matcher->groups, PURPOSE);
    matcher->scratch = ps_regex_scratch_create();
    size_t length = strlen(path);
    while (length > 0 && path[length - 1] == '/')
        length--;
    if (strncmp(settings->position_path, path, length) == 0 && settings->position_path[length] == '/' &&
        strchr(settings->position_path + length + 1, '/') == NULL)
        matcher->own = ps_must_copy_text(settings->position_path + length + 1, PURPOSE);
    for (size_t i = 0; i < settings->group_count; i++) {
        if (strcmp(settings->groups[i].directory, path) != 0)
            continue;
        struct ps_regex *regex = ps_regex_create(settings->groups[i].pattern, 0, PS_REGEX_WHOLE, err);
        if (regex == NULL) {
            matcher_free(matcher);
            return NULL;
        }
        matcher->groups[matcher->count] = (int)i;
        matcher->regexes[matcher->count++] = regex;
    }
    return matcher;
}

static bool place_is_there(const struct ps_tailer *tailer, const char *path)
{
    for (unsigned i = 0; i < tailer->place_count; i++) {
        if (strcmp(tailer->places[i].path, path) == 0)
            return true;
    }
    return false;
}

/* Returns the job for all looks at a directory. It owns the directory. ps_tail_places_close frees it, or the thread
 * does if it has the job then. */
static struct ps_tail_look *looking_make(const struct ps_tailer *tailer, struct ps_tail_directory *directory,
                                         unsigned place)
{
    struct ps_tail_look *looking = ps_must_alloc(1, sizeof *looking, PURPOSE);
    looking->job =
        (struct ps_tail_job){.run = looking_run, .answer = looking_answer, .discard = looking_discard};
    looking->directory = directory;
    looking->place = place;
    looking->notify_fd = tailer->notify_fd >= 0 ? fcntl(tailer->notify_fd, F_DUPFD_CLOEXEC, 0) : -1;
    return looking;
}

enum ps_status ps_tail_places_open(struct ps_tailer *tailer, struct ps_err *err)
{
    const struct ps_tail_settings *settings = tailer->settings;
    tailer->notify_fd = ps_tail_notify_open();
    int error = errno;
    tailer->places = ps_must_alloc(settings->group_count, sizeof *tailer->places, PURPOSE);
    for (size_t i = 0; i < settings->group_count; i++) {
        const char *path = settings->groups[i].directory;
        if (place_is_there(tailer, path))
            continue;
        struct matcher *matcher = matcher_make(settings, path, err);
        if (matcher == NULL)
            return PS_FAIL;
        const struct ps_tail_filter filter = {match, matcher_free, matcher};
        struct ps_tail_place *place = &tailer->places[tailer->place_count];
        place->directory = ps_tail_directory_create(path, &filter, settings->cache);
        place->path = ps_must_copy_text(path, PURPOSE);
        place->watch = -1;
        place->job = looking_make(tailer, place->directory, tailer->place_count++);
    }
    directories_tell(tailer); /* clears trouble that an earlier instance reported */
    if (tailer->notify_fd < 0) {
        ps_log(PS_LOG_WARN, tailer->port->component,
               "inotify is not available (%s): files are looked at every %s", strerror(error),
               ps_quantity_print_ns(settings->poll_ns).text);
        return PS_OK;
    }
    struct epoll_event event = {.events = EPOLLIN};
    if (tailer->port->epoll_fd >= 0 &&
        epoll_ctl(tailer->port->epoll_fd, EPOLL_CTL_ADD, tailer->notify_fd, &event) != 0)
        return ps_err_set(err, "cannot watch the inotify descriptor: %s", strerror(errno));
    return PS_OK;
}

void ps_tail_places_close(struct ps_tailer *tailer)
{
    for (unsigned i = 0; i < tailer->place_count; i++) {
        /* otherwise the thread discards the job */
        if (!tailer->places[i].looking || tailer->places[i].taking)
            looking_discard(&tailer->places[i].job->job);
        renamings_end(tailer->places[i].renamings, NULL);
        free(tailer->places[i].path);
    }
    free(tailer->places);
    if (tailer->notify_fd >= 0)
        close(tailer->notify_fd);
}

void ps_tail_places_leave(struct ps_tailer *tailer)
{
    if (tailer->notify_fd >= 0 && tailer->port->epoll_fd >= 0)
        (void)epoll_ctl(tailer->port->epoll_fd, EPOLL_CTL_DEL, tailer->notify_fd, NULL);
}

/* ---- events ---- */

static void renaming_keep(struct ps_tail_place *place, const char *from, const char *to)
{
    if (place->renaming_count == RENAMINGS_MAX)
        return;
    struct ps_tail_renaming *renaming = ps_must_alloc(1, sizeof *renaming, PURPOSE);
    renaming->from = ps_must_copy_text(from, PURPOSE);
    renaming->to = ps_must_copy_text(to, PURPOSE);
    if (place->last_renaming != NULL)
        place->last_renaming->next = renaming;
    else
        place->renamings = renaming;
    place->last_renaming = renaming;
    place->renaming_count++;
}

/* Handles an event of a watch that no directory has. */
static void unknown_happened(struct ps_tailer *tailer, unsigned what, const char *name)
{
    /* A look that is not answered yet may have made the watch. */
    for (unsigned i = 0; i < tailer->place_count && (name != NULL || (what & PS_TAIL_GONE_AWAY) != 0); i++)
        tailer->places[i].names |= tailer->places[i].looking;
    if ((what & PS_TAIL_WRITTEN) == 0)
        return;
    /* The target of a link: there are few links, so all of them are read. */
    for (uint32_t left = tailer->links.count; left > 0; left--) {
        uint32_t number = ps_tail_slots_take(&tailer->links);
        struct ps_tail_log *log = tailer->table.logs[number];
        if (log == NULL || !log->link)
            continue;
        ps_tail_slots_put(&tailer->links, number);
        ps_tail_log_queue(tailer, log);
    }
}

static void happened(void *tailer_, int watch, unsigned what, const char *name, const char *from)
{
    struct ps_tailer *tailer = tailer_;
    bool known = false;
    for (unsigned i = 0; i < tailer->place_count; i++) {
        struct ps_tail_place *place = &tailer->places[i];
        if (place->watch != watch && (what & PS_TAIL_MISSED) == 0)
            continue;
        known = true;
        if ((what & (PS_TAIL_NAMES | PS_TAIL_GONE_AWAY | PS_TAIL_MISSED)) != 0) {
            place->names = true;
            place->look_ns = 0;
        }
        if (from != NULL && name != NULL)
            renaming_keep(place, from, name);
        if ((what & PS_TAIL_GONE_AWAY) != 0) {
            ps_tail_notify_remove(tailer->notify_fd, watch);
            place->watch = -1;
        }
        if ((what & PS_TAIL_WRITTEN) != 0 && name != NULL) {
            struct ps_tail_log *log = ps_tail_log_by_name(&tailer->table, i, name);
            if (log != NULL)
                ps_tail_log_queue(tailer, log);
        }
    }
    if (!known)
        unknown_happened(tailer, what, name);
}

uint64_t ps_tail_places_tick(struct ps_tailer *tailer)
{
    uint64_t next_ns = PS_NEVER;
    if (tailer->notify_fd >= 0)
        (void)ps_tail_notify_read(tailer->notify_fd, happened, tailer);
    for (unsigned i = 0; i < tailer->place_count; i++) {
        struct ps_tail_place *place = &tailer->places[i];
        if (place->taking) {
            changes_take(tailer, place);
            next_ns = tailer->now_ns;
        }
        if (place->looking)
            continue;
        uint64_t due_ns = place->look_ns > place->rest_until_ns ? place->look_ns : place->rest_until_ns;
        if (due_ns <= tailer->now_ns)
            look(tailer, i);
        else if (due_ns < next_ns)
            next_ns = due_ns;
    }
    ps_tail_cut_open(tailer);
    return tailer->cut_seen.count > 0 ? tailer->now_ns : next_ns;
}
