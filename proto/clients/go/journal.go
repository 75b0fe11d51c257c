package budgetd

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
)

// Owed records in files: ../README.md has the format, which all languages share.

const (
	journalHeader       = "budgetd journal 1\n"
	entryOwed           = 1
	entryDone           = 2
	entryHeadBytes      = 8
	longestEntry        = 1 << 20
	longestJournalPath  = 80
	journalRewriteBytes = 16 << 20
)

// A note is a record as a journal has it: the address that may have it, and its Request.
type note struct {
	key, address string
	request      []byte
	// Of the notes in this process, in their order.
	number uint64
}

type journal struct {
	folder, name string
	log          func(string)
	lock         *net.UnixListener

	mu   sync.Mutex
	file *os.File
	owed map[string]note
	// Keys of what the disk did not take yet: written before anything else.
	unwritten []string
	owedBytes int
	notes     uint64
	bytes     int
	// The file is written anew when it has more bytes.
	rewriteAbove int
	adopted      int
	// Orphans' files whose records are not all in this process' file yet.
	kept    []string
	failing bool
}

func openJournal(folder string, log func(string)) (*journal, error) {
	unusable := func(why string) error {
		return invalid("the journal's folder %s cannot be used: %s", folder, why)
	}
	if len(folder) > longestJournalPath {
		return nil, unusable(fmt.Sprintf("its path has %d bytes, at most %d", len(folder), longestJournalPath))
	}
	var digits [8]byte
	if _, err := rand.Read(digits[:]); err != nil {
		return nil, unusable(err.Error())
	}
	j := &journal{
		folder: folder, name: hex.EncodeToString(digits[:]), log: log, owed: map[string]note{},
		bytes: len(journalHeader), rewriteAbove: journalRewriteBytes}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, unusable(systemText(err))
	}
	// The socket first: a journal whose lock nobody answers is an orphan.
	lock, err := net.ListenUnix("unix", &net.UnixAddr{Name: j.path(j.name, ".lock"), Net: "unix"})
	if err != nil {
		return nil, unusable(systemText(err))
	}
	j.lock = lock
	if j.file, err = j.newFile(".journal", []byte(journalHeader)); err != nil {
		lock.Close()
		return nil, unusable(systemText(err))
	}
	return j, nil
}

func (j *journal) path(name, ending string) string { return filepath.Join(j.folder, name+ending) }

func (j *journal) newFile(ending string, content []byte) (*os.File, error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC | os.O_APPEND
	file, err := os.OpenFile(j.path(j.name, ending), flags, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := file.Write(content); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func appendOwed(b []byte, n note) []byte {
	payload := make([]byte, 0, 3+len(n.address)+len(n.request))
	payload = append(payload, entryOwed)
	payload = binary.BigEndian.AppendUint16(payload, uint16(len(n.address)))
	payload = append(append(payload, n.address...), n.request...)
	return appendJournalEntry(b, payload)
}

func appendJournalEntry(b, payload []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(payload))
	return append(b, payload...)
}

// owe notes a record before it is sent, and again where it goes to another address.
func (j *journal) owe(n note) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if before, there := j.owed[n.key]; there {
		j.owedBytes -= len(before.request)
	}
	j.notes++
	n.number = j.notes
	j.owed[n.key] = n
	j.owedBytes += len(n.request)
	if len(j.unwritten) == 0 && j.append(appendOwed(nil, n)) {
		return
	}
	j.unwritten = append(j.unwritten, n.key)
	j.writeOut()
}

// done notes that records are answered.
func (j *journal) done(keys []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var entries []byte
	for _, key := range keys {
		before, there := j.owed[key]
		if !there {
			continue
		}
		delete(j.owed, key)
		j.owedBytes -= len(before.request)
		entries = appendJournalEntry(entries, append([]byte{entryDone}, key...))
	}
	switch {
	case len(entries) == 0:
	case len(j.owed) == 0:
		j.wroteAll()
		if err := j.file.Truncate(int64(len(journalHeader))); err != nil {
			j.failed(err)
			return
		}
		j.bytes, j.rewriteAbove = len(journalHeader), journalRewriteBytes
	default:
		if j.append(entries) {
			j.writeOut()
		}
		if j.bytes > j.rewriteAbove && j.owedBytes < j.bytes/4 {
			j.rewrite()
		}
	}
}

// writeOut writes what is not in the file yet, as far as the disk takes it.
func (j *journal) writeOut() {
	for ; len(j.unwritten) > 0; j.unwritten = j.unwritten[1:] {
		if n, there := j.owed[j.unwritten[0]]; there && !j.append(appendOwed(nil, n)) {
			return
		}
	}
	j.wroteAll()
}

// wroteAll: everything that is owed is in the file.
func (j *journal) wroteAll() {
	j.unwritten = nil
	for _, path := range j.kept {
		os.Remove(path)
	}
	j.kept = nil
}

func (j *journal) append(entries []byte) bool {
	if _, err := j.file.Write(entries); err != nil {
		j.failed(err)
		// Readers stop at half an entry, and would not see those behind it.
		if err := j.file.Truncate(int64(j.bytes)); err != nil {
			j.failed(err)
		}
		return false
	}
	j.bytes += len(entries)
	j.failing = false
	return true
}

