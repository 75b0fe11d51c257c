package budgetd

import (
	"encoding/binary"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	readBufferBytes = 64 << 10
	// More than the server reads of a connection before it has answered some.
	maximumCallsWaiting = 65_536
	// So much may stay unwritten while a server does not read.
	maximumBytesWaiting = 8 << 20
)

// A call is one request to one address.
type call struct {
	method  int
	timeout time.Duration
	// The method's own message; read when the call is begun.
	body []byte

	id uint64
	// When its frame was ready for the socket, and when it was handed to it, on the client's clock;
	// 0: not yet.
	queued, written atomic.Int64
	// The answer: a status, the method that it answers, that method's message.
	status *Status
	answer int
	result []byte
	why    *failure

	// One of the two is told of the end.
	done  chan struct{}
	ended func(*call)
	timer *time.Timer
}

func (c *call) finish() {
	if c.ended != nil {
		c.ended(c)
		return
	}
	c.done <- struct{}{}
}

type linkState int

const (
	linkIdle linkState = iota
	linkConnecting
	linkOpen
	linkClosed
)

// A link is the one connection to one address: pipelined, made when it is needed, made again after
// it was lost. After a connection could not be made the address is left alone for a pause.
type link struct {
	address address
	dial    dialer
	clock   func() int64
	place   int32
	after   func(failures int) time.Duration
	// Told, without locks, when calls may go or have to wait anew.
	changed func()

	mu         sync.Mutex
	state      linkState
	connection *connection
	// Calls that wait for the connection.
	waiting  []*call
	failures int
	// Until when the address is left alone, and after what.
	pauseEnd    int64
	pauseReason string
}

// A connection's own part of a link: it ends with it.
type connection struct {
	net.Conn
	lastID   uint64
	underWay map[uint64]*call
	// Frames for the next write, and their calls.
	outgoing []byte
	unsent   []*call
	wake     chan struct{}
	over     chan struct{}
	// When bytes came last.
	received int64
	farewell *Status
}

// begin sends the call, now or when the connection is there. A failure: it will not be sent.
func (l *link) begin(c *call) *failure {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.state {
	case linkClosed:
		return closedFailure()
	case linkOpen:
		return l.enqueue(c)
	case linkIdle:
		if why := l.pausing(); why != nil {
			return why
		}
		l.connectSoon()
	}
	if len(l.waiting) >= maximumCallsWaiting {
		return l.tooMany()
	}
	l.waiting = append(l.waiting, c)
	return nil
}

func closedFailure() *failure { return &failure{text: "the client was closed", closed: true} }

func (l *link) tooMany() *failure {
	return &failure{text: l.address.text + " takes nothing more: as many calls wait as may"}
}

// pausing is why the address is left alone now; nil: it is not.
func (l *link) pausing() *failure {
	left := l.pauseEnd - l.clock()
	if left <= 0 {
		return nil
	}
	return &failure{paused: true, text: fmt.Sprintf("%s is left alone for %d ms after: %s",
		l.address.text, (left+int64(time.Millisecond)-1)/int64(time.Millisecond), l.pauseReason)}
}

func (l *link) connectSoon() {
	l.state = linkConnecting
	go l.connect()
}

// usable says whether calls can be sent now. Where not, a connection is begun unless the address
// pauses; then `wait` says for how long.
func (l *link) usable() (now bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == linkIdle {
		if left := l.pauseEnd - l.clock(); left > 0 {
			return false, time.Duration(left)
		}
		l.connectSoon()
	}
	return l.state == linkOpen, 0
}

// enqueue puts the call's frame into the next write.
func (l *link) enqueue(c *call) *failure {
	connection := l.connection
	if len(connection.underWay) >= maximumCallsWaiting ||
		len(connection.outgoing) >= maximumBytesWaiting {
		return l.tooMany()
	}
	connection.lastID++
	c.queued.Store(l.clock())
	c.id = connection.lastID
	connection.underWay[c.id] = c
	connection.outgoing = appendFrame(
		connection.outgoing, c.id, uint32(c.timeout/time.Millisecond), c.method, c.body)
	connection.unsent = append(connection.unsent, c)
	if len(connection.unsent) == 1 {
		connection.wake <- struct{}{} // Has room for one, and the writer took the last.
	}
	return nil
}

