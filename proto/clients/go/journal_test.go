package budgetd

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func testNote(key string, size int) note {
	spend := Spend{Key: key, Cost: 0.5, Tags: []string{string(bytes.Repeat([]byte("x"), size))}}
	return note{key: key, address: "127.0.0.1:1",
		request: appendBytes(nil, methodRecord, spend.appendTo(nil, ""))}
}

func testJournal(t *testing.T) *journal {
	j, err := openJournal(t.TempDir(), func(message string) { t.Error(message) })
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func content(t *testing.T, j *journal) []byte {
	text, err := os.ReadFile(j.path(j.name, ".journal"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAJournalIsWrittenAnewWhereLittleOfItIsOwed(t *testing.T) {
	j := testJournal(t)
	j.owe(testNote("stays", 10))
	for i := 0; i < 400; i++ {
		key := fmt.Sprint(i)
		j.owe(testNote(key, 60_000))
		j.done([]string{key})
	}
	text := content(t, j)
	if len(text) > journalRewriteBytes || len(text) != j.bytes {
		t.Errorf("%d bytes, of which it knows %d", len(text), j.bytes)
	}
	if owed := readJournal(text); len(owed) != 1 || owed[0].key != "stays" {
		t.Errorf("it owes %v", owed)
	}
	j.done([]string{"stays"})
	if text := content(t, j); string(text) != journalHeader {
		t.Errorf("%d bytes are left", len(text))
	}
	j.close()
	if left, _ := filepath.Glob(filepath.Join(j.folder, "*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

func TestAJournalThatWasCutShortOwesWhatStandsBefore(t *testing.T) {
	j := testJournal(t)
	ends := []int{len(journalHeader)}
	for i := 0; i < 3; i++ {
		j.owe(testNote(fmt.Sprint(i), i))
		ends = append(ends, j.bytes)
	}
	text := content(t, j)
	for length := range text {
		whole := 0
		for whole+1 < len(ends) && ends[whole+1] <= length {
			whole++
		}
		if owed := readJournal(text[:length]); len(owed) != whole {
			t.Errorf("of %d bytes it owes %d, not %d", length, len(owed), whole)
		}
	}
	for place := len(journalHeader); place < len(text); place++ {
		broken := append([]byte{}, text...)
		broken[place] ^= 1
		if owed := readJournal(broken); len(owed) > 2 {
			t.Errorf("a wrong byte %d is not seen", place)
		}
	}
}

func TestAMessageThatIsCutShortIsNoMessage(t *testing.T) {
	estimate := 0.25
	request := FilterRequest{
		Candidates: []Candidate{{ID: "d", Model: "m", Estimate: &estimate, Free: true}},
		Tags:       []string{"", "t"}, ModelName: "n", Estimate: 0.5}
	body := request.appendTo(nil)
	for length := range body {
		r := reader{bytes: body[:length]}
		fields := 0
		for r.next() {
			fields++
		}
		if r.err == nil && fields == 5 {
			t.Errorf("%d of %d bytes are read as all", length, len(body))
		}
	}
	candidate, err := readCandidate(request.Candidates[0].appendTo(nil)[2:])
	if err != nil || candidate.ID != "d" || *candidate.Estimate != 0.25 || !candidate.Free {
		t.Errorf("%v %v", candidate, err)
	}
}
