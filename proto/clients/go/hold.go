package budgetd

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

const standardTTL = 2 * time.Minute

// A Hold keeps an amount back until it is settled, released, or its time is over.
//
//	hold, err := client.Reserve(ctx, request)
//	if err != nil { ... }
//	defer hold.Release() // does nothing after Settle
type Hold struct {
	// Names the reservation; empty where it holds nothing.
	ID string
	// The position of the candidate that it is for; -1: none was given.
	Chosen int
	// US dollars.
	Reserved float64
	// When it ends by itself, Unix milliseconds.
	ExpiresAt int64
	// Why budgetd did not answer, and nothing is held for it (Open); nil: it did.
	Unavailable error

	client *Client
	place  int
	names  Spend
	over   atomic.Bool
	key    string
}

// Reserve holds an amount. Denied: KindDenied, with the denials.
//
// While no address answers, Open gives a hold that holds nothing, whose Settle is an ordinary record.
//
// What is held after the context has ended is released when the answer comes, unless the request has
// a Key: with that it may be asked for again.
func (c *Client) Reserve(ctx context.Context, request ReserveRequest) (*Hold, error) {
	// Whoever has the key may ask again for the same hold: then it must not have ended.
	var late func(*call, *link)
	if request.Key == "" {
		request.Key = NewKey()
		late = c.unwanted
	}
	method := methodReserve
	if request.Candidates != nil {
		method = methodFilter
	}
	answer, l, why, err := c.askAny(
		ctx, method, request.appendTo(nil), c.settings.ReserveTimeout, late)
	if err != nil {
		return nil, err
	}
	held := hold{chosen: -1}
	if why == nil {
		status := answer.status
		if held, err = readHold(answer, method); err != nil {
			why = unreadable(l, err)
		}
		c.pool.Put(answer)
		switch {
		case why != nil:
		case status == nil:
			return c.hold(request, held, l.place), nil
		case status.Code == ResourceExhausted:
			return nil, &Error{
				Kind: KindDenied, Message: status.Message, Status: status,
				Denials: held.denials, DenialsOmitted: held.omitted}
		default:
			return nil, refused(status)
		}
	}
	c.unserved.Add(1)
	if c.settings.OnUnavailable == Closed {
		return nil, unavailable(why)
	}
	nothing := c.hold(request, hold{chosen: -1}, c.current.Load())
	nothing.Unavailable = errors.New(why.text)
	return nothing, nil
}

// unwanted releases what is held for a caller that has gone.
func (c *Client) unwanted(answer *call, l *link) {
	if answer.why != nil {
		return
	}
	if held, err := readHold(answer, answer.method); err == nil {
		c.hold(ReserveRequest{}, held, l.place).Release()
	}
}

func readHold(answer *call, method int) (hold, error) {
	if answer.answer != method {
		if answer.status == nil {
			return hold{}, wrongMethod(answer.answer, method)
		}
		return hold{}, nil
	}
	if method == methodReserve {
		return readReserved(answer.result)
	}
	filtered, held, err := readAnswer(answer.result)
	held.denials, held.omitted = filtered.Denials, filtered.DenialsOmitted
	held.candidates = filtered.Candidates
	return held, err
}

func (c *Client) hold(request ReserveRequest, held hold, place int32) *Hold {
	names := Spend{
		Provider: request.Provider, DeploymentID: request.DeploymentID, Model: request.Model,
		ModelName: request.ModelName, Tags: request.Tags,
	}
	candidates := held.candidates
	if len(candidates) == 0 {
		candidates = request.Candidates
	}
	if held.chosen >= 0 && held.chosen < len(candidates) {
		chosen := candidates[held.chosen]
		names.Provider, names.DeploymentID, names.Model = chosen.Provider, chosen.ID, chosen.Model
		if names.ModelName == "" {
			names.ModelName = chosen.ModelName
		}
	}
	if held.reserved == 0 {
		held.reserved = request.Amount
	}
	return &Hold{
		ID: held.id, Chosen: held.chosen, Reserved: held.reserved, ExpiresAt: held.expiresAt,
		client: c, place: int(place), names: names,
	}
}

// Settle ends the hold with the record of what the request cost, charged to what was reserved.
func (h *Hold) Settle(cost float64) (key string, err error) {
	spend := h.names
	spend.Cost = cost
	return h.SettleAs(spend)
}

// SettleAs ends the hold with a record that may charge others than what was reserved. The second end
// of a hold does nothing, and gives the key of the first.
func (h *Hold) SettleAs(spend Spend) (key string, err error) {
	if h.over.Swap(true) {
		return h.key, nil
	}
	if spend.Provider == "" && spend.DeploymentID == "" && spend.Model == "" &&
		spend.ModelName == "" && len(spend.Tags) == 0 {
		names := h.names
		names.Cost, names.Key = spend.Cost, spend.Key
		spend = names
	}
	key, err = h.client.owe(spend, h.ID, h.place)
	if err != nil {
		h.over.Store(false)
		return "", err
	}
	h.key = key
	return key, nil
}

// Release ends the hold with nothing. It does not wait: a release that is lost leaves the hold to
// its time.
func (h *Hold) Release() {
	if h.over.Swap(true) || h.ID == "" {
		return
	}
	until := h.ExpiresAt
	if until == 0 {
		until = time.Now().Add(standardTTL).UnixMilli()
	}
	h.client.outbox.release(h.ID, h.place, until)
}

// Extend makes the hold last so many milliseconds from now, if that is longer; 0: the server's
// choice. Refused with NOT_FOUND where it has ended.
func (h *Hold) Extend(ctx context.Context, ttlMilliseconds uint32) error {
	if h.ID == "" || h.over.Load() {
		return nil
	}
	body := appendUint(appendText(nil, 1, h.ID), 2, uint64(ttlMilliseconds))
	l := h.client.links[h.place]
	answer, _, why, err := h.client.askEach(
		ctx, []*link{l, l}, methodExtend, body, h.client.settings.ReserveTimeout, nil)
	if err != nil {
		return err
	}
	if why != nil {
		return unavailable(why)
	}
	return h.client.result(answer, l, func(bytes []byte) (err error) {
		h.ExpiresAt, err = readExpiry(bytes)
		return err
	})
}
