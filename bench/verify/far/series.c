#include "bench/verify/far/series.h"
#include "core/clock.h"
#include "core/text/ends.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define SCAN_NS (100 * PS_NS_PER_MS)
#define SCAN_SHARE 10U /* at most a tenth of the time goes into listing directories */
/* After this time no process is expected to write to a file whose name is gone. */
#define QUIET_NS (10 * PS_NS_PER_S)
/* The original of a copy is truncated within this time, or the file is not a copy. */
#define HOLD_NS PS_NS_PER_S
#define HOLD_MAX_NS (30 * PS_NS_PER_S) /* the longest wait, even if the copy keeps growing */
#define GONE_NS (20 * PS_NS_PER_MS)    /* QUIET_NS for a file that was never opened */
#define DOUBT_NS (300 * PS_NS_PER_MS)  /* longest search for the copy of a truncated file */
/* Maximum number of finished files that stay open, and of files that are opened in advance. */
#define OPEN_MAX 128U
#define ROUNDS_MAX 8U
#define MISSED_MIN 3U /* consecutive listings without the file */
#define SCANS_MAX 4U  /* consecutive listings: a single listing may miss files that are renamed meanwhile */

#define WATCHED (IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM)

void ps_far_series_init(struct ps_far_series *series, const struct ps_far_place *place, bool by_file,
                        struct ps_far_notes *notes)
{
    *series = (struct ps_far_series){.place = *place, .by_file = by_file, .notes = notes};
    series->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (place->kind != PS_FAR_FILE)
        return;
    struct ps_far_listing listing;
    series->place.siblings = true;
    ps_far_listing_take(&listing, &series->place);
    series->ignored = ps_must_alloc(listing.count + 1, sizeof *series->ignored, "a series of files");
    for (size_t i = 0; i < listing.count; i++)
        if (strcmp(listing.files[i].path, place->path) != 0)
            series->ignored[series->ignored_count++] = listing.files[i].identity;
    ps_far_listing_fini(&listing);
}

void ps_far_series_fini(struct ps_far_series *series)
{
    for (size_t i = 0; i < series->count; i++)
        ps_far_file_destroy(series->files[i]);
    free(series->files);
    free(series->identified);
    free(series->ignored);
    if (series->watch_fd >= 0)
        close(series->watch_fd);
}

/* ---- the list of files ---- */

static int compare_files(const void *a_, const void *b_)
{
    const struct ps_far_file *const *a = a_, *const *b = b_;
    return ps_far_identity_compare(&(*a)->identity, &(*b)->identity);
}

static void identified_sort(struct ps_far_series *series)
{
    for (size_t i = 0; i < series->count; i++)
        series->identified[i] = series->files[i];
    if (series->count > 1)
        qsort(series->identified, series->count, sizeof(struct ps_far_file *), compare_files);
}

