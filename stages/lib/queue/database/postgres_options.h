/* Translates the keys of a channel and the parameters of the PostgreSQL driver (pgjdbc) to those of libpq. Thread: control. */
#pragma once

#include "stages/lib/queue/database/plan.h"
#include "stages/lib/queue/database/url.h"

/* Sets settings->options and settings->label. Where parameters conflict, the last of these wins:
 * connection.properties.file, db.username and db.password, driver.url. Parameters without a counterpart in libpq have
 * no effect. */
enum ps_status ps_postgres_options(const struct ps_database_plan *plan, const struct ps_context *context,
                                   const struct ps_jdbc_url *url, struct ps_database_settings *settings,
                                   struct ps_err *err);

/* Returns whether this parameter of the driver has an effect, or needs none. */
bool ps_postgres_option_known(const char *name);
