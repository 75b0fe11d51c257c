package budgetd

import (
	"context"
	"os"
	"testing"
)

// Throughput against a real budgetd:
//
//	BUDGETD_ADDRESS=127.0.0.1:7077 go test -run - -bench . -benchtime 5s
func client(b *testing.B) *Client {
	address := os.Getenv("BUDGETD_ADDRESS")
	if address == "" {
		b.Skip("BUDGETD_ADDRESS names no budgetd")
	}
	client, err := New(Settings{Addresses: []string{address}, OnUnavailable: Closed})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Close(context.Background()) })
	return client
}

func BenchmarkFilter(b *testing.B) {
	budgets := client(b)
	request := FilterRequest{Candidates: []Candidate{{ID: "a", Model: "openai/gpt-4o"}}}
	b.ReportAllocs()
	b.SetParallelism(256)
	b.RunParallel(func(each *testing.PB) {
		for each.Next() {
			if _, err := budgets.Filter(context.Background(), request); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	budgets := client(b)
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if budgets.Stats().Owed > 50_000 {
			budgets.Flush(context.Background())
		}
		if _, err := budgets.Record(Spend{Provider: "openai", Cost: 1e-6}); err != nil {
			b.Fatal(err)
		}
	}
	budgets.Flush(context.Background())
}
