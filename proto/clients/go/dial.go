package budgetd

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// An address of a server: HOST:PORT or unix:PATH.
type address struct {
	text    string
	network string
	target  string
}

func readAddress(text string) (address, error) {
	if path := strings.TrimPrefix(text, "unix:"); path != text && path != "" {
		return address{text, "unix", path}, nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || port == "" || strings.HasPrefix(text, "unix:") {
		return address{}, invalid("'%s' is not an address: give host:port or unix:PATH", text)
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return address{}, invalid("'%s' is not an address: give host:port or unix:PATH", text)
	}
	return address{text, "tcp", text}, nil
}

// Pauses grow from the shortest to the longest, each by a random part.
type pauses struct{ shortest, longest time.Duration }

// after is the pause after so many failures in a row, from 1.
func (p pauses) after(failures int) time.Duration {
	pause := p.shortest
	for ; failures > 1 && pause < p.longest; failures-- {
		pause *= 2
	}
	if pause > p.longest {
		pause = p.longest
	}
	return time.Duration(float64(pause) * (0.5 + rand.Float64()/2))
}

// An introduced is a connection on which the server has taken who the client is.
type introduced struct {
	net.Conn
	// How many calls that took.
	introductions uint64
}

// A dialer makes a connection to an address, with encryption and introduction.
type dialer func(address) (*introduced, *failure)

func newDialer(settings *Settings) (dialer, error) {
	var security *tls.Config
	if settings.TLS != nil {
		for _, text := range settings.Addresses {
			if strings.HasPrefix(text, "unix:") {
				return nil, invalid("%s is not encrypted: leave tls_ca away, or give host:port", text)
			}
		}
		var err error
		if security, err = settings.TLS.config(); err != nil {
			return nil, err
		}
	}
	bound, token, tokenFile := settings.ConnectTimeout, settings.Token, settings.TokenFile
	return func(to address) (*introduced, *failure) {
		ctx, cancel := context.WithTimeout(context.Background(), bound)
		defer cancel()
		var plain net.Dialer
		conn, err := plain.DialContext(ctx, to.network, to.target)
		if err != nil {
			return nil, &failure{text: fmt.Sprintf(
				"no connection to %s: %s", to.text, connectText(err, bound))}
		}
		deadline, _ := ctx.Deadline()
		conn.SetDeadline(deadline)
		if security != nil {
			config := security.Clone()
			if config.ServerName == "" {
				config.ServerName, _, _ = net.SplitHostPort(to.target)
			}
			encrypted := tls.Client(conn, config)
			if err := encrypted.HandshakeContext(ctx); err != nil {
				conn.Close()
				return nil, &failure{text: fmt.Sprintf(
					"no encrypted connection to %s: %s", to.text, connectText(err, bound))}
			}
			conn = encrypted
		}
		ready := &introduced{Conn: conn}
		if tokenFile != "" || token != "" {
			if why := ready.introduce(to, token, tokenFile, bound); why != nil {
				conn.Close()
				return nil, why
			}
		}
		conn.SetDeadline(time.Time{})
		return ready, nil
	}, nil
}

// introduce says who the client is, and waits until the server has taken it. A server that knows no
// Authenticate asks nobody who they are.
func (i *introduced) introduce(to address, token, tokenFile string, bound time.Duration) *failure {
	if tokenFile != "" {
		var err error
		// Read anew for each connection: a token that was changed there is shown from then on.
		if token, err = readToken(tokenFile); err != nil {
			return &failure{text: err.Error()}
		}
	}
	i.introductions = 1
	request := appendFrame(nil, 1, uint32(bound/time.Millisecond), methodAuthenticate,
		appendText(nil, 1, token))
	lost := func(err error) *failure {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return &failure{text: fmt.Sprintf(
				"no answer from %s within %d ms", to.text, bound/time.Millisecond)}
		}
		return &failure{text: fmt.Sprintf(
			"the connection to %s was lost before the answer came", to.text)}
	}
	if _, err := i.Write(request); err != nil {
		return lost(err)
	}
	// Nothing else was asked, so nothing follows the answer that a buffer could take away.
	buffered := bufio.NewReader(i.Conn)
	var length [lengthBytes]byte
	if _, err := io.ReadFull(buffered, length[:]); err != nil {
		return lost(err)
	}
	bytes := make([]byte, binary.BigEndian.Uint32(length[:])&(maximumResponseBytes-1))
	if _, err := io.ReadFull(buffered, bytes); err != nil {
		return lost(err)
	}
	answer, err := readResponse(bytes)
	switch {
	case err != nil:
		return &failure{text: fmt.Sprintf("%s does not speak budget.v1: %s", to.text, err)}
	case answer.status != nil && answer.status.Code != Unimplemented:
		return &failure{
			text:   fmt.Sprintf("%s answered %s", to.text, answer.status),
			status: answer.status}
	}
	return nil
}

func readToken(path string) (string, error) {
	bytes, err := os.ReadFile(path)
	if err != nil {
		return "", invalid("the token file %s cannot be read: %s", path, systemText(err))
	}
	token := strings.TrimSpace(string(bytes))
	if token == "" {
		return "", invalid("the token file %s is empty", path)
	}
	return token, nil
}

// TLS says how connections are encrypted: TLS 1.3. Files are PEM, and read when the client is made.
type TLS struct {
	// The roots that the server's certificate has to lead to; empty: the system's.
	CA string
	// The client's own certificate and its key; empty: it shows none.
	Certificate, Key string
	// The name that the server's certificate has to be for; empty: the address's host.
	ServerName string
}

func (t *TLS) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, t.unusable(systemText(err))
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, t.unusable("no certificate in " + t.CA)
		}
	}
	if t.Certificate != "" || t.Key != "" {
		pair, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, t.unusable(err.Error())
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func (t *TLS) unusable(why string) error {
	var names []string
	for _, name := range []string{t.CA, t.Certificate, t.Key} {
		if name != "" {
			names = append(names, name)
		}
	}
	return invalid("the files for encryption cannot be used (%s): %s", strings.Join(names, ", "), why)
}

// connectText is why no connection was made.
func connectText(err error, bound time.Duration) string {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Sprintf("not within %d ms", bound/time.Millisecond)
	}
	return systemText(err)
}

// systemText is the system's part of an error: without the address or path, which stand before it.
func systemText(err error) string {
	var call *os.SyscallError
	var path *os.PathError
	var operation *net.OpError
	switch {
	case errors.As(err, &call):
		return call.Err.Error()
	case errors.As(err, &path):
		return path.Err.Error()
	case errors.As(err, &operation):
		return operation.Err.Error()
	}
	return err.Error()
}
