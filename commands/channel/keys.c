/* Reads the keys of an encrypted channel from --key or from the agent file. */
#include "conf/text.h"
#include "commands/channel/channel.h"
#include "commands/dumpable.h"
#include "core/quantity.h"

#include <string.h>

/* If a key has several values, the last one counts, because Flume's context is a map. */
const char *ps_channel_value(const struct ps_pairs *pairs, const char *key)
{
    const char *value = NULL;
    for (size_t i = 0; i < pairs->count; i++)
        if (strcmp(pairs->items[i].key, key) == 0)
            value = pairs->items[i].value;
    return value;
}

bool ps_channel_key_add(struct ps_channel_command *command, const char *argument)
{
    struct ps_key_source *source = &command->key_source;
    const char *equals = strchr(argument, '=');
    if (equals == NULL || equals == argument || equals[1] == '\0')
        return false;
    const char *name = ps_arena_copy(command->arena, argument, (size_t)(equals - argument));
    source->provider = "KEYFILE";
    ps_texts_add(command->arena, &source->names, name);
    ps_pairs_add(
        command->arena, &source->properties,
        (struct ps_pair){.key = ps_arena_format(command->arena, "%s.keyFile", name), .value = equals + 1});
    if (command->active_key == NULL)
        command->active_key = name;
    return true;
}

static const char *text_of(const struct ps_channel_command *command, const struct ps_pairs *pairs,
                           const char *key)
{
    const char *value = ps_channel_value(pairs, key);
    return value != NULL ? ps_arena_text(command->arena, value) : NULL;
}

/* Returns the keys below `encryption.keyProvider.` that only a Java class has. */
static struct ps_pairs class_settings(const struct ps_channel_command *command, const struct ps_pairs *pairs)
{
    static const char prefix[] = "encryption.keyProvider.";
    static const char *const others[] = {"keys", "keyStoreFile", "keyStorePasswordFile"};
    struct ps_pair *items = ps_arena_alloc(command->arena, (pairs->count + 1) * sizeof *items);
    size_t count = 0;
    for (size_t i = 0; i < pairs->count; i++) {
        const char *key = pairs->items[i].key + sizeof prefix - 1;
        if (!ps_text_begins(pairs->items[i].key, prefix) || ps_text_begins(key, "keys."))
            continue;
        bool known = false;
        for (size_t j = 0; j < PS_COUNT_OF(others); j++)
            known |= strcmp(key, others[j]) == 0;
        if (!known)
            items[count++] = (struct ps_pair){.key = ps_arena_text(command->arena, key),
                                              .value = ps_arena_text(command->arena, pairs->items[i].value)};
    }
    return (struct ps_pairs){count, items};
}

void ps_channel_keys_from(struct ps_channel_command *command, const struct ps_pairs *pairs,
                          const struct ps_class_path *path)
{
    static const char prefix[] = "encryption.keyProvider.keys.";
    const char *names = ps_channel_value(pairs, "encryption.keyProvider.keys");
    const char *active = ps_channel_value(pairs, "encryption.activeKey");
    struct ps_pair *items = ps_arena_alloc(command->arena, (pairs->count + 1) * sizeof *items);
    size_t count = 0;
    for (size_t i = 0; i < pairs->count; i++)
        if (strncmp(pairs->items[i].key, prefix, sizeof prefix - 1) == 0)
            items[count++] = (struct ps_pair){
                .key = ps_arena_text(command->arena, pairs->items[i].key + sizeof prefix - 1),
                .value = ps_arena_text(command->arena, pairs->items[i].value)};
    command->key_source = (struct ps_key_source){
        .provider = text_of(command, pairs, "encryption.keyProvider"),
        .names = ps_text_split_blanks(command->arena, names != NULL ? names : ""),
        .properties = {count, items},
        .store_file = text_of(command, pairs, "encryption.keyProvider.keyStoreFile"),
        .store_password_file = text_of(command, pairs, "encryption.keyProvider.keyStorePasswordFile"),
        .settings = class_settings(command, pairs),
        .class_path = path};
    command->plain = active != NULL && strcmp(active, "NONE") == 0;
    command->active_key = active != NULL && !command->plain ? ps_arena_text(command->arena, active) : NULL;
    ps_key_source_complete(&command->key_source, command->active_key, command->arena);
}

enum ps_status ps_channel_keys_load(struct ps_channel_command *command, struct ps_err *err)
{
    if (command->key_source.provider == NULL || command->keys != NULL)
        return PS_OK;
    ps_process_set_dumpable(false);
    command->keys = ps_key_source_load(&command->key_source, err);
    return command->keys != NULL ? PS_OK : PS_FAIL;
}

bool ps_channel_held_seen(struct ps_channel_held *held, const struct ps_survey_segment *segment)
{
    if (!segment->held || segment->open_events == 0)
        return false;
    held->segments++;
    held->events += segment->held_events;
    snprintf(held->key, sizeof held->key, "%s", segment->key);
    return true;
}

void ps_channel_held_print(const struct ps_channel_command *command, const struct ps_channel_held *held,
                           FILE *to)
{
    if (held->segments == 0)
        return;
    fprintf(to,
            "%s %s in %s %s %s encrypted and %s not read: the command has no key for %s, or a wrong one. The "
            "latest of these segments is encrypted with key %s: give that key with %s\n",
            ps_quantity_print_count(held->events).text, ps_quantity_word(held->events, "event", "events"),
            ps_quantity_print_count(held->segments).text,
            ps_quantity_word(held->segments, "segment", "segments"),
            ps_quantity_word(held->events, "is", "are"), ps_quantity_word(held->events, "was", "were"),
            ps_quantity_word(held->events, "it", "them"), held->key,
            command->file != NULL ? "encryption.keyProvider.keys of the channel" : "--key NAME=FILE");
}
