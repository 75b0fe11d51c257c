// Package budgetd is a client of budgetd, dollar budgets for LLM routers: ask which deployments are
// within budget, hold an amount, record what a request cost.
//
// One client serves a whole process: its methods may be called from any goroutine, and go over one
// connection to each address, many at once.
package budgetd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A Client of one budgetd, or of several of one fleet.
type Client struct {
	settings Settings
	links    []*link
	outbox   *outbox
	start    time.Time
	// The place in `links` of the address that answered last.
	current  atomic.Int32
	unserved atomic.Int64
	pool     sync.Pool
	closing  sync.Once
}

// Stats are what a client has done since it was made.
type Stats struct {
	// Records that are not answered yet.
	Owed int
	// Records that budgetd has taken, duplicates included.
	Recorded int
	// Records whose key budgetd had seen before.
	Duplicates int
	// Records that were refused for good.
	Dropped int
	// Records that were sent again.
	Retries int
	// Filters and reservations that OnUnavailable has answered.
	Unavailable int
}

// New makes a client. It does not connect: the first call does.
func New(settings Settings) (*Client, error) {
	settings, err := settings.checked()
	if err != nil {
		return nil, err
	}
	c := &Client{settings: settings, start: time.Now()}
	dial, err := newDialer(&settings)
	if err != nil {
		return nil, err
	}
	for place, text := range settings.Addresses {
		address, err := readAddress(text)
		if err != nil {
			return nil, err
		}
		c.links = append(c.links, &link{
			address: address, place: int32(place), dial: dial, clock: c.clock,
			after:   c.pauses().after,
			changed: func() { c.outbox.kick() },
		})
	}
	c.pool.New = func() interface{} {
		timer := time.NewTimer(time.Hour)
		timer.Stop()
		return &call{done: make(chan struct{}, 1), timer: timer}
	}
	c.outbox = newOutbox(c)
	if settings.Journal != "" {
		if c.outbox.journal, err = openJournal(settings.Journal, c.log); err != nil {
			return nil, err
		}
	}
	c.outbox.begin()
	return c, nil
}

// clock is the time since the client was made, which no change of the wall clock moves; never 0.
func (c *Client) clock() int64 { return int64(time.Since(c.start)) + 1 }

func (c *Client) log(message string) { c.settings.Log("budgetd: " + message) }

func (c *Client) pauses() pauses { return pauses{c.settings.Pause, c.settings.LongestPause} }

// MARK: calls

// ask sends a request and waits for the answer of one address. The call is the caller's to give back.
// An answer that comes after the context has ended is given to `late`; nil: it is dropped.
func (c *Client) ask(
	ctx context.Context, l *link, method int, body []byte, timeout time.Duration,
	late func(*call, *link),
) (*call, *failure, error) {
	one := c.pool.Get().(*call)
	one.method, one.timeout, one.body = method, timeout, body
	one.status, one.why, one.answer = nil, nil, 0
	one.written.Store(0)
	one.queued.Store(0)
	if why := l.begin(one); why != nil {
		return nil, why, nil
	}
	one.timer.Reset(timeout)
	for {
		select {
		case <-one.done:
			if !one.timer.Stop() {
				select {
				case <-one.timer.C:
				default:
				}
			}
			if one.why != nil {
				return nil, one.why, nil
			}
			return one, nil, nil
		case <-ctx.Done():
			if late != nil && l.leave(one, func(one *call) { late(one, l) }) {
				time.AfterFunc(timeout, func() { l.abandon(one) })
			} else if !l.abandon(one) {
				<-one.done
				if late != nil {
					late(one, l)
				}
			}
			return nil, nil, ctx.Err()
		case <-one.timer.C:
			// The time counts from the write. Before it the connection has a bound of its own.
			waited := l.overdue(one)
			if waited < timeout {
				one.timer.Reset(timeout - waited)
				continue
			}
			if l.abandon(one) {
				return nil, l.timedOut(one), nil
			}
			<-one.done
			if one.why != nil {
				return nil, one.why, nil
			}
			return one, nil, nil
		}
	}
}

// askAny asks the address that answered last, then each other one; a single one twice. The link is
// the one that answered.
func (c *Client) askAny(
	ctx context.Context, method int, body []byte, timeout time.Duration,
	late func(*call, *link),
) (*call, *link, *failure, error) {
	first := int(c.current.Load())
	if len(c.links) == 1 {
		return c.askEach(ctx, []*link{c.links[0], c.links[0]}, method, body, timeout, late)
	}
	links := append(append(make([]*link, 0, len(c.links)), c.links[first:]...), c.links[:first]...)
	return c.askEach(ctx, links, method, body, timeout, late)
}

// askEach asks one address after the other until one answers.
func (c *Client) askEach(
	ctx context.Context, links []*link, method int, body []byte, timeout time.Duration,
	late func(*call, *link),
) (*call, *link, *failure, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, nil, err
	}
	if err := tooLong(method, body); err != nil {
		return nil, nil, nil, err
	}
	var last *failure
	for _, l := range links {
		answer, why, err := c.ask(ctx, l, method, body, timeout, late)
		if err != nil {
			return nil, nil, nil, err
		}
		if why == nil {
			if answer.status == nil || (answer.status.Code != ServerUnavailable &&
				answer.status.Code != DeadlineExceeded) {
				if c.current.Load() != l.place {
					c.current.Store(l.place)
				}
				return answer, l, nil, nil
			}
			why = &failure{
				text:   fmt.Sprintf("%s answered %s", l.address.text, answer.status),
				status: answer.status}
		}
		if why.closed {
			return nil, nil, nil, closedError()
		}
		// That an address is in a pause says less than why another try failed.
		if last == nil || why.doubtful || why.status != nil {
			last = why
		}
	}
	return nil, nil, last, nil
}

