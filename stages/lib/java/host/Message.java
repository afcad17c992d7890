package penstock.host;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** A message of the pipes: head, numbers, text. The agent's stages/lib/java/exchange/message.h says what each one means. */
final class Message {
    static final int PROTOCOL = 9;
    static final int BYTES_MAX = 4096;
    static final int HEAD_BYTES = 16;
    static final int NUMBERS_MAX = 510;
    static final int TEXT_BYTES_MAX = 2048;

    static final int CONFIGURE = 1, BATCH = 2, AREA = 3, ANSWER = 4, STOP = 5, DROP = 6, KEEP = 7;
    static final int BEAT = 64, READY = 65, FAILED = 66, COMMIT = 67, TROUBLE = 68, REPLY = 69, NEED = 70,
                     PUT = 71, STOPPED = 72, PROMISED = 73,
                     BEAN = 74, STATE = 75, FOLLOWS = 76, ENDS = 77, REFUSE = 78;

    /** For a queue of messages: there are no more. */
    static final Message NONE = new Message(0, 0, new long[0], "");

    final int type, link;
    final long[] numbers;
    final String text;

    private Message(int type, int link, long[] numbers, String text) {
        this.type = type;
        this.link = link;
        this.numbers = numbers;
        this.text = text;
    }

    /** Returns the next message, or null at the end of the stream. */
    static Message read(InputStream in) throws IOException {
        byte[] head = new byte[HEAD_BYTES];
        if (!fill(in, head))
            return null;
        ByteBuffer buffer = ByteBuffer.wrap(head).order(ByteOrder.nativeOrder());
        int length = buffer.getInt(), type = buffer.getInt(), link = buffer.getInt(), count = buffer.getInt();
        if (length < HEAD_BYTES || length > BYTES_MAX || count < 0 || count > (length - HEAD_BYTES) / 8)
            throw new IOException("the agent sent bytes that are not a message");
        byte[] rest = new byte[length - HEAD_BYTES];
        if (!fill(in, rest))
            return null;
        buffer = ByteBuffer.wrap(rest).order(ByteOrder.nativeOrder());
        long[] numbers = new long[count];
        for (int i = 0; i < count; i++)
            numbers[i] = buffer.getLong();
        return new Message(type, link, numbers,
                           new String(rest, 8 * count, rest.length - 8 * count, StandardCharsets.UTF_8));
    }

    private static boolean fill(InputStream in, byte[] bytes) throws IOException {
        for (int at = 0; at < bytes.length;) {
            int got = in.read(bytes, at, bytes.length - at);
            if (got < 0) {
                if (at == 0)
                    return false;
                throw new EOFException("the agent ended within a message");
            }
            at += got;
        }
        return true;
    }

    static byte[] write(int type, int link, long[] numbers, String text) {
        byte[] tail = text != null ? text.getBytes(StandardCharsets.UTF_8) : new byte[0];
        int tailLength = Math.min(tail.length, TEXT_BYTES_MAX);
        int length = HEAD_BYTES + 8 * numbers.length + tailLength;
        ByteBuffer buffer = ByteBuffer.allocate(length).order(ByteOrder.nativeOrder());
        buffer.putInt(length).putInt(type).putInt(link).putInt(numbers.length);
        for (long number : numbers)
            buffer.putLong(number);
        buffer.put(tail, 0, tailLength);
        return buffer.array();
    }
}
