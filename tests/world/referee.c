/* More than 600 lines: one file checks what one page promises. */
#include "tests/world/referee.h"

#include <ctype.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/world/damage.h"
#include "tests/world/descriptor.h"
#include "tests/world/disk.h"
#include "tests/world/ledger.h"
#include "tests/world/net.h"
#include "tests/world/fault.h"
#include "tests/world/peers/peers.h"
#include "tests/world/sanitizer.h"
#include "tests/world/turn.h"

static const struct {
    const char *name, *words; /* of the verdict that it must lead to */
} plants[PLANTS] = {
    [PLANT_NOTHING] = {"nothing", ""},
    [PLANT_NO_SYNC] = {"no-sync", "lost"},
    [PLANT_LOST] = {"lost", "lost"},
    [PLANT_DOUBLED] = {"doubled", "again"},
    [PLANT_INVENTED] = {"invented", "nobody sent"},
    [PLANT_SWAPPED] = {"swapped", "behind"},
    [PLANT_STUCK] = {"stuck", "lost"},
    [PLANT_ASTRAY] = {"astray", "nobody sent"},
    [PLANT_HEADER] = {"header", "headers"},
    [PLANT_SKIPPED] = {"skipped", "offset"},
    [PLANT_ABORTED] = {"aborted", ""},
    [PLANT_AHEAD] = {"ahead", "position"},
    [PLANT_BEHIND] = {"behind", "position"},
    [PLANT_COUNTED] = {"counted", "counted"},
    [PLANT_UNREADY] = {"unready", "/readyz"},
    [PLANT_LEFT] = {"descriptor", "descriptors"},
    [PLANT_THREAD] = {"thread", "threads"},
    [PLANT_MEMORY] = {"memory", "bytes"},
    [PLANT_FILE] = {"file", "left behind"},
    [PLANT_LATE] = {"late", "stop"},
    [PLANT_LINES] = {"lines", "lines"},
    [PLANT_ASSERTION] = {"assertion", "assertion"},
    [PLANT_SILENT] = {"silent", "lost"},
    [PLANT_PLAIN] = {"plain", "plain"},
    [PLANT_FREED] = {"freed", "AddressSanitizer: heap-use-after-free"},
};

