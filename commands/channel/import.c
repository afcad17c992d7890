/* `penstock channel import`: copies the events of a Flume file channel into a channel of penstock. */
#include "commands/channel/channel.h"
#include "core/clock.h"
#include "core/quantity.h"
#include "stages/lib/flume_log/directory.h"
#include "stages/lib/flume_log/reader.h"
#include "stages/lib/queue/segment/events.h"
#include "stages/lib/queue/segment/writer.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SEGMENT_BYTES ((uint64_t)64 << 20)
#define FIRST_SEGMENT_BYTES ((uint64_t)1 << 20)
#define SYNC_EVERY_BYTES ((uint64_t)32 << 20)
#define NAMES_MAX 200U /* names of one frame, because the encoder looks them up linearly */
#define NOTE_FILE "imported"

struct import {
    struct ps_channel_command *command;
    struct ps_segment_log *log;
    struct ps_events_encoder encoder;
    struct ps_arena *names; /* names of the frame that is being filled; the encoder keeps pointers to them */
    const char *known[NAMES_MAX];
    uint32_t known_lengths[NAMES_MAX];
    size_t known_count;
    uint64_t events, bytes, since_sync_bytes, dropped_headers, damaged;
};

/* ---- events into frames ---- */

/* Returns the frame's copy of the name; NULL when the frame has too many names. */
static const char *name_of(struct import *import, struct ps_slice name)
{
    for (size_t i = 0; i < import->known_count; i++)
        if (import->known_lengths[i] == name.length && memcmp(import->known[i], name.data, name.length) == 0)
            return import->known[i];
    if (import->known_count == NAMES_MAX)
        return NULL;
    import->known_lengths[import->known_count] = name.length;
    return import->known[import->known_count++] = ps_arena_copy(import->names, name.data, name.length);
}

static void frame_begin(struct import *import)
{
    ps_arena_destroy(import->names);
    import->names = ps_arena_create();
    import->known_count = 0;
    ps_events_begin(&import->encoder);
}

static enum ps_status frame_end(struct import *import, struct ps_err *err)
{
    struct ps_events_encoder *encoder = &import->encoder;
    struct ps_segment_place place;
    if (encoder->count == 0)
        return PS_OK;
    const char *payload = ps_events_end(encoder);
    if (encoder->length > PS_FRAME_PAYLOAD_MAX)
        return ps_err_set(err, "an event of %zu bytes is longer than a frame can be", encoder->length);
    if (ps_segment_log_append(import->log, payload, (uint32_t)encoder->length, encoder->count,
                              encoder->body_bytes, &place, err) != PS_OK)
        return PS_FAIL;
    import->events += encoder->count;
    import->bytes += encoder->body_bytes;
    import->since_sync_bytes += encoder->length;
    if (import->since_sync_bytes >= SYNC_EVERY_BYTES) {
        import->since_sync_bytes = 0;
        if (ps_segment_log_sync(import->log, err) != PS_OK)
            return PS_FAIL;
    }
    frame_begin(import);
    return PS_OK;
}

static bool fits(struct import *import, const struct ps_flume_event *event)
{
    const struct ps_events_encoder *encoder = &import->encoder;
    size_t bytes = 8 + (size_t)event->body.length;
    for (size_t i = 0; i < event->header_count; i++)
        bytes += 10 + (size_t)event->headers[i].name.length + event->headers[i].value.length;
    return encoder->count < PS_BATCH_EVENTS_MAX && import->known_count + event->header_count <= NAMES_MAX &&
           encoder->length + encoder->names_length + bytes <= PS_EVENTS_PAYLOAD_BYTES;
}

/* Returns whether the header's name is short enough for a frame, and the frame has the name or room for it. event_add
 * leaves out and counts the other headers. */
static bool header_fits(struct import *import, const struct ps_flume_header *header)
{
    return header->name.length <= UINT16_MAX && name_of(import, header->name) != NULL;
}

static enum ps_status event_add(struct import *import, const struct ps_flume_event *event, struct ps_err *err)
{
    uint32_t headers = 0;
    if (import->encoder.count > 0 && !fits(import, event) && frame_end(import, err) != PS_OK)
        return PS_FAIL;
    for (size_t i = 0; i < event->header_count; i++)
        headers += header_fits(import, &event->headers[i]);
    import->dropped_headers += event->header_count - headers;
    ps_events_add(&import->encoder, event->body.data, event->body.length, headers);
    for (size_t i = 0; i < event->header_count; i++) {
        const struct ps_flume_header *header = &event->headers[i];
        if (header_fits(import, header))
            ps_events_header(&import->encoder, name_of(import, header->name), header->name.length,
                             header->value.data, header->value.length);
    }
    return PS_OK;
}

