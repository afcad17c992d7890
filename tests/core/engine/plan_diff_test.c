/* The changes that a reload finds, line by line of a file: each kind of line makes another plan, and closes
 * exactly the source that it belongs to, or exchanges its chain; a file that only looks different changes
 * nothing. */
#include "tests/support/support.h"

#include "conf/conf.h"
#include "core/engine/plan.h"
#include "stages/table.h"

#include <stdio.h>
#include <string.h>

static const char base[] = "a1.sources = r1 r2\n"
                           "a1.channels = c1 c2 c3\n"
                           "a1.sinks = k1 k2 k3\n"
                           "a1.penstock.workers = 3\n"
                           "a1.sources.r1.type = netcat\n"
                           "a1.sources.r1.bind = 127.0.0.1\n"
                           "a1.sources.r1.port = 4141\n"
                           "a1.sources.r1.channels = c1 c2\n"
                           "a1.sources.r1.interceptors = i1 i2\n"
                           "a1.sources.r1.interceptors.i1.type = static\n"
                           "a1.sources.r1.interceptors.i1.key = k\n"
                           "a1.sources.r1.interceptors.i1.value = one\n"
                           "a1.sources.r1.interceptors.i2.type = timestamp\n"
                           "a1.sources.r1.selector.type = multiplexing\n"
                           "a1.sources.r1.selector.header = k\n"
                           "a1.sources.r1.selector.mapping.one = c1\n"
                           "a1.sources.r1.selector.default = c2\n"
                           "a1.sources.r2.type = seq\n"
                           "a1.sources.r2.channels = c3\n"
                           "a1.channels.c1.type = memory\n"
                           "a1.channels.c1.capacity = 1000\n"
                           "a1.channels.c2.type = memory\n"
                           "a1.channels.c3.type = memory\n"
                           "a1.sinks.k1.type = file_roll\n"
                           "a1.sinks.k1.sink.directory = /tmp\n"
                           "a1.sinks.k1.sink.serializer = text\n"
                           "a1.sinks.k1.channel = c1\n"
                           "a1.sinks.k2.type = null\n"
                           "a1.sinks.k2.channel = c2\n"
                           "a1.sinks.k3.type = null\n"
                           "a1.sinks.k3.channel = c3\n";

/* NOTHING; the PLAN and no source; the plan and source R1 or R2; the plan and the CHAIN of r1. */
enum { NOTHING, PLAN, R1, R2, CHAIN };

