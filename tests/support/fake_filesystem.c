#include "tests/support/fake_filesystem.h"

#include <stdio.h>

#define FILES_MAX 20000U
#define PIECE_BYTES 64U

struct file {
    char *path;
    char *content; /* acknowledged; terminated */
    size_t length;
};

struct stream {
    struct ps_file_stream base;
    struct stream *next; /* in the list of open streams */
    struct file *file;
    char *path;
    char *pending; /* written, and not acknowledged */
    size_t length, room;
    enum ps_file_error error;
    unsigned waiting; /* outcomes that were not delivered */
    bool gone;        /* abandoned, or closed */
};

struct outcome {
    struct outcome *next;
    enum ps_test_file_operation operation;
    struct stream *stream; /* NULL: the operation has none */
    char *path, *to;
    size_t flushes; /* bytes of `pending` that it acknowledges when it completes */
    ps_file_done *done;
    void *argument;
};

static struct {
    struct ps_filesystem base;
    struct file files[FILES_MAX];
    size_t file_count;
    struct outcome *outcomes;
    struct {
        unsigned skip, count;
        enum ps_file_error error;
        char part[128];
        bool holds;
        unsigned begun;
    } kinds[PS_TEST_OPERATIONS];
    unsigned replicas, configured, open;
    struct ps_file_space space; /* all 0: it cannot be measured */
    struct stream *streams;     /* open */
} fake;

static void outcome_free(struct outcome *outcome)
{
    free(outcome->path);
    free(outcome->to);
    free(outcome);
}

static void stream_free(struct stream *stream)
{
    free(stream->path);
    free(stream->pending);
    free(stream);
}

int ps_test_files_setup(void **state)
{
    for (size_t i = 0; i < fake.file_count; i++) {
        free(fake.files[i].path);
        free(fake.files[i].content);
    }
    assert_null(fake.outcomes); /* the file system was closed */
    memset(&fake, 0, sizeof fake);
    return 0;
}

void ps_test_files_fail(enum ps_test_file_operation operation, unsigned skip, unsigned count,
                        enum ps_file_error error)
{
    fake.kinds[operation].skip = skip;
    fake.kinds[operation].count = count;
    fake.kinds[operation].error = error;
}

void ps_test_files_hold(enum ps_test_file_operation operation, const char *part)
{
    fake.kinds[operation].holds = part != NULL;
    snprintf(fake.kinds[operation].part, sizeof fake.kinds[operation].part, "%s", part != NULL ? part : "");
}

void ps_test_files_space(const struct ps_file_space *space)
{
    fake.space = *space;
}

static void fake_measure(struct ps_filesystem *filesystem, ps_file_done *done, void *argument)
{
    struct ps_file_answer answer = {.reason = "", .space = &fake.space};
    if (fake.space.capacity_bytes == 0)
        answer = (struct ps_file_answer){.error = PS_FILE_UNSUPPORTED, .reason = "it has no such call"};
    done(argument, &answer);
}

/* ---- files ---- */

static struct file *find(const char *path)
{
    for (size_t i = 0; i < fake.file_count; i++) {
        if (fake.files[i].path != NULL && strcmp(fake.files[i].path, path) == 0)
            return &fake.files[i];
    }
    return NULL;
}

void ps_test_files_expect_names(const char *const *names)
{
    size_t count = 0, found = 0;
    for (; names[count] != NULL; count++) {
        if (find(names[count]) == NULL)
            fail_msg("no file %s", names[count]);
    }
    for (size_t i = 0; i < fake.file_count; i++) {
        if (fake.files[i].path != NULL && ++found > count)
            print_message("there is %s\n", fake.files[i].path);
    }
    assert_int_equal(found, count);
}

unsigned ps_test_files_count(enum ps_test_file_operation operation)
{
    return fake.kinds[operation].begun;
}

unsigned ps_test_files_open(void)
{
    return fake.open;
}

/* ---- operations ---- */

