#include "tests/world/peers/hive/wire.h"

#include <string.h>

#include "tests/world/shared.h"

struct in {
    const unsigned char *at, *end;
    bool bad; /* there are not enough bytes */
};

static uint64_t take(struct in *in, unsigned bytes)
{
    uint64_t value = 0;
    if ((size_t)(in->end - in->at) < bytes) {
        in->bad = true;
        return 0;
    }
    while (bytes-- > 0)
        value = value << 8 | *in->at++;
    return value;
}

static struct hive_text take_text(struct in *in)
{
    size_t length = take(in, 4);
    if (in->bad || length > (size_t)(in->end - in->at)) {
        in->bad = true;
        return (struct hive_text){"", 0};
    }
    struct hive_text text = {(const char *)in->at, length};
    in->at += length;
    return text;
}

static void gather(struct in *in, unsigned type, struct hive_call *call);

static void gather_struct(struct in *in, struct hive_call *call)
{
    for (;;) {
        unsigned type = (unsigned)take(in, 1);
        if (type == 0 || in->bad)
            return;
        (void)take(in, 2);
        gather(in, type, call);
    }
}

static void gather(struct in *in, unsigned type, struct hive_call *call)
{
    struct hive_text text;
    unsigned part;
    switch (type) {
    case THRIFT_STRUCT:
        gather_struct(in, call);
        return;
    case THRIFT_LIST:
    case THRIFT_SET:
        part = (unsigned)take(in, 1);
        for (uint64_t count = take(in, 4); count > 0 && !in->bad; count--)
            gather(in, part, call);
        return;
    case THRIFT_TEXT:
        text = take_text(in);
        if (call->text_count < HIVE_TEXTS_MAX)
            call->texts[call->text_count++] = text;
        return;
    case THRIFT_I64:
        if (call->number_count < HIVE_NUMBERS_MAX)
            call->numbers[call->number_count++] = (int64_t)take(in, 8);
        return;
    case THRIFT_I32:
        call->last = (int32_t)take(in, 4);
        return;
    default: /* a truth value, a byte */
        (void)take(in, type == THRIFT_I16 ? 2 : type == THRIFT_DOUBLE ? 8 : 1);
    }
}

size_t hive_call_read(const char *bytes, size_t length, struct hive_call *call)
{
    struct in in = {(const unsigned char *)bytes, (const unsigned char *)bytes + length, false};
    call->text_count = call->number_count = 0;
    call->last = 0;
    if (take(&in, 4) != (UINT32_C(0x80010000) | THRIFT_CALL) && !in.bad)
        world_fatal("the metastore got what is no call of Thrift");
    call->name = take_text(&in);
    call->number = (int32_t)take(&in, 4);
    gather_struct(&in, call);
    return in.bad ? 0 : (size_t)(in.at - (const unsigned char *)bytes);
}

/* ---- writing ---- */

void hive_put(struct hive_out *out, uint64_t value, unsigned bytes)
{
    if (out->length + bytes > out->room)
        world_fatal("an answer of the metastore is too long");
    while (bytes-- > 0)
        out->bytes[out->length++] = (char)(value >> (8 * bytes));
}

void hive_put_text(struct hive_out *out, const char *text, size_t length)
{
    hive_put(out, length, 4);
    for (size_t i = 0; i < length; i++)
        hive_put(out, (unsigned char)text[i], 1);
}

void hive_put_head(struct hive_out *out, int type, struct hive_text name, int32_t number)
{
    hive_put(out, UINT32_C(0x80010000) | (unsigned)type, 4);
    hive_put_text(out, name.bytes, name.length);
    hive_put(out, (uint32_t)number, 4);
}

void hive_put_field(struct hive_out *out, enum thrift_type type, int id)
{
    hive_put(out, type, 1);
    hive_put(out, (uint16_t)id, 2);
}

void hive_put_stop(struct hive_out *out)
{
    hive_put(out, 0, 1);
}

void hive_put_list(struct hive_out *out, enum thrift_type type, size_t count)
{
    hive_put(out, type, 1);
    hive_put(out, count, 4);
}

void hive_put_i32(struct hive_out *out, int id, int32_t value)
{
    hive_put_field(out, THRIFT_I32, id);
    hive_put(out, (uint32_t)value, 4);
}

void hive_put_i64(struct hive_out *out, int id, int64_t value)
{
    hive_put_field(out, THRIFT_I64, id);
    hive_put(out, (uint64_t)value, 8);
}

void hive_put_word(struct hive_out *out, int id, const char *text)
{
    hive_put_field(out, THRIFT_TEXT, id);
    hive_put_text(out, text, strlen(text));
}
