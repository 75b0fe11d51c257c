package budgetd

func readAnswer(bytes []byte) (Answer, hold, error) {
	var answer Answer
	held := hold{chosen: -1}
	r := reader{bytes: bytes}
	for r.next() {
		switch {
		case r.is(1, kindBytes):
			inner := reader{bytes: r.part}
			if answer.Allowed == nil {
				answer.Allowed = make([]int, 0, len(r.part))
			}
			for len(inner.bytes) > 0 {
				position, ok := inner.varint()
				if !ok {
					return answer, held, errUnreadable
				}
				answer.Allowed = append(answer.Allowed, int(position))
			}
		case r.is(1, kindVarint):
			answer.Allowed = append(answer.Allowed, int(r.value))
		case r.is(2, kindBytes):
			denial, err := readDenial(r.part)
			if err != nil {
				return answer, held, err
			}
			answer.Denials = append(answer.Denials, denial)
		case r.is(3, kindBytes):
			candidate, err := readCandidate(r.part)
			if err != nil {
				return answer, held, err
			}
			answer.Candidates = append(answer.Candidates, candidate)
		case r.is(4, kindVarint):
			answer.DenialsOmitted = int(r.value)
		case r.is(5, kindVarint):
			held.chosen = int(r.value)
		case r.is(6, kindBytes):
			held.id = r.text()
		case r.is(7, kindVarint):
			held.expiresAt = int64(r.value)
		case r.is(8, kindFixed8):
			held.reserved = r.double()
		}
	}
	return answer, held, r.err
}

// A hold is a reservation as a response tells of it.
type hold struct {
	id        string
	expiresAt int64
	reserved  float64
	chosen    int
	denials   []Denial
	// Those that the server supplied.
	candidates []Candidate
	omitted    int
}

func readReserved(bytes []byte) (hold, error) {
	held := hold{chosen: -1}
	r := reader{bytes: bytes}
	for r.next() {
		switch {
		case r.is(1, kindBytes):
			held.id = r.text()
		case r.is(2, kindVarint):
			held.expiresAt = int64(r.value)
		case r.is(3, kindBytes):
			denial, err := readDenial(r.part)
			if err != nil {
				return held, err
			}
			held.denials = append(held.denials, denial)
		case r.is(4, kindVarint):
			held.omitted = int(r.value)
		case r.is(5, kindFixed8):
			held.reserved = r.double()
		}
	}
	return held, r.err
}

func readCandidate(bytes []byte) (Candidate, error) {
	var d Candidate
	r := reader{bytes: bytes}
	for r.next() {
		switch {
		case r.is(1, kindBytes):
			d.ID = r.text()
		case r.is(2, kindBytes):
			d.ModelName = r.text()
		case r.is(3, kindBytes):
			d.Model = r.text()
		case r.is(4, kindBytes):
			d.Provider = r.text()
		case r.is(5, kindFixed8):
			value := r.double()
			d.Estimate = &value
		case r.is(6, kindVarint):
			d.Free = r.value != 0
		}
	}
	return d, r.err
}

func readDenial(bytes []byte) (Denial, error) {
	var d Denial
	r := reader{bytes: bytes}
	for r.next() {
		switch {
		case r.is(1, kindVarint):
			d.Deployment = int(r.value)
		case r.is(2, kindVarint):
			d.Scope = Scope(r.value)
		case r.is(3, kindBytes):
			d.Name = r.text()
		case r.is(4, kindFixed8):
			d.Spend = r.double()
		case r.is(5, kindFixed8):
			d.Limit = r.double()
		case r.is(6, kindVarint):
			d.ResetsAt = int64(r.value)
		case r.is(7, kindFixed8):
			d.Withheld = r.double()
		case r.is(8, kindVarint):
			d.Mode = Mode(r.value)
		case r.is(9, kindBytes):
			d.Window = r.text()
		case r.is(10, kindFixed8):
			d.Reserved = r.double()
		}
	}
	return d, r.err
}

// readRecorded says whether the key was seen before.
func readRecorded(bytes []byte) (duplicate bool, err error) {
	r := reader{bytes: bytes}
	for r.next() {
		if r.is(1, kindVarint) {
			duplicate = r.value != 0
		}
	}
	return duplicate, r.err
}

// readExpiry reads the answer to ExtendReservation.
func readExpiry(bytes []byte) (expiresAt int64, err error) {
	r := reader{bytes: bytes}
	for r.next() {
		if r.is(1, kindVarint) {
			expiresAt = int64(r.value)
		}
	}
	return expiresAt, r.err
}

// readBudgets adds a page; nextPage is empty on the last.
func (b *Budgets) readPage(bytes []byte) (nextPage string, err error) {
	r := reader{bytes: bytes}
	for r.next() {
		lists := map[int]*[]Budget{
			1: &b.Providers, 2: &b.Deployments, 3: &b.Tags, 6: &b.Models, 7: &b.Pools, 8: &b.Total}
		list := lists[r.number]
		switch {
		case list != nil && r.kind == kindBytes:
			budget, err := readBudget(r.part)
			if err != nil {
				return "", err
			}
			*list = append(*list, budget)
		case r.is(4, kindVarint):
			b.ReconciledAt = int64(r.value)
		case r.is(5, kindBytes):
			nextPage = r.text()
		}
	}
	return nextPage, r.err
}

func readBudget(bytes []byte) (Budget, error) {
	var b Budget
	r := reader{bytes: bytes}
	for r.next() {
		switch {
		case r.is(1, kindBytes):
			b.Name = r.text()
		case r.is(2, kindFixed8):
			value := r.double()
			b.Limit = &value
		case r.is(3, kindBytes):
			b.Period = r.text()
		case r.is(4, kindFixed8):
			b.Spend = r.double()
		case r.is(5, kindFixed8):
			value := r.double()
			b.Remaining = &value
		case r.is(6, kindVarint):
			b.ResetsAt = int64(r.value)
		case r.is(7, kindFixed8):
			b.Reserved = r.double()
		case r.is(8, kindVarint):
			b.Exhausted = r.value != 0
		case r.is(9, kindVarint):
			b.Mode = Mode(r.value)
		}
	}
	return b, r.err
}

func readPong(bytes []byte) (Pong, error) {
	var p Pong
	r := reader{bytes: bytes}
	for r.next() {
		switch {
		case r.is(1, kindBytes):
			p.Version = r.text()
		case r.is(2, kindBytes):
			p.NodeID = r.text()
		case r.is(3, kindVarint):
			p.Ready = r.value != 0
		case r.is(4, kindBytes):
			p.Durability = r.text()
		case r.is(5, kindBytes):
			p.StoreState = r.text()
		case r.is(6, kindBytes):
			p.NotReadyReason = r.text()
		case r.is(7, kindVarint):
			p.IdempotencyHorizon = int64(r.value)
		case r.is(8, kindBytes):
			p.Methods = append(p.Methods, r.text())
		case r.is(9, kindBytes):
			p.Role = r.text()
		case r.is(10, kindVarint):
			p.InsecureNetwork = r.value != 0
		}
	}
	return p, r.err
}