static const struct {
    const char *from, *to; /* `from` NULL: `to` is added */
    int changes;
} cases[] = {
    /* source */
    {"r1.port = 4141", "r1.port = 4142", R1},
    {"r1.type = netcat", "r1.type = netcatudp", R1},
    {NULL, "a1.sources.r1.max-line-length = 100\n", R1},
    {NULL, "a1.sources.r1.backoffSleepIncrement = 7\n", R1},
    {NULL, "a1.sources.r1.penstock.workers = 2\n", R1},
    {"r1.channels = c1 c2", "r1.channels = c2 c1", R1},
    {"r1.channels = c1 c2", "r1.channels = c1 c2 c3", R1},
    {NULL, "a1.sources.r2.totalEvents = 5\n", R2},
    {"r2.channels = c3", "r2.channels = c2", R2},
    /* interceptors */
    {"i1.value = one", "i1.value = two", CHAIN},
    {NULL, "a1.sources.r1.interceptors.i1.preserveExisting = false\n", CHAIN},
    {"i2.type = timestamp", "i2.type = host", CHAIN},
    {"interceptors = i1 i2", "interceptors = i2 i1", CHAIN},
    {"interceptors = i1 i2", "interceptors = i1", CHAIN},
    {"a1.sources.r1.interceptors = i1 i2\n", "", CHAIN},
    /* selector */
    {"selector.header = k", "selector.header = other", CHAIN},
    {"mapping.one = c1", "mapping.one = c2", CHAIN},
    {"mapping.one = c1", "mapping.one = c1 c2", CHAIN},
    {"selector.default = c2", "selector.default = c1", CHAIN},
    {NULL, "a1.sources.r1.selector.optional.one = c2\n", CHAIN},
    {"selector.type = multiplexing", "selector.type = replicating", CHAIN},
    /* channels, sinks, agent */
    {"c1.capacity = 1000", "c1.capacity = 2000", PLAN},
    {NULL, "a1.channels.c2.keep-alive = 9\n", PLAN},
    {"k1.sink.directory = /tmp", "k1.sink.directory = /var/tmp", PLAN},
    {"k1.sink.serializer = text", "k1.sink.serializer = header_and_text", PLAN},
    {NULL, "a1.sinks.k1.sink.serializer.appendNewline = false\n", PLAN},
    {"k2.type = null", "k2.type = logger", PLAN},
    {"k2.channel = c2", "k2.channel = c3", PLAN},
    {"a1.sinks = k1 k2 k3", "a1.sinks = k1 k2", PLAN},
    {"a1.penstock.workers = 3", "a1.penstock.workers = 4", PLAN},
    {NULL, "a1.penstock.batch.events = 10\n", PLAN},
    {NULL, "a1.penstock.drain.timeout = 10\n", PLAN},
    {NULL, "a1.penstock.reload.timeout = 10\n", PLAN},
    {NULL, "a1.penstock.ready.stall = 10\n", PLAN},
    /* changes of the text alone */
    {NULL, "# a comment\n\n", NOTHING},
    {"r1.port = 4141\n", "r1.port : 4141\n", NOTHING},
    {"a1.sources.r2.type = seq\na1.sources.r2.channels = c3\n",
     "a1.sources.r2.channels = c3\na1.sources.r2.type = seq\n", NOTHING},
    {"r2.type = seq", "r2.type = org.apache.flume.source.SequenceGeneratorSource", NOTHING},
    {NULL, "b1.sources.r1.port = 1\n", NOTHING},
    /* takes effect at the next start */
    {"a1.penstock.workers = 3", "a1.penstock.workers = 1", NOTHING},
};

static struct ps_plan *plan_of(const char *text, const struct ps_plan *before)
{
    static const struct ps_machine machine = {.cores = 4, .memory_bytes = UINT64_C(1) << 30};
    struct ps_command command;
    struct ps_conf *conf;
    struct ps_err err = {.length = 0};
    char *argv[] = {(char *)(uintptr_t) "agent", (char *)(uintptr_t) "-n", (char *)(uintptr_t) "a1",
                    (char *)(uintptr_t) "-f", (char *)(uintptr_t) "x"};
    assert_int_equal(ps_command_parse(&command, (int)PS_COUNT_OF(argv), argv, &err), PS_OK);
    assert_int_equal(ps_conf_load_text(&command, ps_stages, "x", text, strlen(text), &conf), PS_OK);
    struct ps_plan *plan = ps_plan_create(ps_conf_take_spec(conf), &machine, before, &err);
    if (plan == NULL)
        fail_msg("%s", err.text);
    ps_conf_destroy(conf);
    ps_command_fini(&command);
    return plan;
}

