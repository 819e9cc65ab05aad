"""Who comes in, who waits and who is sent away, next to a model made of plain lists."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.core.traffic.admission import Bounds, Gate, Priority, Ticket, Verdict

HIGH, NORMAL, LOW = Priority
bounds = st.builds(Bounds, max_in_flight=st.integers(1, 3), queue_max=st.integers(0, 5))


def ticket(priority: Priority = NORMAL, caller: int = 0) -> Ticket:
    """Return a ticket that wakes nobody."""
    return Ticket(priority, caller, lambda: None)


def full(queue_max: int, *waiting: Ticket) -> Gate:
    """Return a gate whose one place is taken, with these calls in its queue."""
    gate = Gate()
    assert gate.enter(Bounds(1, queue_max))
    for call in waiting:
        assert not gate.enter(Bounds(1, queue_max))
        assert gate.queue(call)
    return gate


def served(gate: Gate, tickets: Sequence[Ticket]) -> list[Ticket]:
    """End one call after the other, and return the tickets in the order in which they were let in."""
    order: list[Ticket] = []
    while gate.in_flight:
        gate.leave()
        order += [call for call in tickets if call.verdict is Verdict.ADMITTED and call not in order]
    return order


class Guest(msgspec.Struct):
    """One call as the model knows it."""

    ticket: Ticket
    woken: int = 0


class GateMachine(RuleBasedStateMachine):
    """Calls come, end, wait too long and leave in any order, while the bounds change."""

    @initialize(given=bounds)
    def begin(self, given: Bounds) -> None:
        """Open the gate."""
        self.gate, self.bounds = Gate(), given
        self.inside = 0
        self.queue: list[Guest] = []  # in the order of arrival
        self.turns: dict[Priority, list[int]] = {priority: [] for priority in Priority}

    @rule(priority=st.sampled_from(Priority), caller=st.integers(0, 3))
    def come(self, priority: Priority, caller: int) -> None:
        """A call comes: it enters, waits, or is sent away."""
        entered = self.gate.enter(self.bounds)
        self._let_in()
        assert entered == (not self.queue and self.inside < self.bounds.max_in_flight)
        if entered:
            self.inside += 1
            return
        guest = Guest(ticket(priority, caller))
        guest.ticket.wake = lambda: setattr(guest, "woken", guest.woken + 1)
        victim = self._victim(priority, caller) if len(self.queue) >= self.bounds.queue_max else None
        waits = self.gate.queue(guest.ticket)
        assert waits == (len(self.queue) < self.bounds.queue_max or victim is not None)
        if victim is not None:
            assert (victim.ticket.verdict, victim.woken) == (Verdict.PUSHED_OUT, 1)
            self._remove(victim)
        if waits:
            self.queue.append(guest)
            if caller not in self.turns[priority]:
                self.turns[priority].append(caller)

    @rule()
    def end(self) -> None:
        """A call inside ends."""
        if self.inside:
            self.gate.leave()
            self.inside -= 1
            self._let_in()

    @rule(data=st.data(), late=st.booleans())
    def give_up(self, data: st.DataObject, late: bool) -> None:
        """A waiting call has waited too long, or its client leaves."""
        if not self.queue:
            return
        guest = data.draw(st.sampled_from(self.queue))
        if late:
            self.gate.expire(guest.ticket)
        else:
            self.gate.abandon(guest.ticket)
        assert guest.ticket.verdict is (Verdict.TOO_LATE if late else Verdict.LEFT)
        assert guest.woken == int(late)
        self._remove(guest)

    @rule(given=bounds)
    def reload(self, given: Bounds) -> None:
        """Newer bounds hold from the next call on."""
        self.bounds = given

    @invariant()
    def the_books_agree(self) -> None:
        """The gate counts what the model counts, and nobody in the queue has been decided about."""
        assert (self.gate.in_flight, self.gate.waiting) == (self.inside, len(self.queue))
        assert all(guest.ticket.verdict is None and guest.woken == 0 for guest in self.queue)

    def teardown(self) -> None:
        """Whatever happened, all places come back and the queue empties."""
        while self.inside:
            self.end()
        assert (self.gate.in_flight, self.gate.waiting) == (0, 0)

    def _let_in(self) -> None:
        """Expect those to be inside for whom there is room: highest class, caller whose turn it is, oldest call."""
        while self.queue and self.inside < self.gate.limit:
            priority = min(guest.ticket.priority for guest in self.queue)
            caller = self.turns[priority][0]
            guest = next(g for g in self.queue if (g.ticket.priority, g.ticket.caller) == (priority, caller))
            assert (guest.ticket.verdict, guest.woken) == (Verdict.ADMITTED, 1)
            self._remove(guest)
            if caller in self.turns[priority]:
                self.turns[priority].remove(caller)
                self.turns[priority].append(caller)
            self.inside += 1

    def _victim(self, priority: Priority, caller: int) -> Guest | None:
        lower = [guest for guest in self.queue if guest.ticket.priority > priority]
        if lower:
            lowest = max(guest.ticket.priority for guest in lower)
            return [guest for guest in lower if guest.ticket.priority == lowest][-1]
        same = {who: self._of(priority, who) for who in self.turns[priority]}
        longest = max(same.values(), key=len, default=[])
        return longest[-1] if len(longest) >= len(same.get(caller, [])) + 2 else None

    def _of(self, priority: Priority, caller: int) -> list[Guest]:
        return [g for g in self.queue if (g.ticket.priority, g.ticket.caller) == (priority, caller)]

    def _remove(self, guest: Guest) -> None:
        self.queue.remove(guest)
        priority, caller = guest.ticket.priority, guest.ticket.caller
        if not self._of(priority, caller):
            self.turns[priority].remove(caller)


TestGate = GateMachine.TestCase
TestGate.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_callers_take_turns() -> None:
    """A caller with many calls waiting delays another caller's by one each at most."""
    greedy = [ticket(caller=1) for _ in range(5)]
    modest = [ticket(caller=2) for _ in range(2)]
    gate = full(10, *greedy, *modest)

    order = served(gate, [*greedy, *modest])

    assert order == [greedy[0], modest[0], greedy[1], modest[1], *greedy[2:]]