/* Searches the first `count` files of `identified`. */
static struct ps_far_file *find(const struct ps_far_series *series, size_t count,
                                const struct ps_far_identity *identity)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = ps_far_identity_compare(identity, &series->identified[middle]->identity);
        if (order == 0)
            return series->identified[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static bool is_ignored(const struct ps_far_series *series, const struct ps_far_identity *identity)
{
    for (size_t i = 0; i < series->ignored_count; i++)
        if (ps_far_identity_compare(&series->ignored[i], identity) == 0)
            return true;
    return false;
}

/* Returns whether the path is a compressed copy of a file that was read: "app.log.1.gz" beside "app.log.1". */
static bool is_compressed_copy(const struct ps_far_series *series, size_t count, const char *path)
{
    size_t length = strlen(path);
    if (!ps_text_ends(path, ".gz"))
        return false;
    for (size_t i = 0; i < count; i++)
        if (strlen(series->files[i]->path) == length - 3 &&
            strncmp(series->files[i]->path, path, length - 3) == 0)
            return true;
    return false;
}

/* Opens a file in advance: an open file can be read even when its name changes. */
static void open_early(struct ps_far_series *series, struct ps_far_file *file)
{
    if (file->fd < 0 && !file->cold && !file->refused && series->early_count < OPEN_MAX)
        series->early_count += ps_far_file_open(file, series->notes);
}

static void add(struct ps_far_series *series, size_t before, const struct ps_far_listed *listed)
{
    if (series->count == series->room) {
        series->room = series->room == 0 ? 16 : series->room * 2;
        series->files =
            ps_must_realloc(series->files, series->room * sizeof *series->files, "a series of files");
        series->identified = ps_must_realloc(series->identified, series->room * sizeof *series->identified,
                                             "a series of files");
    }
    uint64_t stream = series->by_file ? series->next_stream++ % PS_FAR_STREAMS_MAX : 0;
    struct ps_far_file *file = ps_far_file_create(listed, stream);
    file->refused = is_compressed_copy(series, before, listed->path);
    file->grown_ns = ps_clock_now().mono_ns;
    series->files[series->count++] = file;
    open_early(series, file);
}

/* Updates a known file, whose name may have changed. A file that was closed is opened again when it has
 * grown. */
static void known_update(struct ps_far_series *series, struct ps_far_file *file,
                         const struct ps_far_listed *listed)
{
    file->missed_ns = 0;
    file->missed = 0;
    file->changed_ns = listed->changed_ns;
    file->size = listed->size;
    if (strcmp(file->path, listed->path) != 0) {
        free(file->path);
        file->path = ps_must_copy_text(listed->path, "a series of files");
    }
    if (file->cold && listed->size != file->position && ps_far_file_open(file, series->notes))
        file->cold = false;
    open_early(series, file);
}

/* Returns true when the file's name is gone and no process should still write to it. A file that was never opened can
 * no longer be read, and other files wait for it, so it gets less time. */
static bool is_gone(const struct ps_far_file *file, uint64_t now_ns)
{
    uint64_t patience_ns = file->fd < 0 && !file->cold ? GONE_NS : QUIET_NS;
    bool unread = file->fd >= 0 && file->position < file->size;
    return file->missed > MISSED_MIN && !unread && now_ns - file->missed_ns > patience_ns &&
           now_ns - file->grown_ns > patience_ns;
}

/* Removes files that are gone. The last line of such a file may have no newline. */
static void forget_gone(struct ps_far_series *series, uint64_t now_ns, struct ps_far_hand *hand)
{
    size_t kept = 0;
    for (size_t i = 0; i < series->count; i++)
        if (series->files[i]->copy_of != NULL && is_gone(series->files[i]->copy_of, now_ns))
            series->files[i]->copy_of = NULL;
    for (size_t i = 0; i < series->count; i++) {
        struct ps_far_file *file = series->files[i];
        if (!is_gone(file, now_ns)) {
            series->files[kept++] = file;
            continue;
        }
        if (file->position < file->size && !file->refused)
            ps_far_note(series->notes, true, "%s was removed before it was read", file->path);
        ps_far_file_restart(file, hand, series->notes);
        ps_far_file_destroy(file);
    }
    series->count = kept;
}

/* Lists the directories once. Returns true when there are new files. */
static bool scan(struct ps_far_series *series, struct ps_far_hand *hand)
{
    struct ps_far_listing listing;
    struct ps_far_place place;
    uint64_t start_ns = ps_clock_now().mono_ns;
    size_t before = series->count, known = 0;
    if (before == 0 && series->place.kind == PS_FAR_FILE &&
        ps_far_place_init(&place, series->place.path, NULL) == PS_OK && place.kind == PS_FAR_DIRECTORY)
        series->place.kind = PS_FAR_DIRECTORY; /* the path did not exist yet at the start */
    ps_far_listing_take(&listing, &series->place);
    series->early_count = 0;
    for (size_t i = 0; i < before; i++) {
        struct ps_far_file *file = series->files[i];
        file->missed_ns = file->missed_ns == 0 ? start_ns : file->missed_ns;
        file->missed++;
        series->early_count += file->fd >= 0 && file->position == 0;
    }
    for (size_t i = 0; i < listing.count; i++) {
        struct ps_far_file *file = find(series, before, &listing.files[i].identity);
        known += file != NULL;
        if (file != NULL)
            known_update(series, file, &listing.files[i]);
        else if (!is_ignored(series, &listing.files[i].identity))
            add(series, before, &listing.files[i]);
    }
    if (listing.truncated)
        ps_far_note(series->notes, true, "more than %u files: the others are not read", PS_FAR_FILES_MAX);
    for (size_t i = 0; i < listing.directory_count && series->watch_fd >= 0; i++)
        inotify_add_watch(series->watch_fd, listing.directories[i], WATCHED);
    ps_far_listing_fini(&listing);
    bool more = series->count > before;
    bool vanished = false; /* a file of the previous listing is missing */
    for (size_t i = 0; i < before; i++)
        vanished = vanished || series->files[i]->missed == 1;
    if (more && vanished && known == 0) /* other files may have been created and removed in between */
        ps_far_note(series->notes, true, "%s: rotated so fast that some files may have been missed",
                    series->place.path);
    uint64_t now_ns = ps_clock_now().mono_ns;
    forget_gone(series, now_ns, hand);
    identified_sort(series);
    series->unread = 0;
    uint64_t pause_ns = (now_ns - start_ns) * SCAN_SHARE;
    series->scan_ns = now_ns + (pause_ns > SCAN_NS ? pause_ns : SCAN_NS);
    return more;
}

/* ---- their contents ---- */

/* Returns a file of which `file` may be a copy. Parts of the original were already read, or will be read before
 * `file`. */
static struct ps_far_file *original_find(const struct ps_far_series *series, const struct ps_far_file *file)
{
    bool before = true;
    for (size_t i = 0; i < series->count; i++) {
        struct ps_far_file *other = series->files[i];
        before = before && other != file;
        if (other != file && other->fd >= 0 && (other->headed > 0 || before) &&
            ps_far_file_begins_like(file, other))
            return other;
    }
    return NULL;
}

/* Returns true when the file has to wait. A file that begins like another file may be a copy, which is made before the
 * original is truncated. If the copy were read now, its records would count twice. So the file waits until the other
 * file is truncated, or until so much time has passed that the file cannot be a copy. */
static bool is_held(struct ps_far_series *series, struct ps_far_file *file, uint64_t size, uint64_t now_ns)
{
    if (file->settled || file->position > 0 || size == 0)
        return false;
    if (file->copy_of == NULL) {
        file->copy_of = original_find(series, file);
        file->held_ns = now_ns;
    } else if (!ps_far_file_begins_like(file, file->copy_of)) {
        file->copy_of = NULL;
    }
    if (size > file->held_bytes) {
        file->held_until_ns = now_ns + HOLD_NS;
        file->held_bytes = size;
    }
    if (file->copy_of != NULL && now_ns < file->held_until_ns && now_ns - file->held_ns < HOLD_MAX_NS)
        return true;
    file->copy_of = NULL;
    file->settled = true;
    return false;
}

enum seen {
    SEEN,
    UNCLEAR, /* it is not known how far the file may be read: the files after it have to wait */
    MOVED,   /* the order of files changed: examine all of them again */
};

/* The file became shorter, or bytes that were read have changed. If a copy contains what was read, the rest
 * of the copy is read before the file. The copy may not be listed yet. */
static enum seen truncated(struct ps_far_series *series, size_t index, uint64_t now_ns,
                           struct ps_far_hand *hand)
{
    struct ps_far_file *file = series->files[index];
    for (size_t i = 0; i < series->count; i++) {
        struct ps_far_file *copy = series->files[i];
        if (copy == file || copy->settled || copy->position > 0 || copy->refused ||
            !ps_far_file_open(copy, series->notes) || !ps_far_file_continues(copy, file))
            continue;
        ps_far_file_swap(file, copy);
        if (i > index) { /* the rest of the copy is read before the new content of the file */
            series->files[index] = copy;
            series->files[i] = file;
        }
        return MOVED;
    }
    if (file->doubted_ns == 0)
        file->doubted_ns = now_ns;
    series->scan_ns = 0;
    if (now_ns - file->doubted_ns < DOUBT_NS)
        return UNCLEAR;
    ps_far_note(series->notes, true,
                "%s was truncated: what was written to it after it was last read may be missing", file->path);
    ps_far_file_restart(file, hand, series->notes);
    return MOVED;
}

/* Closes finished files until at most OPEN_MAX of them are open: first those that have not grown for the longest
 * time. */
static void close_some(struct ps_far_series *series)
{
    for (;;) {
        struct ps_far_file *oldest = NULL;
        size_t finished = 0;
        for (size_t i = 0; i < series->count; i++) {
            struct ps_far_file *file = series->files[i];
            if (file->fd < 0 || file->missed_ns != 0 || file->copy_of != NULL || file->position < file->size)
                continue;
            finished++;
            if (oldest == NULL || file->grown_ns < oldest->grown_ns)
                oldest = file;
        }
        if (finished <= OPEN_MAX)
            return;
        ps_far_file_close(oldest);
        oldest->cold = true;
    }
}

/* Determines how far a file may be read. */
static enum seen look_at(struct ps_far_series *series, size_t index, uint64_t now_ns,
                         struct ps_far_hand *hand)
{
    struct ps_far_file *file = series->files[index];
    struct ps_far_listed now;
    if (file->refused || file->cold)
        return SEEN;
    if (!ps_far_file_open(file, series->notes) || !ps_far_identify(NULL, file->fd, &now)) {
        series->scan_ns = 0; /* the file was renamed or removed: list again */
        return file->refused ? SEEN : UNCLEAR;
    }
    file->changed_ns = now.changed_ns;
    file->size = now.size;
    if (now.size == file->position)
        return SEEN;
    if (is_held(series, file, now.size, now_ns))
        return UNCLEAR;
    if (now.size < file->position || !ps_far_file_same(file))
        return truncated(series, index, now_ns, hand);
    file->limit = now.size;
    file->grown_ns = now_ns;
    file->doubted_ns = 0;
    return SEEN;
}

static int compare_unread(const void *a_, const void *b_, void *place)
{
    const struct ps_far_file *const *a = a_, *const *b = b_;
    return ps_far_order(place, (*a)->path, (*a)->changed_ns, (*b)->path, (*b)->changed_ns);
}

/* Sorts the files of which nothing was read yet: a listing taken while files are renamed, copied and
 * truncated may have missed one of them, or seen one file before a rotation and another one after it. Returns
 * true when the order changed. */
static bool sort_unread(struct ps_far_series *series)
{
    size_t first = series->count;
    bool sorted = true;
    for (; first > 0 && series->files[first - 1]->position == 0; first--)
        sorted =
            sorted && (first == series->count ||
                       compare_unread(&series->files[first - 1], &series->files[first], &series->place) <= 0);
    if (!sorted)
        qsort_r(series->files + first, series->count - first, sizeof(struct ps_far_file *), compare_unread,
                &series->place);
    return !sorted;
}

/* Examines the files from the last to the first: when a record is found in a file, the files before it are examined
 * later, so their limits include all that was written before that record, and reading up to the limits in order keeps
 * the order of writing. Files after an unclear file have to wait, and so do files after the first OPEN_MAX that are not
 * open yet. */
static void look(struct ps_far_series *series, struct ps_far_hand *hand)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    bool moved = true;
    size_t clear = 0;
    for (unsigned round = 0; moved && round < ROUNDS_MAX; round++) {
        size_t end = 0, unopened = 0;
        moved = false;
        for (; end < series->count && unopened < OPEN_MAX; end++)
            unopened +=
                series->files[end]->fd < 0 && !series->files[end]->cold && !series->files[end]->refused;
        clear = series->count;
        for (size_t i = end; i-- > 0;) {
            enum seen seen = look_at(series, i, now_ns, hand);
            moved = moved || seen == MOVED;
            clear = seen == SEEN ? clear : i;
        }
        moved = sort_unread(series) || moved;
    }
    for (size_t i = clear + 1; i < series->count; i++)
        series->files[i]->limit = series->files[i]->position;
    series->unread = 0;
    close_some(series);
}

