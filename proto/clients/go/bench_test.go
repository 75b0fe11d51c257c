package budgetd

import (
	"context"
	"fmt"
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

func BenchmarkFilterOfOne(b *testing.B) {
	benchmarkFilter(b, FilterRequest{Candidates: []Candidate{{ID: "a", Model: "openai/gpt-4o"}}})
}

// As `budgetctl bench` asks.
func BenchmarkFilterOfEightWithTags(b *testing.B) {
	request := FilterRequest{Tags: []string{"team:a", "user:b"}}
	for i := 0; i < 8; i++ {
		id := fmt.Sprintf("deployment-%d", i)
		request.Candidates = append(request.Candidates, Candidate{ID: id, Model: "openai/gpt-4o"})
	}
	benchmarkFilter(b, request)
}

func benchmarkFilter(b *testing.B, request FilterRequest) {
	budgets := client(b)
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
