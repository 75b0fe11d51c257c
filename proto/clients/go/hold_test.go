package budgetd

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestAHoldThatNobodyWaitsForIsReleased(t *testing.T) {
	for _, of := range []struct {
		name    string
		request ReserveRequest
		kept    bool
	}{
		{"names", ReserveRequest{Provider: "openai", Amount: 0.5}, false},
		{"candidates", ReserveRequest{Candidates: []Candidate{{ID: "d"}}, Amount: 0.5}, false},
		// Whoever has the key may ask again, and is given the same hold.
		{"key", ReserveRequest{Provider: "openai", Amount: 0.5, Key: "mine"}, true},
	} {
		of := of
		t.Run(of.name, func(t *testing.T) {
			released := make(chan string, 10)
			answered := make(chan struct{})
			address := testServer(t, func(got request, reply func([]byte)) {
				switch got.method {
				case methodReserve, methodFilter:
					time.AfterFunc(150*time.Millisecond, func() {
						number := 1
						if got.method == methodFilter {
							number = 6
						}
						reply(appendText(nil, number, "the hold"))
						close(answered)
					})
				case methodRelease:
					r := reader{bytes: got.body}
					r.next()
					released <- r.text()
					reply(nil)
				}
			})
			c := testClient(t, Settings{Addresses: []string{address}})
			_, err := c.Reserve(within(t, 50*time.Millisecond), of.request)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("it ended with %v", err)
			}
			<-answered
			select {
			case id := <-released:
				if of.kept || id != "the hold" {
					t.Errorf("'%s' was released", id)
				}
			case <-time.After(500 * time.Millisecond):
				if !of.kept {
					t.Error("nothing was released")
				}
			}
		})
	}
}

// An endedContext ends while the answer comes: of the two either may be seen first.
type endedContext struct {
	context.Context
	err error
}

func (c *endedContext) Done() <-chan struct{} {
	time.Sleep(10 * time.Millisecond)
	c.err = context.Canceled
	done := make(chan struct{})
	close(done)
	return done
}

func (c *endedContext) Err() error { return c.err }

func TestAHoldWhoseAnswerMeetsTheContextsEndIsReleased(t *testing.T) {
	released := make(chan struct{}, 100)
	address := testServer(t, func(got request, reply func([]byte)) {
		reply(appendText(nil, 1, "the hold"))
		if got.method == methodRelease {
			released <- struct{}{}
		}
	})
	c := testClient(t, Settings{Addresses: []string{address}})
	if _, err := c.Ping(within(t, time.Second)); err != nil {
		t.Fatal(err)
	}
	left := 0
	for i := 0; i < 30; i++ {
		ended := &endedContext{Context: context.Background()}
		if _, err := c.Reserve(ended, ReserveRequest{Provider: "openai", Amount: 0.5}); err != nil {
			left++
		}
	}
	if left == 0 {
		t.Fatal("the end of the context was never seen first")
	}
	for i := 0; i < left; i++ {
		select {
		case <-released:
		case <-time.After(time.Second):
			t.Fatalf("%d of %d holds were released", i, left)
		}
	}
}

func TestAReserveThatIsNeverAnsweredIsForgotten(t *testing.T) {
	address := testServer(t, func(got request, reply func([]byte)) {})
	c := testClient(t, Settings{
		Addresses: []string{address}, ReserveTimeout: 200 * time.Millisecond})
	if _, err := c.Reserve(
		within(t, 50*time.Millisecond), ReserveRequest{Provider: "openai"}); err == nil {
		t.Fatal("it was answered")
	}
	underWay := func() int {
		c.links[0].mu.Lock()
		defer c.links[0].mu.Unlock()
		return len(c.links[0].connection.underWay)
	}
	if underWay() != 1 {
		t.Errorf("%d calls wait for an answer that may come yet", underWay())
	}
	time.Sleep(400 * time.Millisecond)
	if underWay() != 0 {
		t.Errorf("%d calls wait for ever", underWay())
	}
}