static void test_each_kind_of_line(void **state)
{
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char text[4096];
        const char *from = cases[i].from, *found = from != NULL ? strstr(base, from) : base + sizeof base - 1;
        assert_non_null(found);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(found - base), base, cases[i].to,
                 found + (from != NULL ? strlen(from) : 0));
        for (int back = 0; back < 2; back++) { /* and back again */
            struct ps_plan *old = plan_of(back ? text : base, NULL);
            struct ps_plan *next = plan_of(back ? base : text, old);
            ps_plan_adopt(next, old);
            bool same = ps_plan_is_same(old, next), one = next->sources[0].adopts == NULL,
                 two = next->sources[1].adopts == NULL;
            int changes = cases[i].changes;
            if (back && strcmp(cases[i].to, "a1.penstock.workers = 1") == 0)
                changes = PLAN; /* more workers */
            if (back && strcmp(cases[i].to, "a1.penstock.workers = 4") == 0)
                changes = NOTHING;
            bool chain = !one && !next->sources[0].adopts_chain;
            if (same != (changes == NOTHING) || one != (changes == R1) || two != (changes == R2) ||
                chain != (changes == CHAIN))
                fail_msg("%s -> %s%s: same %d, r1 closes %d, r2 closes %d, r1 has another chain %d",
                         from != NULL ? from : "", cases[i].to, back ? ", and back" : "", same, one, two,
                         chain);
            assert_true(two || next->sources[1].adopts_chain);
            assert_ptr_equal(next->sources[0].chain_stages,
                             one || chain ? next->sources[0].spec : old->sources[0].spec);
            assert_ptr_equal(next->sources[0].stages, one ? next->sources[0].spec : old->sources[0].spec);
            if (!one)
                assert_ptr_equal(next->sources[0].adopts, &old->sources[0]);
            ps_plan_destroy(next);
            ps_plan_destroy(old);
        }
    }
}

/* A value with a line break is not taken for two keys. */
static void test_line_breaks(void **state)
{
    char one[4096], two[4096];
    snprintf(one, sizeof one, "%sa1.sources.r1.interceptors.i1.label = a\\nlater=b\n", base);
    snprintf(two, sizeof two,
             "%sa1.sources.r1.interceptors.i1.label = a\na1.sources.r1.interceptors.i1.later = b\n", base);
    struct ps_plan *old = plan_of(one, NULL), *next = plan_of(two, old);
    assert_false(ps_plan_is_same(old, next));
    ps_plan_destroy(next);
    ps_plan_destroy(old);
}

/* A source stays open only where it is: with another worker it would run on two. */
static void test_other_places(void **state)
{
    struct ps_plan *old = plan_of(base, NULL), *next = plan_of(base, old);
    next->sources[0].workers[0] = (old->sources[0].workers[0] + 1) % 3;
    ps_plan_adopt(next, old);
    assert_null(next->sources[0].adopts);
    assert_ptr_equal(next->sources[1].adopts, &old->sources[1]);
    ps_plan_destroy(next);
    ps_plan_destroy(old);
}

/* A channel has one ring for the dead letters of a sink, which the sink's worker writes: it does not stay when the sink moves
 * to another worker. */
static void test_other_place_of_letters(void **state)
{
    char text[4096];
    snprintf(text, sizeof text, "%sa1.sinks.k1.penstock.deadletter = c3\n", base);
    for (int moves = 0; moves < 2; moves++) {
        struct ps_plan *old = plan_of(text, NULL), *next = plan_of(text, old);
        assert_true(old->sinks[0].letters.is_channel && old->sinks[0].letters.channel == 2);
        if (moves)
            next->sinks[0].worker = (old->sinks[0].worker + 1) % 3;
        ps_plan_adopt(next, old);
        assert_true((next->channels[2].adopts == NULL) == moves);
        assert_ptr_equal(next->channels[1].adopts, &old->channels[1]);
        ps_plan_destroy(next);
        ps_plan_destroy(old);
    }
}

/* Where a channel keeps its events: the next plan finds them, or the channel must be empty before it moves;
 * and a change that takes away only the checkpoint or only the data of a log is refused. */
