package penstock.host;

/** Stops one part of a flow, on a thread of its own, which may hang. Used by the flow's thread. */
final class PartStop {
    final String name; // "sink k1"
    final Thread thread;
    private final Calls calls; // in which it works with its channels; null: it is a channel

    PartStop(String name, Runnable stop, Calls calls) {
        this.name = name;
        this.calls = calls;
        thread = new Thread(stop, "stop of " + name);
        thread.setDaemon(true);
    }

    /** Where it hangs, in words behind a sentence: Flume's runners wait in stop() for the call that goes on. */
    String place() {
        Calls.UnderWay call = calls != null ? calls.underWay(0) : null;
        String called = call != null ? call.place() : "";
        return called.isEmpty() ? Texts.place(thread.getStackTrace(), ", and is in ") : called;
    }
}
