package budgetd

import (
	"log"
	"time"
)

// Filters and reservations end so while no address answers. There is no default: decide it before the
// day comes.
const (
	// Open lets requests pass: every candidate is allowed, and a hold holds nothing.
	Open = "open"
	// Closed denies them: Filter and Reserve fail with KindUnavailable.
	Closed = "closed"
)

// Settings are what a client is told. Addresses and OnUnavailable must be given; other zero values
// stand for the defaults named here.
type Settings struct {
	// HOST:PORT or unix:PATH.
	Addresses []string
	// Open or Closed.
	OnUnavailable string
	// How long Filter waits after its request was written: 100 ms.
	FilterTimeout time.Duration
	// The same of Reserve and Extend: 1.5 s, since a fleet may wait 1 s for room.
	ReserveTimeout time.Duration
	// How long a record waits for its answer before it is sent again: 5 s.
	RecordTimeout time.Duration
	// How long Budgets and Ping wait: 5 s.
	CallTimeout time.Duration
	// A connection is made within: 1 s.
	ConnectTimeout time.Duration
	// Pauses after failures begin at 50 ms and double up to 5 s.
	Pause, LongestPause time.Duration
	// How many records may be owed: 100,000.
	Outbox int
	// A folder in which what is owed survives the end of the process; empty: it does not.
	Journal string
	// Says who the client is; a file is read anew for each connection. Empty: nobody asks.
	Token, TokenFile string
	// nil: connections are in the clear.
	TLS *TLS
	// Told of what no caller hears, such as a record that is refused; nil: log.Print is.
	Log func(message string)
}

func (s Settings) checked() (Settings, error) {
	switch s.OnUnavailable {
	case Open, Closed:
	case "":
		return s, invalid("on_unavailable is not given: " +
			"open lets requests pass while budgetd is away, closed denies them")
	default:
		return s, invalid("on_unavailable is '%s': give open or closed", s.OnUnavailable)
	}
	if len(s.Addresses) == 0 {
		return s, invalid("no address is given: give host:port or unix:PATH")
	}
	for _, of := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&s.FilterTimeout, 100 * time.Millisecond},
		{&s.ReserveTimeout, 1_500 * time.Millisecond},
		{&s.RecordTimeout, 5 * time.Second},
		{&s.CallTimeout, 5 * time.Second},
		{&s.ConnectTimeout, time.Second},
		{&s.Pause, 50 * time.Millisecond},
		{&s.LongestPause, 5 * time.Second},
	} {
		if *of.value <= 0 {
			*of.value = of.standard
		}
	}
	if s.Outbox <= 0 {
		s.Outbox = 100_000
	}
	if s.Log == nil {
		s.Log = func(message string) { log.Print(message) }
	}
	if s.TokenFile != "" {
		if _, err := readToken(s.TokenFile); err != nil {
			return s, err
		}
	}
	return s, nil
}
