/* Writes a graph as DOT or Mermaid. Names and values come from configuration files: each is made printable, then
 * escaped, so that no text can end a label or add a statement. */
#include "commands/graph/graph.h"

#include "core/text/printable.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- labels ---- */

enum form { FORM_DOT, FORM_MERMAID };

/* Writes the printable text of one line. Mermaid has no backslash escapes, so characters that could be markup
 * become numbered entities. */
static void line_write(FILE *to, enum form form, const char *line, size_t length)
{
    char *text = NULL;
    size_t bytes;
    FILE *memory = ps_must_open_text(&text, &bytes, "a label");
    ps_printable_write(memory, line, length);
    fclose(memory);
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (form == FORM_DOT && (byte == '"' || byte == '\\'))
            fprintf(to, "\\%c", byte);
        else if (form == FORM_MERMAID && byte < 0x80 && !isalnum(byte) &&
                 strchr(" ._-:,/+=()%", byte) == NULL)
            fprintf(to, "#%u;", byte);
        else
            fputc(byte, to);
    }
    free(text);
}

static void label_write(FILE *to, enum form form, const char *label)
{
    fputc('"', to);
    for (;;) {
        size_t length = strcspn(label, "\n");
        line_write(to, form, label, length);
        label += length;
        if (*label == '\0')
            break;
        label++;
        fputs(form == FORM_DOT ? "\\n" : "<br/>", to);
    }
    fputc('"', to);
}

/* ---- nodes ---- */

static const char *const dot_shapes[GRAPH_SHAPE_COUNT] = {
    [GRAPH_SOURCE] = "shape=box, style=\"rounded,filled\", fillcolor=\"#d8e8f8\"",
    [GRAPH_INTERCEPTOR] = "shape=box, style=filled, fillcolor=\"#eef3f8\"",
    [GRAPH_SELECTOR] = "shape=hexagon, style=filled, fillcolor=\"#f6ecd2\"",
    [GRAPH_CHANNEL] = "shape=cylinder, style=filled, fillcolor=\"#e2e2e2\"",
    [GRAPH_SINK] = "shape=box, style=\"rounded,filled\", fillcolor=\"#dcf0dc\"",
    [GRAPH_TOPIC] = "shape=parallelogram, style=filled, fillcolor=\"#f0e0f0\"",
    [GRAPH_DROPPED] = "shape=plaintext, fontcolor=\"#a02020\"",
};

static const char *const mermaid_shapes[GRAPH_SHAPE_COUNT][2] = {
    [GRAPH_SOURCE] = {"(", ")"},    [GRAPH_INTERCEPTOR] = {"[", "]"}, [GRAPH_SELECTOR] = {"{{", "}}"},
    [GRAPH_CHANNEL] = {"[(", ")]"}, [GRAPH_SINK] = {"(", ")"},        [GRAPH_TOPIC] = {"[/", "/]"},
    [GRAPH_DROPPED] = {"([", "])"},
};

/* Writes the nodes of a cluster; 0: those of none. */
static void nodes_write(FILE *to, enum form form, const struct graph *graph, size_t cluster)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct graph_node *node = &graph->nodes[i];
        const char *const *shape = mermaid_shapes[node->shape];
        if (node->cluster != cluster)
            continue;
        fprintf(to, "%s  n%zu%s", cluster > 0 ? "  " : "", i, form == FORM_DOT ? " [label=" : shape[0]);
        label_write(to, form, node->label);
        if (form == FORM_DOT)
            fprintf(to, ", %s];\n", dot_shapes[node->shape]);
        else
            fprintf(to, "%s\n", shape[1]);
    }
}

/* ---- DOT ---- */

void ps_graph_write_dot(FILE *to, const struct graph *graph)
{
    fputs("digraph ", to);
    label_write(to, FORM_DOT, graph->agent);
    fputs(" {\n  rankdir=LR;\n  label=", to);
    label_write(to, FORM_DOT, ps_arena_format(graph->arena, "agent %s", graph->agent));
    fputs(";\n  labelloc=t;\n  fontname=\"sans-serif\";\n  node [fontname=\"sans-serif\"];\n"
          "  edge [fontname=\"sans-serif\", fontsize=10];\n",
          to);
    for (size_t i = 0; i < graph->cluster_count; i++) {
        fprintf(to, "  subgraph cluster_%zu {\n    label=", i);
        label_write(to, FORM_DOT, graph->clusters[i]);
        fputs(";\n    style=rounded;\n    color=\"#a0a0a0\";\n", to);
        nodes_write(to, FORM_DOT, graph, i + 1);
        fputs("  }\n", to);
    }
    nodes_write(to, FORM_DOT, graph, 0);
    for (size_t i = 0; i < graph->edge_count; i++) {
        const struct graph_edge *edge = &graph->edges[i];
        fprintf(to, "  n%zu -> n%zu", edge->from, edge->to);
        if (edge->label != NULL || edge->optional)
            fputs(" [", to);
        if (edge->label != NULL) {
            fputs("label=", to);
            label_write(to, FORM_DOT, edge->label);
        }
        if (edge->optional)
            fprintf(to, "%sstyle=dashed", edge->label != NULL ? ", " : "");
        fputs(edge->label != NULL || edge->optional ? "];\n" : ";\n", to);
    }
    fputs("}\n", to);
}

/* ---- Mermaid ---- */

void ps_graph_write_mermaid(FILE *to, const struct graph *graph)
{
    fputs("flowchart LR\n", to);
    for (size_t i = 0; i < graph->cluster_count; i++) {
        fprintf(to, "  subgraph cluster_%zu[", i);
        label_write(to, FORM_MERMAID, graph->clusters[i]);
        fputs("]\n", to);
        nodes_write(to, FORM_MERMAID, graph, i + 1);
        fputs("  end\n", to);
    }
    nodes_write(to, FORM_MERMAID, graph, 0);
    for (size_t i = 0; i < graph->edge_count; i++) {
        const struct graph_edge *edge = &graph->edges[i];
        fprintf(to, "  n%zu %s", edge->from, edge->optional ? "-.->" : "-->");
        if (edge->label != NULL) {
            fputc('|', to);
            label_write(to, FORM_MERMAID, edge->label);
            fputc('|', to);
        }
        fprintf(to, " n%zu\n", edge->to);
    }
}