static void test_where_events_are(void **state)
{
    static const char file[] = "c1.type = file\na1.channels.c1.checkpointDir = /p/c\n"
                               "a1.channels.c1.dataDirs = /p/a,/p/b",
                      jdbc[] = "c1.type = jdbc\na1.channels.c1.driver.url = jdbc:derby:/p/db",
                      spill[] = "c1.type = spillablememory\na1.channels.c1.overflowCapacity = 20000",
                      memory[] = "c1.type = spillablememory\na1.channels.c1.overflowCapacity = 0";
    static const struct {
        const char *from, *to;
        bool stays, torn;
    } rows[] = {
        {file, file, true, false},
        {file,
         "c1.type = file\na1.channels.c1.checkpointDir = /p/c\na1.channels.c1.dataDirs = /p/b, /p/a, /p/x",
         true, false},
        {file, "c1.type = file\na1.channels.c1.checkpointDir = /p/c\na1.channels.c1.dataDirs = /p/a", false,
         false},
        {file, "c1.type = file\na1.channels.c1.checkpointDir = /p/x\na1.channels.c1.dataDirs = /p/y", false,
         false},
        {file, "c1.type = file\na1.channels.c1.checkpointDir = /p/c\na1.channels.c1.dataDirs = /p/y", false,
         true},
        {file, "c1.type = file\na1.channels.c1.checkpointDir = /p/x\na1.channels.c1.dataDirs = /p/a,/p/b",
         false, true},
        {file,
         "c1.type = file\na1.channels.c1.checkpointDir = //p/./c/\n"
         "a1.channels.c1.dataDirs = /p/a/, /p//b/.",
         true, false},
        {file,
         "c1.type = file\na1.channels.c1.checkpointDir = /p/c/d/\n"
         "a1.channels.c1.dataDirs = /p/.a,/p/b",
         false, true},
        {"c1.type = file\na1.channels.c1.checkpointDir = c\na1.channels.c1.dataDirs = d",
         "c1.type = file\na1.channels.c1.checkpointDir = ./c/\na1.channels.c1.dataDirs = d//.", true, false},
        {"c1.type = file\na1.channels.c1.checkpointDir = /\na1.channels.c1.dataDirs = d",
         "c1.type = file\na1.channels.c1.checkpointDir = .\na1.channels.c1.dataDirs = /d", false, false},
        {jdbc,
         "c1.type = jdbc\na1.channels.c1.driver.url = jdbc:derby:/p/db\n"
         "a1.channels.c1.maximum.capacity = 7",
         true, false},
        {jdbc, "c1.type = jdbc\na1.channels.c1.driver.url = jdbc:derby:/p/other", false, false},
        {"c1.type = jdbc", jdbc, false, false}, /* from its default place */
        {jdbc, "c1.type = jdbc", false, false},
        {"c1.type = jdbc", "c1.type = jdbc\na1.channels.c1.maximum.capacity = 7", true, false},
        {jdbc,
         "c1.type = jdbc\na1.channels.c1.driver.url = jdbc:derby:/p/db\n"
         "a1.channels.c1.sysprop.derby.system.home = /p",
         false, false},
        {spill, "c1.type = spillablememory\na1.channels.c1.overflowCapacity = 30000", true, false},
        {spill, memory, false, false}, /* nothing would read the log */
        {memory, spill, true, false},
        {memory, memory, true, false},
    };
    const char *found = strstr(base, "c1.type = memory");
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char from[4096], to[4096];
        const char *moves, *stays,
            *rest = strstr(found, "\na1.channels.c2."); /* without the capacity of memory */
        snprintf(from, sizeof from, "%.*s%s%s", (int)(found - base), base, rows[i].from, rest);
        snprintf(to, sizeof to, "%.*s%s%s", (int)(found - base), base, rows[i].to, rest);
        struct ps_plan *old = plan_of(from, NULL), *next = plan_of(to, old);
        const struct ps_channel_plan *channel = old->channels, *other = old->channels;
        while (strcmp(channel->spec->stage.name, "c1") != 0)
            channel++;
        while (strcmp(other->spec->stage.name, "c2") != 0)
            other++;
        if ((ps_plan_channel_after(next, channel) != NULL) != rows[i].stays ||
            ps_plan_moves_channel(next, channel) == rows[i].stays ||
            ps_plan_tears_channel(next, channel, &moves, &stays) != rows[i].torn)
            fail_msg("%s -> %s", rows[i].from, rows[i].to);
        assert_non_null(ps_plan_channel_after(next, other));
        ps_plan_destroy(next);
        ps_plan_destroy(old);
    }
}

