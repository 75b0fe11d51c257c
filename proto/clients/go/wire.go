package budgetd

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
)

// The messages of budget.v1 by hand: the bytes are protobuf's, no library is needed for them.
// Requests are written in the order of their fields; what is empty is left out.

const (
	// The server takes 256 KiB; a call's number and timeout stand before the method.
	maximumMethodBytes   = 256<<10 - 32
	maximumResponseBytes = 1 << 20
	lengthBytes          = 4
)

// The methods, by their field in Request and Response.
const (
	methodFilter       = 10
	methodRecord       = 11
	methodBudgets      = 12
	methodReserve      = 13
	methodRelease      = 14
	methodAuthenticate = 20
	methodPing         = 21
	methodExtend       = 22
)

var methodNames = [...]string{
	methodFilter: "filter_deployments", methodRecord: "record_spend",
	methodBudgets: "get_provider_budgets", methodReserve: "reserve_spend",
	methodRelease: "release_reservation", methodAuthenticate: "authenticate",
	methodPing: "ping", methodExtend: "extend_reservation",
}

func isMethod(number int) bool {
	return number < len(methodNames) && methodNames[number] != ""
}

// Kinds of a field's bytes.
const (
	kindVarint = 0
	kindFixed8 = 1
	kindBytes  = 2
	kindFixed4 = 5
)

func appendKey(b []byte, number, kind int) []byte {
	return binary.AppendUvarint(b, uint64(number)<<3|uint64(kind))
}

func appendUint(b []byte, number int, value uint64) []byte {
	if value == 0 {
		return b
	}
	return binary.AppendUvarint(appendKey(b, number, kindVarint), value)
}

func appendFlag(b []byte, number int, value bool) []byte {
	if !value {
		return b
	}
	return appendUint(b, number, 1)
}

// appendDouble writes a value that is there, 0 too.
func appendDouble(b []byte, number int, value float64) []byte {
	return binary.LittleEndian.AppendUint64(
		appendKey(b, number, kindFixed8), math.Float64bits(value))
}

func appendText(b []byte, number int, text string) []byte {
	if text == "" {
		return b
	}
	return appendEntry(b, number, text)
}

// appendEntry writes an entry of a list, an empty one too.
func appendEntry(b []byte, number int, text string) []byte {
	b = appendKey(b, number, kindBytes)
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

func appendBytes(b []byte, number int, bytes []byte) []byte {
	b = appendKey(b, number, kindBytes)
	b = binary.AppendUvarint(b, uint64(len(bytes)))
	return append(b, bytes...)
}

func varintLength(value uint64) int {
	length := 1
	for ; value >= 0x80; value >>= 7 {
		length++
	}
	return length
}

// textLength is what appendText adds for a field below 16.
func textLength(text string) int {
	if text == "" {
		return 0
	}
	return 1 + varintLength(uint64(len(text))) + len(text)
}

var errUnreadable = errors.New("bytes that are no message")

// A reader walks over the fields of one message.
type reader struct {
	bytes  []byte
	number int
	kind   int
	// The value of a varint or of eight bytes.
	value uint64
	// The value of a length-delimited field: part of `bytes`.
	part []byte
	err  error
}

// next reads the next field; false at the end and after an error.
func (r *reader) next() bool {
	if len(r.bytes) == 0 || r.err != nil {
		return false
	}
	key, ok := r.varint()
	if !ok || key>>3 == 0 || key>>3 > math.MaxInt32 {
		return r.fail()
	}
	r.number, r.kind = int(key>>3), int(key&7)
	switch r.kind {
	case kindVarint:
		if r.value, ok = r.varint(); !ok {
			return r.fail()
		}
	case kindFixed8:
		if len(r.bytes) < 8 {
			return r.fail()
		}
		r.value = binary.LittleEndian.Uint64(r.bytes)
		r.bytes = r.bytes[8:]
	case kindBytes:
		length, ok := r.varint()
		if !ok || length > uint64(len(r.bytes)) {
			return r.fail()
		}
		r.part, r.bytes = r.bytes[:length], r.bytes[length:]
	case kindFixed4:
		if len(r.bytes) < 4 {
			return r.fail()
		}
		r.value = uint64(binary.LittleEndian.Uint32(r.bytes))
		r.bytes = r.bytes[4:]
	default:
		return r.fail()
	}
	return true
}

func (r *reader) varint() (uint64, bool) {
	if len(r.bytes) > 0 && r.bytes[0] < 0x80 {
		value := uint64(r.bytes[0])
		r.bytes = r.bytes[1:]
		return value, true
	}
	value, length := binary.Uvarint(r.bytes)
	if length <= 0 {
		return 0, false
	}
	r.bytes = r.bytes[length:]
	return value, true
}

func (r *reader) fail() bool {
	r.err = errUnreadable
	return false
}

func (r *reader) is(number, kind int) bool { return r.number == number && r.kind == kind }

func (r *reader) double() float64 { return math.Float64frombits(r.value) }

func (r *reader) text() string { return strings.ToValidUTF8(string(r.part), "\uFFFD") }

// A response, of which the method's own message is not read yet.
type response struct {
	callID uint64
	status *Status
	method int
	result []byte
}

func readResponse(bytes []byte) (response, error) {
	var answer response
	r := reader{bytes: bytes}
	for r.next() {
		switch {
		case r.is(1, kindVarint):
			answer.callID = r.value
		case r.is(2, kindBytes):
			status, err := readStatus(r.part)
			if err != nil {
				return answer, err
			}
			if status.Code != 0 {
				answer.status = &status
			}
		case r.kind == kindBytes && isMethod(r.number):
			answer.method, answer.result = r.number, r.part
		}
	}
	return answer, r.err
}

func readStatus(bytes []byte) (Status, error) {
	var status Status
	r := reader{bytes: bytes}
	for r.next() {
		switch {
		case r.is(1, kindVarint):
			status.Code = Code(r.value)
		case r.is(2, kindBytes):
			status.Message = r.text()
		}
	}
	return status, r.err
}
