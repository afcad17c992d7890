/* Java properties that belong to no agent: a file that a component names (ps_context.read_properties), or the file of
 * a client. */
#include "conf/file.h"
#include "conf/properties/properties.h"

enum ps_status ps_properties_parse(struct ps_arena *arena, const char *name, const char *bytes, size_t length,
                                   struct ps_pairs *pairs, struct ps_err *err)
{
    struct ps_problems problems;
    struct ps_properties properties;
    ps_problems_init(&problems, arena);
    ps_properties_init(&properties, arena);
    enum ps_status status = ps_properties_load(&properties, name, bytes, length, &problems);
    if (status != PS_OK)
        ps_err_set(err, "%s",
                   problems.count > 0 ? ps_problem_text(arena, &problems.items[problems.count - 1]) : name);
    struct ps_pair *items = ps_arena_alloc(arena, (properties.count + 1) * sizeof *items);
    const char *file = ps_arena_text(arena, name);
    for (size_t i = 0; i < properties.count; i++) {
        const struct ps_property *property = &properties.items[i];
        items[i] = (struct ps_pair){
            .key = property->key, .value = property->value, .file = file, .line = property->line};
    }
    *pairs = (struct ps_pairs){properties.count, items};
    ps_properties_fini(&properties);
    ps_problems_fini(&problems);
    return status;
}

enum ps_status ps_properties_read(struct ps_arena *arena, const char *path, struct ps_pairs *pairs,
                                  struct ps_err *err)
{
    struct ps_file file;
    if (ps_file_read(path, PS_PROPERTIES_BYTES_MAX, &file, err) != PS_OK)
        return PS_FAIL;
    enum ps_status status = ps_properties_parse(arena, path, file.bytes, file.length, pairs, err);
    ps_file_free(&file);
    return status;
}
