/* Finds the directories of a channel and opens it for reading. */
#include "conf/bind.h"
#include "core/durable.h"
#include "conf/conf.h"
#include "conf/java/class_path.h"
#include "conf/java/tools.h"
#include "conf/parts.h"
#include "conf/text.h"
#include "commands/channel/channel.h"
#include "stages/lib/flume_log/directory.h"
#include "stages/lib/queue/segment/events.h"
#include "stages/lib/queue/segment/lock.h"
#include "stages/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void ps_channel_say(const struct ps_channel_command *command, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "penstock channel %s: ", command->name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

void ps_channel_report(void *command, const char *text)
{
    ps_channel_say(command, "%s", text);
}

/* ---- directories ---- */

/* Flume's defaults are below the home directory. */
static const char *home_default(struct ps_arena *arena, const char *name)
{
    const char *home = getenv("HOME");
    return ps_arena_format(arena, "%s/.flume/file-channel/%s", home != NULL ? home : "", name);
}

static enum ps_status from_agent_file(struct ps_channel_command *command, struct ps_err *err)
{
    struct ps_tools_said said = {.asked = false};
    struct ps_command agent = {.arena = command->arena,
                               .agent = command->agent,
                               .files = {1, &command->file},
                               .dry_run = true,
                               .ask_classes = true,
                               .tools = &said};
    struct ps_conf *conf;
    (void)ps_conf_load(&agent, ps_stages, &conf); /* `penstock check` reports its problems */
    const struct ps_conf_channel *channel = ps_conf_channel_named(&conf->agent, command->channel);
    const struct ps_conf_part *part = channel != NULL ? &channel->part : NULL;
    enum ps_status status = PS_OK;
    if (part == NULL) {
        status = ps_err_set(err, "%s: agent %s has no valid channel %s; `penstock check` tells more",
                            command->file, command->agent, command->channel);
    } else if (ps_option_named(part->ops->options, "checkpointDir") == NULL) {
        status = ps_err_set(err,
                            "channel %s is of type %s, which keeps no files of its own: this command looks "
                            "at channels of type file",
                            command->channel, part->ops->name);
    } else {
        const char *checkpoint = ps_channel_value(&part->pairs, "checkpointDir");
        const char *data = ps_channel_value(&part->pairs, "dataDirs");
        command->checkpoint_directory = checkpoint != NULL
                                            ? ps_arena_copy(command->arena, checkpoint, strlen(checkpoint))
                                            : home_default(command->arena, "checkpoint");
        command->data_directories =
            ps_text_split_commas(command->arena, data != NULL ? data : home_default(command->arena, "data"));
        struct ps_class_path *path = ps_class_path_make(command->arena, &agent);
        if (said.asked) /* the key provider is a Java class */
            ps_class_path_complete(path, command->arena, &agent, NULL);
        ps_channel_keys_from(command, &part->pairs, path);
    }
    ps_conf_destroy(conf);
    return status;
}

enum ps_status ps_channel_name_directories(struct ps_channel_command *command, const char *directory,
                                           struct ps_err *err)
{
    if (command->file != NULL)
        return from_agent_file(command, err);
    if (command->checkpoint_directory == NULL)
        command->checkpoint_directory = ps_arena_format(command->arena, "%s/checkpoint", directory);
    if (command->data_directories.count == 0) {
        const char **items = ps_arena_alloc(command->arena, sizeof *items);
        items[0] = ps_arena_format(command->arena, "%s/data", directory);
        command->data_directories = (struct ps_texts){1, items};
    }
    return PS_OK;
}

static enum ps_status is_of_flume(const char *directory, struct ps_err *err)
{
    return ps_err_set(err, "%s has a file channel of Flume; `penstock channel import` reads it", directory);
}

static enum ps_status directory_check(const char *directory, struct ps_err *err)
{
    if (!ps_directory_exists(directory))
        return ps_err_set(
            err, "there is no directory %s; --checkpoint-dir and --data-dirs name the channel's directories",
            directory);
    if (ps_flume_log_is_directory(directory))
        return is_of_flume(directory, err);
    return PS_OK;
}

enum ps_status ps_channel_directories(struct ps_channel_command *command, const char *directory,
                                      struct ps_err *err)
{
    if (directory != NULL && ps_flume_log_is_directory(directory))
        return is_of_flume(directory, err);
    enum ps_status status = ps_channel_name_directories(command, directory, err);
    if (status == PS_OK)
        status = directory_check(command->checkpoint_directory, err);
    for (size_t i = 0; status == PS_OK && i < command->data_directories.count; i++)
        status = directory_check(command->data_directories.items[i], err);
    return status;
}

/* ---- a look ---- */

static void stray_seen(void *argument, const char *text)
{
    struct ps_channel_look *look = argument;
    look->strays =
        ps_must_realloc(look->strays, (look->stray_count + 1) * sizeof *look->strays, "names of files");
    look->strays[look->stray_count++] = ps_arena_text(look->command->arena, text);
}

bool ps_channel_look_open(struct ps_channel_command *command, struct ps_channel_look *look)
{
    struct ps_err err = {0};
    const char *directory = command->operands.count > 0 ? command->operands.items[0] : NULL;
    *look = (struct ps_channel_look){.locks.state = -1, .command = command};
    if (ps_channel_directories(command, directory, &err) != PS_OK ||
        ps_channel_keys_load(command, &err) != PS_OK ||
        !ps_segment_lock_log_shared(&look->locks, command->checkpoint_directory, &command->data_directories,
                                    &err)) {
        ps_channel_say(command, "%s", ps_err_join(&err));
        return false;
    }
    struct ps_segment_options options = {.directories = command->data_directories,
                                         .state_directory = command->checkpoint_directory,
                                         .keys = command->keys,
                                         .plain = true, /* nothing is written */
                                         .files = &ps_segment_disk_read_only,
                                         .stray = stray_seen,
                                         .argument = look};
    ps_segment_survey_state(command->checkpoint_directory, &look->state);
    look->log = ps_segment_log_open(&options, &look->wrong);
    return true;
}

void ps_channel_look_close(struct ps_channel_look *look)
{
    free(look->strays);
    ps_segment_log_close(look->log);
    ps_segment_unlock_log(&look->locks);
}

const char *ps_channel_segment_path(struct ps_arena *arena, const char *directory, uint64_t segment)
{
    return ps_arena_format(arena, "%s/%012llu.segment", directory, (unsigned long long)segment);
}

const char *ps_channel_payload_wrong(const struct ps_survey_frame *frame)
{
    struct ps_events_cursor cursor;
    struct ps_events_item item;
    struct ps_events_field field;
    if (frame->payload == NULL)
        return NULL;
    if (!ps_events_cursor_init(&cursor, frame->payload, frame->payload_length))
        return "its payload is not a frame of events";
    while (ps_events_next_field(&cursor, &field)) {
    }
    while (ps_events_next(&cursor, &item)) {
    }
    bool whole =
        cursor.done == cursor.count && cursor.headers_left == 0 && cursor.count == frame->frame.count;
    ps_events_cursor_fini(&cursor);
    return whole ? NULL : "its events cannot be read";
}
