#include "tests/support/flume_log.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <zlib.h>

#include "tests/support/support.h"

static void byte(struct ps_flume_writer *to, unsigned value)
{
    if (to->length == to->room) {
        to->room = to->room == 0 ? 4096 : 2 * to->room;
        to->bytes = realloc(to->bytes, to->room);
        assert_non_null(to->bytes);
    }
    to->bytes[to->length++] = (uint8_t)value;
}

static void little(struct ps_flume_writer *to, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        byte(to, (unsigned)(value >> 8 * i) & 0xff);
}

static void varint(struct ps_flume_writer *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        byte(to, (unsigned)(value | 0x80) & 0xff);
    byte(to, (unsigned)value);
}

static void bytes(struct ps_flume_writer *to, const void *from, size_t length)
{
    varint(to, length);
    for (size_t i = 0; i < length; i++)
        byte(to, ((const uint8_t *)from)[i]);
}

static void field(struct ps_flume_writer *to, unsigned number, const void *from, size_t length)
{
    byte(to, number << 3 | 2);
    bytes(to, from, length);
}

static void fixed32(struct ps_flume_writer *to, unsigned number, uint32_t value)
{
    byte(to, number << 3 | 5);
    little(to, value, 4);
}

static void fixed64(struct ps_flume_writer *to, unsigned number, uint64_t value)
{
    byte(to, number << 3 | 1);
    little(to, value, 8);
}

static uint32_t record(struct ps_flume_writer *writer, uint32_t kind, uint64_t transaction,
                       const struct ps_flume_writer *body)
{
    struct ps_flume_writer whole = {0}, header = {0};
    uint32_t offset = (uint32_t)writer->length;
    fixed32(&header, 1, kind);
    fixed64(&header, 2, transaction);
    fixed64(&header, 3, ++writer->order);
    bytes(&whole, header.bytes, header.length);
    bytes(&whole, body->bytes, body->length);
    byte(&whole, 0);
    byte(writer, 0x7f);
    for (unsigned i = 4; i > 0; i--)
        byte(writer, (unsigned)(whole.length >> 8 * (i - 1)) & 0xff);
    for (size_t i = 0; i < whole.length; i++)
        byte(writer, whole.bytes[i]);
    ps_flume_writer_fini(&whole);
    ps_flume_writer_fini(&header);
    return offset;
}

uint32_t ps_flume_write_put(struct ps_flume_writer *writer, uint64_t transaction, const void *body,
                            size_t length, const char *name, const char *value)
{
    struct ps_flume_writer header = {0}, event = {0}, put = {0};
    if (name != NULL) {
        field(&header, 1, name, strlen(name));
        if (value != NULL)
            field(&header, 2, value, strlen(value));
        field(&event, 1, header.bytes, header.length);
    }
    field(&event, 2, body, length);
    field(&put, 1, event.bytes, event.length);
    fixed64(&put, 2, crc32(0, body, (uInt)length));
    uint32_t offset = record(writer, 1, transaction, &put);
    ps_flume_writer_fini(&header);
    ps_flume_writer_fini(&event);
    ps_flume_writer_fini(&put);
    return offset;
}

uint32_t ps_flume_write_take(struct ps_flume_writer *writer, uint64_t transaction, uint32_t log,
                             uint32_t offset)
{
    struct ps_flume_writer take = {0};
    fixed32(&take, 1, log);
    fixed32(&take, 2, offset);
    uint32_t at = record(writer, 2, transaction, &take);
    ps_flume_writer_fini(&take);
    return at;
}

uint32_t ps_flume_write_end(struct ps_flume_writer *writer, uint64_t transaction, uint32_t kind)
{
    struct ps_flume_writer end = {0};
    if (kind != 0)
        fixed32(&end, 1, kind);
    uint32_t at = record(writer, kind == 0 ? 3 : 4, transaction, &end);
    ps_flume_writer_fini(&end);
    return at;
}

/* ---- encryption ---- */

const uint8_t ps_flume_writer_key[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                         0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

static const uint8_t *first_block(void)
{
    static uint8_t block[16];
    for (unsigned i = 0; i < sizeof block; i++)
        block[i] = ps_flume_writer_key[sizeof block - 1 - i];
    return block;
}

/* Encrypts the records, each from the first counter block on. */
void ps_flume_writer_encrypt(struct ps_flume_writer *writer)
{
    int done;
    for (size_t at = 0, length; at < writer->length; at += 5 + length) {
        uint8_t *record = writer->bytes + at;
        length = (size_t)record[1] << 24 | (size_t)record[2] << 16 | (size_t)record[3] << 8 | record[4];
        EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        assert_int_equal(
            EVP_EncryptInit_ex(context, EVP_aes_128_ctr(), NULL, ps_flume_writer_key, first_block()), 1);
        assert_int_equal(EVP_EncryptUpdate(context, record + 5, &done, record + 5, (int)length), 1);
        EVP_CIPHER_CTX_free(context);
    }
    writer->encrypted = 1;
}

size_t ps_flume_write_meta(uint8_t *to, uint32_t version, uint32_t log, int encrypted)
{
    struct ps_flume_writer meta = {0}, file = {0}, cipher = {0};
    fixed32(&meta, 1, version);
    fixed32(&meta, 2, log);
    fixed64(&meta, 3, 0);
    fixed64(&meta, 4, 0);
    if (encrypted) {
        field(&cipher, 1, "AESCTRNOPADDING", 15);
        field(&cipher, 2, PS_FLUME_WRITER_KEY_NAME, strlen(PS_FLUME_WRITER_KEY_NAME));
        field(&cipher, 3, first_block(), sizeof ps_flume_writer_key);
        field(&meta, 5, cipher.bytes, cipher.length);
    }
    bytes(&file, meta.bytes, meta.length);
    size_t length = file.length;
    memcpy(to, file.bytes, length);
    ps_flume_writer_fini(&meta);
    ps_flume_writer_fini(&file);
    ps_flume_writer_fini(&cipher);
    return length;
}

static void save(const char *path, const void *from, size_t length, size_t fill)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (length > 0)
        assert_int_equal(fwrite(from, 1, length, file), length);
    while (fill-- > 0)
        fputc(0x80, file);
    assert_int_equal(fclose(file), 0);
}

void ps_flume_writer_save(const struct ps_flume_writer *writer, const char *directory, size_t fill)
{
    char path[4096];
    uint8_t meta[128];
    snprintf(path, sizeof path, "%s/log-%u", directory, writer->log);
    save(path, writer->bytes, writer->length, fill);
    snprintf(path, sizeof path, "%s/log-%u.meta", directory, writer->log);
    save(path, meta, ps_flume_write_meta(meta, 3, writer->log, writer->encrypted), 0);
}

void ps_flume_writer_fini(struct ps_flume_writer *writer)
{
    free(writer->bytes);
    *writer = (struct ps_flume_writer){0};
}
