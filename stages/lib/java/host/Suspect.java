package penstock.host;

import java.util.ArrayList;
import java.util.List;

/**
 * Finds the event that a sink with dead letters can never deliver. A class does not say which event it fails at, nor whether its far end is down. So the
 * events of a transaction that was rolled back twice are given one at a time. One that fails three times is set aside, and the events behind it are tried: if one
 * is committed, and the first one fails again, that is the cause. If all fail, up to 16, the far end is down, and nobody is judged.
 *
 * It knows only transactions of the component's own thread, which calls all methods.
 */
final class Suspect {
    enum Verdict { NONE, REFUSED, EXHAUSTED }

    private static final int TRIALS = 3, ASIDE_MAX = 16;

    private final SinkChannel channel;
    private final long attemptsMax; // penstock.retry.max; 0: no limit
    private int losses; // transactions in a row that were rolled back
    private int singles; // so many events are given one at a time; 0: no limit
    private long batch; // of the event that was alone when its transaction was rolled back
    private int number;
    private int trials; // how often in a row
    private boolean rolled, returns, witnessed; // in this call; the event set aside comes back; another one was committed meanwhile
    private final List<SinkChannel.Range> aside = new ArrayList<>();

    Suspect(SinkChannel channel, long attemptsMax) {
        this.channel = channel;
        this.attemptsMax = attemptsMax;
    }

    /** Returns how many events a transaction gets. */
    int most() {
        return singles > 0 ? 1 : Integer.MAX_VALUE;
    }

    void committed(int count) {
        losses = 0;
        witnessed = returns = !aside.isEmpty();
        if (returns)
            return;
        singles = Math.max(0, singles - count);
        trials = 0;
    }

    void rolledBack(SinkChannel.Range first, int count) {
        losses++;
        rolled = singles > 0;
        if (!aside.isEmpty()) {
            return; // the next one may be taken
        } else if (singles == 0) {
            singles = losses > 1 ? count : 0;
            trials = 0;
        } else {
            boolean same = trials > 0 && batch == first.batch.number && number == first.from;
            witnessed &= same;
            trials = same ? trials + 1 : 1;
            batch = first.batch.number;
            number = first.from;
        }
    }

    int trials() {
        return trials;
    }

    /** Called behind each process(). If the verdict is not NONE, the first event of the channel is to be given up. */
    Verdict judge() {
        boolean fails = rolled;
        rolled = false;
        if (returns) {
            comeBack();
        } else if (fails && !aside.isEmpty()) {
            setAside();
        } else if (fails && witnessed) {
            return Verdict.REFUSED;
        } else if (fails && attemptsMax > 0 && trials >= attemptsMax) {
            return Verdict.EXHAUSTED;
        } else if (fails && trials > 0 && trials % TRIALS == 0) {
            setAside();
        }
        return Verdict.NONE;
    }

    /** The event that has failed waits until another one is committed. If there is none, all come back. */
    private void setAside() {
        SinkChannel.Range next = aside.size() < ASIDE_MAX ? channel.setAside() : null;
        if (next != null) {
            aside.add(next);
            return;
        }
        if (attemptsMax == 0)
            trials = 0; // else they count on: also while the far end is down
        comeBack();
    }

    /** Called when transactions of other threads have begun, which nobody judges: what was set aside comes back. */
    void end() {
        if (!aside.isEmpty())
            comeBack();
    }

    private void comeBack() {
        channel.comeBack(aside);
        aside.clear();
        returns = false;
    }

    /** Called when the event is given up. */
    void gone() {
        trials = losses = 0;
        witnessed = false;
        singles = Math.max(0, singles - 1);
    }
}