static struct outcome *begin(enum ps_test_file_operation operation, struct stream *stream, const char *path,
                             ps_file_done *done, void *argument)
{
    struct outcome *outcome = calloc(1, sizeof *outcome), **end = &fake.outcomes;
    *outcome = (struct outcome){
        .operation = operation, .stream = stream, .path = strdup(path), .done = done, .argument = argument};
    while (*end != NULL)
        end = &(*end)->next;
    *end = outcome;
    fake.base.under_way++;
    fake.kinds[operation].begun++;
    if (stream != NULL)
        stream->waiting++;
    return outcome;
}

static struct stream *stream_of(struct ps_file_stream *stream)
{
    return (struct stream *)(void *)stream;
}

/* Removes a stream that was abandoned or closed. */
static void leave(struct stream *stream)
{
    struct stream **place = &fake.streams;
    assert_false(stream->gone);
    stream->gone = true;
    fake.open--;
    while (*place != stream)
        place = &(*place)->next;
    *place = stream->next;
}

static struct ps_file_stream *fake_create(struct ps_filesystem *filesystem, const char *path,
                                          ps_file_done *done, void *argument)
{
    struct stream *stream = calloc(1, sizeof *stream);
    stream->base.filesystem = filesystem;
    stream->path = strdup(path);
    fake.open++;
    stream->next = fake.streams;
    fake.streams = stream;
    begin(PS_TEST_CREATE, stream, path, done, argument);
    return &stream->base;
}

static void make_room(struct stream *stream, size_t length)
{
    if (stream->length + length > stream->room) {
        stream->room = 2 * (stream->length + length);
        stream->pending = realloc(stream->pending, stream->room);
    }
}

static void add_bytes(struct stream *stream, size_t length)
{
    stream->length += length;
    stream->base.written_bytes += length;
    fake.base.held_bytes += length;
}

static enum ps_file_error fault(enum ps_test_file_operation operation)
{
    if (fake.kinds[operation].count == 0)
        return PS_FILE_OK;
    if (fake.kinds[operation].skip > 0) {
        fake.kinds[operation].skip--;
        return PS_FILE_OK;
    }
    fake.kinds[operation].count--;
    return fake.kinds[operation].error;
}

static bool fake_write(struct ps_file_stream *base, const void *bytes, size_t length)
{
    struct stream *stream = stream_of(base);
    assert_false(stream->gone);
    if (stream->error != PS_FILE_OK || fault(PS_TEST_WRITE) != PS_FILE_OK)
        return false;
    make_room(stream, length);
    memcpy(stream->pending + stream->length, bytes, length);
    add_bytes(stream, length);
    return true;
}

/* Offers room up to the next multiple of PIECE_BYTES, as a packet does, so that some events are made in place and others
 * written. */
static char *fake_reserve(struct ps_file_stream *base, size_t *room)
{
    struct stream *stream = stream_of(base);
    assert_false(stream->gone);
    if (stream->error != PS_FILE_OK || fake.kinds[PS_TEST_WRITE].count > 0) /* the caller writes instead */
        return NULL;
    make_room(stream, PIECE_BYTES);
    *room = PIECE_BYTES - base->written_bytes % PIECE_BYTES;
    return stream->pending + stream->length;
}

static void fake_commit(struct ps_file_stream *base, size_t length)
{
    struct stream *stream = stream_of(base);
    assert_true(!stream->gone && stream->error == PS_FILE_OK);
    assert_in_range(length, 1, PIECE_BYTES - base->written_bytes % PIECE_BYTES - 1);
    add_bytes(stream, length);
}

static void fake_flush(struct ps_file_stream *base, enum ps_file_flush how, ps_file_done *done,
                       void *argument)
{
    struct stream *stream = stream_of(base);
    assert_false(stream->gone);
    begin(PS_TEST_FLUSH, stream, stream->path, done, argument)->flushes = base->written_bytes;
}

static void fake_close_stream(struct ps_file_stream *base, ps_file_done *done, void *argument)
{
    struct stream *stream = stream_of(base);
    leave(stream);
    begin(PS_TEST_CLOSE, stream, stream->path, done, argument)->flushes = base->written_bytes;
}

