/* The client's side of Kerberos without a KDC: how old a token may be, how long tickets are kept, and which failures are final. The test replaces the
 * library and the clock. */
#include "stages/lib/sasl/gssapi_internal.h"

#include "core/clock.h"
#include "core/thread.h"
#include "tests/support/support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The linker finds these functions in place of the library's. */
#define STANDS_FOR(name) __asm__(#name)
void fake_token_free(struct ps_gss_token *token) STANDS_FOR(ps_gss_token_free);
void fake_close(struct ps_gss_context *context) STANDS_FOR(ps_gss_context_close);
enum ps_gss_result fake_step(struct ps_gss_context *context, const void *bytes, size_t length,
                             struct ps_gss_token *out, char *reason) STANDS_FOR(ps_gss_context_step);
enum ps_status fake_name_import(const char *principal, const char *host, gss_name_t *name, struct ps_err *err)
    STANDS_FOR(ps_gss_name_import);
bool fake_keytab_has(const char *keytab, const char *principal, char *reason) STANDS_FOR(ps_gss_keytab_has);
void fake_explain(OM_uint32 major, OM_uint32 minor, char *reason) STANDS_FOR(ps_gss_explain);
bool fake_is_final(OM_uint32 minor) STANDS_FOR(ps_gss_is_final);
void fake_forget(const char *store) STANDS_FOR(ps_gss_tickets_forget);

#define FINAL 7U

/* What the helper's thread reads and writes; the test looks at it, and changes it, only while no job is under way. */
static _Atomic uint64_t now_ns; /* the monotonic clock; it stands still */
static uint32_t lifetime_s;
static bool keytab_lacks;
static OM_uint32 minor_error;              /* 0: the KDC gives tickets */
static char stores[32][64], forgotten[64]; /* of each request, and the last one that was removed */
static unsigned requests;
static atomic_int open_contexts, open_stores;

/* Replaces libc's function in this program. */
int clock_gettime(clockid_t clock, struct timespec *time)
{
    if (clock != CLOCK_MONOTONIC)
        return (int)syscall(SYS_clock_gettime, clock, time);
    *time =
        (struct timespec){.tv_sec = (time_t)(now_ns / PS_NS_PER_S), .tv_nsec = (long)(now_ns % PS_NS_PER_S)};
    return 0;
}

/* Replaces MIT's function. */
OM_uint32 gss_acquire_cred_from(OM_uint32 *minor, gss_name_t name, OM_uint32 time, gss_OID_set mechanisms,
                                gss_cred_usage_t usage, gss_const_key_value_set_t store,
                                gss_cred_id_t *credential, gss_OID_set *actual, OM_uint32 *left)
{
    const char *found = "";
    for (unsigned i = 0; i < store->count; i++)
        if (strcmp(store->elements[i].key, "ccache") == 0)
            found = store->elements[i].value;
    if (requests == 0 || strcmp(stores[requests - 1], found) != 0)
        atomic_fetch_add(&open_stores, 1);
    if (requests < PS_COUNT_OF(stores))
        snprintf(stores[requests++], sizeof stores[0], "%s", found);
    *minor = minor_error;
    return minor_error != 0 ? GSS_S_FAILURE : GSS_S_COMPLETE;
}

enum ps_gss_result fake_step(struct ps_gss_context *context, const void *bytes, size_t length,
                             struct ps_gss_token *out, char *reason)
{
    atomic_fetch_add(&open_contexts, 1);
    context->lifetime_s = lifetime_s;
    *out = (struct ps_gss_token){.bytes = strdup("token"), .length = 5};
    return PS_GSS_MORE;
}

void fake_token_free(struct ps_gss_token *token)
{
    free(token->bytes);
    *token = (struct ps_gss_token){.length = 0};
}

void fake_close(struct ps_gss_context *context)
{
    if (context != NULL && context->lifetime_s > 0)
        atomic_fetch_sub(&open_contexts, 1);
    free(context);
}

enum ps_status fake_name_import(const char *principal, const char *host, gss_name_t *name, struct ps_err *err)
{
    return PS_OK;
}

bool fake_keytab_has(const char *keytab, const char *principal, char *reason)
{
    snprintf(reason, PS_GSS_REASON_BYTES, "no key of %s", principal);
    return !keytab_lacks;
}

void fake_explain(OM_uint32 major, OM_uint32 minor, char *reason)
{
    snprintf(reason, PS_GSS_REASON_BYTES, "error %u", minor);
}

bool fake_is_final(OM_uint32 minor)
{
    return minor == FINAL;
}

void fake_forget(const char *store)
{
    snprintf(forgotten, sizeof forgotten, "%s", store);
    atomic_fetch_sub(&open_stores, 1);
}

