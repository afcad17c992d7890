/* Implements bearer.h: the source of tokens. */
#include "stages/lib/sasl/bearer.h"

#include "core/clock.h"
#include "core/helper/helper.h"
#include "core/text/base64.h"
#include "stages/lib/byte_buffer.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#define UNSECURED_LIFE_S 3600U
#define LIFE_S_DEFAULT 3600U /* for an answer without expires_in (RFC 6749, 5.1) */
/* as sasl.login.connect.timeout.ms of Java's client, which has no limit unless set */
#define CONNECT_MS 10000L
#define TIMEOUT_MS 20000L
#define ANSWER_BYTES_MAX (PS_BEARER_TOKEN_BYTES_MAX + 4096U)
#define SUBJECT_BYTES_MAX 512U
#define REFUSED_REST_NS (10 * PS_NS_PER_S)

/* Belongs to the helper while the helper works, then to the owner. */
struct asking {
    char *endpoint, *client_id, *client_secret, *scope;
    char *token; /* NULL: none */
    uint64_t life_s;
    char reason[PS_SASL_REASON_BYTES];
};

struct ps_token_source {
    struct ps_helper *helper; /* NULL: the token is unsecured */
    struct asking *asking;
    bool asked;        /* the helper has `asking` */
    uint64_t asked_ns; /* when the endpoint was asked last */
    char *subject, *token;
    uint64_t begun_ns, renew_ns, end_ns; /* of the token */
};

static char *copy(const char *text)
{
    return text != NULL ? ps_must_copy_text(text, "a token") : NULL;
}

static void wipe(char *text)
{
    if (text != NULL)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

/* ---- unsecured tokens ---- */

/* Writes Base64 for URLs, without padding (RFC 7515, 2). */
static void put_base64url(struct ps_byte_buffer *to, const char *text, size_t length)
{
    char encoded[2 * SUBJECT_BYTES_MAX + 256];
    size_t made = ps_base64_encode(encoded, text, length);
    while (made > 0 && encoded[made - 1] == '=')
        made--;
    for (size_t i = 0; i < made; i++)
        encoded[i] = encoded[i] == '+' ? '-' : encoded[i] == '/' ? '_' : encoded[i];
    PS_ASSERT(ps_byte_buffer_append(to, encoded, made));
}

static char *make_unsecured(const char *subject)
{
    static const char head[] = "{\"alg\":\"none\"}";
    char claims[SUBJECT_BYTES_MAX + 128];
    struct ps_byte_buffer text = {.data = NULL};
    int64_t now_s = ps_clock_now().wall_ms / 1000;
    int length = snprintf(claims, sizeof claims, "{\"sub\":\"%s\",\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}",
                          subject, now_s, now_s + UNSECURED_LIFE_S);
    put_base64url(&text, head, sizeof head - 1);
    PS_ASSERT(ps_byte_buffer_append(&text, ".", 1));
    put_base64url(&text, claims, (size_t)length);
    PS_ASSERT(ps_byte_buffer_append(&text, ".", 2)); /* no signature; with the end of the text */
    return text.data;
}

/* ---- the endpoint, on the helper's thread ---- */

static size_t take_bytes(char *bytes, size_t size, size_t count, void *text_)
{
    struct ps_byte_buffer *text = text_;
    bool fits = size * count <= ANSWER_BYTES_MAX - text->length;
    return fits && ps_byte_buffer_append(text, bytes, size * count) ? size * count : 0;
}

/* Reads {"access_token":..,"expires_in":..}. */
static void read_answer(struct asking *asking, const struct ps_byte_buffer *text, long status)
{
    json_t *root = json_loadb(text->data != NULL ? text->data : "", text->length, 0, NULL);
    const char *token = json_string_value(json_object_get(root, "access_token")),
               *error = json_string_value(json_object_get(root, "error")),
               *more = json_string_value(json_object_get(root, "error_description"));
    json_int_t life_s = json_integer_value(json_object_get(root, "expires_in"));
    if (status == 200 && token != NULL && strlen(token) <= PS_BEARER_TOKEN_BYTES_MAX) {
        asking->token = copy(token);
        asking->life_s = life_s > 0 && life_s < INT32_MAX ? (uint64_t)life_s : LIFE_S_DEFAULT;
    } else {
        snprintf(asking->reason, sizeof asking->reason, "the token endpoint answers with %ld%s%.60s%s%.100s",
                 status, error != NULL ? " " : "", error != NULL ? error : ", and no token",
                 more != NULL ? ": " : "", more != NULL ? more : "");
    }
    json_decref(root);
}

static bool set_body(CURL *curl, const struct asking *asking)
{
    struct ps_byte_buffer body = {.data = NULL};
    char *scope = asking->scope != NULL ? curl_easy_escape(curl, asking->scope, 0) : NULL;
    bool good = ps_byte_buffer_append(&body, "grant_type=client_credentials", 29) &&
                (scope == NULL || (ps_byte_buffer_append(&body, "&scope=", 7) &&
                                   ps_byte_buffer_append(&body, scope, strlen(scope)))) &&
                ps_byte_buffer_append(&body, "", 1) &&
                curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, body.data) == CURLE_OK;
    curl_free(scope);
    free(body.data);
    return good;
}

