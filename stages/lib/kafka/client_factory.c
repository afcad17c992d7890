#include "stages/lib/kafka/client_factory.h"

#include <stdlib.h>

#include "core/helper/helper.h"

#define PATIENCE_MS 1000U
/* requests at a time: a request may come while the `old` client of the request before is still being
 * destroyed */
#define ASKS 2U

struct job {
    const struct ps_kafka_producer_config *config; /* NULL: the job only destroys `old` */
    struct ps_kafka_producer *old, *made;
    struct ps_err err;
};

struct ask {
    struct job make, destroy;
};

/* The helper's thread frees the factory. */
struct ps_kafka_client_factory {
    const struct ps_kafka_engine *engine;
    struct ps_helper *helper;
    struct job *asked; /* the request whose reply the worker has not read yet; NULL: none */
    unsigned next;
    struct ask asks[ASKS];
    struct job last;
};

/* ---- the thread ---- */

static void destroy(const struct ps_kafka_client_factory *factory, struct ps_kafka_producer **made)
{
    if (*made != NULL)
        factory->engine->destroy(*made);
    *made = NULL;
}

static void run(void *factory_, void *job_)
{
    const struct ps_kafka_client_factory *factory = factory_;
    struct job *job = job_;
    if (job->config != NULL)
        job->made = factory->engine->create(job->config, &job->err);
    else
        destroy(factory, &job->old);
}

static void discard(void *factory, void *job_)
{
    struct job *job = job_;
    destroy(factory, &job->made);
    destroy(factory, &job->old);
}

/* ---- the worker ---- */

struct ps_kafka_client_factory *ps_kafka_client_factory_create(const struct ps_kafka_engine *engine,
                                                               int wake_fd, struct ps_err *err)
{
    struct ps_kafka_client_factory *factory = calloc(1, sizeof *factory);
    if (factory == NULL) {
        ps_err_set(err, "no memory");
        return NULL;
    }
    const struct ps_helper_settings settings = {.name = "kafka-maker",
                                                .room = 2 * ASKS + 1,
                                                .wake_fd = wake_fd,
                                                .run = run,
                                                .discard = discard,
                                                .end = free,
                                                .argument = factory};
    factory->engine = engine;
    factory->helper = ps_helper_create(&settings, err);
    if (factory->helper == NULL) {
        free(factory);
        return NULL;
    }
    return factory;
}

static void ask(struct ps_kafka_client_factory *factory, struct job *job)
{
    bool has_room = ps_helper_ask(factory->helper, job);
    PS_ASSERT(has_room);
}

void ps_kafka_client_factory_ask(struct ps_kafka_client_factory *factory,
                                 const struct ps_kafka_producer_config *config, struct ps_kafka_producer *old)
{
    struct ask *this = &factory->asks[factory->next++ % ASKS];
    PS_ASSERT(factory->asked == NULL);
    this->make = (struct job){.config = config};
    factory->asked = &this->make;
    ask(factory, &this->make);
    if (old == NULL)
        return;
    this->destroy = (struct job){.old = old};
    ask(factory, &this->destroy);
}

bool ps_kafka_client_factory_reply(struct ps_kafka_client_factory *factory, struct ps_kafka_producer **made,
                                   struct ps_err *err)
{
    const struct job *job;
    while ((job = ps_helper_answer(factory->helper)) != NULL && job->config == NULL) {
    }
    if (job == NULL)
        return false;
    factory->asked = NULL;
    *made = job->made;
    if (job->made == NULL)
        ps_err_set(err, "%s", job->err.text);
    return true;
}

/* Cancels the request. If the thread has begun it, waits for the thread, which uses the caller's config for
 * some milliseconds. If the thread is still destroying another client, does not wait, because that may take
 * long (a name server that does not answer): the thread will skip the request. Returns the client if the
 * thread has made it nevertheless; else NULL. */
static struct ps_kafka_producer *cancel(struct ps_kafka_client_factory *factory)
{
    struct job *asked = factory->asked;
    if (!ps_helper_withdraw(factory->helper, asked))
        return NULL;
    while (ps_helper_wait(factory->helper, PS_THREAD_PATIENT) != asked) {
    }
    return asked->made;
}

void ps_kafka_client_factory_destroy(struct ps_kafka_client_factory *factory, struct ps_kafka_producer *old)
{
    struct ps_helper *helper = factory->helper; /* the thread frees the factory */
    if (factory->asked != NULL) {
        PS_ASSERT(old == NULL);
        old = cancel(factory);
    }
    factory->last = (struct job){.old = old};
    ask(factory, &factory->last);
    (void)ps_helper_destroy(helper, PATIENCE_MS);
}