static void fake_abandon(struct ps_file_stream *base)
{
    struct stream *stream = stream_of(base);
    leave(stream);
    fake.base.held_bytes -= stream->length;
    for (struct outcome *outcome = fake.outcomes; outcome != NULL; outcome = outcome->next) {
        if (outcome->stream != stream)
            continue;
        outcome->stream = NULL;
        outcome->done = NULL;
    }
    stream_free(stream);
}

static unsigned fake_replicas(const struct ps_file_stream *stream)
{
    return fake.replicas;
}

static void fake_rename(struct ps_filesystem *filesystem, const char *from, const char *to,
                        ps_file_done *done, void *argument)
{
    begin(PS_TEST_RENAME, NULL, from, done, argument)->to = strdup(to);
}

static void fake_remove(struct ps_filesystem *filesystem, const char *path, ps_file_done *done,
                        void *argument)
{
    begin(PS_TEST_REMOVE, NULL, path, done, argument);
}

static void fake_stat(struct ps_filesystem *filesystem, const char *path, ps_file_done *done, void *argument)
{
    begin(PS_TEST_STAT, NULL, path, done, argument);
}

static void fake_list(struct ps_filesystem *filesystem, const char *path, ps_file_done *done, void *argument)
{
    begin(PS_TEST_LIST, NULL, path, done, argument);
}

static void fake_recover(struct ps_filesystem *filesystem, const char *path, enum ps_file_recovery recovery,
                         ps_file_done *done, void *argument)
{
    begin(PS_TEST_RECOVER, NULL, path, done, argument);
}

/* ---- outcomes ---- */

static enum ps_file_error create(const char *path)
{
    if (find(path) != NULL)
        return PS_FILE_EXISTS;
    assert_true(fake.file_count < FILES_MAX);
    fake.files[fake.file_count++] = (struct file){.path = strdup(path), .content = strdup("")};
    return PS_FILE_OK;
}

static enum ps_file_error acknowledge(struct stream *stream, size_t written_bytes)
{
    struct file *file = find(stream->path);
    assert_non_null(file);
    size_t bytes = written_bytes - stream->base.acknowledged_bytes;
    file->content = realloc(file->content, file->length + bytes + 1);
    if (bytes > 0)
        memcpy(file->content + file->length, stream->pending, bytes);
    file->length += bytes;
    file->content[file->length] = '\0';
    if (bytes > 0)
        memmove(stream->pending, stream->pending + bytes, stream->length - bytes);
    stream->length -= bytes;
    stream->base.acknowledged_bytes = written_bytes;
    fake.base.held_bytes -= bytes;
    return PS_FILE_OK;
}

static enum ps_file_error carry_out(struct outcome *outcome)
{
    struct file *file = find(outcome->path);
    switch (outcome->operation) {
    case PS_TEST_CREATE:
        return create(outcome->path);
    case PS_TEST_FLUSH:
    case PS_TEST_CLOSE:
        return acknowledge(outcome->stream, outcome->flushes);
    case PS_TEST_RENAME:
        if (file == NULL)
            return PS_FILE_MISSING;
        if (find(outcome->to) != NULL)
            return PS_FILE_EXISTS;
        free(file->path);
        file->path = strdup(outcome->to);
        return PS_FILE_OK;
    case PS_TEST_REMOVE:
        if (file == NULL)
            return PS_FILE_MISSING;
        free(file->path);
        free(file->content);
        *file = (struct file){.path = NULL};
        return PS_FILE_OK;
    case PS_TEST_LIST:
        return PS_FILE_OK;
    case PS_TEST_STAT:
        return file != NULL || strcmp(outcome->path, "/") == 0 ? PS_FILE_OK : PS_FILE_MISSING;
    case PS_TEST_RECOVER:
        return file != NULL ? PS_FILE_OK : PS_FILE_MISSING;
    case PS_TEST_WRITE:
    case PS_TEST_OPERATIONS:
        break;
    }
    return PS_FILE_FAILED;
}