/* ---- what is read again ---- */

static bool rereads(const struct ps_plan *plan)
{
    return ps_plan_rereads(plan, &plan->channels[0]);
}

/* A channel keeps what a source without positions had put into it, even when its next source reads again. */
static void test_what_is_read_again(void **state)
{
    static const char rest[] =
        "a1.sources = r1\na1.channels = c1\na1.sinks = k1\na1.sources.r1.channels = c1\n"
        "a1.channels.c1.type = memory\na1.sinks.k1.type = null\na1.sinks.k1.channel = c1\n";
    char once[1024], again[1024];
    snprintf(once, sizeof once,
             "%sa1.sources.r1.type = netcat\na1.sources.r1.bind = 127.0.0.1\n"
             "a1.sources.r1.port = 4141\n",
             rest);
    snprintf(again, sizeof again,
             "%sa1.sources.r1.type = taildir\na1.sources.r1.filegroups = f\n"
             "a1.sources.r1.filegroups.f = /tmp/x\na1.sources.r1.positionFile = /tmp/p\n",
             rest);
    struct ps_plan *first = plan_of(once, NULL), *second = plan_of(again, first),
                   *third = plan_of(again, second);
    assert_false(rereads(first));
    assert_true(rereads(second)); /* the first plan follows none */
    ps_plan_adopt(second, first);
    assert_false(rereads(second));
    ps_plan_adopt(third, second);
    assert_false(rereads(third));
    ps_plan_destroy(third);
    ps_plan_destroy(second);
    ps_plan_destroy(first);

    first = plan_of(again, NULL);
    second = plan_of(again, first);
    ps_plan_adopt(second, first);
    assert_true(rereads(second));
    ps_plan_destroy(second);
    ps_plan_destroy(first);
}

/* ---- channels and sinks ---- */

static void append_name(char *names, bool stays, const char *name)
{
    if (stays)
        strcat(strcat(names, names[0] != '\0' ? " " : ""), name);
}

static void names_of_what_stays(char *names, const struct ps_plan *next)
{
    names[0] = '\0';
    for (size_t i = 0; i < next->spec->channel_count; i++)
        append_name(names, next->channels[i].adopts != NULL, next->spec->channels[i].stage.name);
    for (size_t i = 0; i < next->spec->sink_count; i++)
        append_name(names, next->sinks[i].adopts != NULL, next->spec->sinks[i].stage.name);
}

