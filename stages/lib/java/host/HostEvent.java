package penstock.host;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.flume.event.SimpleEvent;

/**
 * An event that came from the agent. It is a SimpleEvent, because that is what Flume's memory channel hands on. Body and headers are copied when
 * somebody asks for them, out of an array that belongs to the host alone.
 */
final class HostEvent extends SimpleEvent {
    static final int HEAD_BYTES = 20;

    final Object owner; // the batch of an interceptor, which recognizes its events
    final int number; // in the batch
    private final ByteBuffer entries;
    private final int at;
    private Map<String, String> headers;
    private byte[] body;

    /** The entry at this place of the buffer, which nobody writes any more. */
    HostEvent(Object owner, int number, ByteBuffer entries, int at) {
        this.owner = owner;
        this.number = number;
        this.entries = entries;
        this.at = at;
    }

    static int size(ByteBuffer entries, int at) {
        return entries.getInt(at);
    }

    @Override
    public Map<String, String> getHeaders() {
        if (headers == null)
            headers = readHeaders();
        return headers;
    }

    @Override
    public void setHeaders(Map<String, String> headers) {
        this.headers = headers != null ? headers : new HashMap<>();
    }

    @Override
    public byte[] getBody() {
        if (body == null) {
            body = new byte[entries.getInt(at + 12)];
            System.arraycopy(entries.array(), bodyAt(), body, 0, body.length);
        }
        return body;
    }

    @Override
    public void setBody(byte[] body) {
        this.body = body != null ? body : new byte[0];
    }

    boolean headersChanged() {
        return headers != null && !headers.equals(readHeaders());
    }

    boolean bodyChanged() {
        if (body == null)
            return false;
        int length = entries.getInt(at + 12);
        return length != body.length ||
            !ByteBuffer.wrap(entries.array(), bodyAt(), length).equals(ByteBuffer.wrap(body));
    }

    private int bodyAt() {
        int next = at + HEAD_BYTES;
        for (int left = entries.getInt(at + 16); left > 0; left--)
            next += 8 + entries.getInt(next) + entries.getInt(next + 4);
        return next;
    }

    private Map<String, String> readHeaders() {
        int count = entries.getInt(at + 16), next = at + HEAD_BYTES;
        Map<String, String> read = new HashMap<>();
        for (int i = 0; i < count; i++) {
            int nameLength = entries.getInt(next), valueLength = entries.getInt(next + 4);
            String name = new String(entries.array(), next + 8, nameLength, StandardCharsets.UTF_8);
            read.put(name, new String(entries.array(), next + 8 + nameLength, valueLength,
                                      StandardCharsets.UTF_8));
            next += 8 + nameLength + valueLength;
        }
        return read;
    }

    @Override
    public String toString() {
        return "[Event headers = " + getHeaders() + ", body.length = " + getBody().length + " ]";
    }
}
