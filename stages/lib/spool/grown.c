/* Finished files whose writers go on: what comes behind the end of a file that was renamed or marked is in no event. Flume looks at
 * a file once, before it renames it. The files that were finished last are looked at again for a while. Thread: the source's. */
#include "stages/lib/spool/spool_internal.h"

#include "core/clock.h"
#include "core/log/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WATCH_NS (60 * PS_NS_PER_S) /* since the file was finished, or has grown */

void ps_spool_grown_add(struct ps_spool *spool, const struct ps_spool_file *file, const char *path)
{
    struct ps_spool_ended *ended = &spool->ended[spool->ended_next++ % PS_SPOOL_ENDED_MAX];
    free(ended->path);
    *ended = (struct ps_spool_ended){.path = strdup(path), /* without memory the file is not looked at */
                                     .device = file->device,
                                     .inode = file->inode,
                                     .read = file->size,
                                     .size = file->size};
}

void ps_spool_grown_free(struct ps_spool *spool)
{
    for (size_t i = 0; i < PS_SPOOL_ENDED_MAX; i++)
        free(spool->ended[i].path);
}

static void say(const struct ps_spool *spool, struct ps_spool_ended *ended, const char *more)
{
    ps_log(PS_LOG_WARN, spool->component,
           "%s is still written: %llu bytes came after it was finished at byte %llu%s. They are no events: "
           "write files elsewhere and move them here when they are complete, or read them with a source "
           "taildir (lost_bytes counts them)",
           ended->path, (unsigned long long)(ended->size - ended->read), (unsigned long long)ended->read,
           more);
    ended->said = ended->size;
}

/* Returns how many bytes have come since the last look. */
static uint64_t look(const struct ps_spool *spool, struct ps_spool_ended *ended, uint64_t now_ns)
{
    struct stat status;
    uint64_t grown = 0;
    bool there =
        stat(ended->path, &status) == 0 && status.st_ino == ended->inode && status.st_dev == ended->device;
    if (there && (uint64_t)status.st_size > ended->size) {
        grown = (uint64_t)status.st_size - ended->size;
        ended->size = (uint64_t)status.st_size;
        ended->until_ns = now_ns + WATCH_NS;
        if (ended->said == 0)
            say(spool, ended, " so far");
    }
    if (ended->until_ns == 0)
        ended->until_ns = now_ns + WATCH_NS;
    if (!there || now_ns >= ended->until_ns) {
        if (ended->said != 0 && ended->said != ended->size)
            say(spool, ended, "");
        free(ended->path);
        ended->path = NULL;
    }
    return grown;
}

static void grown_run(struct ps_tail_job *job)
{
    struct ps_spool_grown *grown = (struct ps_spool_grown *)(void *)job;
    struct ps_spool *spool = grown->spool;
    grown->bytes = 0;
    grown->watches = false;
    for (size_t i = 0; i < PS_SPOOL_ENDED_MAX; i++) {
        if (spool->ended[i].path != NULL)
            grown->bytes += look(spool, &spool->ended[i], grown->now_ns);
        grown->watches |= spool->ended[i].path != NULL;
    }
}

static void nothing(struct ps_tail_job *)
{
}

struct ps_spool_grown *ps_spool_grown_prepare(struct ps_spool *spool, uint64_t now_ns, ps_spool_answer answer)
{
    spool->grown.job = (struct ps_tail_job){.run = grown_run, .answer = answer, .discard = nothing};
    spool->grown.spool = spool;
    spool->grown.now_ns = now_ns;
    return &spool->grown;
}
