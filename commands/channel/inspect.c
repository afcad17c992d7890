/* penstock channel inspect and verify. */
#include "commands/channel/channel.h"
#include "core/quantity.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

struct report {
    struct ps_channel_command *command;
    json_t *segments, *damaged;           /* arrays */
    uint64_t frames, events, event_bytes; /* on the disk */
    uint64_t open_frames, open_events, open_bytes;
    uint64_t segment_count, file_bytes;
    uint64_t damages, unfinished, lost_frames;
    struct ps_channel_held held;
};

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* ---- what the survey finds ---- */

static const char *frame_seen(void *argument, const struct ps_survey_frame *frame)
{
    struct report *report = argument;
    report->frames++;
    report->events += frame->frame.count;
    report->event_bytes += frame->frame.bytes;
    if (!frame->delivered) {
        report->open_frames++;
        report->open_events += frame->frame.count;
        report->open_bytes += frame->frame.bytes;
    }
    return ps_channel_payload_wrong(frame);
}

static void damage_add(struct report *report, const char *file, const struct ps_survey_damage *damage)
{
    json_t *item = json_pack("{s:s, s:I, s:I, s:s}", "file", file, "byte", (json_int_t)damage->offset,
                             "bytes", (json_int_t)damage->length, "reason", damage->reason);
    json_object_set_new(item, "unfinished", json_boolean(damage->unfinished));
    if (damage->first > 0) {
        json_object_set_new(item, "first_lost_frame", number(damage->first));
        json_object_set_new(item, "last_lost_frame", number(damage->last));
        report->lost_frames += damage->last - damage->first + 1;
    }
    json_array_append_new(report->damaged, item);
    report->damages += damage->unfinished ? 0 : 1;
    report->unfinished += damage->unfinished ? 1 : 0;
}

static void damage_seen(void *argument, const struct ps_survey_damage *damage)
{
    struct report *report = argument;
    damage_add(report, ps_channel_segment_path(report->command->arena, damage->directory, damage->segment),
               damage);
}

static void segment_seen(void *argument, const struct ps_survey_segment *segment)
{
    struct report *report = argument;
    json_t *item = json_object();
    json_object_set_new(
        item, "file",
        json_string(ps_channel_segment_path(report->command->arena, segment->directory, segment->number)));
    json_object_set_new(item, "bytes", number(segment->bytes));
    json_object_set_new(item, "readable", json_boolean(segment->readable || segment->unused));
    json_object_set_new(item, "first_frame", number(segment->frames > 0 ? segment->first : 0));
    json_object_set_new(item, "last_frame", number(segment->last));
    json_object_set_new(item, "events", number(segment->events));
    json_object_set_new(item, "undelivered_events", number(segment->open_events));
    json_object_set_new(item, "ended", json_boolean(segment->ended));
    if (segment->key != NULL)
        json_object_set_new(item, "key", json_string(segment->key));
    json_object_set_new(item, "held", json_boolean(ps_channel_held_seen(&report->held, segment)));
    json_array_append_new(report->segments, item);
    report->segment_count++;
    report->file_bytes += segment->bytes;
}

/* Reports the state, which has two slots. One of them is always valid. */
static void state_seen(struct report *report, const struct ps_survey_state *state)
{
    const char *file =
        ps_arena_format(report->command->arena, "%s/state", report->command->checkpoint_directory);
    for (unsigned i = 0; i < 2; i++) {
        struct ps_survey_damage damage = {
            .offset = i * (uint64_t)PS_STATE_SLOT_BYTES,
            .length = PS_STATE_SLOT_BYTES,
            .reason = state->generation > 0 ? "a slot of the state is damaged; the other one is valid"
                                            : "no slot of the state can be read: what was delivered "
                                              "since the segments began may be delivered again"};
        if (state->slots[i] == PS_SURVEY_DAMAGED)
            damage_add(report, file, &damage);
    }
}

/* A log writes its state before its first segment. This function reports that segments exist although no slot was
 * ever written. */
static void state_missing(struct report *report, const struct ps_survey_state *state)
{
    const struct ps_survey_damage damage = {
        .length = 2 * (uint64_t)PS_STATE_SLOT_BYTES,
        .reason = "the state is not there, or is empty: what was delivered since the segments began may be "
                  "delivered again"};
    if (report->segment_count > 0 && state->slots[0] == PS_SURVEY_EMPTY && state->slots[1] == PS_SURVEY_EMPTY)
        damage_add(report,
                   ps_arena_format(report->command->arena, "%s/state", report->command->checkpoint_directory),
                   &damage);
}

