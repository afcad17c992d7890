/* `penstock graph`: the model of the drawn agent, and the two writers. Used by commands/graph only. Thread:
 * main. */
#pragma once

#include "conf/conf.h"

#include <stdio.h>

enum graph_shape {
    GRAPH_SOURCE,
    GRAPH_INTERCEPTOR,
    GRAPH_SELECTOR,
    GRAPH_CHANNEL,
    GRAPH_SINK,
    GRAPH_TOPIC,
    GRAPH_DROPPED, /* the node for events without a route, which are dropped */
    GRAPH_SHAPE_COUNT,
};

struct graph_node {
    enum graph_shape shape;
    const char *label; /* lines, separated by \n */
    size_t cluster;    /* the number of the node's cluster, plus 1; 0: the node is in no cluster */
};

struct graph_edge {
    size_t from, to;
    const char *label; /* NULL: none */
    bool optional;     /* the channel may be left without events */
};

/* Nodes and edges refer to each other by number. All texts are in the arena, as configured: a writer makes them
 * printable and escapes them. */
struct graph {
    struct ps_arena *arena;
    const char *agent;
    struct graph_node *nodes;
    struct graph_edge *edges;
    const char **clusters; /* titles */
    size_t node_count, edge_count, cluster_count;
};

/* Draws what ps_conf_load accepted: components that were dropped are not drawn. Reads the files of `rules` selectors
 * for the names of their rules. Everything is allocated in `arena`, which must not outlive `conf`. */
void ps_graph_make(struct graph *graph, const struct ps_conf *conf, struct ps_arena *arena);

/* Writes Graphviz' DOT. */
void ps_graph_write_dot(FILE *to, const struct graph *graph);
/* Writes a Mermaid flowchart, as GitHub and GitLab draw it in Markdown. */
void ps_graph_write_mermaid(FILE *to, const struct graph *graph);
