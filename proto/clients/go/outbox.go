package budgetd

import (
	"fmt"
	"sync"
	"time"
)

const (
	// So many records may be under way on one connection.
	maximumRecordsUnderWay = 1_024
	orphanInterval         = time.Minute
	// How often calls under way are held against their deadline.
	overdueInterval = 50 * time.Millisecond
)

// An owed is a record, or a release (without a key: it is in no journal, and may be forgotten). It is
// sent until it is answered.
type owed struct {
	key    string
	method int
	body   []byte
	lane   *lane
	// Whether the lane's address may have it: then it goes nowhere else.
	sent bool
	// When a release is of no use any more, Unix milliseconds.
	until int64
	call  call
}

// A lane is what goes to one address.
type lane struct {
	link     *link
	waiting  queue
	underWay map[*owed]bool
	failures int
	// On the client's clock.
	pauseEnd int64
}

// A queue is first in, first out.
type queue struct {
	items []*owed
	head  int
}

func (q *queue) length() int { return len(q.items) - q.head }

func (q *queue) push(o *owed) { q.items = append(q.items, o) }

func (q *queue) pop() *owed {
	o := q.items[q.head]
	q.items[q.head] = nil
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	} else if q.head > 1_024 && q.head > len(q.items)/2 {
		q.items = append(q.items[:0], q.items[q.head:]...)
		q.head = 0
	}
	return o
}

// The outbox sends records in their order, at least once each. It never blocks who records.
type outbox struct {
	client  *Client
	journal *journal
	wake    chan struct{}
	stopped chan struct{}

	mu    sync.Mutex
	lanes []*lane
	// Calls that have ended since the last turn.
	ended []*owed
	count int
	// Closed when nothing is owed, made anew when something is.
	empty  chan struct{}
	closed bool
	stats  Stats
}

func newOutbox(client *Client) *outbox {
	o := &outbox{
		client: client, wake: make(chan struct{}, 1), stopped: make(chan struct{}),
		empty: make(chan struct{}),
	}
	for _, l := range client.links {
		o.lanes = append(o.lanes, &lane{link: l, underWay: map[*owed]bool{}})
	}
	close(o.empty)
	return o
}

func (o *outbox) kick() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// record owes a record from now on, best sent to the address at `place`.
func (o *outbox) record(key string, body []byte, place int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return closedError()
	}
	if o.count >= o.client.settings.Outbox {
		return &Error{Kind: KindOutboxFull, Message: fmt.Sprintf(
			"%d records wait already, the most there may be", o.client.settings.Outbox)}
	}
	one := &owed{key: key, method: methodRecord, body: body, lane: o.lanes[place]}
	o.note(one)
	o.take(one)
	return nil
}

// release owes a release: only the address at `place` knows the hold, and after `until` nobody does.
func (o *outbox) release(id string, place int, until int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.take(&owed{
			method: methodRelease, body: appendText(nil, 1, id), lane: o.lanes[place], until: until})
	}
}

// note writes down where a record is about to go.
func (o *outbox) note(one *owed) {
	if o.journal != nil {
		o.journal.owe(note{
			key: one.key, address: one.lane.link.address.text,
			request: appendBytes(nil, methodRecord, one.body)})
	}
}

func (o *outbox) take(one *owed) {
	if o.count == 0 {
		o.empty = make(chan struct{})
	}
	o.count++
	one.lane.waiting.push(one)
	o.kick()
}

// adopt owes what processes that are no more left in the journal's folder.
func (o *outbox) adopt() {
	for _, left := range o.journal.orphans() {
		o.mu.Lock()
		for _, n := range left.owed {
			one := &owed{
				key: n.key, method: methodRecord, body: recordOf(n.request), lane: o.lanes[0]}
			for _, lane := range o.lanes {
				if lane.link.address.text == n.address {
					// Whoever owned it may have sent it.
					one.lane, one.sent = lane, true
				}
			}
			o.note(one)
			o.take(one)
		}
		o.mu.Unlock()
		o.journal.forget(left.path)
		if len(left.owed) > 0 {
			o.client.log(fmt.Sprintf(
				"%d records are owed by %s, which is no more", len(left.owed), left.path))
		}
	}
}

// begin takes over what is owed in the journal's folder, and sends from then on.
func (o *outbox) begin() {
	if o.journal != nil {
		o.adopt()
	}
	go o.run()
}

func (o *outbox) run() {
	defer close(o.stopped)
	timer := time.NewTimer(time.Hour)
	orphans, overdue := o.client.clock()+int64(orphanInterval), int64(0)
	for {
		now := o.client.clock()
		if o.journal != nil && now >= orphans {
			o.adopt()
			orphans = now + int64(orphanInterval)
		}
		if now >= overdue {
			o.expire()
			overdue = now + int64(overdueInterval)
		}
		wait, closed := o.turn()
		if closed {
			return
		}
		if left := time.Duration(orphans - now); o.journal != nil && left < wait {
			wait = left
		}
		if !timer.Stop() {
			select {
			case <-timer.C:
			default:
			}
		}
		timer.Reset(wait)
		select {
		case <-o.wake:
		case <-timer.C:
		}
	}
}

// turn judges what has ended, sends what can be sent, and says when to look again.
func (o *outbox) turn() (wait time.Duration, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return 0, true
	}
	wait = time.Hour
	o.judge()
	for _, lane := range o.lanes {
		if pause := o.send(lane); pause > 0 && pause < wait {
			wait = pause
		}
		if len(lane.underWay) > 0 && overdueInterval < wait {
			wait = overdueInterval
		}
	}
	return wait, false
}

