/* Target stdout: writes events to standard output, for pipes. An event is completed when the kernel has
 * accepted its last byte. A pipe whose reader has closed cannot be opened again: events fail and the run
 * ends.
 *
 * Thread: the lane's sender. Standard output is non-blocking while the target uses it, except when it is a
 * terminal, because standard error is the same file there. */
#include "bench/load/lane/block_queue.h"
#include "bench/load/targets.h"
#include "core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

struct output {
    struct ps_block_queue queue; /* must be first */
    int flags;                   /* the original flags, -1: not changed */
    bool full, up;
    const char *broken; /* why nothing more can be written */
};

static enum ps_status stdout_open(void *state, const void *, struct ps_lane *lane, struct ps_err *)
{
    struct output *output = state;
    ps_block_queue_init(&output->queue, lane);
    output->flags = isatty(STDOUT_FILENO) ? -1 : fcntl(STDOUT_FILENO, F_GETFL);
    if (output->flags >= 0)
        fcntl(STDOUT_FILENO, F_SETFL, output->flags | O_NONBLOCK);
    return PS_OK;
}

static void fail_all(struct output *output, uint64_t now_ns)
{
    ps_block_queue_rewind(&output->queue);
    for (uint32_t count; (count = ps_block_queue_ready(&output->queue)) > 0;) {
        ps_block_queue_advance(&output->queue, count);
        ps_block_queue_fail(&output->queue, count, output->broken);
    }
    if (output->up)
        ps_lane_down(output->queue.lane, now_ns, output->broken);
    ps_lane_target_gone(output->queue.lane);
    output->up = false;
}

/* Returns false when nothing more can be written now. */
static bool write_block(struct output *output)
{
    struct ps_load_block *block = output->queue.next;
    ssize_t written =
        write(STDOUT_FILENO, block->bytes + block->cursor, block->ends[block->count - 1] - block->cursor);
    if (written < 0) {
        output->full = errno == EAGAIN || errno == EINTR;
        if (!output->full)
            output->broken = errno == EPIPE ? "standard output: the reader closed it" : strerror(errno);
        return false;
    }
    uint32_t event = output->queue.next_event, first = event;
    block->cursor += (uint32_t)written;
    while (event < block->count && block->ends[event] <= block->cursor)
        event++;
    if (event > first) {
        ps_block_queue_advance(&output->queue, event - first);
        ps_block_queue_complete(&output->queue, event - first, ps_lane_now(output->queue.lane));
    }
    return true;
}

static uint64_t stdout_work(void *state, uint64_t now_ns)
{
    struct output *output = state;
    if (!output->up && output->broken == NULL) {
        output->up = true;
        ps_lane_up(output->queue.lane, now_ns);
    }
    output->full = false;
    while (output->broken == NULL && output->queue.next != NULL && write_block(output))
        ;
    if (output->broken != NULL)
        fail_all(output, now_ns);
    return PS_NEVER;
}

static int stdout_descriptor(void *state, short *events)
{
    const struct output *output = state;
    *events = POLLOUT;
    return output->full ? STDOUT_FILENO : -1;
}

static void stdout_close(void *state)
{
    const struct output *output = state;
    if (output->flags >= 0)
        fcntl(STDOUT_FILENO, F_SETFL, output->flags);
}

const struct ps_target_ops ps_target_stdout = {
    .scheme = "stdout",
    .summary = "stdout:, or -: standard output; text for people goes to standard error",
    .framing = PS_FRAMING_NEWLINE,
    .completion = PS_COMPLETION_WRITTEN,
    .blocks_max = 2,
    .one_lane = true,
    .state_bytes = sizeof(struct output),
    .open = stdout_open,
    .give = ps_block_queue_give,
    .work = stdout_work,
    .descriptor = stdout_descriptor,
    .finish = ps_block_queue_finish,
    .close = stdout_close,
};