static void look_at(struct report *report, struct ps_channel_look *look)
{
    const struct ps_survey_visitor visitor = {.argument = report,
                                              .heads_only = report->command->quick,
                                              .frame = frame_seen,
                                              .damage = damage_seen,
                                              .segment = segment_seen};
    report->segments = json_array();
    report->damaged = json_array();
    state_seen(report, &look->state);
    if (look->log != NULL)
        ps_segment_survey(look->log, &visitor);
    state_missing(report, &look->state);
}

/* ---- text ---- */

static struct ps_quantity_text count_of(const json_t *item, const char *name)
{
    return ps_quantity_print_count((uint64_t)json_integer_value(json_object_get(item, name)));
}

/* "frame 3", "frames 3 to 7" */
static const char *frames_text(const struct report *report, json_int_t first, json_int_t last)
{
    return first == last
               ? ps_arena_format(report->command->arena, "frame %" JSON_INTEGER_FORMAT, first)
               : ps_arena_format(report->command->arena,
                                 "frames %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT, first, last);
}

static void print_segments(const struct report *report)
{
    size_t i;
    json_t *item;
    json_array_foreach(report->segments, i, item)
    {
        json_int_t first = json_integer_value(json_object_get(item, "first_frame"));
        json_int_t last = json_integer_value(json_object_get(item, "last_frame"));
        const char *key = json_string_value(json_object_get(item, "key"));
        printf("  %s  %s", json_string_value(json_object_get(item, "file")),
               ps_quantity_print_bytes((uint64_t)json_integer_value(json_object_get(item, "bytes"))).text);
        if (key != NULL)
            printf(", encrypted with key %s", key);
        if (!json_is_true(json_object_get(item, "readable")))
            puts(", cannot be read");
        else if (last == 0)
            puts(", no events");
        else
            printf(", %s, %s %s, %s not delivered\n", frames_text(report, first, last),
                   count_of(item, "events").text,
                   ps_quantity_word((uint64_t)json_integer_value(json_object_get(item, "events")), "event",
                                    "events"),
                   count_of(item, "undelivered_events").text);
    }
}

static void print_damages(const struct report *report, FILE *to)
{
    size_t i;
    json_t *item;
    json_array_foreach(report->damaged, i, item)
    {
        fprintf(to, "%s, byte %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT " bytes: %s",
                json_string_value(json_object_get(item, "file")),
                json_integer_value(json_object_get(item, "byte")),
                json_integer_value(json_object_get(item, "bytes")),
                json_string_value(json_object_get(item, "reason")));
        json_int_t first = json_integer_value(json_object_get(item, "first_lost_frame"));
        json_int_t last = json_integer_value(json_object_get(item, "last_lost_frame"));
        if (first > 0)
            fprintf(to, "; the events of %s are lost", frames_text(report, first, last));
        fputc('\n', to);
    }
}

static void print_strays(const struct ps_channel_look *look, const char *label)
{
    for (size_t i = 0; i < look->stray_count; i++)
        printf("%s%s\n", label, look->strays[i]);
}

static const char *cannot_be_opened(struct ps_channel_look *look)
{
    return look->log == NULL ? ps_err_join(&look->wrong) : NULL;
}

static void print_inspect(const struct report *report, struct ps_channel_look *look)
{
    const char *wrong = cannot_be_opened(look);
    printf("state      %s, generation %" PRIu64 "\n", report->command->checkpoint_directory,
           look->state.generation);
    for (size_t i = 0; i < report->command->data_directories.count; i++)
        printf("%s%s\n", i == 0 ? "data       " : "           ", report->command->data_directories.items[i]);
    if (wrong != NULL) {
        printf("the channel cannot be opened: %s\n`penstock channel repair` sets aside the files that are in "
               "the way.\n",
               wrong);
        return;
    }
    printf("waiting    %s %s, %s of bodies, in %s %s\n", ps_quantity_print_count(report->open_events).text,
           ps_quantity_word(report->open_events, "event", "events"),
           ps_quantity_print_bytes(report->open_bytes).text,
           ps_quantity_print_count(report->open_frames).text,
           ps_quantity_word(report->open_frames, "frame", "frames"));
    printf("on disk    %s %s in %s %s, %s\n", ps_quantity_print_count(report->events).text,
           ps_quantity_word(report->events, "event", "events"),
           ps_quantity_print_count(report->segment_count).text,
           ps_quantity_word(report->segment_count, "segment", "segments"),
           ps_quantity_print_bytes(report->file_bytes).text);
    print_segments(report);
    print_strays(look, "other      ");
    if (report->held.segments > 0)
        fputs("no key     ", stdout);
    ps_channel_held_print(report->command, &report->held, stdout);
    printf("damaged    %s %s\n", ps_quantity_print_count(report->damages).text,
           ps_quantity_word(report->damages, "record", "records"));
    print_damages(report, stdout);
}

/* ---- JSON ---- */

static void print_json(struct report *report, struct ps_channel_look *look, bool segments)
{
    json_t *root = json_object(), *data = json_array();
    for (size_t i = 0; i < report->command->data_directories.count; i++)
        json_array_append_new(data, json_string(report->command->data_directories.items[i]));
    json_object_set_new(root, "checkpoint_directory", json_string(report->command->checkpoint_directory));
    json_object_set_new(root, "data_directories", data);
    json_object_set_new(root, "generation", number(look->state.generation));
    json_object_set_new(root, "undelivered_events", number(report->open_events));
    json_object_set_new(root, "undelivered_bytes", number(report->open_bytes));
    json_object_set_new(root, "events", number(report->events));
    json_object_set_new(root, "frames", number(report->frames));
    json_object_set_new(root, "file_bytes", number(report->file_bytes));
    if (segments)
        json_object_set(root, "segments", report->segments);
    json_object_set(root, "damaged", report->damaged);
    json_object_set_new(root, "lost_frames", number(report->lost_frames));
    json_object_set_new(root, "unreadable_for_want_of_key", number(report->held.events));
    json_t *skipped = json_array();
    for (size_t i = 0; i < look->stray_count; i++)
        json_array_append_new(skipped, json_string(look->strays[i]));
    json_object_set_new(root, "skipped", skipped);
    if (look->log == NULL)
        json_object_set_new(root, "cannot_be_opened", json_string(cannot_be_opened(look)));
    json_dumpf(root, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    putchar('\n');
    json_decref(root);
}

/* ---- the commands ---- */

int ps_main_channel_inspect(struct ps_channel_command *command)
{
    struct report report = {.command = command};
    struct ps_channel_look look;
    if (!ps_channel_look_open(command, &look))
        return 2;
    look_at(&report, &look);
    if (command->json)
        print_json(&report, &look, true);
    else
        print_inspect(&report, &look);
    bool fine = look.log != NULL && report.damages == 0;
    json_decref(report.segments);
    json_decref(report.damaged);
    ps_channel_look_close(&look);
    return fine ? 0 : 1;
}

int ps_main_channel_verify(struct ps_channel_command *command)
{
    struct report report = {.command = command};
    struct ps_channel_look look;
    if (!ps_channel_look_open(command, &look))
        return 2;
    look_at(&report, &look);
    const char *wrong = cannot_be_opened(&look);
    if (command->json) {
        print_json(&report, &look, false);
    } else {
        print_strays(&look, "");
        print_damages(&report, stdout);
        if (wrong != NULL)
            printf("the channel cannot be opened: %s\n", wrong);
        else
            printf("%s %s, %s %s, %s %s: ", ps_quantity_print_count(report.segment_count).text,
                   ps_quantity_word(report.segment_count, "segment", "segments"),
                   ps_quantity_print_count(report.frames).text,
                   ps_quantity_word(report.frames, "frame", "frames"),
                   ps_quantity_print_count(report.events).text,
                   ps_quantity_word(report.events, "event", "events"));
        if (wrong == NULL && report.damages == 0)
            puts(report.held.segments > 0 ? "nothing is damaged as far as it can be read"
                                          : "all of it can be read");
        else if (wrong == NULL)
            printf("%s %s damaged\n", ps_quantity_print_count(report.damages).text,
                   ps_quantity_word(report.damages, "record is", "records are"));
        ps_channel_held_print(command, &report.held, stdout);
    }
    json_decref(report.segments);
    json_decref(report.damaged);
    ps_channel_look_close(&look);
    return wrong == NULL && report.damages == 0 && report.held.segments == 0 ? 0 : 1;
}
