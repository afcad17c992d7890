#include "stages/lib/encryption/key/class.h"

#include "core/arena.h"
#include "stages/lib/java/ask.h"

struct loading {
    struct ps_key_ring *ring;
    const struct ps_texts *names;
    enum ps_status status;
    struct ps_err *err;
};

static void on_key(void *argument, size_t index, const struct ps_java_answer *answer)
{
    struct loading *loading = argument;
    const char *name = loading->names->items[index];
    if (loading->status != PS_OK)
        return;
    if (answer->bytes != NULL)
        loading->status = ps_key_ring_add(loading->ring, name, answer->bytes, answer->length, loading->err);
    else
        loading->status =
            ps_err_set(loading->err, "it has no key %s%s%s", name, answer->failure != NULL ? ": " : "",
                       answer->failure != NULL ? answer->failure : "");
}

/* Returns all keys below `encryption.keyProvider.`, as the configuration has them. */
static struct ps_pairs settings_of(const struct ps_key_source *source, struct ps_arena *arena)
{
    struct ps_pair *items =
        ps_arena_alloc(arena, (source->settings.count + source->properties.count + 3) * sizeof *items);
    size_t count = 0;
    for (size_t i = 0; i < source->settings.count; i++)
        items[count++] = source->settings.items[i];
    for (size_t i = 0; i < source->properties.count; i++)
        items[count++] =
            (struct ps_pair){.key = ps_arena_format(arena, "keys.%s", source->properties.items[i].key),
                             .value = source->properties.items[i].value};
    const char *names = "";
    for (size_t i = 0; i < source->names.count; i++)
        names = ps_arena_format(arena, "%s%s%s", names, i > 0 ? " " : "", source->names.items[i]);
    items[count++] = (struct ps_pair){.key = "keys", .value = names};
    if (source->store_file != NULL)
        items[count++] = (struct ps_pair){.key = "keyStoreFile", .value = source->store_file};
    if (source->store_password_file != NULL)
        items[count++] =
            (struct ps_pair){.key = "keyStorePasswordFile", .value = source->store_password_file};
    return (struct ps_pairs){count, items};
}

enum ps_status ps_key_class_load(struct ps_key_ring *ring, const struct ps_key_source *source,
                                 struct ps_err *err)
{
    struct ps_err reason = {.length = 0};
    struct loading loading = {.ring = ring, .names = &source->names, .status = PS_OK, .err = &reason};
    if (source->class_path == NULL)
        return ps_err_set(err,
                          "the key provider %s is a Java class, and this command does not run Java classes",
                          source->provider);
    struct ps_arena *arena = ps_arena_create();
    enum ps_status status = ps_java_ask(source->class_path,
                                        &(struct ps_java_question){.kind = "key provider",
                                                                   .class_name = source->provider,
                                                                   .name = "",
                                                                   .settings = settings_of(source, arena),
                                                                   .asked = source->names},
                                        on_key, &loading, &reason);
    ps_arena_destroy(arena);
    if (status == PS_OK && loading.status == PS_OK)
        return PS_OK;
    return ps_err_set(err, "the key provider %s: %s", source->provider, reason.text);
}
