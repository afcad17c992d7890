/* The file system of a spooling directory compared with a simple model (docs/stages/source_spooldir.md, Flume's
 * ReliableSpoolingFileEventReader): in random histories files are added, changed and removed, fetched, marked and
 * retired, and the agent restarts. Each fetch opens the files that the model has, in its order, each from the position
 * that the model has; each file is retired, or left alone for the reason that the model has. In every second history the files have
 * random numbers: an unchanged file has the same one in the next run, and no other file ever gets it. */
#include "core/log/log.h"
#include "stages/lib/decompressor.h"
#include "stages/lib/spool/meta.h"
#include "stages/lib/spool/spool.h"
#include "tests/stages/lib/spool/left_model.h"
#include "tests/stages/lib/spool/number_model.h"
#include "tests/stages/lib/spool/spool_support.h"
#include "tests/stages/lib/spool/two_file_systems.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS 36U
#define STEPS 200U
#define PATH_BYTES 512U

/* ---- the files' names ---- */

enum { READ = 1, BELOW = 2, IGNORED = 4 };

/* READ: a file with this name is read; BELOW: only if subdirectories are searched; IGNORED: not if names like *.tmp are ignored. */
static const struct {
    const char *name;
    int what;
} names[] = {
    {"a", READ},           {"b", READ},           {"c.gz", READ},    {"d.ZST", READ},       {"DONE", READ},
    {"e.DONE.1", READ},    {"a.tmp", IGNORED},    {".hidden", 0},    {"f.DONE", 0},         {".DONE", 0},
    {"sub/a", BELOW},      {"sub/0", BELOW},      {"sub/x.DONE", 0}, {"old.DONE/h", BELOW}, {".dot/i", 0},
    {"no.tmp/j", IGNORED}, {"sub/deep/b", BELOW}, {"sub/.k", 0},
};
#define NAMES PS_COUNT_OF(names)

