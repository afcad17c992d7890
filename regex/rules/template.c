/* Templates: strings in which ${group}, ${header.x}, ${body}, ${rule} and $$ are replaced. */
#include <string.h>

#include "regex/rules/internal.h"

static bool is_group_name(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return length > 0;
}

static void piece_add(struct rules_parser *parser, struct ps_rules_template *template,
                      enum ps_rules_template_kind kind, const char *text, size_t length)
{
    *RULES_PUSH(parser->arena, template->pieces, template->count) =
        (struct ps_rules_template_piece){kind, text, (uint32_t)length};
}

/* Parses the text between ${ and }. */
static bool reference_add(struct rules_parser *parser, const struct rules_token *token,
                          struct ps_rules_template *template, const char *name, size_t length)
{
    static const char header[] = "header.";
    const char *copy = ps_arena_copy(parser->arena, name, length);
    if (length == 4 && memcmp(name, "body", 4) == 0) {
        piece_add(parser, template, PS_RULES_TEMPLATE_BODY, NULL, 0);
    } else if (length == 4 && memcmp(name, "rule", 4) == 0) {
        piece_add(parser, template, PS_RULES_TEMPLATE_TEXT, parser->rule->name, strlen(parser->rule->name));
    } else if (length > sizeof header - 1 && memcmp(name, header, sizeof header - 1) == 0 &&
               strlen(copy) == length) {
        piece_add(parser, template, PS_RULES_TEMPLATE_HEADER, copy + sizeof header - 1,
                  length - (sizeof header - 1));
    } else if (is_group_name(name, length)) {
        piece_add(parser, template, PS_RULES_TEMPLATE_GROUP, copy, length);
        *RULES_PUSH(parser->arena, parser->uses, parser->use_count) =
            (struct rules_group_use){copy, token->place};
    } else {
        ps_rules_syntax_error(
            parser, token->place,
            "a template may use ${group}, ${header.name}, ${body} or ${rule}; a $ itself is written $$",
            "\"${%.*s}\" is unknown", (int)(length > 100 ? 100 : length), name);
        return false;
    }
    return true;
}

bool ps_rules_template(struct rules_parser *parser, const struct rules_token *token,
                       struct ps_rules_template *template)
{
    const char *text = token->text, *end = text + token->length;
    *template = (struct ps_rules_template){0};
    while (text < end) {
        const char *dollar = memchr(text, '$', (size_t)(end - text));
        size_t plain = (size_t)((dollar != NULL ? dollar : end) - text);
        if (dollar != NULL && dollar + 1 < end && dollar[1] == '$')
            plain++; /* the first $ is text */
        if (plain > 0)
            piece_add(parser, template, PS_RULES_TEMPLATE_TEXT, text, plain);
        if (dollar == NULL)
            break;
        if (dollar + 1 < end && dollar[1] == '$') {
            text = dollar + 2;
            continue;
        }
        const char *close =
            dollar + 1 < end && dollar[1] == '{' ? memchr(dollar, '}', (size_t)(end - dollar)) : NULL;
        if (close == NULL) {
            ps_rules_syntax_error(parser, token->place, "write ${name}, or $$ for a dollar sign",
                                  "a lone $ in a template");
            return false;
        }
        if (!reference_add(parser, token, template, dollar + 2, (size_t)(close - dollar - 2)))
            return false;
        text = close + 1;
    }
    return true;
}
