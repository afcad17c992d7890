/* penstock channel export: events as lines. */
#include "commands/channel/channel.h"
#include "core/array.h"
#include "core/text/base64.h"
#include "core/text/utf8.h"
#include "stages/lib/queue/segment/events.h"
#include "stages/lib/text/json/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- JSON ---- */

static void put_base64(FILE *to, const char *bytes, size_t length)
{
    char *text = ps_must_alloc(length / 3 + 1, 4, "an event");
    fputc('"', to);
    fwrite(text, 1, ps_base64_encode(text, bytes, length), to);
    fputc('"', to);
    free(text);
}

static bool is_text(const char *bytes, size_t length)
{
    return ps_utf8_valid_length(bytes, length) == length && memchr(bytes, 0, length) == NULL;
}

static void put_text(FILE *to, const char *text, size_t length)
{
    char part[PS_JSON_TEXT_GROWTH * 1024];
    fputc('"', to);
    for (size_t at = 0; at < length; at += 1024) {
        size_t take = length - at < 1024 ? length - at : 1024;
        fwrite(part, 1, ps_json_text(text + at, take, part), to);
    }
    fputc('"', to);
}

/* ---- events ---- */

struct export
{
    struct ps_channel_command *command;
    struct ps_events_field *fields; /* the headers that all events of the frame share, then the event's own */
    size_t count, shared, room;
    uint64_t events, damages;
    struct ps_channel_held held;
};

static void field_add(struct export *export, const struct ps_events_field *field)
{
    /* An event's own header overrides one that all events of the frame share. */
    for (size_t i = 0; i < export->count; i++) {
        if (export->fields[i].number != field->number)
            continue;
        export->fields[i] = *field;
        return;
    }
    PS_ARRAY_GROW(export->fields, export->count, export->room, "headers of an event");
    export->fields[export->count++] = *field;
}

static bool field_is_text(const struct ps_events_field *field)
{
    return is_text(field->name, field->name_length) && is_text(field->value, field->value_length);
}

static void put_headers(const struct export *export, FILE *to)
{
    size_t texts = 0, others = 0;
    fputs("{\"headers\":{", to);
    for (size_t i = 0; i < export->count; i++) {
        const struct ps_events_field *field = &export->fields[i];
        if (!field_is_text(field))
            continue;
        if (texts++ > 0)
            fputc(',', to);
        put_text(to, field->name, field->name_length);
        fputc(':', to);
        put_text(to, field->value, field->value_length);
    }
    fputc('}', to);
    for (size_t i = 0; i < export->count; i++) {
        const struct ps_events_field *field = &export->fields[i];
        if (field_is_text(field))
            continue;
        fputs(others++ > 0 ? ",[" : ",\"headers_base64\":[[", to);
        put_base64(to, field->name, field->name_length);
        fputc(',', to);
        put_base64(to, field->value, field->value_length);
        fputc(']', to);
    }
    if (others > 0)
        fputc(']', to);
}

static void put_event(const struct export *export, const struct ps_survey_frame *frame,
                      const struct ps_events_item *item)
{
    if (!export->command->json) {
        fwrite(item->body, 1, item->length, stdout);
        putchar('\n');
        return;
    }
    put_headers(export, stdout);
    if (is_text(item->body, item->length)) {
        fputs(",\"body\":", stdout);
        put_text(stdout, item->body, item->length);
    } else {
        fputs(",\"body_base64\":", stdout);
        put_base64(stdout, item->body, item->length);
    }
    if (export->command->all)
        printf(",\"delivered\":%s", frame->delivered ? "true" : "false");
    puts("}");
}

static const char *frame_seen(void *argument, const struct ps_survey_frame *frame)
{
    struct export *export = argument;
    struct ps_events_cursor cursor;
    struct ps_events_item item;
    struct ps_events_field field;
    const char *wrong = ps_channel_payload_wrong(frame);
    if (wrong != NULL || frame->payload == NULL || (frame->delivered && !export->command->all) ||
        !ps_events_cursor_init(&cursor, frame->payload, frame->payload_length))
        return wrong;
    struct ps_events_field *shared = NULL;
    export->count = 0;
    while (ps_events_next_field(&cursor, &field))
        field_add(export, &field);
    export->shared = export->count;
    if (export->shared > 0) {
        shared = ps_must_alloc(export->shared, sizeof *shared, "headers of a frame");
        memcpy(shared, export->fields, export->shared * sizeof *shared);
    }
    while (ps_events_next(&cursor, &item)) {
        export->count = export->shared;
        if (export->shared > 0)
            memcpy(export->fields, shared, export->shared * sizeof *shared);
        while (ps_events_next_field(&cursor, &field))
            field_add(export, &field);
        put_event(export, frame, &item);
        export->events++;
    }
    free(shared);
    ps_events_cursor_fini(&cursor);
    return NULL;
}

static void damage_seen(void *argument, const struct ps_survey_damage *damage)
{
    struct export *export = argument;
    if (damage->unfinished || (damage->first == 0 && !damage->unsure))
        return;
    export->damages++;
    const char *path = ps_channel_segment_path(export->command->arena, damage->directory, damage->segment);
    if (damage->first > 0 && damage->first == damage->last)
        ps_channel_say(export->command, "%s, byte %llu: %s; the events of frame %llu are left out", path,
                       (unsigned long long)damage->offset, damage->reason, (unsigned long long)damage->first);
    else if (damage->first > 0)
        ps_channel_say(export->command, "%s, byte %llu: %s; the events of frames %llu to %llu are left out",
                       path, (unsigned long long)damage->offset, damage->reason,
                       (unsigned long long)damage->first, (unsigned long long)damage->last);
    else
        ps_channel_say(export->command, "%s, byte %llu: %s; events that were there are left out", path,
                       (unsigned long long)damage->offset, damage->reason);
}

static void segment_seen(void *argument, const struct ps_survey_segment *segment)
{
    struct export *export = argument;
    (void)ps_channel_held_seen(&export->held, segment);
}

int ps_main_channel_export(struct ps_channel_command *command)
{
    struct export export = {.command = command};
    const struct ps_survey_visitor visitor = {
        .argument = &export, .frame = frame_seen, .damage = damage_seen, .segment = segment_seen};
    struct ps_channel_look look;
    if (!ps_channel_look_open(command, &look))
        return 2;
    int code = 0;
    if (look.log == NULL) {
        ps_channel_say(command, "%s", ps_err_join(&look.wrong));
        code = 2;
    } else {
        for (size_t i = 0; i < look.stray_count; i++)
            ps_channel_say(command, "%s", look.strays[i]);
        ps_segment_survey(look.log, &visitor);
        ps_channel_held_print(command, &export.held, stderr);
        code = export.damages > 0 || export.held.segments > 0 ? 1 : 0;
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        ps_channel_say(command, "standard output: %s", strerror(errno));
        code = 1;
    }
    free(export.fields);
    ps_channel_look_close(&look);
    return code;
}
