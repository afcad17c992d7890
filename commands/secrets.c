/* Reads the credential stores of the config filter `hadoop` of an agent file, and asks its filters that are Java
 * classes. This file is here because conf/ cannot read key stores and starts no JVM. */
#include "conf/properties/filter.h"
#include "commands/commands.h"
#include "conf/validate/lone_classes.h"
#include "stages/lib/encryption/credentials.h"
#include "stages/lib/java/ask.h"

_Static_assert(PS_FILTER_SECRET_BYTES_MAX == PS_CREDENTIAL_BYTES_MAX,
               "a secret has the same room on both sides");

static enum ps_status read_secret(const struct ps_pairs *settings, const char *folder, const char *alias,
                                  char secret[PS_FILTER_SECRET_BYTES_MAX + 1], struct ps_err *err)
{
    const struct ps_credentials credentials = {
        .providers = ps_pairs_get(settings, "credential.provider.path"),
        .password_file = ps_pairs_get(settings, "credstore.java-keystore-provider.password-file"),
        .folder = folder,
    };
    return ps_credential_read(&credentials, alias, secret, err);
}

struct asked {
    struct ps_arena *arena;
    struct ps_filter_answer *answers;
};

static void on_answer(void *argument, size_t index, const struct ps_java_answer *answer)
{
    const struct asked *asked = argument;
    struct ps_filter_answer *to = &asked->answers[index];
    if (answer->bytes != NULL)
        to->value = ps_arena_copy(asked->arena, (const char *)answer->bytes, answer->length);
    if (answer->failure != NULL)
        to->failure = ps_arena_text(asked->arena, answer->failure);
}

static enum ps_status ask_class(const struct ps_class_path *path, const char *class_name, const char *name,
                                const struct ps_pairs *settings, const struct ps_texts *keys,
                                struct ps_arena *arena, struct ps_filter_answer *answers, struct ps_err *err)
{
    struct asked asked = {arena, answers};
    return ps_java_ask(path,
                       &(struct ps_java_question){.kind = "config filter",
                                                  .class_name = class_name,
                                                  .name = name,
                                                  .settings = *settings,
                                                  .asked = *keys},
                       on_answer, &asked, err);
}

void ps_commands_prepare(void)
{
    ps_filter_classes_ask_with(ask_class);
    ps_filters_read_secrets_with(read_secret);
}
