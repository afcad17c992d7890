package penstock.host;

/** One component at a time. Nobody waits for one that should have stopped some time ago: a class that hangs would hold up all others for ever. */
final class Turn {
    interface Work<T> {
        T run() throws Throwable;
    }

    private Component owner;

    <T> T take(Component component, Work<T> work) throws Throwable {
        begin(component);
        try {
            return work.run();
        } finally {
            end(component);
        }
    }

    private synchronized void begin(Component component) throws Component.Stopped {
        while (owner != null && !owner.isLate())
            component.await(this);
        owner = component;
    }

    private synchronized void end(Component component) {
        if (owner == component)
            owner = null;
        notifyAll();
    }
}
