/* The steps of ps_conf_load that have files of their own. Thread: the control thread. */
#pragma once

#include "conf/conf.h"
#include "conf/properties/properties.h"

/* In conf/origin.c: reads every -f or -u in order into `properties`, and lists them in conf->origins. A file or URI
 * that cannot be read is an error, as in Flume, unless there is a backup (-b), which is then used in place of all of
 * them. */
void ps_conf_read(struct ps_conf *conf, const struct ps_command *command, struct ps_properties *properties);

/* In conf/backup.c: discards what was read so far and reads the backup instead, because a configuration with a
 * missing part is a different one. Returns false, with nothing discarded, when there is none. */
bool ps_conf_backup_read(struct ps_conf *conf, const struct ps_command *command,
                         struct ps_properties *properties);

/* In conf/backup.c: renders the configuration after substitution, for ps_conf_backup. Called only with -b. */
void ps_conf_backup_keep(struct ps_conf *conf, const struct ps_command *command,
                         const struct ps_properties *properties);
