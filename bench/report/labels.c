/* Draws the axes of a picture and the labels at the ends of its lines so that none overlap. See svg.h. */
#include "bench/report/figure.h"
#include "bench/report/svg.h"

#include <math.h>

#define LABEL_GAP (PS_SVG_TEXT * 1.3)
#define SWATCH 16.0

void ps_svg_axis_bottom(struct ps_svg *svg, const struct ps_plot *plot, const struct ps_axis *axis,
                        ps_svg_format format, const char *title)
{
    ps_svg_line(svg, plot->left, plot->bottom, plot->right, plot->bottom, "base");
    double behind = -1e9; /* right edge of the last label */
    for (unsigned index = 0; index < axis->tick_count; index++) {
        double x = ps_axis_at(axis, axis->ticks[index]);
        ps_svg_line(svg, x, plot->top, x, plot->bottom, "grid");
        ps_svg_line(svg, x, plot->bottom, x, plot->bottom + 4, "base");
        struct ps_figure text = format(axis->ticks[index]);
        struct ps_box box = ps_svg_text_box(x, plot->bottom + 18, PS_ANCHOR_MIDDLE, "tick", text.text);
        if (box.left < behind + 4)
            continue;
        if (box.right > svg->width) /* the last label, at the edge */
            ps_svg_text(svg, svg->width, plot->bottom + 18, PS_ANCHOR_END, "tick x", text.text);
        else
            ps_svg_text(svg, x, plot->bottom + 18, PS_ANCHOR_MIDDLE, "tick x", text.text);
        behind = box.right;
    }
    if (title)
        ps_svg_text(svg, (plot->left + plot->right) / 2, plot->bottom + 37, PS_ANCHOR_MIDDLE, "axis", title);
}

double ps_svg_axis_room(const struct ps_axis *axis, ps_svg_format format)
{
    double room = 0;
    for (unsigned index = 0; index < axis->tick_count; index++)
        room = fmax(room, ps_svg_text_width(format(axis->ticks[index]).text));
    return room + 8;
}

void ps_svg_axis_left(struct ps_svg *svg, const struct ps_plot *plot, const struct ps_axis *axis,
                      ps_svg_format format, const char *title)
{
    double above = 1e9;
    for (unsigned index = 0; index < axis->tick_count; index++) {
        double y = ps_axis_at(axis, axis->ticks[index]);
        ps_svg_line(svg, plot->left, y, plot->right, y, "grid");
        if (y + PS_SVG_TEXT > above)
            continue;
        ps_svg_text(svg, plot->left - 8, y + 4, PS_ANCHOR_END, "tick y", format(axis->ticks[index]).text);
        above = y;
    }
    if (title)
        ps_svg_text(svg, 0, plot->top - 12, PS_ANCHOR_START, "axis", title);
}

void ps_svg_spread(double *places, unsigned count, double gap, double low, double high)
{
    unsigned order[PS_SVG_LABELS_MAX], begin[PS_SVG_LABELS_MAX], groups = 0;
    /* Middle of a group of labels that touch; they are placed `gap` apart around it. */
    double middle[PS_SVG_LABELS_MAX];
    count = count < PS_SVG_LABELS_MAX ? count : PS_SVG_LABELS_MAX;
    for (unsigned index = 0; index < count; index++) { /* insertion sort: equal ones keep their order */
        unsigned at = index;
        for (; at > 0 && places[order[at - 1]] > places[index]; at--)
            order[at] = order[at - 1];
        order[at] = index;
    }
    for (unsigned index = 0; index < count; index++) {
        begin[groups] = index;
        middle[groups++] = places[order[index]];
        for (;;) { /* merge with the previous group while they touch */
            unsigned last = groups - 1, size = index + 1 - begin[last];
            double half = (size - 1) * gap / 2;
            middle[last] = fmax(low + half, fmin(high - half, middle[last]));
            if (last == 0)
                break;
            unsigned before = begin[last] - begin[last - 1];
            if (middle[last] - half - (middle[last - 1] + (before - 1) * gap / 2) >= gap - 1e-9)
                break;
            middle[last - 1] = (middle[last - 1] * before + middle[last] * size) / (before + size);
            groups--;
        }
    }
    for (unsigned group = 0; group < groups; group++) {
        unsigned end = group + 1 < groups ? begin[group + 1] : count;
        for (unsigned index = begin[group]; index < end; index++)
            places[order[index]] =
                middle[group] + (index - begin[group] - (end - begin[group] - 1) / 2.0) * gap;
    }
}

void ps_svg_labels_right(struct ps_svg *svg, const struct ps_plot *plot, const struct ps_svg_label *labels,
                         unsigned count)
{
    double places[PS_SVG_LABELS_MAX];
    count = count < PS_SVG_LABELS_MAX ? count : PS_SVG_LABELS_MAX;
    for (unsigned index = 0; index < count; index++)
        places[index] = labels[index].y;
    ps_svg_spread(places, count, LABEL_GAP, plot->top + 2, svg->height - PS_SVG_TEXT / 2);
    for (unsigned index = 0; index < count; index++) {
        double x = plot->right + 4, y = places[index];
        char text[128];
        if (fabs(y - labels[index].y) > 3)
            ps_svg_line(svg, x, labels[index].y, x + 8, y, "leader");
        ps_html_print(svg->html,
                      "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"series %s\"/>\n", x + 9,
                      y, x + 9 + SWATCH, y, labels[index].class);
        ps_svg_text(svg, x + SWATCH + 14, y + 4.5, PS_ANCHOR_START, "label",
                    ps_svg_text_cut(labels[index].text, svg->width - x - SWATCH - 14, text, sizeof(text)));
    }
}