/* The same names, in any order. */
static bool are_same_names(const char *names, const char *others)
{
    char copy[256], *rest = NULL;
    if (strlen(names) != strlen(others))
        return false;
    strcpy(copy, others);
    for (char *name = strtok_r(copy, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
        if (strstr(names, name) == NULL)
            return false;
    }
    return true;
}

/* Those of the first plan's channels. */
static struct ps_counters counters[8];
static struct ps_channel_waiters waiters[8];
static struct ps_flag held_back[8];

/* A component that stays keeps its stage, its counters and its waiters. */
static void assert_same_stages(const struct ps_plan *next)
{
    for (size_t i = 0; i < next->spec->channel_count; i++) {
        const struct ps_channel_plan *channel = &next->channels[i];
        if (channel->adopts != NULL) {
            assert_ptr_equal(channel->spec, channel->adopts->spec);
            assert_ptr_equal(channel->counters, channel->adopts->counters);
            assert_ptr_equal(channel->waiters, channel->adopts->waiters);
            assert_ptr_equal(channel->held_back, channel->adopts->held_back);
        } else {
            assert_ptr_equal(channel->spec, &next->spec->channels[i]);
        }
    }
    for (size_t i = 0; i < next->spec->sink_count; i++) {
        const struct ps_sink_plan *sink = &next->sinks[i];
        assert_ptr_equal(sink->stage, sink->adopts != NULL ? sink->adopts->stage : &sink->spec->stage);
        assert_ptr_equal(sink->spec, &next->spec->sinks[i]);
    }
}

#define ALL "c1 c2 c3 k1 k2 k3"
#define LISTS "a1.sources = r1 r2\na1.channels = c1 c2 c3\na1.sinks = k1 k2 k3\n"

/* Each change leaves all other components as they are. */
static void test_what_stays(void **state)
{
    static const struct {
        const char *from, *to, *stays;
    } rows[] = {
        /* of a source: its channels do not notice */
        {"r1.port = 4141", "r1.port = 4142", ALL},
        {"r1.type = netcat", "r1.type = netcatudp", ALL},
        {"i1.value = one", "i1.value = two", ALL},
        {"selector.default = c2", "selector.default = c1", ALL},
        {"r1.channels = c1 c2", "r1.channels = c2 c1", ALL},
        {"a1.sources = r1 r2", "a1.sources = r2 r1", ALL},
        /* producers */
        {"r1.channels = c1 c2", "r1.channels = c1 c2 c3", "c1 c2 k1 k2"},
        {"a1.sources = r1 r2\n",
         "a1.sources = r1 r2 r3\na1.sources.r3.type = seq\na1.sources.r3.channels = c3\n", "c1 c2 k1 k2"},
        {NULL, "a1.sources.r2.penstock.workers = 1\n", ALL},
        {NULL, "a1.sources.r1.penstock.workers = 2\n", "c3 k3"},
        /* channels, sinks */
        {"c1.capacity = 1000", "c1.capacity = 2000", "c2 c3 k2 k3"},
        {"c1.type = memory", "c1.type = spillablememory", "c2 c3 k2 k3"},
        {"k1.sink.directory = /tmp", "k1.sink.directory = /var/tmp", "c1 c2 c3 k2 k3"},
        {"k2.type = null", "k2.type = logger", "c1 c2 c3 k1 k3"},
        {"k2.channel = c2", "k2.channel = c3", "c1 k1"},
        {"a1.sinks = k1 k2 k3", "a1.sinks = k1 k2", "c1 c2 k1 k2"},
        {"a1.sinks = k1 k2 k3", "a1.sinks = k3 k2 k1", ALL},
        /* other shares of the memory */
        {LISTS,
         "a1.sources = r0 r1 r2\na1.channels = c0 c1 c2 c3\na1.sinks = k0 k1 k2 k3\na1.sources.r0.type = "
         "seq\n"
         "a1.sources.r0.channels = c0\na1.channels.c0.type = memory\na1.sinks.k0.type = null\n"
         "a1.sinks.k0.channel = c0\n",
         ALL},
        /* the agent */
        {"a1.penstock.workers = 3", "a1.penstock.workers = 4", ALL},
        {NULL, "a1.penstock.drain.timeout = 10\n", ALL},
        {NULL, "a1.penstock.batch.events = 10\n", ""},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char text[4096], stays[256];
        const char *from = rows[i].from, *at = from != NULL ? strstr(base, from) : base + sizeof base - 1;
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - base), base, rows[i].to,
                 at + (from != NULL ? strlen(from) : 0));
        for (int back = 0; back < 2; back++) { /* and back again */
            struct ps_plan *old = plan_of(back ? text : base, NULL);
            struct ps_plan *next = plan_of(back ? base : text, old);
            for (size_t k = 0; k < old->spec->channel_count; k++) {
                assert_in_range(k, 0, PS_COUNT_OF(counters) - 1);
                old->channels[k].counters = &counters[k]; /* as if it ran */
                old->channels[k].waiters = &waiters[k];
                old->channels[k].held_back = &held_back[k];
            }
            ps_plan_adopt(next, old);
            names_of_what_stays(stays, next);
            if (!are_same_names(stays, rows[i].stays))
                fail_msg("%s -> %s%s: \"%s\" stays", from != NULL ? from : "", rows[i].to,
                         back ? ", and back" : "", stays);
            assert_same_stages(next);
            for (size_t k = 0; k < old->spec->channel_count; k++)
                assert_true(ps_plan_keeps_channel(next, &old->channels[k]) ==
                            (strstr(stays, old->spec->channels[k].stage.name) != NULL));
            ps_plan_destroy(next);
            ps_plan_destroy(old);
        }
    }
}

