package budgetd

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A request is a frame that a testServer got.
type request struct {
	call   uint64
	method int
	body   []byte
}

// testServer gives each request of each connection to `answer`, one after the other; `reply` sends
// the method's own message, also later.
func testServer(t *testing.T, answer func(got request, reply func(body []byte))) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			go func() {
				buffered := bufio.NewReader(conn)
				for {
					got, err := readRequest(buffered)
					if err != nil {
						return
					}
					answer(got, func(body []byte) {
						text := appendBytes(appendUint(nil, 1, got.call), got.method, body)
						conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
					})
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func readRequest(from io.Reader) (got request, err error) {
	var length [lengthBytes]byte
	if _, err = io.ReadFull(from, length[:]); err != nil {
		return got, err
	}
	text := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err = io.ReadFull(from, text); err != nil {
		return got, err
	}
	r := reader{bytes: text}
	for r.next() {
		switch {
		case r.is(1, kindVarint):
			got.call = r.value
		case r.kind == kindBytes:
			got.method, got.body = r.number, r.part
		}
	}
	return got, r.err
}

func testClient(t *testing.T, settings Settings) *Client {
	settings.OnUnavailable = Closed
	settings.Log = func(message string) { t.Log(message) }
	c, err := New(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		c.Close(over)
	})
	return c
}

func within(t *testing.T, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// More bytes wait while the connection is made than it takes at once.
func TestCallsThatWaitedForAConnectionEnd(t *testing.T) {
	address := testServer(t, func(got request, reply func([]byte)) {
		if got.method == methodAuthenticate {
			time.Sleep(300 * time.Millisecond)
		}
		reply(nil)
	})
	c := testClient(t, Settings{
		Addresses: []string{address}, Token: "t", FilterTimeout: 2 * time.Second})
	tags := []string{strings.Repeat("x", 200_000)}
	results := make(chan error, 60)
	for i := 0; i < cap(results); i++ {
		go func() {
			_, err := c.Filter(within(t, 2*time.Second), FilterRequest{Tags: tags})
			results <- err
		}()
	}
	late := time.After(4 * time.Second)
	for i := 0; i < cap(results); i++ {
		select {
		case err := <-results:
			if err != nil && !strings.Contains(err.Error(), "takes nothing more") {
				t.Error(err)
			}
		case <-late:
			t.Fatalf("%d calls have not ended", cap(results)-i)
		}
	}
}

func TestARecordIsSentOnceTheConnectionTakesItAgain(t *testing.T) {
	address := testServer(t, func(got request, reply func([]byte)) { reply(nil) })
	c := testClient(t, Settings{Addresses: []string{address}})
	if _, err := c.Ping(within(t, time.Second)); err != nil {
		t.Fatal(err)
	}
	fill := func(bytes int) {
		c.links[0].mu.Lock()
		c.links[0].connection.outgoing = make([]byte, bytes)
		c.links[0].mu.Unlock()
	}
	fill(maximumBytesWaiting)
	if _, err := c.Record(Spend{Provider: "openai", Cost: 0.5}); err != nil {
		t.Fatal(err)
	}
	if owed := c.Flush(within(t, 100*time.Millisecond)); owed != 1 {
		t.Fatalf("%d records are owed while nothing more is taken", owed)
	}
	fill(0)
	if owed := c.Flush(within(t, 2*time.Second)); owed != 0 {
		t.Errorf("%d records are owed", owed)
	}
}
