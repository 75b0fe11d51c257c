package budgetd

import "encoding/binary"

// Each function appends the method's own message; frame puts the envelope around it.

func (d *Candidate) length() int {
	length := textLength(d.ID) + textLength(d.ModelName) + textLength(d.Model) + textLength(d.Provider)
	if d.Estimate != nil {
		length += 9
	}
	if d.Free {
		length += 2
	}
	return length
}

func (d *Candidate) appendTo(b []byte) []byte {
	b = appendKey(b, 1, kindBytes)
	b = binary.AppendUvarint(b, uint64(d.length()))
	b = appendText(b, 1, d.ID)
	b = appendText(b, 2, d.ModelName)
	b = appendText(b, 3, d.Model)
	b = appendText(b, 4, d.Provider)
	if d.Estimate != nil {
		b = appendDouble(b, 5, *d.Estimate)
	}
	return appendFlag(b, 6, d.Free)
}

func (r *FilterRequest) appendTo(b []byte) []byte {
	for i := range r.Candidates {
		b = r.Candidates[i].appendTo(b)
	}
	for _, tag := range r.Tags {
		b = appendEntry(b, 2, tag)
	}
	b = appendText(b, 3, r.ModelName)
	if r.Estimate != 0 {
		b = appendDouble(b, 4, r.Estimate)
	}
	return b
}

func (s *Spend) appendTo(b []byte, reservation string) []byte {
	b = appendText(b, 1, s.Provider)
	b = appendText(b, 2, s.DeploymentID)
	b = appendText(b, 3, s.Model)
	for _, tag := range s.Tags {
		b = appendEntry(b, 4, tag)
	}
	b = appendDouble(b, 5, s.Cost)
	b = appendText(b, 6, s.Key)
	b = appendText(b, 7, reservation)
	return appendText(b, 8, s.ModelName)
}

// appendTo writes ReserveSpend, or FilterDeployments with `reserve` where there are candidates.
func (r *ReserveRequest) appendTo(b []byte) []byte {
	if r.Candidates != nil {
		question := FilterRequest{Candidates: r.Candidates, Tags: r.Tags, ModelName: r.ModelName}
		b = question.appendTo(b)
		b = appendFlag(b, 5, true)
		if r.Amount > 0 {
			b = appendDouble(b, 6, r.Amount)
		}
		b = appendUint(b, 7, uint64(r.TTLMilliseconds))
		return appendText(b, 8, r.Key)
	}
	b = appendText(b, 1, r.Provider)
	b = appendText(b, 2, r.DeploymentID)
	b = appendText(b, 3, r.Model)
	for _, tag := range r.Tags {
		b = appendEntry(b, 4, tag)
	}
	if r.Amount > 0 {
		b = appendDouble(b, 5, r.Amount)
	}
	b = appendUint(b, 6, uint64(r.TTLMilliseconds))
	b = appendText(b, 7, r.Key)
	return appendText(b, 8, r.ModelName)
}

func (r *BudgetsRequest) appendTo(b []byte, pageToken string) []byte {
	for _, name := range r.Providers {
		b = appendEntry(b, 1, name)
	}
	b = appendFlag(b, 2, r.Deployments)
	b = appendFlag(b, 3, r.AllTags)
	b = appendText(b, 5, pageToken)
	for _, name := range r.DeploymentIDs {
		b = appendEntry(b, 6, name)
	}
	for _, name := range r.Tags {
		b = appendEntry(b, 7, name)
	}
	b = appendFlag(b, 8, r.AllModels)
	b = appendFlag(b, 9, r.Pools)
	for _, name := range r.Models {
		b = appendEntry(b, 10, name)
	}
	b = appendText(b, 11, r.Pattern)
	return appendUint(b, 12, uint64(r.Nearest))
}

// appendFrame writes a whole frame; `body` is the method's message.
func appendFrame(b []byte, callID uint64, timeoutMilliseconds uint32, method int, body []byte) []byte {
	length := 1 + varintLength(callID)
	if timeoutMilliseconds > 0 {
		length += 1 + varintLength(uint64(timeoutMilliseconds))
	}
	if method > 0 {
		length += varintLength(uint64(method)<<3) + varintLength(uint64(len(body))) + len(body)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(length))
	b = appendUint(b, 1, callID)
	b = appendUint(b, 2, uint64(timeoutMilliseconds))
	if method > 0 {
		b = appendBytes(b, method, body)
	}
	return b
}