/* A sink of a channel that stays does not move; if it has to run on another worker, it is opened again there. */
static void test_other_worker_of_a_sink(void **state)
{
    char stays[256];
    struct ps_plan *old = plan_of(base, NULL), *next = plan_of(base, old);
    next->sinks[1].worker = (old->sinks[1].worker + 1) % 3;
    ps_plan_adopt(next, old);
    names_of_what_stays(stays, next);
    assert_string_equal(stays, "c1 c3 k1 k3");
    ps_plan_destroy(next);
    ps_plan_destroy(old);
}

/* A client library gets its share of memory in `build`. With more libraries each share is smaller, unless each is at
 * its maximum. */
static void test_client_shares(void **state)
{
    static const char lines[] =
        "a1.sources = r1\na1.channels = c1 c2\na1.sources.r1.type = seq\n"
        "a1.sources.r1.channels = c1 c2\na1.channels.c1.type = memory\n"
        "a1.channels.c2.type = memory\n"
        "a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink\n"
        "a1.sinks.k1.kafka.bootstrap.servers = 127.0.0.1:9092\na1.sinks.k1.channel = c1\n"
        "a1.sinks.k2.channel = c2\n";
    static const struct {
        const char *budget, *stays;
    } rows[] = {{"64m", "c1 c2"}, {"256m", "c1 c2 k1"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char one[4096], two[4096], stays[256];
        snprintf(one, sizeof one,
                 "%sa1.sinks = k1 k2\na1.sinks.k2.type = null\na1.penstock.memory.budget = %s\n", lines,
                 rows[i].budget);
        snprintf(two, sizeof two,
                 "%sa1.sinks = k1 k2\na1.sinks.k2.type = org.apache.flume.sink.kafka.KafkaSink\n"
                 "a1.sinks.k2.kafka.bootstrap.servers = 127.0.0.1:9092\na1.penstock.memory.budget = %s\n",
                 lines, rows[i].budget);
        struct ps_plan *old = plan_of(one, NULL), *next = plan_of(two, old);
        ps_plan_adopt(next, old);
        names_of_what_stays(stays, next);
        assert_string_equal(stays, rows[i].stays);
        ps_plan_destroy(next);
        ps_plan_destroy(old);
    }
}

/* A file with three sinks of one channel, and these lines. */
static struct ps_plan *grouped_plan(const char *lines, const struct ps_plan *before)
{
    char text[4096];
    snprintf(text, sizeof text,
             "a1.sources = r1\na1.channels = c1\na1.sinks = k1 k2 k3\na1.penstock.workers = 3\n"
             "a1.sources.r1.type = seq\na1.sources.r1.channels = c1\na1.channels.c1.type = memory\n"
             "a1.sinks.k1.type = null\na1.sinks.k1.channel = c1\na1.sinks.k2.type = null\n"
             "a1.sinks.k2.channel = c1\na1.sinks.k3.type = null\na1.sinks.k3.channel = c1\n%s",
             lines);
    return plan_of(text, before);
}

#define GROUP_OF(sinks) "a1.sinkgroups = g1\na1.sinkgroups.g1.sinks = " sinks "\n"
#define FAILOVER "a1.sinkgroups.g1.processor.type = failover\n"

/* Each line of a sink group is a change; the source stays open, and the sinks of a group move to one worker. */
static void test_groups(void **state)
{
    static const char *const texts[] = {
        "",
        GROUP_OF("k1 k2") FAILOVER,
        GROUP_OF("k1 k2 k3") FAILOVER,
        GROUP_OF("k1 k2") "a1.sinkgroups.g1.processor.type = load_balance\n",
        GROUP_OF("k1 k2") FAILOVER "a1.sinkgroups.g1.processor.maxpenalty = 5\n",
        GROUP_OF("k1 k2") FAILOVER "a1.sinkgroups.g1.processor.priority.k2 = 5\n",
        "a1.sinkgroups = g2\na1.sinkgroups.g2.sinks = k1 k2\na1.sinkgroups.g2.processor.type = failover\n",
    };
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++) {
        for (size_t k = 0; k < PS_COUNT_OF(texts); k++) {
            struct ps_plan *old = grouped_plan(texts[i], NULL), *next = grouped_plan(texts[k], old);
            ps_plan_adopt(next, old);
            assert_true(ps_plan_is_same(old, next) == (i == k));
            assert_ptr_equal(next->sources[0].adopts, &old->sources[0]);
            for (unsigned sink = 1; sink < 3; sink++) {
                if (next->spec->sinks[sink].group != NULL)
                    assert_int_equal(next->sinks[sink].worker, next->sinks[0].worker);
            }
            bool same_sides =
                i == k || (i != 0 && i != 2 && k != 0 && k != 2); /* k1 and k2 are one consumer */
            assert_true((next->channels[0].adopts != NULL) == same_sides);
            for (unsigned sink = 0; sink < 3; sink++)
                assert_true((next->sinks[sink].adopts != NULL) == (i == k || (same_sides && sink == 2)));
            unsigned consumers = k == 0 ? 3 : k == 2 ? 1 : 2;
            assert_int_equal(next->channels[0].consumer_count, consumers);
            for (unsigned sink = 0; sink < 3; sink++)
                assert_int_equal(next->channels[0].consumer_workers[next->sinks[sink].consumer],
                                 next->sinks[sink].worker);
            ps_plan_destroy(next);
            ps_plan_destroy(old);
        }
    }
}

