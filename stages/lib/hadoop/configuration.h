/* Hadoop's configuration: core-site.xml, hdfs-site.xml and ssl-client.xml, read as org.apache.hadoop.conf.Configuration does. Without files
 * every key has Hadoop's default.
 *
 *   <configuration>
 *     <property><name>dfs.replication</name><value>2</value><final>true</final></property>
 *     <property name="dfs.blocksize" value="128m"/>
 *     <include xmlns="http://www.w3.org/2001/XInclude" href="more.xml"><fallback/></include>
 *   </configuration>
 *
 * A later value replaces an earlier one, unless that is final. ${key} in a value is replaced by that key's value, ${env.NAME},
 * ${env.NAME-default} and ${env.NAME:-default} by the environment's; ${user.name}, ${user.home} and ${java.io.tmpdir} are
 * known, too; what is unknown stays as it is written. Keys that were
 * renamed are known by both names (fs.default.name, dfs.block.size).
 *
 * Read by `check` and `build`, const afterwards. Thread of the functions that read values: any. */
#pragma once

#include "core/status.h"

struct ps_hadoop_configuration;

#define PS_HADOOP_DIRECTORY_BYTES 4096U

/* Where the files are, as Hadoop's own scripts find them: `configured` (a key of the component; NULL: none), else
 * HADOOP_CONF_DIR, else etc/hadoop of HADOOP_HOME, else /etc/hadoop/conf if it has a core-site.xml. NULL: nowhere. Else
 * `directory`. Thread: control. */
const char *ps_hadoop_configuration_find(const char *configured, char directory[PS_HADOOP_DIRECTORY_BYTES]);

/* Reads core-site.xml, hdfs-site.xml and ssl-client.xml of a directory, each if it is there. PS_FAIL: the directory or a file cannot be read, is
 * not XML, or a key that this program reads has a value of the wrong kind: `err` has file, line and reason. Owns: the caller
 * frees it. Blocks (files). Thread: control. */
enum ps_status ps_hadoop_configuration_load(struct ps_hadoop_configuration **configuration,
                                            const char *directory, struct ps_err *err);
/* The same for other files: `names` ends with NULL ("ssl-client.xml"). */
enum ps_status ps_hadoop_configuration_load_files(struct ps_hadoop_configuration **configuration,
                                                  const char *directory, const char *const *names,
                                                  struct ps_err *err);
/* Reads text that is not in a file, as one of that name: tests and fuzzing. */
enum ps_status ps_hadoop_configuration_parse(struct ps_hadoop_configuration **configuration, const char *name,
                                             const char *xml, size_t length, struct ps_err *err);
/* NULL is allowed. */
void ps_hadoop_configuration_free(struct ps_hadoop_configuration *configuration);

/* The functions below take NULL for a configuration: every key has its default then. Texts live as long as it. */

/* The value, trimmed, with variables replaced; NULL: it is not set, or empty. */
const char *ps_hadoop_configuration_text(const struct ps_hadoop_configuration *configuration,
                                         const char *key);
/* Values of the wrong kind are `missing`, too: of the keys that this program reads there are none after `load`. */
bool ps_hadoop_configuration_boolean(const struct ps_hadoop_configuration *configuration, const char *key,
                                     bool missing);
/* Decimal or 0x.. */
uint64_t ps_hadoop_configuration_number(const struct ps_hadoop_configuration *configuration, const char *key,
                                        uint64_t missing);
/* With k, m, g, t, p, e of 1,024 behind it (Configuration.getLongBytes). */
uint64_t ps_hadoop_configuration_bytes(const struct ps_hadoop_configuration *configuration, const char *key,
                                       uint64_t missing);
/* With ns, us, ms, s, m, h, d behind it, else milliseconds (Configuration.getTimeDuration). */
uint64_t ps_hadoop_configuration_ms(const struct ps_hadoop_configuration *configuration, const char *key,
                                    uint64_t missing);
/* In milliseconds, too, but a number without a unit is of seconds (Configuration.getTimeDuration with SECONDS). */
uint64_t ps_hadoop_configuration_seconds_ms(const struct ps_hadoop_configuration *configuration,
                                            const char *key, uint64_t missing);
/* fs.permissions.umask-mode: octal ("022"), or what is left ("u=rwx,g=rx,o="), as in UmaskParser; 022 if it is not set. */
unsigned ps_hadoop_configuration_umask(const struct ps_hadoop_configuration *configuration);
/* "file:line" of the value, for messages; NULL: it is not set. */
const char *ps_hadoop_configuration_place(const struct ps_hadoop_configuration *configuration,
                                          const char *key);
