/* See java.h. */
#include "conf/validate/java.h"

#include "conf/java/class_path.h"
#include "conf/java/classes.h"
#include "conf/java/misplaced.h"
#include "conf/java/runtime.h"
#include "conf/java/unread.h"
#include "conf/text.h"
#include "conf/validate/types.h"
#include "stages/lib/java/class_path.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#define FLUME "org.apache.flume."

/* The interface that Flume requires of a class for a component of this kind. */
static const char *const targets[] = {
    [PS_KIND_SOURCE] = FLUME "Source",
    [PS_KIND_INTERCEPTOR] = FLUME "interceptor.Interceptor$Builder",
    [PS_KIND_SELECTOR] = FLUME "ChannelSelector",
    [PS_KIND_CHANNEL] = FLUME "Channel",
    [PS_KIND_SINK] = FLUME "Sink",
    [PS_KIND_SERIALIZER] = FLUME "serialization.EventSerializer$Builder",
    [PS_KIND_DESERIALIZER] = FLUME "serialization.EventDeserializer$Builder",
    [PS_KIND_PROCESSOR] = PS_JAVA_SINK_PROCESSOR,
};

struct java_type {
    const struct ps_component_maker *maker;
    const char *word;   /* name of the kind: "source" */
    const char *target; /* the interface that the class must have */
    struct ps_place place;
    struct ps_classes *classes;
    const char *name; /* of the class */
    struct ps_class class;
};

/* Returns the classes of the class path. They are searched, and Hadoop and HBase are asked for their class paths,
 * only if a configuration names a class. */
static struct ps_classes *classes_of(const struct ps_component_maker *maker)
{
    struct ps_conf *conf = maker->conf;
    if (conf->classes == NULL) {
        ps_class_path_complete(conf->class_path, conf->plan_arena, conf->command, &conf->problems);
        conf->classes = ps_classes_open(&conf->class_path->entries);
    }
    return conf->classes;
}

static bool is_empty(const struct ps_classes *classes)
{
    return ps_classes_jars(classes) == 0 && ps_classes_folders(classes) == 0;
}

static bool has_jars(const char *folder)
{
    bool has = false;
    DIR *entries = opendir(folder);
    if (entries == NULL)
        return errno != ENOENT && errno != ENOTDIR; /* report_blocked has the reason */
    for (const struct dirent *entry; !has && (entry = readdir(entries)) != NULL;)
        has = ps_classes_is_jar(entry->d_name);
    closedir(entries);
    return has;
}

/* Returns why FLUME_HOME cannot be Flume's folder, or NULL if it can, or is not set. */
static const char *home_lacks(const struct ps_component_maker *maker)
{
    const char *home = ps_command_variable(maker->conf->command, "FLUME_HOME");
    if (home == NULL || *home == '\0' || has_jars(ps_arena_format(maker->arena, "%s/lib", home)))
        return NULL;
    return ps_arena_format(maker->arena, "FLUME_HOME is %s, and %s/lib has no jars", home, home);
}

/* Returns "7 jars of the class path", or "7 jars and 1 folder of the class path", and what is wrong with FLUME_HOME. */
static const char *searched(const struct ps_component_maker *maker)
{
    size_t jars = ps_classes_jars(maker->conf->classes), folders = ps_classes_folders(maker->conf->classes);
    const char *text = ps_arena_format(maker->arena, "%zu jar%s", jars, jars == 1 ? "" : "s");
    if (folders > 0)
        text = ps_arena_format(maker->arena, "%s and %zu folder%s", text, folders, folders == 1 ? "" : "s");
    const char *lacks = home_lacks(maker);
    return ps_arena_format(maker->arena, "%s of the class path%s%s%s", text, lacks != NULL ? " (" : "",
                           lacks != NULL ? lacks : "", lacks != NULL ? ")" : "");
}

/* ---- places that could not be read ---- */

/* Returns the first place of the class path that could not be read now, with the reason; NULL: all were read. */
static const char *blocked(const struct ps_component_maker *maker, int *error)
{
    const char *place = ps_classes_blocked(classes_of(maker), error);
    if (place != NULL || maker->conf->class_path->blocked == NULL)
        return place;
    *error = maker->conf->class_path->error;
    return maker->conf->class_path->blocked;
}

