#include "stages/lib/kafka/place.h"

#include "core/durable.h"
#include "core/log/log.h"
#include "stages/lib/random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FILE_BYTES 4096U  /* a page: a process that is killed has written all of it, or nothing */
#define SAME_NAME_MAX 64U /* clients of one name on this machine */
#define NO_DIRECTORY (-1) /* beside the errnos of a directory */
#define FIRST_LINE "penstock's place of a Kafka client"
#define LAST_LINE "end"

/* Where the file is. A copy has another inode; a copy of the whole disk has another device, and runs on another host. */
struct whereabouts {
    char file[32], device[32], boot[64], host[256];
};

/* ---- whereabouts ---- */

static void read_boot(char *boot, size_t size)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, boot, size - 1) : 0;
    if (fd >= 0)
        close(fd);
    boot[got > 0 ? got : 0] = '\0';
    boot[strcspn(boot, "\n")] = '\0';
}

static bool find_whereabouts(int fd, struct whereabouts *here)
{
    struct stat file;
    if (fstat(fd, &file) != 0)
        return false;
    snprintf(here->file, sizeof here->file, "%ju", (uintmax_t)file.st_ino);
    snprintf(here->device, sizeof here->device, "%u:%u", major(file.st_dev), minor(file.st_dev));
    read_boot(here->boot, sizeof here->boot);
    if (gethostname(here->host, sizeof here->host) != 0)
        here->host[0] = '\0';
    here->host[sizeof here->host - 1] = '\0';
    return true;
}

static bool is_same(const char *one, const char *other)
{
    return one[0] != '\0' && strcmp(one, other) == 0;
}

/* Returns whether the file was written where it is now. A container that is made anew has another name; a machine that was
 * restarted has another boot, and may have numbered its devices anew. In one boot another device is a copy: a clone of a file
 * system keeps the numbers of files. */
static bool is_at(const struct whereabouts *written, const struct whereabouts *here)
{
    return is_same(written->file, here->file) &&
           (is_same(written->boot, here->boot) ? is_same(written->device, here->device)
                                               : is_same(written->host, here->host));
}

/* ---- the file ---- */

struct field {
    const char *name;
    char *value;
    size_t size;
};

/* The lines of the file between the first and the last one. */
#define FIELDS(place, where)                                                                                 \
    {                                                                                                        \
        {"number", (place)->number, sizeof(place)->number}, {"file", (where)->file, sizeof(where)->file},    \
            {"device", (where)->device, sizeof(where)->device},                                              \
            {"boot", (where)->boot, sizeof(where)->boot}, {"host", (where)->host, sizeof(where)->host},      \
            {"group", (place)->group, sizeof(place)->group},                                                 \
            {"members", (place)->members, sizeof(place)->members},                                           \
    }

/* Takes the line "NAME VALUE". Returns the start of the next line; NULL: the line is another one. */
static const char *take_line(const char *at, const struct field *field)
{
    size_t name_length = strlen(field->name), length = at != NULL ? strcspn(at, "\n") : 0;
    if (at == NULL || at[length] != '\n' || length <= name_length ||
        memcmp(at, field->name, name_length) != 0 || at[name_length] != ' ')
        return NULL;
    size_t value_length = length - name_length - 1;
    if (value_length >= field->size)
        return NULL;
    memcpy(field->value, at + name_length + 1, value_length);
    field->value[value_length] = '\0';
    return at + length + 1;
}