static enum ps_status copy_all(struct import *import, struct ps_flume_log *flume, struct ps_err *err)
{
    struct ps_flume_event event;
    enum ps_status status = PS_OK;
    frame_begin(import);
    while (status == PS_OK && ps_flume_log_next(flume, &event))
        status = event_add(import, &event, err);
    if (status == PS_OK)
        status = ps_flume_log_end(flume, err);
    if (status == PS_OK)
        status = frame_end(import, err);
    if (status == PS_OK)
        status = ps_segment_log_sync(import->log, err);
    return status;
}

/* ---- earlier imports ---- */

/* Returns the path of the note about imports, a file in the checkpoint directory. Each import adds the lines "begun
 * TIME PATH" and "done TIME PATH". */
static const char *note_path(const struct import *import)
{
    return ps_arena_format(import->command->arena, "%s/" NOTE_FILE, import->command->checkpoint_directory);
}

static const char *real_path(const struct import *import, const char *path)
{
    char *real = realpath(path, NULL);
    const char *copy = ps_arena_text(import->command->arena, real != NULL ? real : path);
    free(real);
    return copy;
}

static enum ps_status note(const struct import *import, const char *what, struct ps_err *err)
{
    const char *path = note_path(import);
    char when[32];
    ps_utc_print(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", time(NULL));
    FILE *file = fopen(path, "ae");
    bool written = file != NULL;
    for (size_t i = 0; written && i < import->command->operands.count; i++)
        written = fprintf(file, "%s %s %s\n", what, when,
                          real_path(import, import->command->operands.items[i])) > 0;
    written = written && fflush(file) == 0 && fsync(fileno(file)) == 0;
    if (file != NULL && fclose(file) != 0)
        written = false;
    if (written && ps_segment_disk.sync_directory(NULL, import->command->checkpoint_directory) == 0)
        return PS_OK;
    return ps_err_set(err, "%s cannot be written: %s", path, strerror(errno));
}

/* Finds the note's last line about this directory, or NULL. */
static enum ps_status note_about(const struct import *import, const char *directory, const char **line_found,
                                 struct ps_err *err)
{
    errno = 0;
    FILE *file = fopen(note_path(import), "re");
    bool good = file != NULL || errno == ENOENT;
    int error = errno;
    const char *real = real_path(import, directory), *found = NULL;
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while (file != NULL && (length = getline(&line, &room, file)) > 0) {
        line[strcspn(line, "\n")] = '\0';
        const char *when = strchr(line, ' '), *path = when != NULL ? strchr(when + 1, ' ') : NULL;
        if (path != NULL && strcmp(path + 1, real) == 0)
            found = ps_arena_text(import->command->arena, line);
    }
    if (file != NULL && ferror(file) != 0) {
        good = false;
        error = errno;
    }
    free(line);
    if (file != NULL)
        fclose(file);
    *line_found = found;
    return good ? PS_OK
                : ps_err_set(err,
                             "%s cannot be read: %s; it lists earlier imports. --again imports without it",
                             note_path(import), strerror(error));
}

static enum ps_status is_new(const struct import *import, struct ps_err *err)
{
    for (size_t i = 0; !import->command->again && i < import->command->operands.count; i++) {
        const char *directory = import->command->operands.items[i];
        const char *line;
        if (note_about(import, directory, &line, err) != PS_OK)
            return PS_FAIL;
        if (line != NULL && strncmp(line, "done", 4) == 0)
            return ps_err_set(err, "%s was imported before (%s: %s); --again imports its events once more",
                              directory, note_path(import), line);
        if (line != NULL)
            return ps_err_set(
                err,
                "an import of %s was begun and did not end (%s: %s): some of its events are there already. "
                "Remove the events that `penstock channel export` shows, or import all of them once more "
                "with --again",
                directory, note_path(import), line);
    }
    return PS_OK;
}

/* ---- the directories ---- */

static enum ps_status is_not_of_flume(const char *directory, struct ps_err *err)
{
    if (ps_flume_log_is_directory(directory))
        return ps_err_set(err, "%s has a file channel of Flume; import into another directory", directory);
    return PS_OK;
}

static enum ps_status are_not_of_flume(const struct ps_channel_command *command, struct ps_err *err)
{
    enum ps_status status = is_not_of_flume(command->checkpoint_directory, err);
    for (size_t i = 0; status == PS_OK && i < command->data_directories.count; i++)
        status = is_not_of_flume(command->data_directories.items[i], err);
    return status;
}

static void print_count(uint64_t count, const char *one, const char *many, const char *what)
{
    if (count > 0)
        printf("%s %s%s\n", ps_quantity_print_count(count).text, ps_quantity_word(count, one, many), what);
}

/* Returns the exit status. */
static int print_result(const struct import *import, const struct ps_flume_log *flume)
{
    struct ps_flume_log_found found;
    ps_flume_log_found(flume, &found);
    printf("%s %s, %s of bodies, ", ps_quantity_print_count(import->events).text,
           ps_quantity_word(import->events, "event", "events"), ps_quantity_print_bytes(import->bytes).text);
    if (import->command->dry_run)
        printf("can be imported; nothing was changed\n");
    else
        printf("%s imported into %s and synced\n", ps_quantity_word(import->events, "was", "were"),
               import->command->data_directories.items[0]);
    printf("%s %s read, %s%s\n", ps_quantity_print_count(found.logs).text,
           ps_quantity_word(found.logs, "log was", "logs were"),
           found.checkpoint != NULL ? "beginning at the checkpoint in " : "without a checkpoint",
           found.checkpoint != NULL ? found.checkpoint : "");
    print_count(found.encrypted_logs, "of them was", "of them were", " encrypted");
    if (found.encrypted_logs > 0 && import->command->active_key == NULL && !import->command->dry_run)
        ps_channel_say(import->command, "Flume's channel is encrypted, but the imported events are in plain "
                                        "text: --config or --key names a key to encrypt them with");
    print_count(found.uncommitted, "event was", "events were", " put and never committed: left out");
    print_count(found.uncertain, "event was", "events were",
                " imported without a commit: a damaged record may have been the commit");
    print_count(found.damages, "place of the logs is", "places of the logs are", " damaged: left out");
    print_count(found.events_lost, "event", "events", " of the channel cannot be read: left out");
    print_count(import->dropped_headers, "header was", "headers were",
                " left out: a name is too long, or an event has too many headers");
    return found.damages > 0 || found.events_lost > 0 || import->dropped_headers > 0 ? 1 : 0;
}

/* Opens the log, copies all events into it, and notes that. Returns the exit status. */
static int import_run(struct import *import, struct ps_flume_log *flume, struct ps_err *err)
{
    struct ps_channel_command *command = import->command;
    struct ps_segment_options options = {.directories = command->data_directories,
                                         .state_directory = command->checkpoint_directory,
                                         .segment_bytes = SEGMENT_BYTES,
                                         .first_segment_bytes = FIRST_SEGMENT_BYTES,
                                         .files = &ps_segment_disk,
                                         .keys = command->keys,
                                         .active_key = command->active_key,
                                         .plain = command->plain,
                                         .report = ps_channel_report,
                                         .argument = command};
    struct ps_segment_writer writer;
    int code = 2;
    if (ps_segment_writer_open(&writer, &options, err) != PS_OK)
        return code;
    import->log = writer.log;
    if (is_new(import, err) == PS_OK) {
        bool copied = note(import, "begun", err) == PS_OK && copy_all(import, flume, err) == PS_OK &&
                      note(import, "done", err) == PS_OK;
        code = copied ? print_result(import, flume) : 1;
    }
    ps_events_encoder_fini(&import->encoder);
    ps_arena_destroy(import->names);
    ps_segment_writer_close(&writer);
    return code;
}

/* For --dry-run: reads every event and creates nothing. Returns the exit status. */
static int import_try(struct import *import, struct ps_flume_log *flume, struct ps_err *err)
{
    struct ps_flume_event event;
    while (ps_flume_log_next(flume, &event)) {
        import->events++;
        import->bytes += event.body.length;
    }
    return ps_flume_log_end(flume, err) == PS_OK ? print_result(import, flume) : 1;
}

/* Called before anything is created or locked: tests the directories. */
static enum ps_status look_first(struct import *import, struct ps_err *err)
{
    struct ps_channel_command *command = import->command;
    if (command->into != NULL && ps_flume_log_is_directory(command->into))
        return ps_err_set(err, "%s has a file channel of Flume; import into another directory",
                          command->into);
    bool named = command->into != NULL || command->file != NULL || command->data_directories.count > 0;
    enum ps_status status =
        command->dry_run && !named ? PS_OK : ps_channel_name_directories(command, command->into, err);
    if (status == PS_OK)
        status = ps_channel_keys_load(command, err);
    return status == PS_OK && !command->dry_run ? is_new(import, err) : status;
}

int ps_main_channel_import(struct ps_channel_command *command)
{
    struct import import = {.command = command};
    struct ps_err err = {0};
    struct ps_flume_log *flume = NULL;
    struct ps_flume_log_options options = {.directories = command->operands,
                                           .report = ps_channel_report,
                                           .argument = command,
                                           .keys = {ps_channel_flume_key, command}};
    int code = 2;
    if (look_first(&import, &err) == PS_OK)
        flume = ps_flume_log_open(&options, &err);
    if (flume != NULL && command->dry_run)
        code = import_try(&import, flume, &err);
    else if (flume != NULL && are_not_of_flume(command, &err) == PS_OK)
        code = import_run(&import, flume, &err);
    if (err.length > 0)
        ps_channel_say(command, "%s", ps_err_join(&err));
    ps_flume_log_close(flume);
    return code;
}
