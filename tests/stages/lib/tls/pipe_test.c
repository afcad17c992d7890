/* The results that OpenSSL gets from a pipe: bytes, a request to come again for reading or for writing, the end, an error. */
#include "stages/lib/tls/internal.h"
#include "tests/support/support.h"

#include <string.h>

static struct {
    enum ps_tls_result result; /* of the next call */
    char written[16];
} far;

static enum ps_tls_result far_read(void *argument, void *buffer, size_t room, size_t *length)
{
    assert_ptr_equal(argument, &far);
    *length = 0;
    if (far.result == PS_TLS_OK) {
        assert_int_equal(room, 8);
        memcpy(buffer, "abc", *length = 3);
    }
    return far.result;
}

static enum ps_tls_result far_write(void *argument, const void *data, size_t length, size_t *written)
{
    assert_ptr_equal(argument, &far);
    *written = 0;
    if (far.result == PS_TLS_OK)
        memcpy(far.written, data, *written = length);
    return far.result;
}

static void expect(BIO *bio, int result, bool again_to_read, bool again_to_write, bool ended)
{
    for (unsigned writing = 0; writing < 2; writing++) {
        char buffer[8];
        assert_int_equal(writing ? BIO_write(bio, "x", 1) : BIO_read(bio, buffer, sizeof buffer), result);
        assert_int_equal(BIO_should_read(bio) != 0, again_to_read);
        assert_int_equal(BIO_should_write(bio) != 0, again_to_write);
        assert_int_equal(BIO_should_retry(bio) != 0, again_to_read || again_to_write);
        assert_int_equal(BIO_eof(bio), ended);
    }
}

static void test_results(void **state)
{
    struct ps_tls_pipe pipe = {.read = far_read, .write = far_write, .argument = &far};
    BIO_METHOD *method;
    char buffer[8];
    BIO *bio = ps_tls_pipe_bio(&pipe, &method);
    assert_non_null(bio);
    far.result = PS_TLS_WANT_READ;
    expect(bio, -1, true, false, false);
    far.result = PS_TLS_WANT_WRITE;
    expect(bio, -1, false, true, false);
    far.result = PS_TLS_OK; /* the direction that the previous call wanted is reset */
    assert_int_equal(BIO_read(bio, buffer, sizeof buffer), 3);
    assert_memory_equal(buffer, "abc", 3);
    assert_false(BIO_should_retry(bio));
    assert_int_equal(BIO_write(bio, "defg", 4), 4);
    assert_string_equal(far.written, "defg");
    assert_int_equal(BIO_flush(bio), 1);
    far.result = PS_TLS_ERROR;
    expect(bio, -1, false, false, false);
    assert_int_equal(BIO_eof(bio), 0);
    far.result = PS_TLS_CLOSED;
    expect(bio, 0, false, false, true);
    far.result = PS_TLS_ERROR; /* after an end, every call reports the end */
    expect(bio, -1, false, false, true);
    BIO_free(bio);
    BIO_meth_free(method);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
