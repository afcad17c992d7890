/* One attempt to load a rules file: reads it, compiles it, makes a scratch for every worker. See live.h.
 * Thread: control at build, later the idle thread. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/lib/rules/live/internal.h"
#include "core/quantity.h"

#define SAY_AFTER_NS (2 * PS_NS_PER_S)
#define SAY_AGAIN_NS (10 * PS_NS_PER_S)

/* ---- what was read ---- */

/* Hashes a file as ps_rules_file.hash does. A file that the parser would refuse to read counts as
 * unreadable. */
static uint64_t hash_of(const char *path)
{
    char bytes[32768];
    struct stat status;
    uint64_t hash = PS_RULES_HASH;
    ssize_t length = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        (uint64_t)status.st_size <= PS_RULES_FILE_BYTES_MAX) {
        while ((length = read(fd, bytes, sizeof bytes)) > 0)
            hash = ps_rules_hash(hash, bytes, (size_t)length);
    }
    if (fd >= 0)
        close(fd);
    return length < 0 ? 0 : hash;
}

bool ps_rules_attempt_is_current(const struct ps_rules_attempt *attempt)
{
    for (size_t i = 0; i < attempt->problems->file_count; i++) {
        const struct ps_rules_file *file = &attempt->problems->files[i];
        if (hash_of(file->name) != file->hash)
            return false;
    }
    return true;
}

void ps_rules_attempt_follow(const struct ps_rules_attempt *attempt)
{
    size_t count = attempt->problems->file_count;
    const char **names = ps_must_alloc(count + 1, sizeof *names, "names of files");
    for (size_t i = 0; i < count; i++)
        names[i] = attempt->problems->files[i].name;
    ps_rules_watch_files(attempt->live->watch, names, count);
    free(names);
}

void ps_rules_attempt_each(const struct ps_rules_attempt *attempt,
                           void (*line)(void *argument, enum ps_rules_severity severity, const char *text),
                           void *argument)
{
    const struct ps_rules_problems *problems = attempt->problems;
    size_t kept = ps_rules_problems_kept(problems);
    for (size_t i = 0; i < kept; i++)
        line(argument, problems->items[i].severity,
             ps_rules_problem_text(attempt->arena, &problems->items[i]));
    if (problems->count > kept)
        line(argument, PS_RULES_NOTE,
             ps_arena_format(attempt->arena, "%s: %zu more like these", attempt->live->options.file,
                             problems->count - kept));
}

void ps_rules_attempt_fini(struct ps_rules_attempt *attempt)
{
    if (attempt->arena != NULL)
        ps_arena_destroy(attempt->arena);
    *attempt = (struct ps_rules_attempt){.live = attempt->live};
}

/* ---- making it ---- */

void ps_rules_attempt_say(struct ps_rules_attempt *attempt)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    if (now_ns - attempt->began_ns < SAY_AFTER_NS || now_ns - attempt->said_ns < SAY_AGAIN_NS)
        return;
    attempt->said_ns = now_ns;
    ps_log(PS_LOG_INFO, attempt->live->options.component, "%s: compiling %s rules (%s expressions) for %s",
           attempt->live->options.file,
           ps_quantity_print_count(__atomic_load_n(&attempt->rules, __ATOMIC_RELAXED)).text,
           ps_quantity_print_count(__atomic_load_n(&attempt->patterns, __ATOMIC_RELAXED)).text,
           ps_quantity_print_ns((now_ns - attempt->began_ns) / PS_NS_PER_S * PS_NS_PER_S).text);
}

static bool cancelled(void *argument)
{
    struct ps_rules_attempt *attempt = argument;
    if (!attempt->idle)
        ps_rules_attempt_say(attempt);
    else if (!attempt->cancelled)
        attempt->cancelled = ps_rules_live_is_overtaken(attempt->live);
    return attempt->cancelled;
}

void ps_rules_version_destroy(struct ps_rules_version *version)
{
    if (version == NULL)
        return;
    for (unsigned i = 0; i < version->scratch_count; i++)
        ps_rules_scratch_destroy(version->scratches[i]);
    ps_rules_set_destroy(version->set);
    free(version);
}

static struct ps_rules_version *version_create(struct ps_rules_attempt *attempt, struct ps_rules_set *set)
{
    unsigned count = attempt->live->options.set.instances;
    struct ps_err err = {.length = 0};
    struct ps_rules_version *version =
        ps_must_alloc(1, sizeof *version + count * sizeof version->scratches[0], "a version of the rules");
    version->set = set;
    for (; version->scratch_count < count; version->scratch_count++) {
        struct ps_rules_scratch **scratch = &version->scratches[version->scratch_count];
        *scratch = ps_rules_scratch_create(set, version->scratch_count, &err);
        if (*scratch != NULL)
            continue;
        ps_rules_problem_add(attempt->problems, PS_RULES_ERROR,
                             (struct ps_rules_place){attempt->live->options.file, 0, 0}, NULL, "%s",
                             err.text);
        attempt->problems->passing = true; /* there was no memory */
        ps_rules_version_destroy(version);
        return NULL;
    }
    return version;
}

void ps_rules_attempt_run(struct ps_rules_attempt *attempt)
{
    const struct ps_rules_live *live = attempt->live;
    attempt->arena = ps_arena_create();
    attempt->problems = ps_arena_alloc(attempt->arena, sizeof *attempt->problems);
    attempt->problems->arena = attempt->arena;
    struct ps_rules *rules = ps_rules_load(live->options.file, attempt->problems);
    if (rules == NULL)
        return;
    __atomic_store_n(&attempt->rules, rules->rule_count, __ATOMIC_RELAXED);
    __atomic_store_n(&attempt->patterns, (size_t)rules->pattern_count, __ATOMIC_RELAXED);
    struct ps_rules_set_options options = live->options.set;
    options.counters = live->counters;
    options.matcher.idle |= attempt->idle;
    options.matcher.cancelled = cancelled;
    options.matcher.argument = attempt;
    struct ps_rules_set *set = ps_rules_set_create(rules, &options, &attempt->report, attempt->problems);
    if (set != NULL)
        attempt->version = version_create(attempt, set);
    attempt->cancelled &= attempt->version == NULL;
}
