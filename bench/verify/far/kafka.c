/* Far end kafka: reads topics without a consumer group through stages/lib/kafka/librdkafka/reader.h. A partition is a
 * stream.
 *
 * Thread: the reader's. */
#include "bench/verify/far/ends.h"
#include "bench/verify/far/records.h"
#include "core/clock.h"
#include "stages/lib/kafka/librdkafka/reader.h"
#include "core/quantity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPICS_MAX 256U

struct far_kafka {
    struct ps_kafka_reader *reader;
    ps_far_record_taker *taker;
    void *argument;
    uint64_t now_ns;
    char remark[1024];
};

/* Splits "/one,two" in place. */
static unsigned topics_split(char *path, const char **topics)
{
    unsigned count = 0;
    char *place;
    for (char *one = strtok_r(path, "/,", &place); one != NULL; one = strtok_r(NULL, "/,", &place)) {
        if (count == TOPICS_MAX)
            return TOPICS_MAX + 1;
        topics[count++] = one;
    }
    return count;
}

static enum ps_status far_kafka_open(void **state, struct ps_url *url, uint64_t wait_ns, struct ps_err *err)
{
    const char *topics[TOPICS_MAX];
    struct ps_pair pairs[PS_URL_KEYS_MAX] = {0};
    struct ps_kafka_reader_options options = {.brokers = url->hosts, .topics = topics, .pairs = pairs};
    if (wait_ns > 0 && wait_ns < PS_KAFKA_READER_PATIENCE_MS * PS_NS_PER_MS)
        options.patience_ms = (unsigned)((wait_ns + PS_NS_PER_MS - 1) / PS_NS_PER_MS);
    if (ps_far_choice(url, "isolation", "read_committed", "read_uncommitted", &options.uncommitted, err) !=
            PS_OK ||
        ps_far_choice(url, "offset", "earliest", "latest", &options.latest, err) != PS_OK)
        return PS_FAIL;
    for (unsigned at = 0;
         ps_url_next(url, "kafka.", &at, &pairs[options.pair_count].key, &pairs[options.pair_count].value);)
        options.pair_count++;
    if (ps_url_check(url, err) != PS_OK)
        return PS_FAIL;
    char *path = ps_must_copy_text(url->path, "the Kafka far end");
    options.topic_count = topics_split(path, topics);
    struct far_kafka *far = NULL;
    if (*url->hosts == '\0') {
        ps_err_set(err, "%s: brokers are missing: kafka://HOST:PORT,HOST:PORT/TOPIC", url->text);
    } else if (options.topic_count == 0 || options.topic_count > TOPICS_MAX) {
        ps_err_set(err, "%s: give 1 to %u topics: kafka://HOST:PORT/TOPIC,TOPIC", url->text, TOPICS_MAX);
    } else {
        struct ps_kafka_reader *reader = ps_kafka_reader_open(&options, err);
        if (reader != NULL) {
            far = ps_must_alloc(1, sizeof *far, "the Kafka far end");
            far->reader = reader;
        }
    }
    free(path);
    *state = far;
    return far != NULL ? PS_OK : PS_FAIL;
}

static void on_record(void *far_, const struct ps_kafka_reader_record *record)
{
    struct far_kafka *far = far_;
    if (far->now_ns == 0)
        far->now_ns = ps_clock_now().mono_ns;
    far->taker(far->argument, &(struct ps_far_record){.data = record->value != NULL ? record->value : "",
                                                      .length = record->length,
                                                      .stream = record->stream,
                                                      .arrival_mono_ns = far->now_ns});
}

static enum ps_far_read far_kafka_read(void *state, int timeout_ms, ps_far_record_taker *taker,
                                       void *argument, struct ps_err *err)
{
    struct far_kafka *far = state;
    far->taker = taker;
    far->argument = argument;
    far->now_ns = 0; /* 0: the clock is read when the first record arrives */
    if (ps_kafka_reader_read(far->reader, timeout_ms, on_record, far) > 0)
        return PS_FAR_SOME;
    const char *failure = ps_kafka_reader_failure(far->reader);
    if (failure == NULL)
        return PS_FAR_IDLE;
    ps_err_set(err, "kafka: %s", failure);
    return PS_FAR_FAILED;
}

static const char *far_kafka_remark(void *state, bool *lossy)
{
    struct far_kafka *far = state;
    uint64_t expired = ps_kafka_reader_expired(far->reader);
    const char *silence = ps_kafka_reader_silence(far->reader);
    *lossy = expired > 0 || silence != NULL;
    int length = 0;
    far->remark[0] = '\0';
    if (expired > 0)
        length = snprintf(far->remark, sizeof far->remark,
                          "the brokers had deleted %s records before they were read (retention)",
                          ps_quantity_print_count(expired).text);
    if (silence != NULL)
        snprintf(far->remark + length, sizeof far->remark - (size_t)length, "%sno broker answers: %.512s",
                 length > 0 ? "; " : "", silence);
    return *lossy ? far->remark : NULL;
}

static void far_kafka_close(void *state)
{
    struct far_kafka *far = state;
    ps_kafka_reader_close(far->reader);
    free(far);
}

const struct ps_far_end_ops ps_far_kafka = {
    .scheme = "kafka",
    .summary = "kafka://HOST:PORT,HOST:PORT/TOPIC,TOPIC?isolation=read_committed|read_uncommitted&"
               "offset=earliest|latest&kafka.X=Y (any property of librdkafka)",
    .open = far_kafka_open,
    .read = far_kafka_read,
    .remark = far_kafka_remark,
    .close = far_kafka_close,
};
