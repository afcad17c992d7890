#include "tests/support/rules/model.h"

#include <stdio.h>

enum { WAY_NONE, WAY_REQUIRED, WAY_OPTIONAL }; /* as enum ps_test_way */

static void value_set(struct ps_test_value *value, const char *bytes, size_t length)
{
    assert_true(length <= PS_TEST_MODEL_TEXT_MAX);
    memmove(value->bytes, bytes, length);
    value->length = length;
}

static struct ps_test_model_header *header_find(struct ps_test_model_event *event, const char *name)
{
    for (size_t i = 0; i < event->header_count; i++) {
        if (strcmp(event->headers[i].name, name) == 0)
            return &event->headers[i];
    }
    return NULL;
}

static void header_put(struct ps_test_model_event *event, const char *name, const char *bytes, size_t length)
{
    struct ps_test_model_header *header = header_find(event, name);
    if (header == NULL) {
        assert_true(event->header_count < PS_TEST_MODEL_HEADERS_MAX);
        header = &event->headers[event->header_count++];
        snprintf(header->name, sizeof header->name, "%s", name);
    }
    value_set(&header->value, bytes, length);
}

static struct ps_test_value *subject_of(struct ps_test_model_event *event, const char *header)
{
    struct ps_test_model_header *found;
    if (header == NULL)
        return &event->body;
    found = header_find(event, header);
    return found != NULL ? &found->value : NULL;
}

