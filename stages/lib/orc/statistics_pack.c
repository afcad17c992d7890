/* Encodes statistics for the file. */
#include "stages/lib/orc/decimal.h"
#include "stages/lib/orc/message.h"
#include "stages/lib/orc/proto/orc.pb-c.h"
#include "stages/lib/orc/statistics.h"

static void pack_integer(const struct ps_orc_statistics *statistics, PsOrc__ColumnStatistics *message,
                         struct ps_orc_buffer *buffer)
{
    PsOrc__IntegerStatistics part;
    ps_orc__integer_statistics__init(&part);
    part.has_minimum = part.has_maximum = statistics->has_range;
    part.minimum = statistics->minimum;
    part.maximum = statistics->maximum;
    part.has_sum = !statistics->sum_lost;
    part.sum = statistics->sum;
    message->int_statistics = &part;
    ps_orc_message_append(buffer, &message->base);
}

static void pack_real(const struct ps_orc_statistics *statistics, PsOrc__ColumnStatistics *message,
                      struct ps_orc_buffer *buffer)
{
    PsOrc__DoubleStatistics part;
    ps_orc__double_statistics__init(&part);
    part.has_minimum = part.has_maximum = statistics->has_range;
    part.minimum = statistics->least;
    part.maximum = statistics->most;
    part.has_sum = true;
    part.sum = statistics->total;
    message->double_statistics = &part;
    ps_orc_message_append(buffer, &message->base);
}

static ProtobufCBinaryData data_of(const struct ps_orc_bound *bound)
{
    return (ProtobufCBinaryData){.len = bound->text.length, .data = bound->text.data};
}

static void pack_string(const struct ps_orc_statistics *statistics, PsOrc__ColumnStatistics *message,
                        struct ps_orc_buffer *buffer)
{
    PsOrc__StringStatistics part;
    ps_orc__string_statistics__init(&part);
    part.has_minimum = statistics->lower.is_set && !statistics->lower.is_cut;
    part.has_lower_bound = statistics->lower.is_cut;
    part.minimum = part.lower_bound = data_of(&statistics->lower);
    part.has_maximum = statistics->upper.is_set && !statistics->upper.is_cut;
    part.has_upper_bound = statistics->upper.is_cut;
    part.maximum = part.upper_bound = data_of(&statistics->upper);
    part.has_sum = !statistics->sum_lost;
    part.sum = statistics->sum;
    message->string_statistics = &part;
    ps_orc_message_append(buffer, &message->base);
}

static void pack_decimal(const struct ps_orc_statistics *statistics, const struct ps_orc_type *type,
                         PsOrc__ColumnStatistics *message, struct ps_orc_buffer *buffer)
{
    char texts[3][PS_ORC_DECIMAL_TEXT_BYTES];
    PsOrc__DecimalStatistics part;
    ps_orc__decimal_statistics__init(&part);
    ps_orc_decimal_text(statistics->lowest, type->scale, texts[0]);
    ps_orc_decimal_text(statistics->highest, type->scale, texts[1]);
    ps_orc_decimal_text(statistics->whole, type->scale, texts[2]);
    if (statistics->has_range) {
        part.minimum = texts[0];
        part.maximum = texts[1];
    }
    if (!statistics->sum_lost && ps_orc_decimal_fits(statistics->whole, PS_ORC_DECIMAL_DIGITS_MAX))
        part.sum = texts[2];
    message->decimal_statistics = &part;
    ps_orc_message_append(buffer, &message->base);
}

static void pack_boolean(const struct ps_orc_statistics *statistics, PsOrc__ColumnStatistics *message,
                         struct ps_orc_buffer *buffer)
{
    uint64_t true_count = (uint64_t)statistics->sum;
    PsOrc__BucketStatistics part;
    ps_orc__bucket_statistics__init(&part);
    part.n_count = 1;
    part.count = &true_count;
    message->bucket_statistics = &part;
    ps_orc_message_append(buffer, &message->base);
}

static void pack_date(const struct ps_orc_statistics *statistics, PsOrc__ColumnStatistics *message,
                      struct ps_orc_buffer *buffer)
{
    PsOrc__DateStatistics part;
    ps_orc__date_statistics__init(&part);
    part.has_minimum = part.has_maximum = statistics->has_range;
    part.minimum = (int32_t)statistics->minimum;
    part.maximum = (int32_t)statistics->maximum;
    message->date_statistics = &part;
    ps_orc_message_append(buffer, &message->base);
}

static void pack_timestamp(const struct ps_orc_statistics *statistics, PsOrc__ColumnStatistics *message,
                           struct ps_orc_buffer *buffer)
{
    PsOrc__TimestampStatistics part;
    ps_orc__timestamp_statistics__init(&part);
    part.has_minimum_utc = part.has_maximum_utc = statistics->has_range;
    part.minimum_utc = statistics->minimum;
    part.maximum_utc = statistics->maximum;
    message->timestamp_statistics = &part;
    ps_orc_message_append(buffer, &message->base);
}

static void pack_binary(const struct ps_orc_statistics *statistics, PsOrc__ColumnStatistics *message,
                        struct ps_orc_buffer *buffer)
{
    PsOrc__BinaryStatistics part;
    ps_orc__binary_statistics__init(&part);
    part.has_sum = !statistics->sum_lost;
    part.sum = statistics->sum;
    message->binary_statistics = &part;
    ps_orc_message_append(buffer, &message->base);
}

void ps_orc_statistics_pack(const struct ps_orc_statistics *statistics, const struct ps_orc_type *type,
                            struct ps_orc_buffer *buffer)
{
    PsOrc__ColumnStatistics message;
    ps_orc__column_statistics__init(&message);
    message.has_number_of_values = true;
    message.number_of_values = statistics->count;
    message.has_has_null = true;
    message.has_null = statistics->has_null;
    switch (type->kind) {
    case PS_ORC_TINYINT:
    case PS_ORC_SMALLINT:
    case PS_ORC_INT:
    case PS_ORC_BIGINT:
        pack_integer(statistics, &message, buffer);
        return;
    case PS_ORC_FLOAT:
    case PS_ORC_DOUBLE:
        pack_real(statistics, &message, buffer);
        return;
    case PS_ORC_STRING:
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
        pack_string(statistics, &message, buffer);
        return;
    case PS_ORC_BOOLEAN:
        pack_boolean(statistics, &message, buffer);
        return;
    case PS_ORC_DECIMAL:
        pack_decimal(statistics, type, &message, buffer);
        return;
    case PS_ORC_DATE:
        pack_date(statistics, &message, buffer);
        return;
    case PS_ORC_TIMESTAMP:
        pack_timestamp(statistics, &message, buffer);
        return;
    case PS_ORC_BINARY:
        pack_binary(statistics, &message, buffer);
        return;
    case PS_ORC_ARRAY:
    case PS_ORC_MAP:
    case PS_ORC_STRUCT:
        ps_orc_message_append(buffer, &message.base);
        return;
    }
}
