package penstock.host;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.flume.event.SimpleEvent;

/**
 * An event that came from the agent, for interceptors. It is a SimpleEvent whose own fields are filled, because serializers of Avro read the
 * fields of a class and not what its getters return; for the same reason its other fields are transient. It has no way to its batch, because
 * classes that copy events copy all that the fields lead to, by reflection.
 */
final class HostEvent extends SimpleEvent {
    static final int HEAD_BYTES = 20;

    final transient int number; // in its batch
    private transient boolean headersAsked, bodyAsked; // what nobody asked for is as it was

    /** From the entry at this place of the buffer. */
    HostEvent(int number, ByteBuffer entries, int at) {
        this.number = number;
        super.setHeaders(readHeaders(entries, at));
        super.setBody(readBody(entries, at));
    }

    /** The same as an event of nobody, for sinks. */
    static SimpleEvent plain(ByteBuffer entries, int at) {
        SimpleEvent event = new SimpleEvent();
        event.setHeaders(readHeaders(entries, at));
        event.setBody(readBody(entries, at));
        return event;
    }

    static int size(ByteBuffer entries, int at) {
        return entries.getInt(at);
    }

    @Override
    public Map<String, String> getHeaders() {
        headersAsked = true;
        return super.getHeaders();
    }

    @Override
    public void setHeaders(Map<String, String> headers) {
        headersAsked = true;
        super.setHeaders(headers != null ? headers : new HashMap<>());
    }

    @Override
    public byte[] getBody() {
        bodyAsked = true;
        return super.getBody();
    }

    @Override
    public void setBody(byte[] body) {
        bodyAsked = true;
        super.setBody(body != null ? body : new byte[0]);
    }

    /** Returns whether it has become another than its entry. */
    boolean headersChanged(ByteBuffer entries, int at) {
        return headersAsked && !super.getHeaders().equals(readHeaders(entries, at));
    }

    boolean bodyChanged(ByteBuffer entries, int at) {
        if (!bodyAsked)
            return false;
        ByteBuffer now = ByteBuffer.wrap(super.getBody());
        int length = entries.getInt(at + 12);
        return length != now.remaining() || !ByteBuffer.wrap(entries.array(), bodyAt(entries, at), length).equals(now);
    }

    private static int bodyAt(ByteBuffer entries, int at) {
        int next = at + HEAD_BYTES;
        for (int left = entries.getInt(at + 16); left > 0; left--)
            next += 8 + entries.getInt(next) + entries.getInt(next + 4);
        return next;
    }

    private static byte[] readBody(ByteBuffer entries, int at) {
        byte[] body = new byte[entries.getInt(at + 12)];
        System.arraycopy(entries.array(), bodyAt(entries, at), body, 0, body.length);
        return body;
    }

    private static Map<String, String> readHeaders(ByteBuffer entries, int at) {
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
        return "[Event headers = " + super.getHeaders() + ", body.length = " + super.getBody().length + " ]";
    }
}