/* Reports a class that was not found and may be in a place that could not be read: this is an error, because Flume
 * might have the class, so no component may be dropped for it. Returns false when all places were read. */
static bool report_blocked(const struct java_type *type, const char *name)
{
    int error;
    const char *place = blocked(type->maker, &error);
    if (place != NULL)
        ps_problem_add(&type->maker->conf->problems, PS_SEVERITY_ERROR, type->place, ps_unread_cure(error),
                       "it is not known whether the class path has `%s`: %s", name, place);
    return place != NULL;
}

/* ---- a class that is there ---- */

static enum ps_java_answer report(const struct java_type *type, enum ps_severity severity, const char *cure,
                                  const char *what)
{
    ps_problem_add(&type->maker->conf->problems, severity, type->place, cure, "the class `%s` of %s %s",
                   type->name, type->class.place, what);
    return PS_JAVA_REPORTED;
}

/* Returns the kind of component that the class is instead ("a source"), or NULL. */
static const char *other_kind(const struct java_type *type)
{
    const char *missing;
    for (unsigned kind = 0; kind < PS_COUNT_OF(targets); kind++)
        if (targets[kind] != NULL && ps_classes_is_a(type->classes, &type->class, targets[kind], &missing))
            return ps_kind_word((enum ps_kind)kind);
    return NULL;
}

/* Reports a class that Flume cannot use as this kind either. */
static enum ps_java_answer report_wrong_kind(const struct java_type *type, const char *missing)
{
    struct ps_arena *arena = type->maker->arena;
    const char *target = type->target;
    const char *other = other_kind(type);
    const char *builder = ps_arena_format(arena, "%s$Builder", type->name);
    struct ps_class class;
    if (strchr(target, '$') != NULL && ps_classes_find(type->classes, builder, &class))
        return report(type, PS_SEVERITY_DROPPED, ps_arena_format(arena, "write %s", builder),
                      ps_arena_format(arena, "is not %s, which is what Flume loads", target));
    if (other == NULL && missing != NULL)
        return report(type, PS_SEVERITY_DROPPED,
                      ps_text_begins(missing, FLUME) ? PS_JAVA_SET_HOME
                                                     : "put the jar that has it on the class path as well",
                      ps_arena_format(arena, "extends or implements `%s`, which is in none of the %s",
                                      missing, searched(type->maker)));
    const char *nearest = ps_classes_nearest(type->classes, type->name, target);
    const char *cure = NULL;
    if (nearest != NULL)
        cure = ps_arena_format(arena, "did you mean %s?", nearest);
    else if (other != NULL)
        cure = ps_arena_format(
            arena, "use it for a component of that kind, and name a class that implements %s here", target);
    return report(type, PS_SEVERITY_DROPPED, cure,
                  ps_arena_format(arena, "cannot be used as the %s: it does not implement %s%s%s", type->word,
                                  target, other != NULL ? "; it is another kind: " : "",
                                  other != NULL ? other : ""));
}

/* Returns why the class cannot be instantiated, and sets `*cure`; NULL: it can be. */
static const char *not_instantiable(const struct ps_class_file *file, const char **cure)
{
    *cure = NULL;
    if (file->is_interface)
        return "is an interface, not a class that can be used";
    if (file->is_abstract)
        return "is abstract: a class that extends it can be used";
    *cure = "declare it `public`";
    if (!file->is_public)
        return "is not public, so that Flume cannot use it";
    *cure = file->is_inner ? "declare it `static`: without that, an object of the class around it is needed"
                           : "give it one; its settings come by configure(Context)";
    if (!file->has_constructor)
        return "has no public constructor without parameters, so that Flume cannot use it";
    return NULL;
}

/* Reports a class that was compiled for a newer Java than the one that exists here: Flume's agent does not start with
 * it either. */
static bool report_too_new(const struct java_type *type)
{
    struct ps_arena *arena = type->maker->arena;
    const char *java = type->maker->conf->class_path->java;
    unsigned version = ps_java_runtime_version(arena, java), needed = type->class.file.java;
    if (version == 0 || needed <= version)
        return false;
    report(type, PS_SEVERITY_ERROR,
           ps_arena_format(arena, "set JAVA_HOME to Java %u or newer, or compile it with --release %u",
                           needed, version),
           ps_arena_format(arena, "was compiled for Java %u, and %s is Java %u", needed, java, version));
    return true;
}