static void request_token(CURL *curl, struct asking *asking)
{
    char words[CURL_ERROR_SIZE] = "";
    struct ps_byte_buffer text = {.data = NULL};
    long status = 0;
    curl_easy_setopt(curl, CURLOPT_URL, asking->endpoint);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    curl_easy_setopt(curl, CURLOPT_USERNAME, asking->client_id);
    curl_easy_setopt(curl, CURLOPT_PASSWORD, asking->client_secret);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
    CURLcode code = set_body(curl, asking) ? curl_easy_perform(curl) : CURLE_OUT_OF_MEMORY;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK)
        read_answer(asking, &text, status);
    else
        snprintf(asking->reason, sizeof asking->reason, "the token endpoint cannot be asked: %.180s",
                 words[0] != '\0' ? words : curl_easy_strerror(code));
    if (text.data != NULL)
        OPENSSL_cleanse(text.data, text.length);
    free(text.data);
}

static void run(void *, void *asking_)
{
    struct asking *asking = asking_;
    CURL *curl = curl_easy_init();
    wipe(asking->token);
    asking->token = NULL;
    snprintf(asking->reason, sizeof asking->reason, "no memory");
    if (curl != NULL)
        request_token(curl, asking);
    curl_easy_cleanup(curl);
}

static void end(void *asking_)
{
    struct asking *asking = asking_;
    free(asking->endpoint);
    free(asking->client_id);
    wipe(asking->client_secret);
    free(asking->scope);
    wipe(asking->token);
    free(asking);
    curl_global_cleanup();
}

/* ---- the owner ---- */

static enum ps_status start_helper(struct ps_token_source *source, const struct ps_token_settings *settings,
                                   struct ps_err *err)
{
    struct asking *asking = ps_must_alloc(1, sizeof *asking, "a token");
    *asking = (struct asking){.endpoint = copy(settings->endpoint),
                              .client_id = copy(settings->client_id),
                              .client_secret = copy(settings->client_secret),
                              .scope = copy(settings->scope)};
    const struct ps_helper_settings helper = {
        .name = "token", .room = 1, .wake_fd = settings->wake_fd, .run = run, .end = end, .argument = asking};
    curl_global_init(CURL_GLOBAL_DEFAULT); /* libcurl counts these calls */
    source->asking = asking;
    source->helper = ps_helper_create(&helper, err);
    if (source->helper != NULL)
        return PS_OK;
    end(asking);
    return PS_FAIL;
}

struct ps_token_source *ps_token_source_create(const struct ps_token_settings *settings, struct ps_err *err)
{
    struct ps_token_source *source = ps_must_alloc(1, sizeof *source, "a token");
    *source = (struct ps_token_source){.helper = NULL};
    if (settings->subject != NULL) {
        if (strlen(settings->subject) <= SUBJECT_BYTES_MAX &&
            settings->subject[strcspn(settings->subject, "\"\\")] == '\0') {
            source->subject = copy(settings->subject);
            return source;
        }
        ps_err_set(err, "the subject of a token has at most %u bytes, without quotes", SUBJECT_BYTES_MAX);
    } else if (start_helper(source, settings, err) == PS_OK) {
        return source;
    }
    free(source);
    return NULL;
}

void ps_token_source_destroy(struct ps_token_source *source)
{
    if (source == NULL)
        return;
    if (source->helper != NULL)
        (void)ps_helper_destroy(source->helper, 0);
    free(source->subject);
    wipe(source->token);
    free(source);
}

static void keep(struct ps_token_source *source, char *token, uint64_t life_s, uint64_t begun_ns)
{
    wipe(source->token);
    source->token = token;
    source->begun_ns = begun_ns;
    source->renew_ns = begun_ns + life_s * PS_NS_PER_S / 5 * 4;
    source->end_ns = begun_ns + life_s * PS_NS_PER_S;
}

void ps_token_source_refused(struct ps_token_source *source, uint64_t now_ns)
{
    if (source->token == NULL || now_ns - source->begun_ns < REFUSED_REST_NS)
        return;
    wipe(source->token);
    source->token = NULL;
}

const char *ps_token_source_take(struct ps_token_source *source, uint64_t now_ns, bool *later, char *reason)
{
    struct asking *asking = source->asking;
    *later = false;
    if (source->token != NULL && now_ns < source->renew_ns)
        return source->token;
    if (source->helper == NULL) {
        keep(source, make_unsecured(source->subject), UNSECURED_LIFE_S, now_ns);
        return source->token;
    }
    bool answered = source->asked && ps_helper_answer(source->helper) != NULL;
    source->asked &= !answered;
    if (answered && asking->token != NULL) {
        /* The token's life counts from the request, because the answer may have come long before this call. */
        keep(source, asking->token, asking->life_s, source->asked_ns);
        asking->token = NULL;
        answered = false;
        if (now_ns < source->renew_ns)
            return source->token;
    }
    bool is_good = source->token != NULL && now_ns < source->end_ns;
    if (answered && !is_good) {
        snprintf(reason, PS_SASL_REASON_BYTES, "%s", asking->reason);
        return NULL;
    }
    if (!source->asked) {
        source->asked_ns = now_ns;
        source->asked = ps_helper_ask(source->helper, asking);
    }
    *later = !is_good;
    return is_good ? source->token : NULL;
}