static bool compare(enum ps_condition_operator op, const struct ps_rules_value *value,
                    const struct ps_test_value *text)
{
    size_t length = value->text.length;
    const char *bytes = value->text.data;
    double a, b;
    int order;
    if (op == PS_OPERATOR_CONTAINS)
        return memmem(text->bytes, text->length, bytes, length) != NULL;
    if (op == PS_OPERATOR_BEGINS)
        return text->length >= length && memcmp(text->bytes, bytes, length) == 0;
    if (op == PS_OPERATOR_ENDS)
        return text->length >= length && memcmp(text->bytes + text->length - length, bytes, length) == 0;
    if (ps_rules_number(bytes, length, &a) && ps_rules_number(text->bytes, text->length, &b)) {
        order = b < a ? -1 : b > a;
    } else {
        order = memcmp(text->bytes, bytes, text->length < length ? text->length : length);
        if (order == 0)
            order = text->length < length ? -1 : text->length > length;
    }
    switch (op) {
    case PS_OPERATOR_EQUAL:
    case PS_OPERATOR_IN:
        return order == 0;
    case PS_OPERATOR_UNEQUAL:
        return order != 0;
    case PS_OPERATOR_LESS:
        return order < 0;
    case PS_OPERATOR_LESS_EQUAL:
        return order <= 0;
    case PS_OPERATOR_MORE:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool find(struct ps_test_model *model, const struct ps_regex *regex, const struct ps_test_value *text,
                 struct ps_slice *groups, unsigned count)
{
    return text != NULL && ps_regex_find(regex, model->scratch, text->bytes, text->length, 0, groups, count);
}

static bool holds(struct ps_test_model *model, const struct ps_condition *condition,
                  struct ps_test_model_event *event)
{
    const struct ps_rules_pattern *pattern;
    const struct ps_test_value *text;
    switch (condition->kind) {
    case PS_CONDITION_TRUE:
        return true;
    case PS_CONDITION_AND:
        return holds(model, condition->left, event) && holds(model, condition->right, event);
    case PS_CONDITION_OR:
        return holds(model, condition->left, event) || holds(model, condition->right, event);
    case PS_CONDITION_NOT:
        return !holds(model, condition->left, event);
    case PS_CONDITION_MATCH:
        pattern = &model->rules->patterns[condition->pattern];
        return find(model, pattern->regex, subject_of(event, pattern->subject.header), NULL, 0);
    case PS_CONDITION_EXISTS:
        return subject_of(event, condition->subject.header) != NULL;
    case PS_CONDITION_SIZE: {
        double size = (double)event->body.length, limit = condition->values[0].number;
        return condition->op == PS_OPERATOR_EQUAL ? !(size < limit) && !(size > limit) : size > limit;
    }
    case PS_CONDITION_COMPARE:
        text = subject_of(event, condition->subject.header);
        for (size_t i = 0; text != NULL && i < condition->value_count; i++) {
            if (compare(condition->op, &condition->values[i], text))
                return true;
        }
    }
    return false;
}

/* The named groups; each has the value from the last expression that set it. */
struct groups {
    struct {
        char name[32];
        struct ps_test_value value;
    } items[8];
    size_t count;
};

static void group_put(struct groups *groups, const char *name, struct ps_slice value)
{
    size_t at = 0;
    while (at < groups->count && strcmp(groups->items[at].name, name) != 0)
        at++;
    assert_true(at < PS_COUNT_OF(groups->items));
    groups->count += at == groups->count;
    snprintf(groups->items[at].name, sizeof groups->items[at].name, "%s", name);
    value_set(&groups->items[at].value, value.data, value.length);
}

static void capture(struct ps_test_model *model, const struct ps_regex *regex,
                    const struct ps_test_value *text, const char *prefix, struct ps_test_model_event *event,
                    struct groups *groups)
{
    struct ps_slice found[10];
    char name[64];
    struct ps_test_value copy;
    if (text == NULL)
        return;
    copy = *text; /* of the event, which changes below */
    if (!find(model, regex, &copy, found, 10))
        return;
    for (unsigned i = 1; i <= ps_regex_group_count(regex) && i < 10; i++) {
        const char *group = ps_regex_group_name(regex, i);
        if (group == NULL || found[i].data == NULL)
            continue;
        snprintf(name, sizeof name, "%s%s", prefix, group);
        header_put(event, name, found[i].data, found[i].length);
        group_put(groups, group, found[i]);
    }
}

static void capture_condition(struct ps_test_model *model, const struct ps_rule *rule,
                              const struct ps_condition *condition, bool negated,
                              struct ps_test_model_event *before, struct ps_test_model_event *event,
                              struct groups *groups)
{
    if (condition->kind == PS_CONDITION_NOT) {
        capture_condition(model, rule, condition->left, !negated, before, event, groups);
    } else if (condition->kind == PS_CONDITION_AND || condition->kind == PS_CONDITION_OR) {
        capture_condition(model, rule, condition->left, negated, before, event, groups);
        capture_condition(model, rule, condition->right, negated, before, event, groups);
    } else if (condition->kind == PS_CONDITION_MATCH && !negated) {
        const struct ps_rules_pattern *pattern = &model->rules->patterns[condition->pattern];
        capture(model, pattern->regex, subject_of(before, pattern->subject.header), rule->prefix, event,
                groups);
    }
}

static void template_fill(const struct ps_rules_template *template, struct ps_test_model_event *event,
                          const struct groups *groups, struct ps_test_value *out)
{
    char text[8 * PS_TEST_MODEL_TEXT_MAX];
    size_t used = 0;
    for (size_t i = 0; i < template->count; i++) {
        const struct ps_rules_template_piece *piece = &template->pieces[i];
        struct ps_slice slice = {piece->text, piece->length};
        if (piece->kind == PS_RULES_TEMPLATE_BODY || piece->kind == PS_RULES_TEMPLATE_HEADER) {
            const struct ps_test_value *value =
                subject_of(event, piece->kind == PS_RULES_TEMPLATE_BODY ? NULL : piece->text);
            slice = value != NULL ? (struct ps_slice){value->bytes, (uint32_t)value->length}
                                  : (struct ps_slice){"", 0};
        } else if (piece->kind == PS_RULES_TEMPLATE_GROUP) {
            slice = (struct ps_slice){"", 0};
            for (size_t k = 0; k < groups->count; k++) {
                if (strcmp(groups->items[k].name, piece->text) == 0)
                    slice = (struct ps_slice){groups->items[k].value.bytes,
                                              (uint32_t)groups->items[k].value.length};
            }
        }
        memcpy(text + used, slice.data, slice.length);
        used += slice.length;
    }
    value_set(out, text, used);
}

static void tag_add(struct ps_test_model_event *event, const struct ps_rules_template *word)
{
    struct ps_test_model_header *tags = header_find(event, "tags");
    char text[2 * PS_TEST_MODEL_TEXT_MAX + 2], padded[PS_TEST_MODEL_TEXT_MAX + 3], wanted[64];
    int length = (int)word->pieces[0].length;
    if (tags == NULL || tags->value.length == 0) {
        header_put(event, "tags", word->pieces[0].text, (size_t)length);
        return;
    }
    size_t padded_length = (size_t)snprintf(padded, sizeof padded, ",");
    memcpy(padded + 1, tags->value.bytes, tags->value.length);
    padded_length += tags->value.length;
    padded[padded_length++] = ',';
    int wanted_length = snprintf(wanted, sizeof wanted, ",%.*s,", length, word->pieces[0].text);
    if (memmem(padded, padded_length, wanted, (size_t)wanted_length) != NULL)
        return;
    memcpy(text, tags->value.bytes, tags->value.length);
    memcpy(text + tags->value.length, wanted, (size_t)wanted_length - 1);
    header_put(event, "tags", text, tags->value.length + (size_t)wanted_length - 1);
}

static bool limit_take(struct ps_test_model *model, struct ps_test_model_meter *meter,
                       const struct ps_action *action, struct ps_test_model_event *event)
{
    const struct ps_test_value none = {.length = 0};
    const struct ps_test_value *key = action->per_key ? subject_of(event, action->subject.header) : &none;
    key = key != NULL ? key : &none;
    struct ps_test_model_bucket *bucket = meter->buckets;
    while (bucket != NULL &&
           (bucket->key.length != key->length || memcmp(bucket->key.bytes, key->bytes, key->length) != 0))
        bucket = bucket->next;
    if (bucket == NULL) {
        bucket = malloc(sizeof *bucket);
        assert_non_null(bucket);
        *bucket = (struct ps_test_model_bucket){meter->buckets, *key, action->burst, model->now_ns};
        meter->buckets = bucket;
    }
    bucket->tokens += (double)(model->now_ns - bucket->filled_ns) / 1e9 * action->per_second;
    if (bucket->tokens > action->burst)
        bucket->tokens = action->burst;
    bucket->filled_ns = model->now_ns;
    if (bucket->tokens < 1)
        return false;
    bucket->tokens -= 1;
    return true;
}

static void route(struct ps_test_model_event *event, const struct ps_action *action)
{
    for (size_t i = 0; i < action->channel_count; i++) {
        unsigned channel = (unsigned)(action->channels[i].name[1] - '1');
        if (event->ways[channel] != WAY_REQUIRED)
            event->ways[channel] = action->optional ? WAY_OPTIONAL : WAY_REQUIRED;
    }
}

/* Returns false when no further rule applies to the event. */
static bool act(struct ps_test_model *model, unsigned rule, size_t number, struct ps_test_model_event *event,
                struct groups *groups)
{
    const struct ps_rule *own = &model->rules->rules[rule];
    const struct ps_action *action = &own->actions[number];
    struct ps_test_model_meter *meter = &model->meters[rule][number];
    struct ps_test_value value;
    switch (action->kind) {
    case PS_ACTION_ROUTE:
        route(event, action);
        break;
    case PS_ACTION_SET:
        if (action->unless_exists && header_find(event, action->header) != NULL)
            break;
        template_fill(&action->text, event, groups, &value);
        header_put(event, action->header, value.bytes, value.length);
        break;
    case PS_ACTION_COPY:
        if (header_find(event, action->from) != NULL) {
            value = header_find(event, action->from)->value;
            header_put(event, action->header, value.bytes, value.length);
        }
        break;
    case PS_ACTION_REMOVE: {
        struct ps_test_model_header *header = header_find(event, action->header);
        if (header != NULL)
            *header = event->headers[--event->header_count];
        break;
    }
    case PS_ACTION_EXTRACT:
        capture(model, action->regex, subject_of(event, action->subject.header), own->prefix, event, groups);
        break;
    case PS_ACTION_REPLACE: {
        uint32_t count = 0;
        size_t length =
            ps_regex_replace_all(action->regex, model->scratch, action->replacement, event->body.bytes,
                                 event->body.length, value.bytes, PS_TEST_MODEL_TEXT_MAX, &count);
        assert_true(length <= PS_TEST_MODEL_TEXT_MAX);
        value.length = length;
        if (count > 0)
            event->body = value;
        break;
    }
    case PS_ACTION_TAG:
        tag_add(event, &action->text);
        break;
    case PS_ACTION_DROP:
        event->dropped = true;
        break;
    case PS_ACTION_SAMPLE:
        event->dropped = meter->seen++ % action->one_in != 0;
        break;
    case PS_ACTION_LIMIT:
        if (limit_take(model, meter, action, event))
            break;
        memset(event->ways, 0, sizeof event->ways);
        event->dropped = action->channel_count == 0;
        route(event, action);
        if (event->dropped)
            model->counts[rule].dropped++;
        return false;
    case PS_ACTION_STOP:
    case PS_ACTION_CONTINUE:
        break;
    }
    if (event->dropped)
        model->counts[rule].dropped++;
    return !event->dropped;
}

static bool has_action(const struct ps_rule *rule, enum ps_action_kind kind)
{
    for (size_t i = 0; i < rule->action_count; i++) {
        if (rule->actions[i].kind == kind)
            return true;
    }
    return false;
}

void ps_test_model_run(struct ps_test_model *model, struct ps_test_model_event *event)
{
    struct ps_test_model_event before = *event;
    bool over = false;
    for (unsigned i = 0; !over && i < model->rules->rule_count; i++) {
        const struct ps_rule *rule = &model->rules->rules[i];
        if (!holds(model, rule->when, &before))
            continue;
        struct groups groups = {.count = 0};
        model->counts[i].hits++;
        model->counts[i].bytes += event->body.length;
        snprintf(event->acted + strlen(event->acted), sizeof event->acted - strlen(event->acted), "%s ",
                 rule->name);
        capture_condition(model, rule, rule->when, false, &before, event, &groups);
        for (size_t k = 0; !over && k < rule->action_count; k++)
            over = !act(model, i, k, event, &groups);
        over |= has_action(rule, PS_ACTION_STOP) ||
                (model->rules->mode == PS_RULES_FIRST && !has_action(rule, PS_ACTION_CONTINUE));
    }
    bool routed = false;
    for (unsigned i = 0; i < 4; i++)
        routed |= event->ways[i] != WAY_NONE;
    if (event->dropped)
        memset(event->ways, 0, sizeof event->ways);
    for (size_t i = 0; !routed && !event->dropped && i < model->rules->default_count; i++)
        event->ways[model->rules->defaults[i].name[1] - '1'] = WAY_REQUIRED;
}

void ps_test_model_load(struct ps_test_model_event *model, const struct ps_batch *batch,
                        const struct ps_event *event)
{
    memset(model, 0, sizeof *model);
    value_set(&model->body, event->body, event->body_length);
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    while ((header = ps_headers_next(&cursor)) != NULL)
        header_put(model, header->name->text, header->value, header->value_length);
}

void ps_test_model_assert(const struct ps_test_model_event *expected, const struct ps_batch *batch,
                          const struct ps_event *event)
{
    struct ps_test_model_event actual;
    ps_test_model_load(&actual, batch, event);
    assert_int_equal(actual.body.length, expected->body.length);
    assert_memory_equal(actual.body.bytes, expected->body.bytes, expected->body.length);
    for (size_t i = 0; i < expected->header_count; i++) {
        const struct ps_test_model_header *want = &expected->headers[i];
        const struct ps_test_model_header *have = header_find(&actual, want->name);
        if (have == NULL || have->value.length != want->value.length ||
            memcmp(have->value.bytes, want->value.bytes, want->value.length) != 0)
            fail_msg("header %s is \"%.*s\", not \"%.*s\"", want->name, have ? (int)have->value.length : 6,
                     have ? have->value.bytes : "(none)", (int)want->value.length, want->value.bytes);
    }
    assert_int_equal(actual.header_count, expected->header_count);
}

struct ps_test_model *ps_test_model_create(const struct ps_rules *rules)
{
    struct ps_test_model *model = calloc(1, sizeof *model);
    assert_non_null(model);
    assert_true(rules->rule_count <= PS_TEST_MODEL_RULES_MAX);
    model->rules = rules;
    model->scratch = ps_regex_scratch_create();
    return model;
}

void ps_test_model_destroy(struct ps_test_model *model)
{
    for (size_t i = 0; i < PS_TEST_MODEL_RULES_MAX; i++) {
        for (size_t k = 0; k < PS_TEST_MODEL_ACTIONS_MAX; k++) {
            struct ps_test_model_bucket *bucket = model->meters[i][k].buckets;
            while (bucket != NULL) {
                struct ps_test_model_bucket *next = bucket->next;
                free(bucket);
                bucket = next;
            }
        }
    }
    ps_regex_scratch_destroy(model->scratch);
    free(model);
}