/* Returns true when the data just read may be used: the file was not truncated meanwhile, and, for the first piece of a
 * file, all files that existed at the time of reading are known, because one of them may come before this file. */
static bool may_take(struct ps_far_series *series, struct ps_far_file *file, struct ps_far_hand *hand)
{
    if (file->position > 0)
        return ps_far_file_same(file);
    return series->rescans >= SCANS_MAX || !scan(series, hand);
}

/* Stops reading until all files were examined again. */
static void look_needed(struct ps_far_series *series)
{
    series->rescans++;
    series->again = true;
    for (size_t i = 0; i < series->count; i++)
        series->files[i]->limit = series->files[i]->position;
}

/* Returns false when there is no data, or when all files must be examined again. */
static bool read_some(struct ps_far_series *series, struct ps_far_hand *hand)
{
    for (; series->unread < series->count; series->unread++) {
        struct ps_far_file *file = series->files[series->unread];
        while (file->fd >= 0) {
            size_t length = ps_far_file_fetch(file, series->notes);
            if (length == 0)
                break;
            if (!may_take(series, file, hand)) {
                look_needed(series);
                return false;
            }
            series->rescans = 0;
            ps_far_file_take(file, length, hand, series->notes);
            if (hand->count > 0)
                return true;
        }
    }
    return false;
}