/* Reports why the class could not run in Java. Returns false when it could. */
static bool report_obstacle(const struct java_type *type)
{
    struct ps_arena *arena = type->maker->arena;
    const char *missing, *target = type->target;
    struct ps_class flume;
    if (type->class.error != 0) {
        report(type, PS_SEVERITY_ERROR, ps_unread_cure(type->class.error),
               ps_arena_format(arena, "cannot be read now: %s", type->class.damage));
        return true;
    }
    if (type->class.damage != NULL) {
        report(type, PS_SEVERITY_DROPPED, "replace the file",
               ps_arena_format(arena, "cannot be read: %s", type->class.damage));
        return true;
    }
    if (!ps_classes_is_a(type->classes, &type->class, target, &missing)) {
        if (missing == NULL || !report_blocked(type, missing))
            report_wrong_kind(type, missing);
        return true;
    }
    const char *cure, *why = not_instantiable(&type->class.file, &cure);
    if (why != NULL) {
        report(type, PS_SEVERITY_DROPPED, cure, why);
        return true;
    }
    if (ps_classes_find(type->classes, target, &flume))
        return report_too_new(type);
    if (report_blocked(type, target))
        return true;
    report(type, PS_SEVERITY_ERROR, PS_JAVA_SET_HOME,
           ps_arena_format(arena, "needs Flume's own jars: %s is in none of the %s", target,
                           searched(type->maker)));
    return true;
}

/* Reports a class that Flume would run and that penstock does not run yet. */
static enum ps_java_answer report_kind(const struct java_type *type)
{
    struct ps_arena *arena = type->maker->arena;
    bool allowed = type->maker->allow_unsupported;
    const char *what = ps_arena_format(arena, "is a %s, and %ss do not run in Java yet%s", type->word,
                                       type->word, allowed ? "; left out (penstock.allow.unsupported)" : "");
    report(type, allowed ? PS_SEVERITY_DROPPED : PS_SEVERITY_ERROR,
           allowed ? NULL : "remove it, or set penstock.allow.unsupported = true to run without it", what);
    if (allowed)
        ps_problem_mistake(&type->maker->conf->problems, PS_MISTAKE_NONE); /* the file allows it */
    return PS_JAVA_REPORTED;
}

/* Notes the class for the stage when the type was written as another name. */
static void note_class(const struct java_type *type, const char *written)
{
    struct ps_conf *conf = type->maker->conf;
    struct ps_pairs *classes = &conf->class_path->classes;
    const char *key = ps_arena_format(conf->plan_arena, "%s %s", type->word, written);
    if (strcmp(written, type->name) == 0 || ps_pairs_get(classes, key) != NULL)
        return;
    ps_pairs_add(conf->plan_arena, classes,
                 (struct ps_pair){.key = key, .value = ps_arena_text(conf->plan_arena, type->name)});
}

/* ---- a class that is not there ---- */

static const char *absent(const struct ps_component_maker *maker, const char *word, const char *name)
{
    const char *lacks = home_lacks(maker);
    if (is_empty(classes_of(maker)))
        return ps_arena_format(maker->arena,
                               "Flume has no %s `%s`, and there are no jars in which to look for it%s%s",
                               word, name, lacks != NULL ? ": " : "", lacks != NULL ? lacks : "");
    return ps_arena_format(maker->arena, "Flume has no %s `%s`, and none of the %s has it", word, name,
                           searched(maker));
}

/* Returns the cure for a class that no jar has. */
static const char *jar_cure(const struct ps_component_maker *maker, const char *name, const char *target)
{
    struct ps_classes *classes = classes_of(maker);
    const struct ps_texts *unread = ps_classes_unread(classes);
    const char *misplaced = ps_misplaced_cure(maker->arena, maker->conf->command, name);
    const char *nearest = misplaced == NULL ? ps_classes_nearest(classes, name, target) : NULL;
    if (misplaced != NULL)
        return misplaced;
    if (nearest != NULL)
        return ps_arena_format(maker->arena, "did you mean %s?", nearest);
    const char *cure = is_empty(classes) || home_lacks(maker) != NULL
                           ? "set FLUME_HOME to the folder of Flume, and put the class's jar into "
                             "plugins.d/NAME/lib there, or name it in FLUME_CLASSPATH"
                           : "put its jar into plugins.d/NAME/lib, or name it in FLUME_CLASSPATH";
    if (unread->count == 0)
        return cure;
    return ps_arena_format(maker->arena, "%s; one that could not be read: %s", cure, unread->items[0]);
}

