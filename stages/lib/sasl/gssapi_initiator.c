/* The client's side: tickets from a KDC, on a helper thread. */
#include "stages/lib/sasl/gssapi_internal.h"

#include "core/clock.h"
#include "core/helper/helper.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A token contains the time of its creation, and servers refuse tokens older than five minutes. */
#define TOKEN_NS (120 * PS_NS_PER_S)
/* Tickets are renewed at this interval even if they are valid for longer, because a server may have new
 * keys. */
#define STORE_NS (300 * PS_NS_PER_S)

/* A job: the thread makes a context and its first token. */
struct preparation {
    struct ps_gss_context *context; /* NULL: the job failed */
    struct ps_gss_token token;
    bool refused;     /* the job failed, and later tries will fail as well */
    uint64_t good_ns; /* nearly the time until which a server accepts the token */
    char reason[PS_GSS_REASON_BYTES];
};

/* Gets tickets from the KDC and makes contexts. Used only by the thread. */
struct kerberos_client {
    char *principal, *keytab, *server, *server_host; /* as in the settings */
    char store[64];      /* the store of tickets in memory, of this initiator alone; "": none yet */
    unsigned long count; /* number of stores so far */
    uint64_t store_ns;   /* when the store was begun */
    struct preparation preparation;
};

struct ps_gss_initiator {
    pthread_mutex_t lock; /* several workers connect; held for a few instructions */
    struct ps_helper *helper;
    struct kerberos_client *client;
    struct preparation *ready; /* returned by the thread; NULL: the thread has it */
    bool refused;              /* the last take failed because the tickets were refused */
};

/* ---- the thread ---- */

static void forget(struct preparation *preparation)
{
    ps_gss_context_close(preparation->context);
    if (preparation->token.length > 0)
        ps_gss_token_free(&preparation->token);
    *preparation = (struct preparation){.context = NULL};
}

static void forget_tickets(struct kerberos_client *client)
{
    if (client->store[0] != '\0')
        ps_gss_tickets_forget(client->store);
    client->store[0] = '\0';
}

static void begin_store(struct kerberos_client *client)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    if (client->store[0] != '\0' && now_ns - client->store_ns < STORE_NS)
        return;
    forget_tickets(client);
    client->store_ns = now_ns;
    snprintf(client->store, sizeof client->store, "MEMORY:penstock-%p-%lu", (void *)client, ++client->count);
}

/* Gets a ticket for the principal: from the store during the first half of the ticket's life, later from a
 * KDC. Without a principal, takes the ticket of the default cache. */
static bool acquire(struct kerberos_client *client, gss_name_t name, struct preparation *preparation)
{
    begin_store(client);
    gss_key_value_element_desc elements[] = {{"client_keytab", client->keytab}, {"ccache", client->store}};
    const gss_key_value_set_desc store = {.count = PS_COUNT_OF(elements), .elements = elements};
    gss_OID_set_desc mechanisms = {.count = 1, .elements = (gss_OID)gss_mech_krb5};
    OM_uint32 minor,
        major = gss_acquire_cred_from(&minor, name, GSS_C_INDEFINITE, &mechanisms, GSS_C_INITIATE,
                                      client->keytab != NULL ? &store : GSS_C_NO_CRED_STORE,
                                      &preparation->context->credential, NULL, NULL);
    if (major == GSS_S_COMPLETE)
        return true;
    preparation->refused = client->keytab == NULL || ps_gss_is_final(minor);
    if (client->keytab == NULL)
        snprintf(preparation->reason, PS_GSS_REASON_BYTES,
                 "no tickets in the default cache (run kinit, or set a principal and a keytab)");
    else
        ps_gss_explain(major, minor, preparation->reason);
    return false;
}

static bool prepare(struct kerberos_client *client, struct preparation *preparation)
{
    struct ps_err err = {.length = 0};
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 minor;
    struct ps_gss_context *context = calloc(1, sizeof *context);
    preparation->context = context;
    if (context == NULL) {
        snprintf(preparation->reason, sizeof preparation->reason, "no memory");
        return false;
    }
    bool named =
        ps_gss_name_import(client->server, client->server_host, &context->target, &err) == PS_OK &&
        (client->principal == NULL || ps_gss_name_import(client->principal, NULL, &name, &err) == PS_OK);
    if (!named) {
        snprintf(preparation->reason, sizeof preparation->reason, "%.*s", (int)sizeof preparation->reason - 1,
                 err.text);
        return false;
    }
    preparation->refused = client->keytab != NULL && client->principal != NULL &&
                           !ps_gss_keytab_has(client->keytab, client->principal, preparation->reason);
    bool got = !preparation->refused && acquire(client, name, preparation);
    if (name != GSS_C_NO_NAME)
        (void)gss_release_name(&minor, &name);
    if (!got)
        return false;
    bool begun =
        ps_gss_context_step(context, NULL, 0, &preparation->token, preparation->reason) != PS_GSS_FAILED;
    preparation->refused = context->refused;
    return begun;
}