static struct ps_gss_initiator *build(void)
{
    const struct ps_gss_initiator_settings settings = {.principal = "flume@TEST",
                                                       .keytab = "/keys",
                                                       .server = "flume/host@TEST",
                                                       .wake_fd = -1,
                                                       .wait_ms = PS_THREAD_PATIENT};
    struct ps_gss_initiator *initiator;
    struct ps_err err = {.length = 0};
    requests = 0;
    open_contexts = open_stores = 0;
    forgotten[0] = '\0';
    now_ns = 1000 * PS_NS_PER_S;
    assert_int_equal(ps_gss_initiator_build(&initiator, &settings, &err), PS_OK);
    assert_int_equal(requests, keytab_lacks ? 0 : 1);
    return initiator;
}

/* The thread ends by itself. It forgets its contexts, and last its tickets, which it has if a context could be taken. */
static void stop(struct ps_gss_initiator *initiator)
{
    ps_gss_initiator_teardown(initiator);
    while (open_contexts > 0 || open_stores > 0)
        usleep(100);
}

static void pass(uint64_t seconds)
{
    now_ns += seconds * PS_NS_PER_S;
}

/* Takes a context as soon as the helper has answered. Returns whether there was one. */
static bool take(struct ps_gss_initiator *initiator, bool *later, char reason[PS_GSS_REASON_BYTES])
{
    for (;;) {
        struct ps_gss_token token;
        struct ps_gss_context *context = ps_gss_initiator_take(initiator, &token, later, reason);
        if (context != NULL) {
            assert_memory_equal(token.bytes, "token", 5);
            fake_token_free(&token);
            fake_close(context);
            return true;
        }
        if (strcmp(reason, "Kerberos tickets have not arrived yet") != 0)
            return false;
        assert_true(*later);
        usleep(100);
    }
}

/* A token is good for two minutes, or as long as its ticket if that is shorter; then a new one is made. */
static void test_age_of_a_token(void **unused)
{
    static const struct {
        uint32_t lifetime_s;
        uint64_t age_s;
        bool good;
    } rows[] = {{36000, 0, true}, {36000, 120, true}, {36000, 121, false}, {36000, 301, false},
                {120, 120, true}, {120, 121, false},  {60, 60, true},      {60, 61, false},
                {1, 1, true},     {1, 2, false}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char reason[PS_GSS_REASON_BYTES] = "";
        bool later;
        lifetime_s = rows[i].lifetime_s;
        struct ps_gss_initiator *initiator = build();
        pass(rows[i].age_s);
        if (take(initiator, &later, reason) != rows[i].good)
            fail_msg("%u s of life, %u s old: taken, or not: %s", rows[i].lifetime_s, (unsigned)rows[i].age_s,
                     reason);
        if (!rows[i].good) {
            assert_true(later);
            assert_string_equal(reason, "the Kerberos token is too old; a new one is made");
            assert_false(ps_gss_initiator_is_refused(initiator));
            assert_true(take(initiator, &later, reason));
        }
        stop(initiator);
    }
}

/* Tickets are taken from one store for five minutes. A server may have new keys then. */
static void test_age_of_tickets(void **unused)
{
    static const struct {
        uint64_t at_s; /* after the store was begun */
        bool same;
    } rows[] = {{0, true}, {299, true}, {300, false}, {500, false}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char reason[PS_GSS_REASON_BYTES] = "";
        bool later;
        lifetime_s = 36000;
        struct ps_gss_initiator *initiator = build();
        pass(rows[i].at_s);
        (void)take(initiator, &later, reason); /* the next one is asked for */
        assert_true(take(initiator, &later, reason));
        if ((strcmp(stores[0], stores[1]) == 0) != rows[i].same)
            fail_msg("after %u s: %s, %s", (unsigned)rows[i].at_s, stores[0], stores[1]);
        assert_string_equal(forgotten, rows[i].same ? "" : stores[0]);
        stop(initiator);
    }
}

/* What only an administrator can correct is refused; the tickets of a failure are not used again. Afterwards it goes on. */
static void test_failures(void **unused)
{
    static const struct {
        bool keytab_lacks;
        OM_uint32 minor_error;
        bool refused;
        const char *reason;
    } rows[] = {{true, 0, true, "no Kerberos ticket: no key of flume@TEST"},
                {false, FINAL, true, "no Kerberos ticket: error 7"},
                {false, FINAL + 1, false, "no Kerberos ticket: error 8"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char reason[PS_GSS_REASON_BYTES] = "";
        bool later;
        lifetime_s = 36000;
        keytab_lacks = rows[i].keytab_lacks;
        minor_error = rows[i].minor_error;
        struct ps_gss_initiator *initiator = build();
        keytab_lacks = false;
        minor_error = 0;
        assert_false(take(initiator, &later, reason));
        assert_string_equal(reason, rows[i].reason);
        assert_false(later);
        assert_int_equal(ps_gss_initiator_is_refused(initiator), rows[i].refused);
        assert_true(take(initiator, &later, reason));
        assert_false(ps_gss_initiator_is_refused(initiator));
        assert_string_equal(forgotten, rows[i].keytab_lacks ? "" : stores[0]);
        if (!rows[i].keytab_lacks)
            assert_string_not_equal(stores[1], stores[0]);
        stop(initiator);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_age_of_a_token),
                                       cmocka_unit_test(test_age_of_tickets),
                                       cmocka_unit_test(test_failures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
