/* The header for a plug-in in C: it has the contract of a stage (docs/CONTRACT.md), and the table by which the program
 * finds the plug-in's stages. docs/PLUGINS.md is the tutorial.
 *
 * A plug-in is a shared object that defines one symbol, ps_plugin_stages, with PS_PLUGIN. The symbol is data, not a
 * function: the program checks for which contract each stage was compiled before it runs any code of the plug-in. */
#pragma once

#include "core/flow/batch.h"
#include "core/flow/block.h"
#include "core/flow/channel.h"
#include "core/flow/identity.h"
#include "core/helper/helper.h"
#include "core/stage.h"

#define PS_PLUGIN_SYMBOL "ps_plugin_stages"

/* PS_PLUGIN(&first, &second): the stages of this shared object. Written once, in one of its files. */
#define PS_PLUGIN(...)                                                                                       \
    extern const struct ps_stage_ops *const ps_plugin_stages[];                                              \
    __attribute__((visibility("default")))                                                                   \
    const struct ps_stage_ops *const ps_plugin_stages[] = {__VA_ARGS__, NULL}