func unreadable(l *link, err error) *failure {
	return &failure{text: fmt.Sprintf("%s does not speak budget.v1: %s", l.address.text, err)}
}

func wrongMethod(of, method int) error {
	return fmt.Errorf("the answer to %s is to another method", methodNames[method])
}

// Filter asks which candidates are within budget. That none is, is an answer: Allowed is empty, and
// Message says why.
//
// While no address answers, Open allows every candidate, and Answer.Unavailable says why.
func (c *Client) Filter(ctx context.Context, request FilterRequest) (Answer, error) {
	body := bodies.Get().(*[]byte)
	*body = request.appendTo((*body)[:0])
	answer, l, why, err := c.askAny(ctx, methodFilter, *body, c.settings.FilterTimeout, nil)
	bodies.Put(body)
	if err != nil {
		return Answer{}, err
	}
	if why == nil {
		var result Answer
		status := answer.status
		if status == nil || status.Code == ResourceExhausted {
			var err error
			if answer.answer == methodFilter {
				result, _, err = readAnswer(answer.result)
			} else if status == nil {
				err = wrongMethod(answer.answer, methodFilter)
			}
			if err != nil {
				why = unreadable(l, err)
			}
		}
		c.pool.Put(answer)
		switch {
		case why != nil:
		case status == nil:
			return result, nil
		case status.Code == ResourceExhausted:
			result.Message = status.Message
			return result, nil
		default:
			return Answer{}, refused(status)
		}
	}
	c.unserved.Add(1)
	if c.settings.OnUnavailable == Closed {
		return Answer{}, unavailable(why)
	}
	all := make([]int, len(request.Candidates))
	for i := range all {
		all[i] = i
	}
	return Answer{Allowed: all, Unavailable: errors.New(why.text)}, nil
}

var bodies = sync.Pool{New: func() interface{} {
	body := make([]byte, 0, 512)
	return &body
}}

// Record owes what a request cost and returns its key at once; it never waits for budgetd. The
// record is sent until it is answered.
func (c *Client) Record(spend Spend) (key string, err error) {
	return c.owe(spend, "", int(c.current.Load()))
}

func (c *Client) owe(spend Spend, reservation string, place int) (string, error) {
	if !(spend.Cost >= 0 && spend.Cost <= 9_000_000_000) {
		return "", invalid("the cost %v is not an amount: 0 to 9000000000", spend.Cost)
	}
	if spend.Key == "" {
		spend.Key = NewKey()
	}
	if len(spend.Key) > 256 {
		return "", invalid("the key has %d bytes: 1 to 256 are allowed", len(spend.Key))
	}
	record := spend.appendTo(nil, reservation)
	if err := tooLong(methodRecord, record); err != nil {
		return "", err
	}
	if err := c.outbox.record(spend.Key, record, place); err != nil {
		return "", err
	}
	return spend.Key, nil
}

// Flush waits until nothing is owed or the context ends, and says how many records are.
func (c *Client) Flush(ctx context.Context) (owed int) { return c.outbox.flush(ctx.Done()) }

// Stats are what the client has done so far.
func (c *Client) Stats() Stats {
	c.outbox.mu.Lock()
	defer c.outbox.mu.Unlock()
	stats := c.outbox.stats
	stats.Owed = c.outbox.count
	stats.Unavailable = int(c.unserved.Load())
	return stats
}

// call asks any address, and fails where none answers: whatever OnUnavailable says.
func (c *Client) call(ctx context.Context, method int, body []byte, read func([]byte) error) error {
	answer, l, why, err := c.askAny(ctx, method, body, c.settings.CallTimeout, nil)
	if err != nil {
		return err
	}
	if why != nil {
		return unavailable(why)
	}
	return c.result(answer, l, read)
}

// result reads the answer and gives the call back.
func (c *Client) result(answer *call, l *link, read func([]byte) error) error {
	defer c.pool.Put(answer)
	if answer.status != nil {
		return refused(answer.status)
	}
	err := error(nil)
	if answer.answer != answer.method {
		err = wrongMethod(answer.answer, answer.method)
	} else {
		err = read(answer.result)
	}
	if err != nil {
		return unavailable(unreadable(l, err))
	}
	return nil
}

// Budgets says where the budgets stand, from all pages.
func (c *Client) Budgets(ctx context.Context, request BudgetsRequest) (Budgets, error) {
	var budgets Budgets
	next := ""
	for {
		err := c.call(ctx, methodBudgets, request.appendTo(nil, next), func(bytes []byte) (err error) {
			next, err = budgets.readPage(bytes)
			return err
		})
		if err != nil || next == "" {
			return budgets, err
		}
	}
}

// Ping says who answers, and how it is.
func (c *Client) Ping(ctx context.Context) (Pong, error) {
	var pong Pong
	err := c.call(ctx, methodPing, nil, func(bytes []byte) (err error) {
		pong, err = readPong(bytes)
		return err
	})
	return pong, err
}

// Close waits until nothing is owed or the context ends, ends every call, and says how many records
// are still owed: a journal keeps them. Further calls change nothing.
func (c *Client) Close(ctx context.Context) (owed int) {
	owed = c.Flush(ctx)
	c.closing.Do(func() {
		c.outbox.close()
		for _, l := range c.links {
			l.close()
		}
		if c.outbox.journal != nil {
			c.outbox.journal.close()
		}
	})
	return owed
}