/* A reload probes only new or changed stages; an unchanged one is not probed even when its source is opened again. */
static void on_tried(const struct ps_probe *probe, enum ps_probed result, const char *key, const char *what,
                     const char *cause, const char *cure)
{
    char *tried = probe->argument;
    strcat(strcat(tried, tried[0] != '\0' ? ", " : ""), probe->component);
}

static void test_what_a_reload_tries(void **state)
{
    static const struct {
        const char *from, *to, *tried;
    } rows[] = {
        {"r1.port = 4141", "r1.port = 4142", "source r1"},
        {"i1.value = one", "i1.value = two", ""},
        {"k1.sink.directory = /tmp", "k1.sink.directory = /var/tmp", "sink k1"},
        {"k2.type = null", "k2.type = file_roll\na1.sinks.k2.sink.directory = /tmp", "sink k2"},
        {"c1.capacity = 1000", "c1.capacity = 2000", ""},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char text[4096], tried[256] = "";
        const char *at = strstr(base, rows[i].from);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - base), base, rows[i].to,
                 at + strlen(rows[i].from));
        struct ps_plan *old = plan_of(base, NULL), *next = plan_of(text, old);
        struct ps_probe probe = {.local = true, .tried = on_tried, .argument = tried};
        ps_plan_adopt(next, old);
        ps_plan_probe(next, &probe);
        assert_string_equal(tried, rows[i].tried);
        ps_plan_destroy(next);
        ps_plan_destroy(old);
    }
}

int main(void)
{
    ps_log_set_level(PS_LOG_OFF);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_of_line),
        cmocka_unit_test(test_line_breaks),
        cmocka_unit_test(test_what_a_reload_tries),
        cmocka_unit_test(test_other_places),
        cmocka_unit_test(test_other_place_of_letters),
        cmocka_unit_test(test_where_events_are),
        cmocka_unit_test(test_what_is_read_again),
        cmocka_unit_test(test_what_stays),
        cmocka_unit_test(test_other_worker_of_a_sink),
        cmocka_unit_test(test_client_shares),
        cmocka_unit_test(test_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
