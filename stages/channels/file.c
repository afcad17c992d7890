/* The file channel (Flume: org.apache.flume.channel.file.FileChannel): keeps events in a log on disk, and
 * acknowledges a put only after its events are synced. The log has a format of its own (docs/CHANNEL-FORMAT.md); a
 * directory of Flume's file channel is recognised and left alone. stages/lib/queue does the work. */
#include "stages/lib/queue/channel.h"
#include "stages/lib/queue/plan.h"
#include "stages/lib/seconds.h"

struct file_plan {
    struct ps_queue_channel channel; /* the first member */
    struct ps_queue_plan log;
    int64_t keep_alive_s;
};

static const struct ps_option options[] = {
    PS_QUEUE_OPTION_ROWS(struct file_plan, log),
    PS_OPTION_ROW("capacity", INT, offsetof(struct file_plan, channel.capacity),
                  "maximum number of events in the channel; events that a sink has in flight do not count",
                  .fallback = "1000000", .min = 1, .max = INT64_MAX, .unit = "events",
                  .flags = PS_OPTION_LENIENT),
    PS_OPTION_ROW(
        "keep-alive", INT, offsetof(struct file_plan, keep_alive_s),
        "how long a source that must answer its client waits for room, or for a disk that cannot be "
        "written, before it refuses; below 0 counts as 0",
        .fallback = "3", .min = INT32_MIN, .max = INT32_MAX, .unit = "s", .flags = PS_OPTION_LENIENT),
    PS_OPTION_END,
};

static enum ps_status file_check(const void *plan_, const struct ps_context *context)
{
    const struct file_plan *plan = plan_;
    return ps_queue_plan_check(&plan->log, context, "capacity", plan->channel.capacity);
}

static enum ps_status file_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct file_plan *plan = plan_;
    struct ps_queue_settings settings;
    if (ps_queue_plan_settings(&plan->log, context, &settings, err) != PS_OK)
        return PS_FAIL;
    ps_queue_channel_build(&plan->channel, context, settings, ps_ms_of_seconds(plan->keep_alive_s));
    return PS_OK;
}

static void file_outline(const void *plan_, const struct ps_context *, FILE *out)
{
    const struct file_plan *plan = plan_;
    fputs("in ", out);
    ps_queue_plan_outline(&plan->log, out);
    fprintf(out, "; events are acknowledged when they are %s: %s", plan->log.sync_each ? "synced" : "written",
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

static void file_series(const void *plan, void (*add)(void *argument, const struct ps_series *series),
                        void *argument)
{
    ps_queue_plan_series(&((const struct file_plan *)plan)->log, add, argument);
}

const struct ps_stage_ops ps_channel_file = {
    PS_STAGE(PS_KIND_CHANNEL),
    .name = "file",
    .aliases = PS_WORDS("org.apache.flume.channel.file.FileChannel"),
    .summary =
        "events in a log on disk, acknowledged when they are synced; they survive a crash and a power cut",
    .options = options,
    .plan_size = sizeof(struct file_plan),
    .check = file_check,
    .build = file_build,
    .teardown = ps_queue_channel_teardown,
    .outline = file_outline,
    .series = file_series,
    .files = file_files,
    .probe = file_probe,
    .claims = file_claims,
    .channel = &ps_queue_log_channel_ops,
};
