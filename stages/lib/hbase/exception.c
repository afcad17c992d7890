#include "stages/lib/hbase/exception.h"

#include "core/text/printable.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name; /* without the package */
    enum ps_hbase_meaning meaning;
} meanings[] = {
    {"NotServingRegionException", PS_HBASE_RELOCATE},
    {"RegionMovedException", PS_HBASE_RELOCATE},
    {"RegionOpeningException", PS_HBASE_RELOCATE},
    {"RegionOfflineException", PS_HBASE_RELOCATE},
    {"WrongRegionException", PS_HBASE_RELOCATE},
    {"UnknownRegionException", PS_HBASE_RELOCATE},
    {"RegionInRecoveryException", PS_HBASE_RELOCATE},
    {"RegionServerStoppedException", PS_HBASE_STOPPED},
    {"RegionServerAbortedException", PS_HBASE_STOPPED},
    {"ServerNotRunningYetException", PS_HBASE_STOPPED},
    {"RegionTooBusyException", PS_HBASE_BUSY},
    {"CallQueueTooBigException", PS_HBASE_BUSY},
    {"CallDroppedException", PS_HBASE_BUSY},
    {"ServerOverloadedException", PS_HBASE_BUSY},
    {"MultiActionResultTooLarge", PS_HBASE_BUSY},
    {"ThrottlingException", PS_HBASE_BUSY},
    {"RpcThrottlingException", PS_HBASE_BUSY},
    {"OperationConflictException", PS_HBASE_DONE},
    {"TableNotFoundException", PS_HBASE_NO_TABLE},
    {"TableNotEnabledException", PS_HBASE_NO_TABLE},
    {"NoSuchColumnFamilyException", PS_HBASE_NO_TABLE},
    {"AccessDeniedException", PS_HBASE_NO_TABLE},
    {"NamespaceNotFoundException", PS_HBASE_NO_TABLE},
    {"DoNotRetryIOException", PS_HBASE_DOUBTED},
    {"FailedSanityCheckException", PS_HBASE_REFUSED},
    {"RowTooBigException", PS_HBASE_REFUSED},
    {"InvalidMutationException", PS_HBASE_REFUSED},
    {"IllegalArgumentException", PS_HBASE_REFUSED},
};

/* Returns the class without its package. */
static const char *last_part(const char *class, size_t *length)
{
    const char *dot = memrchr(class, '.', *length);
    if (dot == NULL)
        return class;
    *length -= (size_t)(dot + 1 - class);
    return dot + 1;
}

/* DoNotRetryIOException is thrown for many reasons, and the text alone says which (RSRpcServices and HRegion of HBase 1.4 and 2.5). */
static const struct {
    const char *text;
    enum ps_hbase_meaning meaning;
} texts[] = {
    {"is read only", PS_HBASE_REPEAT},
    {"exceeds limit of", PS_HBASE_REFUSED},   /* a cell above hbase.server.keyvalue.maxsize */
    {"is not a long", PS_HBASE_REFUSED},      /* an increment of a cell without a counter */
    {"isn't 64 bits wide", PS_HBASE_REFUSED}, /* the same in HBase 1.4 */
};

static enum ps_hbase_meaning meaning_of_text(const char *text, size_t length)
{
    for (size_t i = 0; length > 0 && i < PS_COUNT_OF(texts); i++)
        if (memmem(text, length, texts[i].text, strlen(texts[i].text)) != NULL)
            return texts[i].meaning;
    return PS_HBASE_DOUBTED;
}

enum ps_hbase_meaning ps_hbase_exception_meaning(const char *class, size_t length, const char *text,
                                                 size_t text_length)
{
    const char *name = length > 0 ? last_part(class, &length) : class;
    for (size_t i = 0; length > 0 && i < PS_COUNT_OF(meanings); i++)
        if (strlen(meanings[i].name) == length && memcmp(meanings[i].name, name, length) == 0)
            return meanings[i].meaning == PS_HBASE_DOUBTED ? meaning_of_text(text, text_length)
                                                           : meanings[i].meaning;
    return PS_HBASE_REPEAT;
}

/* Java's texts begin with the class again: "org.apache..NotServingRegionException: t1,,1.2. is not online". */
static size_t class_again(const char *text, size_t text_length, const char *class, size_t class_length)
{
    if (class_length == 0 || text_length < class_length + 2 || memcmp(text, class, class_length) != 0 ||
        text[class_length] != ':')
        return 0;
    return class_length + 2;
}

void ps_hbase_exception_print(char reason[PS_HBASE_REASON_BYTES], const char *class, size_t class_length,
                              const char *text, size_t text_length)
{
    size_t name_length = class_length;
    const char *name = class_length > 0 ? last_part(class, &name_length) : "";
    size_t skip = text_length > 0 ? class_again(text, text_length, class, class_length) : 0;
    const char *line = text_length > 0 ? memchr(text + skip, '\n', text_length - skip) : NULL;
    size_t length = line != NULL ? (size_t)(line - text) - skip : text_length - skip;
    char made[PS_HBASE_REASON_BYTES];
    int made_length =
        snprintf(made, sizeof made, "%.*s%s%.*s", (int)(name_length < 80 ? name_length : 80), name,
                 length > 0 ? ": " : "", (int)(length < 160 ? length : 160), length > 0 ? text + skip : "");
    size_t most = made_length < 0 ? 0 : (size_t)made_length;
    (void)ps_printable_copy(reason, PS_HBASE_REASON_BYTES, made, most < sizeof made ? most : sizeof made - 1);
}
