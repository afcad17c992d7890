package penstock.host;

import java.util.HashMap;
import java.util.Map;
import org.apache.flume.event.SimpleEvent;

/**
 * An event that came from the agent, for interceptors. It is a SimpleEvent whose own fields are filled, because serializers of Avro read the
 * fields of a class and not what its getters return; for the same reason its other fields are transient. It has no way to its batch, because
 * classes that copy events copy all that the fields lead to, by reflection.
 */
final class HostEvent extends SimpleEvent {
    final transient int number; // in its batch
    private transient boolean headersAsked, bodyAsked; // what nobody asked for is as it was

    /** From the entry at this place. */
    HostEvent(int number, EntryReader entries, int at) {
        this.number = number;
        entries.readHeaders(at, super.getHeaders());
        super.setBody(entries.readBody(at));
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
    boolean headersChanged(EntryReader entries, int at) {
        if (!headersAsked)
            return false;
        Map<String, String> before = new HashMap<>();
        entries.readHeaders(at, before);
        return !super.getHeaders().equals(before);
    }

    boolean bodyChanged(EntryReader entries, int at) {
        return bodyAsked && !entries.hasBody(at, super.getBody());
    }

    @Override
    public String toString() {
        return "[Event headers = " + super.getHeaders() + ", body.length = " + super.getBody().length + " ]";
    }
}
