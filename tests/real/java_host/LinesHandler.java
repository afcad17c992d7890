package example;

import java.io.BufferedReader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.servlet.http.HttpServletRequest;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.event.EventBuilder;
import org.apache.flume.source.http.HTTPBadRequestException;
import org.apache.flume.source.http.HTTPSourceHandler;

/** Makes an event of each line of a request. A line that is the value of `handler.refuse` is a bad request; of `handler.fail`, an error of its own. */
public class LinesHandler implements HTTPSourceHandler {
    private String refuse, fail;

    @Override
    public void configure(Context context) {
        refuse = context.getString("refuse");
        fail = context.getString("fail");
    }

    @Override
    public List<Event> getEvents(HttpServletRequest request) throws Exception {
        List<Event> events = new ArrayList<>();
        BufferedReader reader = request.getReader();
        for (String line; (line = reader.readLine()) != null;) {
            if (line.equals(refuse))
                throw new HTTPBadRequestException("not that line");
            if (line.equals(fail))
                throw new IllegalStateException("nor that one");
            Map<String, String> headers = new HashMap<>();
            headers.put("path", request.getRequestURI());
            headers.put("agent", String.valueOf(request.getHeader("X-Agent")));
            events.add(EventBuilder.withBody(line.getBytes("UTF-8"), headers));
        }
        return events;
    }
}