/* Empties the inotify queue. Returns true when a file was created or renamed. */
static bool watch_drain(struct ps_far_series *series)
{
    char room[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t length;
    bool names = false;
    while (series->watch_fd >= 0 && (length = read(series->watch_fd, room, sizeof room)) > 0)
        for (const char *at = room; at < room + length;) {
            const struct inotify_event *event = (const struct inotify_event *)(const void *)at;
            names = names || (event->mask & ~(uint32_t)IN_MODIFY) != 0;
            at += sizeof *event + event->len;
        }
    return names;
}

bool ps_far_series_read(struct ps_far_series *series, int timeout_ms, struct ps_far_hand *hand)
{
    uint64_t end_ns = ps_clock_now().mono_ns + (uint64_t)timeout_ms * PS_NS_PER_MS;
    for (bool names = false;;) {
        series->again = false;
        if (read_some(series, hand))
            return true;
        if (names || ps_clock_now().mono_ns >= series->scan_ns)
            scan(series, hand);
        look(series, hand);
        if (read_some(series, hand))
            return true;
        uint64_t now_ns = ps_clock_now().mono_ns;
        if (now_ns >= end_ns || hand->count > 0)
            return hand->count > 0;
        uint64_t until_ns = end_ns < series->scan_ns ? end_ns : series->scan_ns;
        uint64_t wait_ms = until_ns > now_ns && !series->again ? (until_ns - now_ns) / PS_NS_PER_MS + 1 : 0;
        struct pollfd wait = {.fd = series->watch_fd, .events = POLLIN};
        poll(&wait, series->watch_fd >= 0, (int)wait_ms);
        names = watch_drain(series);
    }
}
