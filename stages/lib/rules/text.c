/* Makes the values that rules give to headers: texts made of pieces, and groups of expressions. Values
 * that are already in the batch (bodies, header values) are referenced; others are copied into it. Nothing
 * points into a set, because a reload may free it. Thread: the worker. */
#include <string.h>

#include "stages/lib/rules/set_internal.h"

#define VALUE_BYTES_MAX (UINT64_C(64) << 20) /* of one header; a longer value is not made */

static const struct ps_slice nothing = {"", 0}; /* static, so an event may point to it */

static struct ps_slice piece_value(struct rules_work *work, const struct rules_piece *piece,
                                   const struct ps_event *event)
{
    struct ps_slice value = nothing;
    switch (piece->kind) {
    case PS_RULES_TEMPLATE_TEXT:
        return piece->text;
    case PS_RULES_TEMPLATE_BODY:
        return (struct ps_slice){event->body, event->body_length};
    case PS_RULES_TEMPLATE_HEADER:
        return ps_event_header(work->batch, event, piece->name, &value) ? value : nothing;
    case PS_RULES_TEMPLATE_GROUP:
        for (uint32_t i = piece->slot_count; i-- > 0;) {
            if (work->scratch->slots[piece->slots[i]].data != NULL)
                return work->scratch->slots[piece->slots[i]];
        }
        return nothing;
    }
    return value;
}

/* Copies a text into the batch. */
static enum rules_step copy_make(struct rules_work *work, struct ps_slice text, struct ps_slice *value)
{
    *value = nothing;
    if (text.length == 0)
        return RULES_STEP_NEXT;
    if (!ps_batch_has_room(work->batch, text.length))
        return RULES_STEP_OVER;
    char *copy = ps_batch_alloc(work->batch, text.length);
    if (copy == NULL)
        return RULES_STEP_AGAIN;
    memcpy(copy, text.data, text.length);
    *value = (struct ps_slice){copy, text.length};
    return RULES_STEP_NEXT;
}

enum rules_step ps_rules_constant_make(struct rules_work *work, const struct rules_action *action,
                                       struct ps_slice *value)
{
    struct rules_constant *constant = &work->scratch->constants[action->constant];
    struct ps_slice text = action->pieces[0].text;
    if (constant->lease != work->scratch->lease_number) {
        enum rules_step step = copy_make(work, text, value);
        if (step != RULES_STEP_NEXT)
            return step;
        *constant = (struct rules_constant){work->scratch->lease_number, value->data};
    }
    *value = (struct ps_slice){constant->value, text.length};
    return RULES_STEP_NEXT;
}

enum rules_step ps_rules_template_make(struct rules_work *work, const struct rules_action *action,
                                       const struct ps_event *event, struct ps_slice *value)
{
    if (action->piece_count ==
        1) { /* not literal text, which would be constant: the value is already in the batch */
        *value = piece_value(work, &action->pieces[0], event);
        return RULES_STEP_NEXT;
    }
    uint64_t length = 0;
    for (uint32_t i = 0; i < action->piece_count; i++)
        length += piece_value(work, &action->pieces[i], event).length;
    *value = nothing;
    if (length == 0)
        return RULES_STEP_NEXT;
    if (length > VALUE_BYTES_MAX || !ps_batch_has_room(work->batch, length))
        return RULES_STEP_OVER;
    char *text = ps_batch_alloc(work->batch, (uint32_t)length);
    if (text == NULL)
        return RULES_STEP_AGAIN;
    *value = (struct ps_slice){text, (uint32_t)length};
    for (uint32_t i = 0; i < action->piece_count; i++) {
        struct ps_slice piece = piece_value(work, &action->pieces[i], event);
        if (piece.length > 0)
            memcpy(text, piece.data, piece.length);
        text += piece.length;
    }
    return RULES_STEP_NEXT;
}

enum rules_step ps_rules_capture(struct rules_work *work, const struct rules_capture *capture,
                                 struct ps_event *event, struct ps_slice subject)
{
    struct ps_rules_scratch *scratch = work->scratch;
    struct ps_slice groups[PS_REGEX_GROUPS_MAX];
    struct ps_slice *slots = &scratch->slots[capture->slot_first];
    if (capture->slot_count == 0 || !ps_regex_find(capture->regex, scratch->regex, subject.data,
                                                   subject.length, 0, groups, capture->group_count))
        return RULES_STEP_NEXT;
    for (uint32_t i = 0; i < capture->slot_count; i++) {
        struct ps_slice group = groups[capture->slots[i].group];
        if (group.data == NULL)
            continue;
        bool inside = group.data >= subject.data && group.data <= subject.data + subject.length;
        if (!inside) { /* the group is in the repaired copy of malformed text */
            enum rules_step step = copy_make(work, group, &group);
            if (step == RULES_STEP_OVER) /* this batch will never have room */
                group = nothing;
            else if (step != RULES_STEP_NEXT)
                return step;
        }
        if (!ps_batch_header_set(work->batch, event, capture->slots[i].name, group.data, group.length))
            return RULES_STEP_AGAIN;
        slots[i] = group;
    }
    return RULES_STEP_NEXT;
}