// rewrite makes the file anew without what is done. Its name stays: the socket is the lock.
func (j *journal) rewrite() {
	notes := make([]note, 0, len(j.owed))
	for _, n := range j.owed {
		notes = append(notes, n)
	}
	sort.Slice(notes, func(a, b int) bool { return notes[a].number < notes[b].number })
	content := []byte(journalHeader)
	for _, n := range notes {
		content = appendOwed(content, n)
	}
	file, err := j.newFile(".new", content)
	if err == nil {
		if err = os.Rename(j.path(j.name, ".new"), j.path(j.name, ".journal")); err != nil {
			file.Close()
		}
	}
	if err != nil {
		os.Remove(j.path(j.name, ".new"))
		// Not tried at each record while the disk is full.
		j.rewriteAbove = 2 * j.bytes
		j.failed(err)
		return
	}
	j.file.Close()
	j.file, j.bytes, j.rewriteAbove = file, len(content), journalRewriteBytes
	j.wroteAll()
}

// failed says once that the journal cannot be written. Records go on: only the end of this process
// would lose what is not in it.
func (j *journal) failed(err error) {
	if !j.failing {
		j.log(fmt.Sprintf("the journal in %s cannot be written: %s", j.folder, systemText(err)))
	}
	j.failing = true
}

// An orphan is the journal of a process that is no more.
type orphan struct {
	path string
	owed []note
}

// orphans takes over the journals that nobody owns. Their files stay until forget.
func (j *journal) orphans() []orphan {
	var found []orphan
	files, err := os.ReadDir(j.folder)
	if err != nil {
		j.log(fmt.Sprintf("the journal's folder %s cannot be read: %s", j.folder, systemText(err)))
		return nil
	}
	for _, file := range files {
		base := strings.TrimSuffix(file.Name(), ".journal")
		owner, _, _ := strings.Cut(base, "+")
		if base == file.Name() || owner == j.name || j.lives(owner) {
			continue
		}
		path := j.path(base, ".journal")
		j.adopted++
		taken := j.path(fmt.Sprintf("%s+%d", j.name, j.adopted), ".journal")
		if err := os.Rename(path, taken); err != nil {
			continue // Another process was quicker.
		}
		content, err := os.ReadFile(taken)
		if err != nil {
			j.log(fmt.Sprintf("the journal %s cannot be read: %s", taken, systemText(err)))
			continue
		}
		os.Remove(j.path(owner, ".lock"))
		found = append(found, orphan{taken, readJournal(content)})
	}
	return found
}

func (j *journal) lives(owner string) bool {
	probe, err := net.Dial("unix", j.path(owner, ".lock"))
	if err == nil {
		probe.Close()
		return true
	}
	// Any other error is that of a socket somebody listens at, with a queue that is full.
	return !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ENOENT)
}

// readJournal is what a file owes, in the order in which it was written.
func readJournal(content []byte) []note {
	if !bytes.HasPrefix(content, []byte(journalHeader)) {
		return nil
	}
	content = content[len(journalHeader):]
	owed, order := map[string]note{}, []string{}
	for len(content) >= entryHeadBytes {
		length := int(binary.BigEndian.Uint32(content))
		sum := binary.BigEndian.Uint32(content[4:])
		content = content[entryHeadBytes:]
		// The end of a process cuts its last entry short: what stands before it counts.
		if length < 1 || length > longestEntry || length > len(content) ||
			crc32.ChecksumIEEE(content[:length]) != sum {
			break
		}
		payload := content[:length]
		content = content[length:]
		switch {
		case payload[0] == entryDone:
			delete(owed, string(payload[1:]))
		case payload[0] == entryOwed && length >= 3:
			size := int(binary.BigEndian.Uint16(payload[1:]))
			if 3+size > length {
				continue
			}
			n := note{address: string(payload[3 : 3+size]), request: payload[3+size:]}
			if n.key = requestKey(n.request); n.key != "" {
				if _, there := owed[n.key]; !there {
					order = append(order, n.key)
				}
				owed[n.key] = n
			}
		}
	}
	var notes []note
	for _, key := range order {
		if n, there := owed[key]; there {
			notes = append(notes, n)
			delete(owed, key) // One that was done and owed again is in the order twice.
		}
	}
	return notes
}

// recordOf is the record in a Request without call_id; nil: there is none.
func recordOf(request []byte) []byte {
	r := reader{bytes: request}
	for r.next() {
		if r.is(methodRecord, kindBytes) {
			return r.part
		}
	}
	return nil
}

func requestKey(request []byte) string {
	key := ""
	r := reader{bytes: recordOf(request)}
	for r.next() {
		if r.is(6, kindBytes) {
			key = string(r.part)
		}
	}
	return key
}

// forget removes an orphan's file, whose records are all owed here: once they are written here. The end
// of this process makes it an orphan again.
func (j *journal) forget(path string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.kept = append(j.kept, path)
	if len(j.unwritten) == 0 {
		j.wroteAll()
	}
}

// close leaves the file where it owes something: whoever starts in the folder next sends it.
func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.writeOut()
	j.file.Close()
	if len(j.owed) == 0 {
		os.Remove(j.path(j.name, ".journal"))
	}
	j.lock.Close() // Removes the socket's file too.
}
