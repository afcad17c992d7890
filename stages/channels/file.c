/* The file channel (Flume: org.apache.flume.channel.file.FileChannel): keeps events in a log on disk, and promises them
 * when they are synced. The log has a format of its own (docs/CHANNEL-FORMAT.md); a directory of Flume's file channel is
 * recognised and left alone. stages/lib/queue does the work. */
#include "stages/lib/queue/plan.h"

struct file_plan {
    struct ps_queue_plan log;
    int64_t capacity, keep_alive_s;
    struct ps_queue *queue;
};

static const struct ps_option options[] = {
    PS_QUEUE_OPTION_ROWS(struct file_plan, log),
    {.key = "capacity",
     .flags = PS_OPTION_LENIENT,
     .type = PS_OPTION_INT,
     .offset = offsetof(struct file_plan, capacity),
     .fallback = "1000000",
     .min = 1,
     .max = INT64_MAX,
     .unit = "events",
     .help = "maximum number of events in the channel; events that a sink has in flight do not count"},
    {.key = "keep-alive",
     .flags = PS_OPTION_LENIENT,
     .type = PS_OPTION_INT,
     .offset = offsetof(struct file_plan, keep_alive_s),
     .fallback = "3",
     .min = 0,
     .max = 86400,
     .unit = "s",
     .help = "how long a source that must answer its client waits for room, or for a disk that cannot be "
             "written, before "
             "it refuses"},
    PS_OPTION_END,
};

static enum ps_status file_check(const void *plan_, const struct ps_context *context)
{
    const struct file_plan *plan = plan_;
    return ps_queue_plan_check(&plan->log, context, "capacity", plan->capacity);
}

static enum ps_status file_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct file_plan *plan = plan_;
    struct ps_queue_settings settings;
    if (ps_queue_plan_settings(&plan->log, context, &settings, err) != PS_OK)
        return PS_FAIL;
    settings.capacity = (uint64_t)plan->capacity;
    settings.keep_alive_ms = (uint64_t)plan->keep_alive_s * 1000;
    settings.quota_bytes = context->channel_quota_bytes;
    plan->queue = ps_queue_create(&settings);
    return PS_OK;
}

static void file_teardown(void *plan)
{
    struct file_plan *file = plan;
    ps_queue_destroy(file->queue);
    file->queue = NULL;
}

static void file_outline(const void *plan_, const struct ps_context *, FILE *out)
{
    const struct file_plan *plan = plan_;
    fputs("in ", out);
    ps_queue_plan_outline(&plan->log, out);
    fprintf(out, "; events are promised when they are %s: %s", plan->log.sync_each ? "synced" : "written",
            plan->log.sync_each ? "they survive a crash and a power cut"
                                : "they survive a crash of the process");
}

static void file_files(const void *plan, void (*add)(void *argument, const char *path), void *argument)
{
    ps_queue_plan_files(&((const struct file_plan *)plan)->log, add, argument);
}

static void file_claims(const void *plan, const struct ps_context *context,
                        void (*add)(void *argument, const struct ps_claim *claim), void *argument)
{
    ps_queue_plan_claims(&((const struct file_plan *)plan)->log, context, add, argument);
}

static void file_probe(const void *plan, struct ps_context *context, const struct ps_probe *probe)
{
    ps_queue_plan_probe(&((const struct file_plan *)plan)->log, context, probe);
}

static struct ps_queue *queue_of(const void *plan)
{
    return ((const struct file_plan *)plan)->queue;
}

static void file_start(void *plan)
{
    ps_queue_start(queue_of(plan));
}

static enum ps_put file_put(void *plan, unsigned producer, struct ps_lease **lease, const struct ps_now *)
{
    return ps_queue_put(queue_of(plan), producer, lease);
}

static uint64_t file_tick(void *plan, unsigned producer, struct ps_port *port, const struct ps_now *)
{
    return ps_queue_tick(queue_of(plan), producer, port);
}

static uint64_t file_consumer_tick(void *plan, unsigned consumer, struct ps_port *port,
                                   const struct ps_now *now)
{
    return ps_queue_consumer_tick(queue_of(plan), consumer, port, now);
}

static struct ps_lease *file_take(void *plan, unsigned consumer, struct ps_port *port,
                                  const struct ps_now *now)
{
    return ps_queue_take(queue_of(plan), consumer, port, now);
}

static void file_done(void *plan, unsigned consumer, struct ps_lease **lease, struct ps_port *port)
{
    ps_queue_done(queue_of(plan), consumer, lease, port);
}

static void file_untake(void *plan, unsigned consumer, struct ps_lease **lease)
{
    ps_queue_untake(queue_of(plan), consumer, lease);
}

static void file_leave(void *plan, unsigned consumer, struct ps_port *port)
{
    ps_queue_leave(queue_of(plan), consumer, port);
}

static bool file_hungry(const void *plan, unsigned producer)
{
    return ps_queue_hungry(queue_of(plan), producer);
}

/* Also called before `build`: the engine's plan needs the capacity. */
static void file_fill(const void *plan, struct ps_fill *fill)
{
    if (queue_of(plan) != NULL)
        ps_queue_fill(queue_of(plan), fill);
    else
        *fill = (struct ps_fill){.capacity = (uint64_t)((const struct file_plan *)plan)->capacity};
}

static void file_ring(const void *plan, unsigned producer, struct ps_fill *fill)
{
    ps_queue_ring(queue_of(plan), producer, fill);
}

static uint64_t file_keep_alive_ms(const void *plan)
{
    return (uint64_t)((const struct file_plan *)plan)->keep_alive_s * 1000;
}

static struct ps_lease *file_strip(void *plan)
{
    return ps_queue_strip(queue_of(plan));
}

static void file_restore(void *plan, struct ps_lease *list)
{
    ps_queue_restore(queue_of(plan), list);
}

static void file_set_quota(void *plan, uint64_t channel_quota_bytes)
{
    ps_queue_set_quota(queue_of(plan), channel_quota_bytes);
}

static bool file_trouble(const void *plan, char *text, size_t room)
{
    return ps_queue_trouble(queue_of(plan), text, room);
}

const struct ps_stage_ops ps_channel_file = {
    PS_STAGE(PS_KIND_CHANNEL),
    .name = "file",
    .aliases = PS_WORDS("org.apache.flume.channel.file.FileChannel"),
    .summary = "events in a log on disk, promised when they are synced; they survive a crash and a power cut",
    .options = options,
    .plan_size = sizeof(struct file_plan),
    .check = file_check,
    .build = file_build,
    .teardown = file_teardown,
    .outline = file_outline,
    .files = file_files,
    .probe = file_probe,
    .claims = file_claims,
    .channel =
        &(const struct ps_channel_ops){
            .promises = PS_LEVEL_DURABLE,
            .start = file_start,
            .put = file_put,
            .tick = file_tick,
            .consumer_tick = file_consumer_tick,
            .take = file_take,
            .done = file_done,
            .untake = file_untake,
            .leave = file_leave,
            .hungry = file_hungry,
            .fill = file_fill,
            .ring = file_ring,
            .keep_alive_ms = file_keep_alive_ms,
            .strip = file_strip,
            .restore = file_restore,
            .set_quota = file_set_quota,
            .trouble = file_trouble,
        },
};
