package budgetd

import "fmt"

// A Code is how a call ended on the server: gRPC's names and numbers.
type Code int

// The codes.
const (
	OK Code = iota
	Cancelled
	Unknown
	InvalidArgument
	DeadlineExceeded
	NotFound
	AlreadyExists
	PermissionDenied
	ResourceExhausted
	FailedPrecondition
	Aborted
	OutOfRange
	Unimplemented
	Internal
	ServerUnavailable
	DataLoss
	Unauthenticated
)

var codeNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
	"OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// String is the code's name in Status.Code.
func (c Code) String() string {
	if c < 0 || int(c) >= len(codeNames) {
		return fmt.Sprintf("CODE_%d", int(c))
	}
	return codeNames[c]
}

// A Status is the server's word on a call.
type Status struct {
	Code Code
	// For people.
	Message string
}

// String is `CODE: message`.
func (s *Status) String() string {
	if s.Message == "" {
		return s.Code.String()
	}
	return s.Code.String() + ": " + s.Message
}

// A Kind says what a caller can do about an Error.
type Kind string

// The kinds, as every language of these clients has them.
const (
	// No candidate of a reservation has room: do not send the request.
	KindDenied Kind = "denied"
	// The server answered something that another try does not change.
	KindRefused Kind = "refused"
	// No address answered.
	KindUnavailable Kind = "unavailable"
	// As many records are owed as may be.
	KindOutboxFull Kind = "outbox_full"
	// The client was closed.
	KindClosed Kind = "closed"
	// A setting or an argument is not what it has to be.
	KindInvalid Kind = "invalid"
)

// An Error is why a call of the client has no result. A context's own error is passed on as it is.
type Error struct {
	Kind    Kind
	Message string
	// The server's, if it sent one.
	Status *Status
	// Of KindDenied: which budgets denied which candidate.
	Denials        []Denial
	DenialsOmitted int
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Is makes errors.Is(err, ErrDenied) true for every denied reservation, and so on.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Message == "" && other.Kind == e.Kind
}

// To be compared with by errors.Is.
var (
	ErrDenied      = &Error{Kind: KindDenied}
	ErrRefused     = &Error{Kind: KindRefused}
	ErrUnavailable = &Error{Kind: KindUnavailable}
	ErrOutboxFull  = &Error{Kind: KindOutboxFull}
	ErrClosed      = &Error{Kind: KindClosed}
	ErrInvalid     = &Error{Kind: KindInvalid}
)

func invalid(format string, values ...interface{}) *Error {
	return &Error{Kind: KindInvalid, Message: fmt.Sprintf(format, values...)}
}

func closedError() *Error { return &Error{Kind: KindClosed, Message: "the client was closed"} }

func unavailable(why *failure) *Error {
	return &Error{
		Kind: KindUnavailable, Message: "budgetd does not answer: " + why.text, Status: why.status}
}

func refused(status *Status) *Error {
	return &Error{Kind: KindRefused, Message: "the server answered " + status.String(), Status: status}
}

// tooLong is why a method's message is not sent: the server would close the connection.
func tooLong(method int, body []byte) error {
	count := varintLength(uint64(method)<<3) + varintLength(uint64(len(body))) + len(body)
	if count <= maximumMethodBytes {
		return nil
	}
	return invalid("the request has %d bytes: at most %d are allowed", count, maximumMethodBytes)
}

// A failure is why one try at one address has no result.
type failure struct {
	text   string
	status *Status
	// The address pauses: nothing was tried.
	paused bool
	// The client was closed.
	closed bool
	// Bytes of the request may have been sent, and the server said nothing of it.
	doubtful bool
}