/* Keeps the first violation. */
static void violated(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void violated(struct run *run, const char *format, ...)
{
    if (run->verdict[0] != 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(run->verdict, sizeof run->verdict, format, arguments);
    va_end(arguments);
}

/* ---- the end of the agent's process ---- */

static int64_t heap_before;

void referee_agent_begins(void)
{
    heap_before = sanitizer_heap_bytes();
}

static void *sleep_long(void *argument)
{
    sleep(1000000);
    return argument;
}

static void print_lines(unsigned count, const char *line)
{
    while (count-- > 0)
        (void)!write(STDOUT_FILENO, line, strlen(line));
}

static void read_freed(void)
{
    volatile char *freed = malloc(16);
    free((void *)freed);
    (void)*freed;
}

/* What a faulty agent would leave. */
static void plant_rest(void)
{
    pthread_t thread;
    if (world->plant == PLANT_LEFT)
        (void)open("/w/agent.properties", O_RDONLY | O_CLOEXEC);
    else if (world->plant == PLANT_THREAD)
        pthread_create(&thread, NULL, sleep_long, NULL);
    else if (world->plant == PLANT_MEMORY)
        memset(malloc((size_t)1 << 20), 1, (size_t)1 << 20);
    else if (world->plant == PLANT_FREED)
        read_freed();
    else if (world->plant == PLANT_FILE)
        disk_put("/w/positions.json.tmp", "", 0);
    else if (world->plant == PLANT_PLAIN)
        disk_put("/w/data/rest", "event 1", 7);
    else if (world->plant == PLANT_LATE)
        sleep(120);
    else if (world->plant == PLANT_LINES)
        print_lines(1000, "2027-01-15T08:00:00.000Z WARN planted: it fails again\n");
    else if (world->plant == PLANT_ASSERTION)
        print_lines(1, "assertion failed\n");
}

void referee_agent_ended(void)
{
    struct world_life *life = world->facts;
    if (life != NULL)
        plant_rest();
    int64_t heap = sanitizer_heap_bytes();
    usleep(100000); /* threads that nobody waits for end now */
    world->rest_bytes = heap - heap_before;
    world->rest_threads = turn_threads();
    world->rest_descriptors = descriptors_open();
    if (life == NULL)
        return;
    life->memory_bytes = world->rest_bytes;
    life->threads = world->rest_threads;
    life->descriptors = world->rest_descriptors;
}

/* ---- a life ---- */

void referee_life_begins(struct run *run)
{
    if (run->life_count == LIVES_MAX)
        world_fatal("more than %d lives", LIVES_MAX);
    struct world_life *life = &run->lives[run->life_count];
    *life = (struct world_life){.began_ns = world->now_ns,
                                .told_ns = WORLD_NEVER,
                                .resets = world->net->resets,
                                .output_from = world->output_length,
                                .arrivals_from = world->ledger->logged,
                                .taken_from = world->ledger->taken,
                                .acknowledged_from = world->ledger->acknowledgements,
                                .repeats_from = world->ledger->repeats};
    world->facts = life;
    run->life_count++;
}

/* Lines that the sink file_roll has written since it was looked last. A line without an end was being written when the process was killed. */
static void read_output(void *argument, const char *path, struct disk_inode *file)
{
    struct run *run = argument;
    uint32_t *read = &run->output_read[file->number % INODES_MAX];
    size_t length = file->now.size;
    char *text = world_allocate(length + 1);
    text[disk_read(file, 0, text, length)] = 0;
    char *line = text + *read;
    while (*line != 0) {
        size_t line_length = strcspn(line, "\n");
        bool is_whole = line[line_length] == '\n';
        if (!is_whole && world->end == WORLD_RUNS) /* the rest comes */
            break;
        if (is_whole || world->facts->end != WORLD_KILLED)
            ledger_arrived(line, line_length);
        line += line_length + is_whole;
    }
    *read = (uint32_t)(line - text);
    world_free(text, length + 1);
}

/* Returns the place of the far end that a file is in: each folder of a minute (%M) has an order of its own, and so has the folder above. */
static uint16_t place_of(const char *path)
{
    const char *minute = strrchr(path, '/') - 2;
    return isdigit((uint8_t)minute[0]) && isdigit((uint8_t)minute[1]) ? (uint16_t)(1 + atoi(minute)) : 0;
}

/* The same of the sink hdfs. A line without an end may get one when the file's lease is recovered, or never. */
static void read_hdfs(void *argument, const char *path, struct disk_inode *file)
{
    struct run *run = argument;
    world->ledger->place = place_of(path); /* until ledger_at */
    uint32_t *read = &run->output_read[file->number % INODES_MAX];
    size_t length = file->now.size;
    char *text = world_allocate(length + 1);
    text[disk_read(file, 0, text, length)] = 0;
    for (const char *end; *read < length && (end = strchr(text + *read, '\n')) != NULL;) {
        ledger_arrived(text + *read, (size_t)(end - text) - *read);
        *read = (uint32_t)(end + 1 - text);
    }
    world_free(text, length + 1);
}

/* Returns whether nothing went wrong in this life: it has no kill, no failed call, no broken connection, no server's fault. */
static bool is_undisturbed(const struct world_life *life)
{
    return life->end == WORLD_EXIT && life->failed_calls == 0 && life->resets == 0 && !life->servers_failed;
}

/* ---- what the agent counts ---- */

/* Reads a count as the log prints it: with commas. */
static int64_t count_at(const char *at)
{
    int64_t count = 0;
    for (; (*at >= '0' && *at <= '9') || (*at == ',' && at[1] != ' '); at++)
        if (*at != ',')
            count = 10 * count + (*at - '0');
    return count;
}

/* Returns the count behind these words in the account, the last line of this life's log; -1: there is none. */
static int64_t accounted(const struct world_life *life, const char *words)
{
    const char *account = NULL, *at = world->output + life->output_from;
    world->output[world->output_length] = 0;
    for (; (at = strstr(at, "stopped: events accepted ")) != NULL; at++)
        account = at;
    const char *found = account == NULL ? NULL : strstr(account, words);
    return found == NULL ? -1 : count_at(found + strlen(words));
}

/* Returns how many events the channel had when it was opened. */
static int64_t waiting(const struct world_life *life)
{
    const char *at = strstr(world->output + life->output_from, ": opened in ");
    at = at == NULL ? NULL : strstr(at + 1, ": ");
    return at == NULL ? -1 : count_at(at + 2);
}

/* Returns a value of /metrics; -1: it is not there. */
static int64_t metric(const struct world_life *life, const char *component, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":{", component);
    const char *at = strstr(life->metrics, key);
    snprintf(key, sizeof key, "\"%s\":\"", name);
    at = at == NULL ? NULL : strstr(at, key);
    return at == NULL ? -1 : strtoll(at + strlen(key), NULL, 10);
}

static void expect(struct run *run, const char *what, int64_t says, int64_t is)
{
    if (says != is)
        violated(run, "life %u: %s is counted as %lld, and is %lld", run->life_count, what, (long long)says,
                 (long long)is);
}

/* Returns whether each event has one way, at whose end the ledger sees it. */
static bool counts_are_plain(const struct drawn_agent *agent)
{
    return agent->shape == SHAPE_PLAIN && !agent->kafka_channel && agent->sinks[0] < SINK_NULL &&
           (agent->interceptors >> INTERCEPT_FILTER & 1) == 0;
}

/* Returns whether something went wrong in a life so far. */
static bool was_disturbed(const struct run *run)
{
    for (unsigned i = 0; i < run->life_count; i++)
        if (!is_undisturbed(&run->lives[i]))
            return true;
    return false;
}

/* A metric counts a lease when all of it is settled; the account also counts what was delivered of those that the stop gave back, whose events may come again. */
static void expect_delivered(struct run *run, const char *what, int64_t says, int64_t delivered,
                             int64_t doubled)
{
    if (says > delivered || says < delivered - doubled)
        expect(run, what, says, delivered);
}

static void check_counts(struct run *run)
{
    static const char *const nothing[] = {", dropped ", "refused by the far end ", "not delivered ",
                                          "dead letters "};
    static const char *const settled[] = {"kept in durable channels ", "read again at the next start "};
    const struct world_life *life = world->facts;
    if (!is_undisturbed(life) || !counts_are_plain(&run->agent))
        return;
    if (agent_has_store(&run->agent) && was_disturbed(run))
        return; /* what it has is delivered again, and does not arrive */
    if (agent_has_sink(&run->agent, SINK_HDFS) && was_disturbed(run))
        return; /* it may have got what a life before had under way, by the recovery of a lease */
    const struct ledger *ledger = world->ledger;
    int64_t arrived =
        (int64_t)(ledger->logged - life->arrivals_from) - (int64_t)(ledger->taken - life->taken_from);
    int64_t accepted = accounted(life, "accepted ");
    if (accepted < 0) /* it was stopped before it had started */
        return;
    int64_t delivered = accounted(life, ", delivered "), doubled = accounted(life, "possibly doubled "),
            kept = accounted(life, settled[0]), again = accounted(life, settled[1]);
    bool in_doubt = run->agent.exactly_once &&
                    run->killed > 0; /* a transaction of a killed life may be committed in this one */
    if (!in_doubt && (delivered > arrived || delivered + doubled < arrived))
        expect(run, "delivered", delivered, arrived);
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        expect(run, nothing[i], accounted(life, nothing[i]), 0);
    if (!life->reloads) {
        expect_delivered(run, "EventDrainSuccessCount", metric(life, "SINK.k", "EventDrainSuccessCount"),
                         delivered, doubled);
        expect(run, "EventAcceptedCount", metric(life, "SOURCE.s", "EventAcceptedCount"), accepted);
        if (metric(life, "SOURCE.s", "EventReceivedCount") <
            accepted) /* what a full channel refused counts, too */
            violated(run, "life %u: fewer events were received than accepted", run->life_count);
        expect(run, "EventPutSuccessCount", metric(life, "CHANNEL.c", "EventPutSuccessCount"), accepted);
        expect_delivered(run, "EventTakeSuccessCount", metric(life, "CHANNEL.c", "EventTakeSuccessCount"),
                         delivered, doubled);
    }
    /* of a call that is refused some batches may be in the channel: they come again with it (source_avro.md) */
    int64_t answered = (int64_t)life->acknowledged - life->acknowledged_from,
            unsure = (int64_t)(ledger->repeats - life->repeats_from);
    bool answers = run->agent.source >= SOURCE_NETCAT && run->agent.source <= SOURCE_THRIFT;
    if (answers && (accepted < answered || accepted > answered + unsure))
        expect(run, "accepted", accepted, answered);
    int64_t waited = run->agent.channels[0] == CHANNEL_MEMORY ? 0 : waiting(life);
    expect(run, "what came in and has not gone out", kept + again, accepted + waited - delivered);
    if (!life->is_settled)
        return;
    expect(run, "ChannelSize", metric(life, "CHANNEL.c", "ChannelSize"), 0);
    for (size_t i = 0; i < 2; i++)
        expect(run, settled[i], accounted(life, settled[i]), 0);
}

/* Returns how many inputs are among the dropped events that became no event for their form. */
static int64_t discarded(const struct world_life *life)
{
    const char *end = strstr(world->output + life->output_from, " for their form), refused");
    while (end != NULL && end[-1] != '(')
        end--;
    return end == NULL ? 0 : count_at(end);
}

/* Returns whether a reload closed a channel, and could not open it again: the account does not know what is in it. */
static bool is_left_closed(const struct world_life *life)
{
    const char *last = NULL, *at = world->output + life->output_from;
    while ((at = strstr(at, ": closed: ")) != NULL)
        last = at++;
    return life->failed_calls > 0 && last != NULL && strstr(last, "agent: reloaded") != NULL;
}

/* Each event that came in, or waited in the channel, is in one place of the account, whatever went wrong in the life; what the far end refused
 * counts as delivered. If calls fail, what a client was refused may be in the channel, or dropped; and if the stop's time is over, a batch that
 * waited for room is refused, of which an interceptor may have dropped events. */
static void check_account(struct run *run)
{
    static const char *const places[] = {", delivered ",
                                         ", dropped ",
                                         "not delivered ",
                                         "dead letters ",
                                         "kept in durable channels ",
                                         "read again at the next start "};
    const struct world_life *life = world->facts;
    int64_t came = accounted(life, "accepted "), went = 0, waited = 0;
    if (run->agent.channels[0] != CHANNEL_MEMORY)
        waited = waiting(life);
    if (life->end != WORLD_EXIT || came < 0 || waited < 0 || run->agent.shape > SHAPE_GROUP ||
        run->agent.kafka_channel || is_left_closed(life) ||
        run->decayed) /* lost frames count until all others are taken */
        return;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        went += accounted(life, places[i]);
    went -= discarded(life); /* no event was made of them */
    /* an event that a filter drops in front of the refusal of its batch */
    bool refuses = life->failed_calls > 0 || (run->agent.interceptors >> INTERCEPT_FILTER & 1) != 0;
    if (!refuses || went < came + waited)
        expect(run, "what came in", went, came + waited);
}

/* ---- positions ---- */

/* Returns the position of a file in the position file of taildir; -1: it has none. For a minute there may be another one before it, of what the file was
 * before it was cut. */
static int64_t position_of(const char *positions, uint32_t inode)
{
    char key[32];
    snprintf(key, sizeof key, "\"inode\":%u,\"pos\":", inode);
    int64_t position = -1;
    for (const char *at = positions; (at = strstr(at, key)) != NULL;) {
        at += strlen(key);
        position = strtoll(at, NULL, 10);
    }
    return position;
}

/* Writes other positions of the same length. */
static void plant_positions(struct disk_inode *file)
{
    static char text[8192];
    size_t length = disk_read(file, 0, text, sizeof text - 1), written;
    text[length] = 0;
    for (char *at = text; (at = strstr(at, "\"pos\":")) != NULL; at++)
        for (char *digit = at + 6; *digit >= '0' && *digit <= '9'; digit++)
            *digit = world->plant == PLANT_AHEAD ? '9' : '0';
    disk_write(file, 0, text, length, &written);
}

/* Behind a memory channel a position covers delivered lines alone; after a stop in order it covers all of those that this life delivered. */
static void check_positions(struct run *run)
{
    static char positions[8192];
    const struct world_life *life = world->facts;
    const struct ledger *ledger = world->ledger;
    struct disk_inode *file = disk_at("/w/positions.json");
    if (run->agent.source != SOURCE_TAILDIR || file == NULL)
        return;
    bool is_plain = counts_are_plain(&run->agent);
    if (world->plant == PLANT_AHEAD || world->plant == PLANT_BEHIND)
        plant_positions(file);
    positions[disk_read(file, 0, positions, sizeof positions - 1)] = 0;
    for (uint32_t i = 0; i < ledger->count && is_plain && run->agent.channels[0] == CHANNEL_MEMORY; i++)
        if (ledger->arrived[0][i] == 0 && ledger->file[i] > 0 && !ledger->over[i] &&
            (int64_t)ledger->file_end[i] <= position_of(positions, ledger->file[i]))
            violated(run, "life %u: the position is behind event %u, which was not delivered",
                     run->life_count, i);
    for (size_t k = life->arrivals_from; k < ledger->logged && is_undisturbed(life); k++) {
        uint32_t i = ledger->log[k].number;
        if (ledger->file[i] > 0 && (int64_t)ledger->file_end[i] > position_of(positions, ledger->file[i]))
            violated(run, "life %u: after its stop the position is before event %u, which was delivered",
                     run->life_count, i);
    }
}

/* ---- spooling directories ---- */

/* A file that was delivered is renamed, removed or marked; files that are not to be read stay as they are. */
static void look_at_spooled(void *argument, const char *path, struct disk_inode *file)
{
    struct run *run = argument;
    const struct file_reader *files = &run->agent.files;
    const char *name = strrchr(path, '/') + 1;
    char marker[256];
    snprintf(marker, sizeof marker, "/w/tracker/%s%s", path + strlen("/w/spool/"), files->suffix);
    bool is_finished = strstr(name, files->suffix) != NULL, is_marked = disk_at(marker) != NULL;
    bool is_hidden =
        strstr(path, "/.") != NULL || strcmp(name, "draft.part") == 0 || strstr(path, "/other/") != NULL;
    if (is_hidden ? is_finished || is_marked : files->finished == FINISHED_MARK ? !is_marked : !is_finished)
        violated(run, "%s is %s", path, is_hidden ? "finished, and is not to be read" : "not finished");
}

static void check_spooled(struct run *run)
{
    if (run->agent.source != SOURCE_SPOOLDIR || !world->facts->is_settled)
        return;
    disk_walk("/w/spool", look_at_spooled, run);
    if (disk_at("/w/spool/draft.part") == NULL || disk_at("/w/spool/.draft.txt") == NULL)
        violated(run, "a file that is not to be read is gone");
}

/* ---- damage ---- */

/* Neither a kill nor a power cut nor a failed call damages what a channel has acknowledged; what is encrypted has no text of an event. */
static void check_damage(struct run *run)
{
    const char *path = run->agent.encrypts ? damage_plain_text() : NULL;
    if (path != NULL)
        violated(run, "the text of an event is in plain in %s", path);
    size_t from = world->facts->output_from;
    if (!run->decayed &&
        (damage_is_named(from) || (run->failed_calls == 0 && damage_of_state_is_named(from))))
        violated(run, "life %u: the log names damage, and nothing was damaged", run->life_count);
}

/* ---- what it leaves ---- */

#define MEMORY_BYTES_MAX (INT64_C(512) << 10) /* statics that libraries keep */
#define IDLE_CALLS_MAX 20000U                 /* in a minute */
#define CALLS_OF_A_FETCH 80U                  /* each of the few cycles asks each component */
#define MESSAGES_MAX 200U                     /* warnings and errors of a life of some seconds */

static unsigned count_words(const struct world_life *life, const char *words)
{
    unsigned count = 0;
    world->output[world->output_length] = 0;
    for (const char *at = world->output + life->output_from; (at = strstr(at, words)) != NULL; at++)
        count++;
    return count;
}

static void look_for_rest(void *argument, const char *path, struct disk_inode *file)
{
    static const char *const ends[] = {".tmp", ".new", ".old", "-journal", ".partial", "~"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t length = strlen(path), end = strlen(ends[i]);
        if (length > end && strcmp(path + length - end, ends[i]) == 0)
            violated(argument, "%s is left behind", path);
    }
}

static void check_rest(struct run *run)
{
    const struct world_life *life = world->facts;
    unsigned messages = count_words(life, "Z WARN ") + count_words(life, "Z ERROR ");
    if (messages > MESSAGES_MAX)
        violated(run, "life %u: the log has %u lines of warnings and errors", run->life_count, messages);
    if (count_words(life, "assertion") > 0)
        violated(run, "life %u: an assertion failed", run->life_count);
    if (life->end != WORLD_EXIT ||
        life->threads == 0) /* asked to stop before it has started, it ends at once */
        return;
    if (run->agent.exactly_once && run->agent.source <= SOURCE_SPOOLDIR &&
        !is_undisturbed(
            life)) /* a stop does not wait for a reader of positions whose broker does not answer */
        return;
    if (life->threads != 1)
        violated(run, "life %u: %u threads had not ended", run->life_count, life->threads - 1);
    if (life->descriptors != 3)
        violated(run, "life %u: %u descriptors were open", run->life_count, life->descriptors - 3);
    if (life->memory_bytes > MEMORY_BYTES_MAX)
        violated(run, "life %u: %lld bytes were not freed", run->life_count, (long long)life->memory_bytes);
    if (is_undisturbed(life))
        disk_walk("/w", look_for_rest, run);
    if (disk_at("/hdfs") != NULL && !was_disturbed(run))
        disk_walk("/hdfs", look_for_rest, run);
}

/* Returns within which time a stop must end (STOPPING.md). */
static uint64_t stop_limit_ns(const struct run *run)
{
    if (!is_undisturbed(
            world
                ->facts)) /* a sink goes on as long as it delivers one event each half second; systemd kills after this time */
        return UINT64_C(60) * WORLD_NS_PER_S;
    const struct drawn_agent *agent = &run->agent;
    bool spills = agent->channels[0] == CHANNEL_SPILLABLE || agent->channels[1] == CHANNEL_SPILLABLE;
    uint64_t wait_ms = agent->survives_kills && !spills ? 1000 : 30000; /* penstock.drain.timeout */
    uint64_t sinks_ms = 3000, sources_ms = 1000 + (run->agent.source == SOURCE_KAFKA ? 10000 : 0);
    return (wait_ms + sinks_ms + sources_ms) * UINT64_C(1000000);
}

/* An agent that has nothing to do delivers all that it has, and sleeps. */
static void check_idle(struct run *run)
{
    const struct world_life *life = world->facts;
    if (!life->is_settled)
        return;
    if (world->ledger->logged > life->settled_at && !agent_has_sink(&run->agent, SINK_HDFS))
        violated(run, "life %u: event %u arrived when the agent was stopped, and not in the minute before",
                 run->life_count, world->ledger->log[life->settled_at].number);
    uint64_t most = IDLE_CALLS_MAX;
    if (run->agent.source == SOURCE_KAFKA || run->agent.kafka_channel) { /* each sink of a channel reads */
        uint64_t fetches = UINT64_C(3) * 60000 / run->agent.reader.fetch_wait_ms; /* of three brokers */
        most += CALLS_OF_A_FETCH * fetches * (run->agent.shape == SHAPE_PLAIN ? 1U : 2U);
    }
    /* a sink's metadata may be a second old at most, over connections that close sooner */
    if (run->agent.exactly_once || agent_has_sink(&run->agent, SINK_KAFKA))
        most += most / 2;
    if (run->agent.source == SOURCE_SPOOLDIR) /* it looks at each file of the directory twice a second */
        most += UINT64_C(480) * world->ledger->count;
    if (run->agent.source == SOURCE_TAILDIR) /* a file that ends in NULs is opened and read every 5 or 10 s */
        most += UINT64_C(1200) * disk_at("/w/logs")->names.count;
    if (life->idle_calls > most)
        violated(run, "life %u: the agent made %llu calls in a minute in which it had nothing to do",
                 run->life_count, (unsigned long long)life->idle_calls);
}

static void check_end(struct run *run)
{
    const struct world_life *life = world->facts;
    if (life->end == WORLD_EXIT && life->told_ns != WORLD_NEVER &&
        life->ended_ns - life->told_ns > stop_limit_ns(run))
        violated(run, "life %u: the stop took %llu ms", run->life_count,
                 (unsigned long long)((life->ended_ns - life->told_ns) / 1000000));
    for (const char *line = life->ready; life->is_settled && *line != 0;) {
        size_t length = strcspn(line, "\n");
        bool stops = strncmp(line, "the agent is stopping", length) == 0 ||
                     memmem(line, length, " is closed", 10) != NULL;
        if (!stops)
            violated(run, "life %u: /readyz says %.*s", run->life_count, (int)length, line);
        line += length + (line[length] == '\n');
    }
}

static void read_hdfs_of(struct run *run)
{
    static const char *const places[] = {"/hdfs/out", "/hdfs/out2"};
    for (unsigned i = 0; i < 2; i++) {
        ledger_at(run->agent.far_ends[i]);
        if (disk_at(places[i]) != NULL)
            disk_walk(places[i], read_hdfs, run);
    }
}

static void read_outputs(struct run *run)
{
    ledger_at(run->agent.far_ends[0]);
    disk_walk("/w/out", read_output, run);
    ledger_at(run->agent.far_ends[1]);
    disk_walk("/w/out2", read_output, run);
}

void referee_life_settled(struct run *run, uint64_t calls)
{
    read_outputs(run);
    world->facts->idle_calls = calls;
    world->facts->settled_at = world->ledger->logged;
}

void referee_life_ended(struct run *run, enum world_end end)
{
    struct world_life *life = world->facts;
    life->end = end;
    life->ended_ns = world->now_ns;
    life->failed_calls = faults_struck() + (run->decayed ? 1 : 0);
    life->resets = world->net->resets - life->resets;
    life->servers_failed = world->server_faults;
    read_outputs(run);
    read_hdfs_of(run);
    run->failed_calls += life->failed_calls;
    run->servers_failed |= life->servers_failed;
    run->killed += life->end == WORLD_KILLED;
}

void referee_life_judged(struct run *run)
{
    struct world_life *life = world->facts;
    life->acknowledged = world->ledger->acknowledgements;
    life->doubled = accounted(life, "possibly doubled ");
    life->kept = accounted(life, "kept in durable channels ");
    life->sent = world->ledger->count;
    if (life->end == WORLD_EXIT && world->exit_code != 0 && is_undisturbed(life))
        violated(run, "it ended with status %d", world->exit_code);
    else if (life->end != WORLD_EXIT && life->end != WORLD_KILLED)
        violated(run, "%s", world->reason);
    check_counts(run);
    check_account(run);
    check_positions(run);
    check_spooled(run);
    check_rest(run);
    check_end(run);
    check_damage(run);
    check_idle(run);
}

/* ---- order ----
 *
 * The runner takes scratch memory from the world, so that its own heap, and with it each life, is the same when a seed runs again. */

/* Returns whether an event may come in another life behind one that came in: what a spillable channel has in memory when a stop ends goes to
 * disk, behind what is there (GUARANTEES, Order); an optional channel may have been without it, and gets it when the source reads it again. */
static bool may_turn(const struct run *run, const struct arrival *arrival, uint32_t last)
{
    const struct drawn_agent *agent = &run->agent;
    if (agent->shape == SHAPE_OPTIONAL && arrival->far_end == 1 && arrival->life > 0)
        return true;
    if (agent->channels[0] != CHANNEL_SPILLABLE && agent->channels[1] != CHANNEL_SPILLABLE)
        return false;
    for (unsigned i = 0; i < arrival->life; i++)
        if (run->lives[i].kept > 0 && arrival->number < run->lives[i].sent && last < run->lives[i].sent)
            return true;
    return false;
}

/* Within a stream events arrive for the first time in their order, at each place of a far end. */
static void check_order(struct run *run)
{
    const struct ledger *ledger = world->ledger;
    size_t places = ((size_t)ledger->streams + 1) * PLACES_MAX;
    uint32_t *lasts = world_allocate(places * LEDGER_FAR_ENDS * sizeof *lasts);
    uint8_t *came = world_allocate(ledger->count); /* a bit for each far end */
    for (size_t i = 0; i < ledger->logged; i++) {
        const struct arrival *arrival = &ledger->log[i];
        uint16_t stream = ledger->stream[arrival->number];
        bool is_first = (came[arrival->number] >> arrival->far_end & 1) == 0;
        came[arrival->number] |= (uint8_t)(1U << arrival->far_end);
        if (stream == 0 || !is_first)
            continue;
        uint32_t *last =
            &lasts[arrival->far_end * places + (size_t)stream * PLACES_MAX + arrival->place % PLACES_MAX];
        if (*last > arrival->number && !may_turn(run, arrival, *last))
            violated(run, "event %u arrives behind event %u", arrival->number, *last);
        *last = arrival->number;
    }
}

/* ---- what comes twice ---- */

/* Returns how long before a kill an event may have arrived that comes again: GUARANTEES, Duplicates; the times of a sync added. */
static uint64_t repeats_ns(const struct drawn_agent *agent, bool cut)
{
    uint64_t ms = agent->source == SOURCE_TAILDIR ? 3100 : 150;
    if (cut && agent->source == SOURCE_SPOOLDIR)
        return WORLD_NEVER / 2; /* new names that were not on the disk yet */
    if (cut && ms < 1150)
        ms = 1150;
    return ms * UINT64_C(1000000);
}

/* Returns whether an event that arrived first so may come again so. Copies of it may have been in a channel before it arrived first. */
static bool may_repeat(const struct run *run, const struct arrival *first, const struct arrival *again)
{
    for (unsigned i = 0; i <= again->life; i++) {
        const struct world_life *life = &run->lives[i];
        if (life->failed_calls > 0 || life->resets > 0 || life->servers_failed)
            return true;
        if (i < again->life && life->end == WORLD_KILLED &&
            first->at_ns + repeats_ns(&run->agent, life->cut) >= life->ended_ns)
            return true;
    }
    return false;
}

/* Returns whether a life has closed a sink within a batch, and its account may say of events that they come again (GUARANTEES, Duplicates):
 * a reload, or a stop with a store, whose requests may be on their way for longer than it waits. */
static bool closes_within_batch(const struct run *run, const struct world_life *life)
{
    return life->reloads || agent_has_store(&run->agent);
}

/* Returns whether the account has said of so many events that they may come again. Of two tiers the second may have had the event for
 * another life before it arrived. */
static bool is_announced(struct run *run, const struct arrival *first, const struct arrival *again)
{
    unsigned last = run->agent.shape == SHAPE_TIER ? again->life : first->life;
    unsigned at = run->agent.shape == SHAPE_TIER ? 0 : last;
    while (at < last && !(closes_within_batch(run, &run->lives[at]) && run->lives[at].doubled > 0))
        at++;
    struct world_life *life = &run->lives[at];
    if (life->reloads && life->end == WORLD_KILLED) /* in front of its account */
        return true;
    return closes_within_batch(run, life) && life->doubled-- > 0;
}

static void check_doubled(struct run *run)
{
    const struct ledger *ledger = world->ledger;
    const struct arrival **firsts = world_allocate(ledger->count * LEDGER_FAR_ENDS * sizeof *firsts);
    uint8_t *copies = world_allocate((size_t)ledger->count * LEDGER_FAR_ENDS);
    for (size_t i = 0; i < ledger->logged; i++) {
        const struct arrival *arrival = &ledger->log[i];
        size_t at = (size_t)arrival->number * LEDGER_FAR_ENDS + arrival->far_end;
        if (firsts[at] == NULL)
            firsts[at] = arrival;
        else if (copies[at] >= ledger->sent[arrival->number] && !may_repeat(run, firsts[at], arrival) &&
                 !is_announced(run, firsts[at], arrival))
            violated(run, "event %u comes again in life %u, and came in life %u, %.1f ms before that ended",
                     arrival->number, arrival->life + 1U, firsts[at]->life + 1U,
                     (double)(run->lives[firsts[at]->life].ended_ns - firsts[at]->at_ns) / 1e6);
        if (copies[at] < UINT8_MAX)
            copies[at]++;
    }
}

void referee_run_ended(struct run *run)
{
    const struct ledger *ledger = world->ledger;
    bool undisturbed = true;
    for (unsigned i = 0; i < run->life_count; i++)
        undisturbed &= is_undisturbed(&run->lives[i]);
    if (world->broken != NULL)
        violated(run, "%s", world->broken);
    if (!peers_are_done())
        violated(run, "not all events have come in within the time that is waited for them");
    if (ledger->invented > 0)
        violated(run, "an event arrived that nobody sent: %s", ledger->invention);
    if (ledger->wrong_headers > 0)
        violated(run, "%u events arrived with wrong headers", ledger->wrong_headers);
    bool is_named = run->decayed && world->plant != PLANT_SILENT &&
                    (damage_is_named(0) || damage_of_state_is_named(0) || damage_is_suspected(0));
    if (ledger_lost() > 0 && (run->agent.survives_kills || undisturbed) && !is_named)
        violated(run, "%u acknowledged events are lost", ledger_lost());
    bool has_no_order = run->agent.shape == SHAPE_SHARED || run->agent.shape == SHAPE_GROUP;
    has_no_order |= run->agent.workers > 1;                 /* the order is that of one worker */
    has_no_order |= run->agent.kafka_channel;               /* .. and of one partition */
    has_no_order |= agent_has_sink(&run->agent, SINK_HIVE); /* rows of a table have none */
    has_no_order |= agent_has_store(&run->agent);
    bool to_kafka = run->agent.sinks[0] == SINK_KAFKA || run->agent.sinks[1] == SINK_KAFKA;
    bool spills = run->agent.channels[0] == CHANNEL_SPILLABLE || run->agent.channels[1] == CHANNEL_SPILLABLE;
    has_no_order |= spills && run->killed > 0; /* what memory had is gone, and its clients send it again */
    if (!has_no_order &&
        (undisturbed || !to_kafka)) /* what a producer sends again may go to another partition */
        check_order(run);
    bool finds_copies_late =
        run->agent.source == SOURCE_TAILDIR && run->failed_calls > 0; /* with their originals */
    if (run->agent.exactly_once && !finds_copies_late && ledger_doubled() > 0)
        violated(run, "%u events came twice with exactly once", ledger_doubled());
    bool lacks_ids = strstr(world->output, "events of new files have no identities") != NULL ||
                     strstr(world->output, ".identities cannot be written") != NULL; /* a disk failed */
    for (unsigned place = 0; place < 2 && !lacks_ids; place++)
        if (agent_stores_once(&run->agent, place) && ledger_doubled_at(run->agent.far_ends[place]) > 0)
            violated(run, "%u events came twice into a store with ids",
                     ledger_doubled_at(run->agent.far_ends[place]));
    check_doubled(run);
}

/* ---- planted violations ---- */

enum world_plant referee_plant(const char *name)
{
    for (int i = 0; i < PLANTS; i++)
        if (strcmp(plants[i].name, name) == 0)
            return (enum world_plant)i;
    world_fatal("there is no violation %s", name);
}

bool referee_found(enum world_plant plant, const char *verdict)
{
    return verdict[0] != 0 && strstr(verdict, plants[plant].words) != NULL;
}
