package budgetd

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"
)

// Random bytes for keys are taken many at a time: each system call costs more than a key.
var keyBytes struct {
	sync.Mutex
	pool [1_000]byte
	used int
}

// NewKey makes an idempotency key: a UUIDv7. A caller that keeps records of its own makes the key
// before it hands them over.
func NewKey() string {
	var id [16]byte
	keyBytes.Lock()
	if keyBytes.used == 0 || keyBytes.used+10 > len(keyBytes.pool) {
		if _, err := rand.Read(keyBytes.pool[:]); err != nil {
			panic("the system has no random bytes: " + err.Error())
		}
		keyBytes.used = 0
	}
	copy(id[6:], keyBytes.pool[keyBytes.used:keyBytes.used+10])
	keyBytes.used += 10
	keyBytes.Unlock()
	milliseconds := uint64(time.Now().UnixMilli())
	for i := 0; i < 6; i++ {
		id[i] = byte(milliseconds >> (40 - 8*i))
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	var text [36]byte
	hex.Encode(text[0:8], id[0:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:36], id[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}