/* Returns the cure for a class of Flume's that no jar has. */
static const char *flume_cure(const struct ps_component_maker *maker, const char *type)
{
    const char *plugin = ps_type_plugin(type);
    return plugin == NULL
               ? PS_JAVA_SET_HOME
               : ps_arena_format(maker->arena, "`penstock plugin fetch %s`, or " PS_JAVA_SET_HOME, plugin);
}

const char *ps_java_absent(const struct ps_component_maker *maker, enum ps_kind kind, const char *type)
{
    return absent(maker, ps_kind_word(kind), type);
}

const char *ps_java_absent_cure(const struct ps_component_maker *maker, enum ps_kind kind, const char *type)
{
    return jar_cure(maker, type, targets[kind]);
}

const char *ps_java_nearest(const struct ps_component_maker *maker, enum ps_kind kind, const char *type)
{
    bool is_java = kind < PS_COUNT_OF(targets) && targets[kind] != NULL;
    const char *nearest = is_java ? ps_classes_nearest(classes_of(maker), type, targets[kind]) : NULL;
    return nearest != NULL ? ps_arena_format(maker->arena, "did you mean %s?", nearest) : NULL;
}

/* ---- the search ---- */

static bool has_class(struct java_type *type, const char *name)
{
    type->name = name;
    return ps_classes_find(type->classes, name, &type->class);
}

/* Finds the class of Flume's type. */
static bool find_flume(struct java_type *type, enum ps_kind kind, const char *written)
{
    const char *name;
    for (size_t i = 0; (name = ps_type_class(kind, written, i)) != NULL; i++)
        if (has_class(type, name))
            return true;
    return false;
}

/* Returns the -Xmx that counts, or NULL. */
static const char *heap_of(const struct ps_class_path *path)
{
    for (size_t i = path->options.count; i > 0; i--)
        if (ps_text_begins(path->options.items[i - 1], "-Xmx"))
            return path->options.items[i - 1];
    return NULL;
}

static struct java_type begin(const struct ps_component_maker *maker, const char *word, const char *target,
                              struct ps_place place)
{
    return (struct java_type){
        .maker = maker, .word = word, .target = target, .place = place, .classes = classes_of(maker)};
}

/* Reports that there is no Java runtime. */
static bool report_no_java(const struct java_type *type)
{
    const struct ps_class_path *path = type->maker->conf->class_path;
    if (path->java != NULL)
        return false;
    (void)report(type, PS_SEVERITY_ERROR, NULL,
                 ps_arena_format(type->maker->arena, "runs in Java: %s", path->java_lacks));
    return true;
}

/* Reports that the component runs in Java. */
static enum ps_java_answer report_runs(const struct java_type *type)
{
    const char *heap = heap_of(type->maker->conf->class_path), *other;
    struct ps_arena *arena = type->maker->arena;
    const char *what = heap != NULL ? ps_arena_format(arena, "runs in Java, with %s", heap) : "runs in Java";
    if (ps_classes_again(type->classes, type->name, &type->class, &other))
        what = ps_arena_format(
            arena, "%s; %s also has it, and is behind the first on the class path: that one is not used",
            what, other);
    (void)report(type, PS_SEVERITY_NOTE, NULL, what);
    return PS_JAVA_STAGE;
}

/* Called when the class was found: decides whether the component can run with it. */
static enum ps_java_answer use(const struct java_type *type, enum ps_kind kind, const char *written,
                               const struct ps_stage_ops **ops)
{
    if (report_obstacle(type))
        return PS_JAVA_REPORTED;
    *ops = ps_stage_find(type->maker->stages, kind, PS_TYPE_JAVA);
    if (*ops == NULL)
        return report_kind(type);
    if (report_no_java(type))
        return PS_JAVA_REPORTED;
    note_class(type, written);
    return report_runs(type);
}

