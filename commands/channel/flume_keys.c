/* The keys with which import reads an encrypted file channel of Flume: the keys in Flume's key store, or those of the
 * channel that gets the events. */
#include "commands/channel/channel.h"
#include "commands/dumpable.h"
#include "conf/text.h"

#include <string.h>

bool ps_channel_flume_password_add(struct ps_channel_command *command, const char *argument)
{
    struct ps_key_source *source = &command->flume_source;
    const char *equals = strchr(argument, '=');
    if (equals == NULL || equals == argument || equals[1] == '\0')
        return false;
    ps_pairs_add(command->arena, &source->properties,
                 (struct ps_pair){.key = ps_arena_format(command->arena, "%.*s.passwordFile",
                                                         (int)(equals - argument), argument),
                                  .value = equals + 1});
    return true;
}

const struct ps_key *ps_channel_flume_key(void *argument, const char *name, struct ps_err *err)
{
    struct ps_channel_command *command = argument;
    struct ps_key_source source = command->flume_source;
    const struct ps_key *key = ps_key_ring_find(command->flume_keys, name);
    if (key == NULL && source.store_file != NULL) {
        source.provider = "JCEKSFILE";
        source.names = (struct ps_texts){1, &name};
        ps_process_set_dumpable(false);
        ps_key_ring_destroy(command->flume_keys);
        command->flume_keys = ps_key_source_load(&source, err);
        return ps_key_ring_find(command->flume_keys, name);
    }
    if (key == NULL)
        key = ps_key_ring_find(command->keys, name);
    if (key == NULL)
        ps_err_set(err, "the key is not there; name Flume's key store with --flume-key-store FILE and "
                        "--flume-key-store-password FILE, or give the key itself with --key NAME=FILE");
    return key;
}