// abandon forgets a call that waits no longer; false: its end is under way already.
func (l *link) abandon(c *call) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.connection != nil && l.connection.underWay[c.id] == c {
		delete(l.connection.underWay, c.id)
		return true
	}
	for i, waiting := range l.waiting {
		if waiting == c {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// leave has the end of a call that was sent told to `ended`: nobody waits for it any more. false: it
// was not sent, or its end is under way already.
func (l *link) leave(c *call, ended func(*call)) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.connection == nil || l.connection.underWay[c.id] != c {
		return false
	}
	c.ended = ended
	return true
}

// overdue is how long the call has waited since its frame was written. Where the server does not read,
// since the frame was ready: the writer takes it at once but for that.
func (l *link) overdue(c *call) time.Duration {
	since := c.written.Load()
	if since == 0 {
		since = c.queued.Load()
	}
	if since == 0 {
		return 0
	}
	return time.Duration(l.clock() - since)
}

// timedOut is the failure of a call that was abandoned for its time.
func (l *link) timedOut(c *call) *failure {
	l.mu.Lock()
	connection := l.connection
	// A peer that is gone without a word would keep the connection for a quarter of an hour.
	silent := connection != nil && connection.received < c.queued.Load() && c.timeout >= time.Second
	l.mu.Unlock()
	why := &failure{doubtful: c.written.Load() != 0, text: fmt.Sprintf(
		"no answer from %s within %d ms", l.address.text, c.timeout/time.Millisecond)}
	if silent {
		connection.Close()
	}
	return why
}

func (l *link) close() {
	l.mu.Lock()
	connection, waiting := l.connection, l.waiting
	l.state, l.waiting = linkClosed, nil
	l.mu.Unlock()
	fail(waiting, *closedFailure())
	if connection != nil {
		connection.Close()
	}
}

func fail(calls []*call, why failure) {
	for _, c := range calls {
		reason := why
		reason.doubtful = c.written.Load() != 0
		c.why = &reason
		c.finish()
	}
}

// MARK: connecting

func (l *link) connect() {
	conn, why := l.dial(l.address)
	l.mu.Lock()
	if l.state == linkClosed {
		l.mu.Unlock()
		if conn != nil {
			conn.Close()
		}
		return
	}
	waiting := l.waiting
	l.waiting = nil
	if why != nil {
		l.failures++
		l.state = linkIdle
		l.pauseEnd = l.clock() + int64(l.after(l.failures))
		l.pauseReason = why.text
		l.mu.Unlock()
		fail(waiting, *why)
		l.changed()
		return
	}
	l.failures, l.pauseEnd = 0, 0
	l.state = linkOpen
	l.connection = &connection{
		Conn: conn, lastID: conn.introductions, underWay: make(map[uint64]*call, 64),
		wake: make(chan struct{}, 1), over: make(chan struct{}), received: l.clock(),
	}
	var refused []*call
	for _, c := range waiting {
		// Their number is bounded, their bytes are not.
		if c.why = l.enqueue(c); c.why != nil {
			refused = append(refused, c)
		}
	}
	connection := l.connection
	l.mu.Unlock()
	for _, c := range refused {
		c.finish()
	}
	go l.write(connection)
	go l.read(connection)
	l.changed()
}

// MARK: writing and reading

func (l *link) write(connection *connection) {
	var frames []byte
	var calls []*call
	for {
		select {
		case <-connection.wake:
		case <-connection.over:
			return
		}
		// Whoever else is about to ask goes into the same write.
		runtime.Gosched()
		l.mu.Lock()
		frames, connection.outgoing = connection.outgoing, frames[:0]
		calls, connection.unsent = connection.unsent, calls[:0]
		now := l.clock()
		for _, c := range calls {
			c.written.Store(now)
		}
		l.mu.Unlock()
		if _, err := connection.Write(frames); err != nil {
			connection.Close() // The reader meets the end, and says what it was.
			return
		}
		if cap(frames) > 16*readBufferBytes {
			frames = nil
		}
	}
}

func (l *link) read(connection *connection) {
	buffer := make([]byte, readBufferBytes)
	filled := 0
	var answers []response
	var ended []*call
	for {
		count, err := connection.Read(buffer[filled:])
		filled += count
		var rest []byte
		var fault error
		answers, rest, fault = readFrames(answers[:0], buffer[:filled])
		ended = l.take(connection, answers, ended[:0], &fault)
		for _, c := range ended {
			c.finish()
		}
		if fault != nil || err != nil {
			l.lost(connection, err, fault)
			return
		}
		if len(rest) >= lengthBytes {
			if need := lengthBytes + int(binary.BigEndian.Uint32(rest)); need > len(buffer) {
				buffer = append(make([]byte, 0, need), rest...)[:need]
				filled = len(rest)
				continue
			}
		}
		filled = copy(buffer, rest)
	}
}

// readFrames reads the whole frames at the beginning of `bytes`; their results are parts of it.
func readFrames(answers []response, bytes []byte) ([]response, []byte, error) {
	for len(bytes) >= lengthBytes {
		length := int(binary.BigEndian.Uint32(bytes))
		if length > maximumResponseBytes {
			return answers, bytes, fmt.Errorf(
				"an answer of %d bytes, at most %d", length, maximumResponseBytes)
		}
		if len(bytes) < lengthBytes+length {
			break
		}
		answer, err := readResponse(bytes[lengthBytes : lengthBytes+length])
		if err != nil {
			return answers, bytes, err
		}
		answers = append(answers, answer)
		bytes = bytes[lengthBytes+length:]
	}
	return answers, bytes, nil
}

// take gives the answers to their calls, and returns those that have ended.
func (l *link) take(
	connection *connection, answers []response, ended []*call, fault *error,
) []*call {
	l.mu.Lock()
	defer l.mu.Unlock()
	connection.received = l.clock()
	for _, answer := range answers {
		if answer.callID == 0 {
			// It answers no call of this client. After most such words the server closes.
			if answer.status != nil {
				connection.farewell = answer.status
			}
			continue
		}
		if answer.callID > connection.lastID {
			*fault = fmt.Errorf("an answer to call %d, not made yet", answer.callID)
			break
		}
		c := connection.underWay[answer.callID]
		if c == nil {
			continue // It waits no longer.
		}
		delete(connection.underWay, answer.callID)
		c.status, c.answer = answer.status, answer.method
		c.result = append(c.result[:0], answer.result...)
		ended = append(ended, c)
	}
	return ended
}

// lost ends the connection and the calls under way on it.
func (l *link) lost(connection *connection, err error, fault error) {
	connection.Close()
	close(connection.over)
	l.mu.Lock()
	closed := l.state == linkClosed
	if !closed {
		l.state = linkIdle
	}
	l.connection = nil
	calls := make([]*call, 0, len(connection.underWay))
	for _, c := range connection.underWay {
		calls = append(calls, c)
	}
	// Calls that have ended are used again: the writer must not touch them.
	connection.unsent, connection.outgoing = nil, nil
	farewell := connection.farewell
	l.mu.Unlock()
	why := failure{status: farewell}
	switch {
	case closed:
		why = *closedFailure()
	case fault != nil:
		why.text = fmt.Sprintf("%s does not speak budget.v1: %s", l.address.text, fault)
	case farewell != nil:
		why.text = fmt.Sprintf(
			"the connection to %s was lost before the answer came: %s", l.address.text, farewell)
	default:
		why.text = fmt.Sprintf("the connection to %s was lost before the answer came", l.address.text)
	}
	fail(calls, why)
	l.changed()
}

// pauses says whether the address is left alone now.
func (l *link) pauses() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == linkIdle && l.pausing() != nil
}
