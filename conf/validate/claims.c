/* See check.h. */
#include "conf/validate/check.h"

#include "conf/validate/clash.h"
#include "conf/parts.h"
#include "conf/properties/properties.h"
#include "core/array.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct owner {
    const struct ps_conf_part *part;
    struct ps_claim claim; /* its path is resolved */
};

struct owners {
    struct ps_conf *conf;
    struct owner adding; /* the component whose claims are being added */
    struct owner *items; /* malloc'ed */
    size_t count, room;
    bool reported; /* the clash of `adding` was reported */
};

/* Resolves the symbolic links of the part of a path that exists; the rest follows without repeated or trailing
 * slashes. */
static const char *resolve(struct ps_arena *arena, const char *path)
{
    char *rest = ps_arena_text(arena, path), real[PATH_MAX];
    const char *tail = "";
    while (realpath(rest, real) == NULL) {
        char *slash = strrchr(rest, '/');
        if (slash == NULL)
            return ps_arena_format(arena, "%s%s", rest, tail);
        if (slash[1] != '\0')
            tail = ps_arena_format(arena, "%s%s", slash, tail);
        if (slash == rest)
            return tail;
        *slash = '\0';
    }
    return ps_arena_format(arena, "%s%s", strcmp(real, "/") == 0 && tail[0] != '\0' ? "" : real, tail);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Returns whether one part of the component names the same path twice for one purpose, perhaps through a link. */
static bool is_twice(const struct owner *a, const struct owner *b)
{
    return a->part == b->part && strcmp(a->claim.key, b->claim.key) == 0 &&
           strcmp(a->claim.path, b->claim.path) == 0 && same_text(a->claim.part, b->claim.part);
}

static bool conflict(const struct owner *a, const struct owner *b)
{
    bool is_kind = a->part->ops == b->part->ops ||
                   (a->part->ops->kind == PS_KIND_CHANNEL && b->part->ops->kind == PS_KIND_CHANNEL);
    return a->part != b->part && is_kind && strcmp(a->claim.key, b->claim.key) == 0 &&
           strcmp(a->claim.path, b->claim.path) == 0 && same_text(a->claim.part, b->claim.part);
}

/* Reports a component that would lock, or write, its own path: `check` refuses it. */
static void report_twice(struct ps_conf *conf, const struct owner *owner)
{
    ps_problem_add(&conf->problems, PS_SEVERITY_ERROR,
                   ps_conf_part_place(conf, owner->part, owner->claim.key), "name it once",
                   "%s names %s twice, perhaps by a link", owner->part->label, owner->claim.path);
    ps_problem_mistake(&conf->problems, PS_MISTAKE_CAUSE);
}

static void report(struct ps_conf *conf, const struct owner *owner, const struct owner *earlier)
{
    const struct ps_clash clash = {.part = owner->part,
                                   .key = owner->claim.key,
                                   .other = earlier->part,
                                   .other_key = earlier->claim.key,
                                   .cure = owner->claim.cure};
    ps_clash_report(conf, &clash,
                    ps_arena_format(conf->arena, "%s %s %s, as %s does", owner->part->label, owner->claim.use,
                                    owner->claim.path, earlier->part->label));
}

static void add_claim(void *argument, const struct ps_claim *claim)
{
    struct owners *owners = argument;
    PS_ARRAY_GROW(owners->items, owners->count, owners->room, "the paths of the configuration");
    struct owner *owner = &owners->items[owners->count++];
    *owner = owners->adding;
    owner->claim = *claim;
    owner->claim.path = resolve(owners->conf->arena, claim->path);
    for (size_t i = 0; i + 1 < owners->count && !owners->reported; i++) {
        bool twice = is_twice(&owners->items[i], owner);
        if (!twice && !conflict(&owners->items[i], owner))
            continue;
        if (twice)
            report_twice(owners->conf, owner);
        else
            report(owners->conf, owner, &owners->items[i]);
        owners->reported = true;
    }
}

static void add_claims(struct owners *owners, const struct ps_conf_part *part)
{
    struct ps_conf *conf = owners->conf;
    const struct ps_context context = {.agent = conf->agent.name,
                                       .component = part->label,
                                       .name = part->name,
                                       .arena = conf->arena,
                                       .system_property = ps_conf_system_property,
                                       .read_properties = ps_properties_read,
                                       .argument = conf};
    owners->adding = (struct owner){.part = part};
    owners->reported = false;
    if (part->ops->claims != NULL)
        part->ops->claims(part->plan, &context, add_claim, owners);
}

void ps_check_claims(struct ps_conf *conf)
{
    struct owners owners = {.conf = conf};
    const struct ps_conf_part *part;
    for (size_t i = 0; (part = ps_conf_part_at(&conf->agent, i)) != NULL; i++)
        add_claims(&owners, part);
    free(owners.items);
}