static struct ps_file_status *list(const char *path, size_t *count)
{
    size_t length = strlen(path);
    struct ps_file_status *entries = calloc(fake.file_count + 1, sizeof *entries);
    *count = 0;
    for (size_t i = 0; i < fake.file_count; i++) {
        const char *name = fake.files[i].path;
        if (name != NULL && strncmp(name, path, length) == 0 && name[length] == '/' &&
            strchr(name + length + 1, '/') == NULL)
            entries[(*count)++] =
                (struct ps_file_status){.name = name + length + 1, .length_bytes = fake.files[i].length};
    }
    return entries;
}

static void deliver(struct outcome *outcome)
{
    struct stream *stream = outcome->stream;
    enum ps_file_error error = fault(outcome->operation);
    if (stream != NULL && stream->error != PS_FILE_OK)
        error = stream->error;
    if (error == PS_FILE_OK)
        error = carry_out(outcome);
    if (stream != NULL) {
        stream->error = error;
        stream->waiting--;
    }
    struct ps_file_status status = {.name = "file", .replication = fake.configured};
    struct ps_file_status *entries = NULL;
    struct ps_file_answer answer = {.error = error, .reason = error != PS_FILE_OK ? "as the test says" : ""};
    if (outcome->operation == PS_TEST_LIST && error == PS_FILE_OK) {
        entries = list(outcome->path, &answer.entry_count);
        answer.entries = entries;
    }
    if (outcome->operation == PS_TEST_STAT && error == PS_FILE_OK) {
        const struct file *file = find(outcome->path);
        status.directory = file == NULL; /* the root */
        status.length_bytes = file != NULL ? file->length : 0;
        answer.entries = &status;
        answer.entry_count = 1;
    }
    if (outcome->operation == PS_TEST_CLOSE) {
        fake.base.held_bytes -= stream->length;
        stream_free(stream);
    }
    outcome->done(outcome->argument, &answer);
    free(entries);
    outcome_free(outcome);
}

static bool is_held(const struct outcome *outcome)
{
    if (outcome->done == NULL)
        return false;
    if (fake.kinds[outcome->operation].holds &&
        strstr(outcome->path, fake.kinds[outcome->operation].part) != NULL)
        return true;
    for (const struct outcome *before = fake.outcomes; before != outcome; before = before->next) {
        if (before->stream != NULL && before->stream == outcome->stream) /* it is held */
            return true;
    }
    return false;
}

static uint64_t fake_turn(struct ps_filesystem *filesystem, const struct ps_now *now)
{
    bool delivered = false;
    for (struct outcome **place = &fake.outcomes; *place != NULL;) {
        struct outcome *outcome = *place;
        if (is_held(outcome)) {
            place = &outcome->next;
            continue;
        }
        *place = outcome->next;
        fake.base.under_way--;
        if (outcome->done == NULL) {
            outcome_free(outcome);
            continue;
        }
        deliver(outcome);
        delivered = true;
        place = &fake.outcomes; /* the callback may have changed the list */
    }
    return delivered ? now->mono_ns : PS_NEVER;
}

static void fake_close(struct ps_filesystem *filesystem)
{
    while (fake.streams != NULL)
        ps_file_abandon(&fake.streams->base);
    while (fake.outcomes != NULL) {
        struct outcome *outcome = fake.outcomes;
        fake.outcomes = outcome->next;
        if (outcome->operation == PS_TEST_CLOSE)
            stream_free(outcome->stream);
        outcome_free(outcome);
    }
}

static const struct ps_filesystem_ops ops = {
    .create = fake_create,
    .write = fake_write,
    .reserve = fake_reserve,
    .commit = fake_commit,
    .flush = fake_flush,
    .close_stream = fake_close_stream,
    .abandon = fake_abandon,
    .replicas = fake_replicas,
    .rename = fake_rename,
    .remove = fake_remove,
    .stat = fake_stat,
    .list = fake_list,
    .recover = fake_recover,
    .measure = fake_measure,
    .turn = fake_turn,
    .close = fake_close,
};

struct ps_filesystem *ps_test_files(void)
{
    fake.base.ops = &ops;
    fake.base.has_leases = true;
    return &fake.base;
}