static struct {
    struct ps_spool_settings settings;
    struct ps_spool *spool;
    bool ignores;                 /* whether names like *.tmp are ignored */
    char directory[PATH_BYTES];   /* as in the paths of files */
    char written[PATH_BYTES + 8]; /* as in the settings */
    char tracker[PATH_BYTES];
} bench;

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static const char *path_of(size_t name)
{
    static char path[PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/%s", bench.directory, names[name].name);
    return path;
}

/* Returns the new name of a file that was read, or the path of its marker. */
static const char *done_path_of(size_t name)
{
    static char path[PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/%s%s", bench.settings.marks ? bench.tracker : bench.directory,
             names[name].name, bench.settings.suffix);
    return path;
}

static bool is_there(const char *path, struct stat *status)
{
    struct stat other;
    return stat(path, status != NULL ? status : &other) == 0;
}

static int64_t milliseconds_of(const struct stat *status)
{
    return (int64_t)status->st_mtim.tv_sec * 1000 + status->st_mtim.tv_nsec / 1000000;
}

/* Sets one of a few times: equal ones, and ones that differ by a second, by a millisecond, or by less. */
static void set_time(const char *path)
{
    const struct timespec time = {.tv_sec = 1700000000 + (time_t)draw(2),
                                  .tv_nsec = (long)draw(2) * 1000000 + (long)draw(2)};
    const struct timespec times[2] = {time, time};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void create(const char *path)
{
    static const char *const contents[] = {"", "x", "plain text", "\x1f\x8b\x08 not really",
                                           "\x28\xb5\x2f\xfd neither"};
    char above[PATH_BYTES + 32];
    snprintf(above, sizeof above, "%s", path);
    for (char *at = above + strlen(bench.directory) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        assert_true(mkdir(above, 0755) == 0 || errno == EEXIST);
        *at = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(contents[draw(PS_COUNT_OF(contents))], file);
    fclose(file);
    set_time(path);
}

static void change(size_t name)
{
    struct stat status;
    const char *path = path_of(name);
    FILE *file;
    char fresh[PATH_BYTES + 16];
    if (!is_there(path, &status)) {
        create(path);
        return;
    }
    switch (draw(5)) {
    case 0:
        assert_int_equal(unlink(path), 0);
        break;
    case 1:
        set_time(path);
        break;
    case 2: { /* another size, the same time */
        const struct timespec times[2] = {status.st_mtim, status.st_mtim};
        file = fopen(path, "a");
        assert_non_null(file);
        fputc('z', file);
        fclose(file);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        break;
    }
    case 3: /* another file of the same name and time, maybe of the same size */
        snprintf(fresh, sizeof fresh, "%s/.fresh", bench.directory);
        create(fresh);
        const struct timespec times[2] = {status.st_mtim, status.st_mtim};
        assert_int_equal(utimensat(AT_FDCWD, fresh, times, 0), 0);
        assert_int_equal(rename(fresh, path), 0);
        break;
    default: /* the new name of the file comes into use, or is freed */
        if (bench.settings.marks && strchr(names[name].name, '/') != NULL)
            break;
        if (unlink(done_path_of(name)) != 0)
            create(done_path_of(name));
        break;
    }
}

/* ---- the model ---- */

struct position {
    uint64_t device, inode, born_ns, position, size, changed_ns;
    enum ps_compression compression;
    size_t name; /* NAMES: none */
};

#define FILES 8U /* open at once */

static struct {
    struct position meta, aside[STEPS]; /* aside: positions of files that were left alone, over runs */
    size_t aside_count;
    size_t list[NAMES], count, next;
    struct {
        size_t name;
        uint64_t device, inode;
    } listed[NAMES];
    struct {
        struct ps_spool_file *file; /* NULL: free */
        struct position opened;
        int64_t modified_ms;
    } open[FILES];
    bool new_life;
} model;

static bool is_marked(size_t name)
{
    return bench.settings.marks && is_there(done_path_of(name), NULL);
}

static bool may_be_read(size_t name, const struct stat *status)
{
    int what = names[name].what;
    if (strcmp(names[name].name, bench.settings.suffix) == 0)
        return false;
    if ((what & READ) == 0 && ((what & BELOW) == 0 || !bench.settings.recursive) &&
        ((what & IGNORED) == 0 || bench.ignores ||
         (strchr(names[name].name, '/') != NULL && !bench.settings.recursive)))
        return false;
    for (size_t i = 0; i < FILES; i++) {
        const struct position *opened = &model.open[i].opened;
        if (model.open[i].file != NULL && opened->inode == status->st_ino && opened->device == status->st_dev)
            return false;
    }
    return !left_model_has(status, path_of(name)) && !is_marked(name);
}

static const char *last_of(size_t name)
{
    const char *slash = strrchr(names[name].name, '/');
    return slash != NULL ? slash + 1 : names[name].name;
}

static int compare(size_t a, int64_t a_ms, size_t b, int64_t b_ms)
{
    if (a_ms != b_ms)
        return (a_ms < b_ms) == (bench.settings.order == PS_SPOOL_OLDEST) ? -1 : 1;
    int order = strcmp(last_of(a), last_of(b));
    return order != 0 ? order : strcmp(names[a].name, names[b].name);
}

static void list_make(void)
{
    int64_t times[NAMES];
    struct stat status;
    model.count = model.next = 0;
    left_model_list();
    for (size_t name = 0; name < NAMES; name++) {
        if (!is_there(path_of(name), &status) || !may_be_read(name, &status))
            continue;
        size_t at = model.count++;
        for (; at > 0 && compare(name, milliseconds_of(&status), model.list[at - 1], times[at - 1]) < 0;
             at--) {
            model.list[at] = model.list[at - 1];
            times[at] = times[at - 1];
        }
        model.list[at] = name;
        times[at] = milliseconds_of(&status);
    }
    left_model_listed();
    for (size_t i = 0; i < model.count; i++) {
        if (model.list[i] != model.meta.name)
            continue;
        memmove(model.list + 1, model.list, i * sizeof *model.list);
        model.list[0] = model.meta.name;
    }
}

/* Returns how the file is compressed, as far as it matters. */
static enum ps_compression compression_of(size_t name)
{
    char bytes[8] = "";
    FILE *file = fopen(path_of(name), "r");
    assert_non_null(file);
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    enum ps_compression found = length >= 3 && memcmp(bytes, "\x1f\x8b\x08", 3) == 0 ? PS_COMPRESSION_GZIP
                                : length >= 4 && memcmp(bytes, "\x28\xb5\x2f\xfd", 4) == 0
                                    ? PS_COMPRESSION_ZSTD
                                    : PS_COMPRESSION_NONE;
    const char *dot = strrchr(last_of(name), '.');
    bool fits = dot != NULL && ((found == PS_COMPRESSION_GZIP && strcmp(dot, ".gz") == 0) ||
                                (found == PS_COMPRESSION_ZSTD && strcmp(dot, ".ZST") == 0));
    if (bench.settings.decompress == PS_SPOOL_DECOMPRESS_NEVER ||
        (bench.settings.decompress == PS_SPOOL_DECOMPRESS_AUTO && !fits))
        return PS_COMPRESSION_NONE;
    return found;
}

static uint64_t start_of(const struct position *opened)
{
    const struct position *meta = &model.meta;
    uint64_t start = 0;
    if (meta->name == opened->name && meta->inode == opened->inode && meta->device == opened->device &&
        meta->born_ns == opened->born_ns && meta->compression == opened->compression &&
        (meta->position <= opened->size || opened->compression != PS_COMPRESSION_NONE))
        start = meta->position;
    for (size_t i = 0; i < model.aside_count; i++) {
        const struct position *aside = &model.aside[i];
        if (aside->name == opened->name && aside->inode == opened->inode && aside->size == opened->size &&
            aside->changed_ns == opened->changed_ns && aside->compression == opened->compression &&
            aside->position > start)
            start = aside->position;
    }
    return start;
}

static void aside_forget(uint64_t device, uint64_t inode)
{
    size_t kept = 0;
    for (size_t i = 0; i < model.aside_count; i++) {
        if (model.aside[i].device != device || model.aside[i].inode != inode)
            model.aside[kept++] = model.aside[i];
    }
    model.aside_count = kept;
}

/* Drops positions of files that are gone, or whose name another file has. */
static void aside_tidy(void)
{
    struct stat status;
    size_t kept = 0;
    for (size_t i = 0; i < model.aside_count; i++) {
        if (is_there(path_of(model.aside[i].name), &status) && status.st_ino == model.aside[i].inode)
            model.aside[kept++] = model.aside[i];
    }
    model.aside_count = kept;
}

/* The tracker directory has a positions file for each file that was left alone, and for no other. */
static void expect_aside_files(void)
{
    size_t count = 0;
    DIR *directory = opendir(bench.tracker);
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += strncmp(entry->d_name, ".flumespool-aside-", 18) == 0;
    closedir(directory);
    assert_int_equal(count, model.aside_count);
}

static void expect_meta_file(void)
{
    char path[PATH_BYTES + 64];
    struct ps_spool_meta meta;
    struct ps_err err = {.length = 0};
    snprintf(path, sizeof path, "%s/" PS_SPOOL_META_NAME, bench.tracker);
    assert_int_equal(ps_spool_meta_read(path, &meta, &err), PS_SPOOL_META_READ);
    if (model.meta.name == NAMES) {
        assert_null(meta.target);
        return;
    }
    assert_non_null(meta.target);
    assert_string_equal(meta.target, path_of(model.meta.name));
    assert_true(meta.position == model.meta.position && meta.inode == model.meta.inode);
    ps_spool_meta_fini(&meta);
}

/* ---- the jobs ---- */

/* Asserts that this file, which the fetch opened, is the next one of the model. Returns whether it got a new number. */
static bool expect_opened(struct ps_spool_file *file)
{
    struct stat status;
    while (model.next < model.count && !is_there(path_of(model.list[model.next]), &status))
        model.next++; /* the file was removed since the listing */
    assert_true(model.next < model.count);
    size_t name = model.list[model.next++], free_place = 0;
    assert_string_equal(file->path, path_of(name));
    assert_string_equal(file->name, last_of(name));
    while (free_place < FILES && model.open[free_place].file != NULL)
        free_place++;
    assert_true(free_place < FILES);
    struct position opened = {.device = status.st_dev,
                              .inode = status.st_ino,
                              .size = (uint64_t)status.st_size,
                              .born_ns = ps_tail_path_born_ns(file->path),
                              .changed_ns = ps_spool_state_of(&status).changed_ns,
                              .compression = compression_of(name),
                              .name = name};
    assert_true(file->fd >= 0 && file->inode == opened.inode && file->device == opened.device);
    assert_true(file->size == opened.size && file->modified_ms == milliseconds_of(&status));
    assert_int_equal(file->compression, opened.compression);
    if (file->start != start_of(&opened))
        fail_msg("%s begins at %llu, not %llu", file->path, (unsigned long long)file->start,
                 (unsigned long long)start_of(&opened));
    model.open[free_place].file = file;
    model.open[free_place].opened = opened;
    model.open[free_place].modified_ms = milliseconds_of(&status);
    return number_model_expect(file, &bench.settings);
}

static void fetch(void)
{
    struct ps_spool_fetch *fetch = ps_spool_fetch_of(bench.spool);
    struct ps_spool_file *files = ps_spool_files(bench.spool);
    unsigned room = 0, wanted = 1 + (unsigned)draw(4);
    for (size_t i = 0; i < FILES; i++)
        room += model.open[i].file == NULL;
    fetch->wanted = 0;
    for (unsigned i = 0; i < PS_SPOOL_FILES_MAX && fetch->wanted < wanted && fetch->wanted < room; i++) {
        if (files[i].fd < 0 && !files[i].in_flight)
            fetch->files[fetch->wanted++] = &files[i];
    }
    fetch->list = draw(3) == 0;
    if (model.new_life)
        aside_tidy();
    model.new_life = false;
    if (model.meta.name != NAMES &&
        (bench.settings.marks ? is_marked(model.meta.name) : !is_there(path_of(model.meta.name), NULL)))
        model.meta.name = NAMES;
    bool listed = fetch->list || model.next == model.count;
    if (listed)
        list_make();
    ps_spool_fetch_prepare(fetch, bench.spool, answer);
    fetch->job.run(&fetch->job);
    assert_true(!fetch->failed && fetch->found <= fetch->wanted);
    bool drawn = false;
    for (unsigned i = 0; i < fetch->found; i++)
        drawn |= expect_opened(fetch->files[i]);
    while (fetch->found < fetch->wanted && model.next < model.count) {
        if (is_there(path_of(model.list[model.next]), NULL))
            fail_msg("%s was not opened", path_of(model.list[model.next]));
        model.next++;
    }
    number_model_fetched(drawn);
    assert_int_equal(fetch->more, model.next < model.count);
    assert_int_equal(fetch->listed, listed && model.next == model.count);
    expect_aside_files();
    expect_meta_file();
}

static size_t draw_open(void)
{
    size_t from = (size_t)draw(FILES);
    for (size_t i = 0; i < FILES; i++) {
        if (model.open[(from + i) % FILES].file != NULL)
            return (from + i) % FILES;
    }
    return FILES;
}

static void mark(size_t which)
{
    struct ps_spool_mark *mark = ps_spool_mark_of(bench.spool);
    mark->file = model.open[which].file;
    mark->position = draw(3) == 0 ? model.open[which].opened.size + draw(3) : draw(12);
    mark->counted = bench.settings.identities && draw(4) > 0;
    mark->events = draw(100);
    number_model.meta_events = mark->events;
    ps_spool_mark_prepare(mark, bench.spool, answer);
    mark->job.run(&mark->job);
    assert_false(mark->failed);
    model.meta = model.open[which].opened;
    model.meta.position = mark->position;
    expect_meta_file();
}

/* Returns NULL if the file is to be retired; otherwise a part of the reason why not. */
static const char *expected_refusal(size_t which, struct stat *status)
{
    const struct position *opened = &model.open[which].opened;
    if (!is_there(path_of(opened->name), status) || status->st_ino != opened->inode ||
        milliseconds_of(status) != model.open[which].modified_ms)
        return "has been modified";
    if ((uint64_t)status->st_size != opened->size)
        return "has changed size";
    if (!bench.settings.deletes && is_there(done_path_of(opened->name), NULL))
        return "re-used";
    return NULL;
}

static void left_alone(size_t which, const struct stat *status)
{
    const struct position *opened = &model.open[which].opened;
    const struct ps_spool_file *file = model.open[which].file;
    left_model_add(file);
    if (file->stop == 0)
        return;
    aside_forget(opened->device, opened->inode);
    model.aside[model.aside_count] = *opened;
    model.aside[model.aside_count++].position = file->stop;
    if (model.meta.name == opened->name && status->st_ino == opened->inode &&
        ps_spool_is_same_state(ps_spool_state_of(status), file->state))
        model.meta.name = NAMES;
}

static void retire(size_t which)
{
    struct ps_spool_file *file = model.open[which].file;
    size_t name = model.open[which].opened.name;
    struct stat status = {.st_ino = 0};
    close(file->fd);
    file->fd = -1;
    file->stop = draw(3) == 0 ? 0 : 1 + draw(20);
    bool unreadable = draw(4) == 0; /* its owner could not read it to its end */
    file->end = unreadable ? PS_SPOOL_VIOLATED : file->end;
    file->last = true;
    const char *refusal = expected_refusal(which, &status);
    ps_spool_retire_prepare(file, answer);
    file->job.run(&file->job);
    assert_int_equal(file->end, refusal != NULL || unreadable ? PS_SPOOL_VIOLATED : PS_SPOOL_RETIRED);
    assert_false(file->in_flight);
    if (refusal != NULL || unreadable) {
        if (!unreadable && strstr(file->reason, refusal) == NULL)
            fail_msg("'%s', not '%s'", file->reason, refusal);
        struct stat after = {.st_ino = 0};
        assert_int_equal(is_there(path_of(name), &after), status.st_ino != 0);
        assert_true(after.st_ino == status.st_ino);
        left_alone(which, &status);
    } else {
        struct stat done;
        assert_int_equal(is_there(path_of(name), NULL), bench.settings.marks);
        assert_true(bench.settings.deletes || is_there(done_path_of(name), &done));
        if (!bench.settings.deletes && !bench.settings.marks)
            assert_true(done.st_ino == status.st_ino && done.st_size == status.st_size);
        if (model.meta.name == name)
            model.meta.name = NAMES;
        aside_forget(model.open[which].opened.device, model.open[which].opened.inode);
        number_model_retired(file);
    }
    model.open[which].file = NULL;
    expect_aside_files();
    expect_meta_file();
}

/* ---- runs of the agent ---- */

/* Each life may have another penstock.decompress: a position in the text is not one in the compressed bytes. */
static void begin(void)
{
    struct ps_err err = {.length = 0};
    bench.settings.decompress = (enum ps_spool_decompress)draw(3);
    bench.settings.events_settings = 1000 * (draw(4) == 0);
    number_model.known = number_model.saved;
    bench.spool = ps_spool_create(&bench.settings, &err);
    if (bench.spool == NULL)
        fail_msg("%s", err.text);
    model.new_life = true;
    model.count = model.next = 0;
    left_model.count = 0;
}

static void end(void)
{
    struct ps_tail_thread none = {.helper = NULL};
    for (size_t i = 0; i < FILES; i++)
        model.open[i].file = NULL; /* still open: ps_spool_leave closes them */
    ps_spool_leave(bench.spool, &none);
}

static void settings_draw(unsigned round)
{
    static const char *const forms[] = {"%s", "%s/", "/%s//"};
    snprintf(bench.directory, sizeof bench.directory, "%s/spool", ps_test_folder());
    assert_int_equal(mkdir(bench.directory, 0755), 0);
    const char *form = forms[draw(PS_COUNT_OF(forms))];
    size_t begins = form[0] == '/', ends = strlen(form) - 2 - begins;
    snprintf(bench.written, sizeof bench.written, "%s%s%s", begins > 0 ? "/" : "", bench.directory,
             ends == 2   ? "//"
             : ends == 1 ? "/"
                         : "");
    static char far[PATH_BYTES];
    snprintf(far, sizeof far, "%s/tracker", ps_test_folder());
    bool relative = draw(2) == 0;
    snprintf(bench.tracker, sizeof bench.tracker, "%.400s%s", relative ? bench.directory : far,
             relative ? "/.track" : "");
    bench.ignores = draw(2) == 0;
    bench.settings = (struct ps_spool_settings){.component = "source s",
                                                .directory = bench.written,
                                                .tracker = relative ? ".track" : far,
                                                .suffix = draw(2) == 0 ? ".DONE" : "DONE",
                                                .include = "^.*$",
                                                .ignore = bench.ignores ? "^.*\\.tmp$" : "^$",
                                                .order = round % 2 == 0 ? PS_SPOOL_OLDEST : PS_SPOOL_YOUNGEST,
                                                .recursive = draw(3) > 0,
                                                .deletes = round % 3 == 1,
                                                .marks = round % 3 == 2,
                                                .identities = round / 2 % 2 == 0};
}

static void test_histories(void **unused)
{
    state = ps_test_seed() | 1;
    for (unsigned round = 0; round < ROUNDS; round++) {
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        memset(&model, 0, sizeof model);
        memset(&number_model, 0, sizeof number_model);
        memset(inodes, 0, sizeof inodes);
        two_systems_in = bench.directory;
        model.meta.name = NAMES;
        settings_draw(round);
        begin();
        for (unsigned step = 0; step < STEPS; step++) {
            size_t which = draw_open();
            uint64_t what = draw(20);
            if (what < 8 || (what >= 14 && what < 19 && which == FILES))
                change((size_t)draw(NAMES));
            else if (what < 14)
                fetch();
            else if (what < 16)
                mark(which);
            else if (what < 19)
                retire(which);
            else {
                end();
                begin();
            }
        }
        end();
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_histories)};
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