/* Reads what the last client of this place has written. Returns false if it is not readable. */
static bool read_file(struct ps_kafka_place *place, struct whereabouts *written)
{
    char text[FILE_BYTES + 1];
    const struct field fields[] = FIELDS(place, written);
    ssize_t got = pread(place->fd, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    const char *at = text;
    if (strncmp(at, FIRST_LINE "\n", sizeof FIRST_LINE) != 0)
        return false;
    at += sizeof FIRST_LINE;
    for (size_t i = 0; i < PS_COUNT_OF(fields); i++)
        at = take_line(at, &fields[i]);
    return at != NULL && strncmp(at, LAST_LINE "\n", sizeof LAST_LINE) == 0 &&
           strspn(place->number, "0123456789abcdef") == sizeof place->number - 1;
}

/* Returns 0, or the errno. */
static int write_file(struct ps_kafka_place *place)
{
    struct whereabouts here;
    char text[FILE_BYTES];
    if (!find_whereabouts(place->fd, &here))
        return errno;
    const struct field fields[] = FIELDS(place, &here);
    size_t length = (size_t)snprintf(text, sizeof text, "%s\n", FIRST_LINE);
    for (size_t i = 0; i < PS_COUNT_OF(fields); i++)
        length +=
            (size_t)snprintf(text + length, sizeof text - length, "%s %s\n", fields[i].name, fields[i].value);
    length += (size_t)snprintf(text + length, sizeof text - length, "%s\n", LAST_LINE);
    PS_ASSERT(length < sizeof text);
    ssize_t put =
        pwrite(place->fd, text, length, 0); /* bytes of a longer text may follow: they are not read */
    return put == (ssize_t)length ? 0 : put < 0 ? errno : ENOSPC;
}

/* Opens and locks the file. Returns 0; EBUSY: another client has this place; or another errno. */
static int open_file(struct ps_kafka_place *place, const char *path)
{
    place->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (place->fd < 0)
        return errno;
    place->is_open = flock(place->fd, LOCK_EX | LOCK_NB) == 0;
    if (place->is_open)
        return 0;
    int error = errno;
    close(place->fd);
    return error == EWOULDBLOCK ? EBUSY : error;
}

/* ---- functions for others ---- */

static void forget_members(struct ps_kafka_place *place)
{
    place->group[0] = place->members[0] = '\0';
}

static int begin(struct ps_kafka_place *place)
{
    struct whereabouts written, here;
    struct ps_random random;
    if (!find_whereabouts(place->fd, &here))
        return errno;
    if (!read_file(place, &written) || !is_at(&written, &here)) {
        ps_random_init(&random);
        snprintf(place->number, sizeof place->number, "%016" PRIx64, ps_random_next(&random));
        forget_members(place);
    }
    return write_file(place);
}

/* Opens the first place of this name that no other client has. Returns 0, or the errno. */
static int open_free(struct ps_kafka_place *place, const struct ps_kafka_place_plan *plan, unsigned instance)
{
    char path[PATH_MAX], more[16] = "";
    int error = EBUSY;
    for (unsigned i = 1; error == EBUSY && i <= SAME_NAME_MAX; i++) {
        if (i > 1)
            snprintf(more, sizeof more, ".%u", i);
        int length = snprintf(path, sizeof path, "%s/%s-%u%s", plan->directory, plan->name, instance, more);
        error = length > 0 && (size_t)length < sizeof path ? open_file(place, path) : ENAMETOOLONG;
    }
    return error;
}

/* Returns the errno of the last try, and notes that of this one. */
static int exchange_told(const struct ps_kafka_place_plan *plan, int error)
{
    if (plan->told == NULL)
        return 0;
    int before = __atomic_load_n(plan->told, __ATOMIC_RELAXED);
    __atomic_store_n(plan->told, error, __ATOMIC_RELAXED);
    return before;
}

/* Logs how a try ended, if the last one ended otherwise: a client that cannot open tries every 3 s. */
static void tell(const struct ps_kafka_place_plan *plan, int error, const char *component)
{
    int before = exchange_told(plan, error);
    if (error == before)
        return;
    if (error == 0)
        ps_log(PS_LOG_INFO, component, "the state directory %s can be used now", plan->directory);
    else if (error == NO_DIRECTORY)
        ps_log(
            PS_LOG_WARN, component,
            "no state directory is known: neither HOME nor STATE_DIRECTORY is set. If this agent is killed, "
            "its next life waits for time-outs of the brokers; set penstock.state.dir");
    else
        ps_log(PS_LOG_WARN, component,
               "nothing can be noted in the state directory %s: %s. If this agent is killed, its next life "
               "waits "
               "for time-outs of the brokers; set penstock.state.dir",
               plan->directory, strerror(error));
}

bool ps_kafka_place_has_member(const char *group_instance_id)
{
    return group_instance_id == NULL;
}

bool ps_kafka_place_has_transactions(bool keeps_positions, const char *transaction_id)
{
    return !keeps_positions && transaction_id == NULL;
}

void ps_kafka_place_open(struct ps_kafka_place *place, const struct ps_kafka_place_plan *plan,
                         unsigned instance, const char *component)
{
    *place = (struct ps_kafka_place){0};
    if (plan->directory == NULL)
        return;
    int error = plan->directory[0] == '\0' ? NO_DIRECTORY : ps_directories_make(plan->directory, 0750);
    if (error == 0)
        error = open_free(place, plan, instance);
    if (error == 0)
        error = begin(place);
    if (error != 0)
        ps_kafka_place_close(place);
    tell(plan, error, component);
}

void ps_kafka_place_close(struct ps_kafka_place *place)
{
    if (place->is_open)
        close(place->fd);
    *place = (struct ps_kafka_place){0};
}

void ps_kafka_place_note(struct ps_kafka_place *place, const char *group, const char *members)
{
    bool fits = strlen(group) < sizeof place->group && strlen(members) < sizeof place->members &&
                strpbrk(group, "\n") == NULL && strpbrk(members, "\n") == NULL;
    if (!place->is_open)
        return;
    forget_members(place);
    if (fits && members[0] != '\0') {
        snprintf(place->group, sizeof place->group, "%s", group);
        snprintf(place->members, sizeof place->members, "%s", members);
    }
    (void)write_file(place); /* the disk may be full: then the group waits for the session time-out */
}

struct ps_kafka_place_plan ps_kafka_place_plan_of(const struct ps_context *context, const char *kind)
{
    char *name = ps_arena_format(context->arena, "%s-%.128s", kind, context->name);
    for (char *at = name; *at != '\0'; at++) /* names of components have no dots, but may have a slash */
        if (*at == '/')
            *at = '_';
    int *told = ps_arena_alloc(context->arena, sizeof *told);
    *told = 0;
    return (struct ps_kafka_place_plan){
        context->system_property != NULL
            ? context->system_property(context->argument, PS_STATE_DIRECTORY_PROPERTY)
            : NULL,
        name, told};
}
