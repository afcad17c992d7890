/* Reads the credential stores of the config filter `hadoop` of an agent file. It is here because conf/ cannot
 * read key stores. */
#include "conf/properties/filter.h"
#include "commands/commands.h"
#include "stages/lib/encryption/credentials.h"

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

void ps_commands_prepare(void)
{
    ps_filters_read_secrets_with(read_secret);
}