static void run(void *client, void *job)
{
    struct preparation *preparation = job;
    forget(preparation);
    if (!prepare(client, preparation)) {
        ps_gss_context_close(preparation->context);
        preparation->context = NULL;
        forget_tickets(client);
        return;
    }
    uint64_t life_ns = preparation->context->lifetime_s * PS_NS_PER_S;
    preparation->good_ns = ps_clock_now().mono_ns + (life_ns < TOKEN_NS ? life_ns : TOKEN_NS);
}

static void end(void *argument)
{
    struct kerberos_client *client = argument;
    forget(&client->preparation);
    forget_tickets(client);
    free(client->principal);
    free(client->keytab);
    free(client->server);
    free(client->server_host);
    free(client);
}

/* ---- the owner ---- */

static char *copy(const char *text)
{
    if (text == NULL)
        return NULL;
    char *made = ps_must_alloc(strlen(text) + 1, 1, "Kerberos");
    memcpy(made, text, strlen(text) + 1);
    return made;
}

static void ask(struct ps_gss_initiator *initiator)
{
    struct preparation *preparation = initiator->ready;
    if (preparation != NULL && ps_helper_ask(initiator->helper, preparation))
        initiator->ready = NULL;
}

static void note_answer(struct ps_gss_initiator *initiator, struct preparation *answer)
{
    if (answer != NULL)
        initiator->ready = answer;
}

static void wait_for_tickets(struct ps_gss_initiator *initiator, uint32_t timeout_ms)
{
    if (initiator->ready == NULL)
        note_answer(initiator, ps_helper_wait(initiator->helper, timeout_ms));
}

enum ps_status ps_gss_initiator_build(struct ps_gss_initiator **built,
                                      const struct ps_gss_initiator_settings *wanted, struct ps_err *err)
{
    struct kerberos_client *client = ps_must_alloc(1, sizeof *client, "Kerberos");
    *client = (struct kerberos_client){.principal = copy(wanted->principal),
                                       .keytab = copy(wanted->keytab),
                                       .server = copy(wanted->server),
                                       .server_host = copy(wanted->server_host)};
    const struct ps_helper_settings settings = {.name = "kerberos",
                                                .room = 1,
                                                .wake_fd = wanted->wake_fd,
                                                .run = run,
                                                .end = end,
                                                .argument = client};
    struct ps_helper *helper = ps_helper_create(&settings, err);
    if (helper == NULL) {
        end(client);
        return PS_FAIL;
    }
    struct ps_gss_initiator *initiator = ps_must_alloc(1, sizeof *initiator, "Kerberos");
    *initiator = (struct ps_gss_initiator){.helper = helper, .client = client, .ready = &client->preparation};
    pthread_mutex_init(&initiator->lock, NULL);
    ask(initiator);
    wait_for_tickets(initiator, wanted->wait_ms);
    *built = initiator;
    return PS_OK;
}

void ps_gss_initiator_teardown(struct ps_gss_initiator *initiator)
{
    if (initiator == NULL)
        return;
    (void)ps_helper_destroy(initiator->helper, 0);
    pthread_mutex_destroy(&initiator->lock);
    free(initiator);
}

/* Takes the finished job. */
static struct ps_gss_context *take(struct ps_gss_initiator *initiator, struct ps_gss_token *token,
                                   bool *later, char *reason)
{
    struct preparation *ready = initiator->ready;
    *later = ready == NULL;
    if (ready == NULL) {
        snprintf(reason, PS_GSS_REASON_BYTES, "Kerberos tickets have not arrived yet");
        return NULL;
    }
    if (ready->context == NULL) {
        *later = ready->reason[0] == '\0';
        snprintf(reason, PS_GSS_REASON_BYTES, "no Kerberos ticket: %.220s",
                 *later ? "the request is under way" : ready->reason);
        return NULL;
    }
    if (ps_clock_now().mono_ns > ready->good_ns) {
        *later = true;
        snprintf(reason, PS_GSS_REASON_BYTES, "the Kerberos token is too old; a new one is made");
        return NULL;
    }
    struct ps_gss_context *context = ready->context;
    *token = ready->token;
    ready->context = NULL;
    ready->token = (struct ps_gss_token){.length = 0};
    return context;
}

struct ps_gss_context *ps_gss_initiator_take(struct ps_gss_initiator *initiator, struct ps_gss_token *token,
                                             bool *later, char *reason)
{
    bool ignored;
    pthread_mutex_lock(&initiator->lock);
    note_answer(initiator, ps_helper_answer(initiator->helper));
    bool *is_later = later != NULL ? later : &ignored;
    struct ps_gss_context *context = take(initiator, token, is_later, reason);
    initiator->refused = context == NULL && !*is_later && initiator->ready->refused;
    ask(initiator);
    pthread_mutex_unlock(&initiator->lock);
    return context;
}

bool ps_gss_initiator_is_refused(struct ps_gss_initiator *initiator)
{
    pthread_mutex_lock(&initiator->lock);
    bool refused = initiator->refused;
    pthread_mutex_unlock(&initiator->lock);
    return refused;
}