// send begins a lane's calls, as far as its address takes them now; a pause is the time to wait.
func (o *outbox) send(lane *lane) (pause time.Duration) {
	if lane.waiting.length() == 0 {
		return 0
	}
	now := o.client.clock()
	if lane.pauseEnd > now {
		pause = time.Duration(lane.pauseEnd - now)
	}
	usable := false
	if pause == 0 {
		if usable, pause = lane.link.usable(); pause == 0 && !usable {
			return 0 // It is being connected, and tells of it.
		}
	}
	if pause > 0 {
		o.move(lane, now)
		if lane.waiting.length() == 0 {
			return 0
		}
		return pause
	}
	for lane.waiting.length() > 0 && len(lane.underWay) < maximumRecordsUnderWay {
		if !o.start(lane.waiting.pop()) {
			return overdueInterval // Nothing tells when it takes more.
		}
	}
	return 0
}

// move lets what a lane in a pause has never sent go to one that is in none.
func (o *outbox) move(from *lane, now int64) {
	var to *lane
	for _, lane := range o.lanes {
		if lane != from && lane.pauseEnd <= now && !lane.link.pauses() {
			to = lane
			break
		}
	}
	if to == nil {
		return
	}
	for i := from.waiting.length(); i > 0; i-- {
		one := from.waiting.pop()
		if one.sent || one.key == "" {
			from.waiting.push(one)
			continue
		}
		one.lane = to
		o.note(one)
		to.waiting.push(one)
	}
	o.kick()
}

// start sends one; false: the address takes none now.
func (o *outbox) start(one *owed) bool {
	one.call = call{
		method: one.method, timeout: o.client.settings.RecordTimeout, body: one.body,
		ended: func(*call) {
			o.mu.Lock()
			o.ended = append(o.ended, one)
			o.mu.Unlock()
			o.kick()
		},
	}
	if why := one.lane.link.begin(&one.call); why != nil {
		one.lane.waiting.push(one)
		return false
	}
	if one.sent {
		o.stats.Retries++
	}
	one.lane.underWay[one] = true
	return true
}

// expire ends calls that have waited too long.
func (o *outbox) expire() {
	o.mu.Lock()
	var late []*owed
	for _, lane := range o.lanes {
		for one := range lane.underWay {
			if lane.link.overdue(&one.call) >= one.call.timeout {
				late = append(late, one)
			}
		}
	}
	o.mu.Unlock()
	for _, one := range late {
		if one.lane.link.abandon(&one.call) {
			one.call.why = one.lane.link.timedOut(&one.call)
			one.call.finish()
		}
	}
}

// judge decides what becomes of calls that have ended.
func (o *outbox) judge() {
	now := o.client.clock()
	var done []string
	for _, one := range o.ended {
		lane := one.lane
		delete(lane.underWay, one)
		over, pause := o.verdict(one)
		if pause && lane.pauseEnd <= now {
			lane.failures++
			lane.pauseEnd = now + int64(o.client.pauses().after(lane.failures))
		}
		if !over {
			lane.waiting.push(one)
			continue
		}
		if !pause {
			lane.failures, lane.pauseEnd = 0, 0
		}
		if one.key != "" {
			done = append(done, one.key)
		}
		o.count--
	}
	o.ended = o.ended[:0]
	if o.journal != nil && len(done) > 0 {
		o.journal.done(done)
	}
	if o.count == 0 {
		select {
		case <-o.empty:
		default:
			close(o.empty)
		}
	}
}

// verdict says whether it is over with one, and whether its address is to be left alone for a while.
func (o *outbox) verdict(one *owed) (over, pause bool) {
	c := &one.call
	useless := one.key == "" && one.until <= time.Now().UnixMilli()
	if c.why != nil {
		// A connection that ended before the frame was written is no try.
		one.sent = one.sent || c.why.doubtful
		return useless, c.why.doubtful
	}
	code := OK
	if c.status != nil {
		code = c.status.Code
	}
	if one.key == "" {
		again := code == ServerUnavailable
		return !again || useless, again
	}
	switch code {
	case OK:
		duplicate, err := readRecorded(c.result)
		if err != nil || c.answer != methodRecord {
			one.sent = true
			return false, true
		}
		o.stats.Recorded++
		if duplicate {
			o.stats.Duplicates++
		}
		return true, false
	case AlreadyExists, InvalidArgument, OutOfRange:
		o.stats.Dropped++
		o.client.log(fmt.Sprintf("the record %s is not taken: %s", one.key, c.status))
		return true, false
	case ServerUnavailable, DeadlineExceeded:
		// This try is not applied. An earlier one may be: then it stays where it is.
	default:
		one.sent = true
	}
	o.client.log(fmt.Sprintf("%s answered a record with %s; it is sent again",
		one.lane.link.address.text, c.status))
	return false, true
}

// flush waits until nothing is owed or `done` is closed, and says how many records are.
func (o *outbox) flush(done <-chan struct{}) int {
	for {
		o.mu.Lock()
		empty, count := o.empty, o.count
		o.mu.Unlock()
		if count == 0 {
			return 0
		}
		select {
		case <-empty:
		case <-done:
			return count
		}
	}
}

func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.kick()
	<-o.stopped
}