def test_what_matters_more_goes_first() -> None:
    """Classes are served strictly in order, whoever came first."""
    calls = [ticket(LOW), ticket(NORMAL), ticket(HIGH)]
    gate = full(10, *calls)

    order = served(gate, calls)

    assert order == calls[::-1]


def test_a_full_queue_gives_up_its_least_important_newest_call() -> None:
    """A high call pushes out the newest low one, though a normal one is newer."""
    old, new, normal, high = ticket(LOW), ticket(LOW), ticket(NORMAL), ticket(HIGH)
    gate = full(3, old, new, normal)

    waits = gate.queue(high)

    assert waits
    assert [call.verdict for call in (old, new, normal, high)] == [None, Verdict.PUSHED_OUT, None, None]


def test_nobody_is_pushed_out_by_an_equal() -> None:
    """A full queue of the same class and caller refuses; so does one of more important calls."""
    gate = full(2, ticket(HIGH), ticket(NORMAL))

    waits = [gate.queue(ticket(NORMAL)), gate.queue(ticket(LOW))]

    assert waits == [False, False]


def test_one_caller_cannot_fill_the_queue() -> None:
    """A caller with fewer calls waiting gets a place of the one with most, until they are even."""
    greedy = [ticket(caller=1) for _ in range(4)]
    gate = full(4, *greedy)

    waits = [gate.queue(ticket(caller=2)) for _ in range(3)]

    assert waits == [True, True, False]
    assert [call.verdict for call in greedy] == [None, None, Verdict.PUSHED_OUT, Verdict.PUSHED_OUT]


def test_a_place_given_to_a_client_that_left_goes_to_the_next() -> None:
    """Being let in and leaving may happen in the same moment; the place is not lost."""
    gone, following = ticket(caller=1), ticket(caller=2)
    gate = full(2, gone, following)
    gate.leave()

    gate.abandon(gone)

    assert following.verdict is Verdict.ADMITTED
    assert gate.in_flight == 1


def test_a_verdict_is_final() -> None:
    """Neither a late timer nor a client that leaves after it was sent away changes anything."""
    late, let_in = ticket(), ticket()
    gate = full(2, late, let_in)
    gate.expire(late)
    gate.leave()

    gate.expire(let_in)
    gate.abandon(late)

    assert (late.verdict, let_in.verdict) == (Verdict.TOO_LATE, Verdict.ADMITTED)
    assert (gate.in_flight, gate.waiting) == (1, 0)


def test_a_higher_bound_lets_waiting_calls_in_first() -> None:
    """After a reload with more places the next call finds those in use by the calls that waited before it."""
    waiting = ticket()
    gate = full(5, waiting)

    entered = gate.enter(Bounds(2, 5))

    assert not entered
    assert waiting.verdict is Verdict.ADMITTED
    assert gate.in_flight == 2


def test_an_adaptive_limit_begins_below_the_most() -> None:
    """It starts at 20, however many are allowed, and answers as quick as ever make it grow and let calls in."""
    gate, wide = Gate(), Bounds(100, 10, adaptive=True)
    entered = sum(gate.enter(wide) for _ in range(30))
    waiting = ticket()
    assert gate.queue(waiting)

    for _ in range(2):
        gate.learn(1.0, stream=True, in_flight=20)

    assert entered == 20
    assert gate.limit == 21
    assert waiting.verdict is Verdict.ADMITTED