enum ps_java_answer ps_java_type(const struct ps_component_maker *maker, enum ps_kind kind,
                                 const char *written, struct ps_place place, const struct ps_stage_ops **ops)
{
    if (kind >= PS_COUNT_OF(targets) || targets[kind] == NULL)
        return PS_JAVA_ABSENT;
    struct java_type type = begin(maker, ps_kind_word(kind), targets[kind], place);
    bool is_class = strchr(written, '.') != NULL;
    bool is_alias = ps_type_flume_name(kind, written) != NULL && !is_class;
    if (is_alias ? !find_flume(&type, kind, written) : !has_class(&type, written))
        return (is_alias || is_class) && report_blocked(&type, written) ? PS_JAVA_REPORTED : PS_JAVA_ABSENT;
    return use(&type, kind, written, ops);
}

enum ps_java_answer ps_java_flume(const struct ps_component_maker *maker, enum ps_kind kind,
                                  const char *written, struct ps_place place, const struct ps_stage_ops **ops)
{
    struct java_type type = begin(maker, ps_kind_word(kind), targets[kind], place);
    if (!find_flume(&type, kind, written))
        return report_blocked(&type, written) ? PS_JAVA_REPORTED : PS_JAVA_ABSENT;
    return use(&type, kind, written, ops);
}

bool ps_java_found(const struct ps_component_maker *maker, const char *type)
{
    struct ps_class class;
    return ps_classes_find(classes_of(maker), type, &class);
}

bool ps_java_runs(const struct ps_component_maker *maker, enum ps_kind kind, const char *written,
                  struct ps_place place, const char *why)
{
    struct java_type type = begin(maker, ps_kind_word(kind), targets[kind], place);
    if (find_flume(&type, kind, written) || has_class(&type, written))
        return !report_obstacle(&type) && !report_no_java(&type) && report_runs(&type) == PS_JAVA_STAGE;
    if (report_blocked(&type, written))
        return false;
    ps_java_report_absent(maker, kind, written, place, why);
    return false;
}

void ps_java_report_absent(const struct ps_component_maker *maker, enum ps_kind kind, const char *type,
                           struct ps_place place, const char *why)
{
    struct ps_problems *problems = &maker->conf->problems;
    const char *word = ps_kind_word(kind), *flume = ps_type_class(kind, type, 0);
    if (flume != NULL)
        ps_problem_add(problems, PS_SEVERITY_ERROR, place, flume_cure(maker, type), "%s, and %s", why,
                       absent(maker, word, flume));
    else if (ps_stage_find(maker->stages, kind, type) != NULL)
        ps_problem_add(problems, PS_SEVERITY_ERROR, place, NULL,
                       "%s, and the %s `%s` exists only in penstock, not in Flume", why, word, type);
    else
        ps_problem_add(problems, PS_SEVERITY_ERROR, place, jar_cure(maker, type, targets[kind]), "%s, and %s",
                       why, absent(maker, word, type));
}

/* Returns whether the class of `type` is there and fits; reports why not. */
static bool fits(struct java_type *type, const char *name)
{
    if (has_class(type, name))
        return !report_obstacle(type);
    if (report_blocked(type, name))
        return false;
    ps_problem_add(&type->maker->conf->problems, PS_SEVERITY_DROPPED, type->place,
                   jar_cure(type->maker, name, type->target), "%s", absent(type->maker, type->word, name));
    return false;
}

bool ps_java_inner(const struct ps_component_maker *maker, const char *word, const char *target,
                   const char *name, struct ps_place place)
{
    struct java_type type = begin(maker, word, target, place);
    return fits(&type, name);
}

bool ps_java_alone(const struct ps_component_maker *maker, const char *word, const char *target,
                   const char *name, struct ps_place place, const char *note)
{
    struct java_type type = begin(maker, word, target, place);
    if (!fits(&type, name) || report_no_java(&type))
        return false;
    (void)report(&type, PS_SEVERITY_NOTE, NULL, note);
    return true;
}

void ps_java_note(const struct ps_component_maker *maker, const char *name, struct ps_place place,
                  const char *note)
{
    struct java_type type = begin(maker, NULL, NULL, place);
    if (has_class(&type, name))
        (void)report(&type, PS_SEVERITY_NOTE, NULL, note);
}
