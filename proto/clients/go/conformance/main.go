// The driver of the conformance cases: a command a line on stdin, an answer a line on stdout, both
// JSON. ../../conformance/README.md says what they mean.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"budgetd"
)

type command struct {
	ID   int             `json:"id"`
	Op   string          `json:"op"`
	Args json.RawMessage `json:"args"`
}

type object = map[string]interface{}

type driver struct {
	client *budgetd.Client
	mu     sync.Mutex
	holds  map[string]*budgetd.Hold
}

func main() {
	d := &driver{holds: map[string]*budgetd.Hold{}}
	var writing sync.Mutex
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var c command
		if err := json.Unmarshal(line, &c); err != nil {
			fmt.Fprintln(os.Stderr, "not a command:", err)
			os.Exit(2)
		}
		answer := func() {
			text, err := json.Marshal(d.answer(c))
			if err != nil {
				fmt.Fprintln(os.Stderr, "no answer:", err)
				os.Exit(2)
			}
			writing.Lock()
			defer writing.Unlock()
			os.Stdout.Write(append(text, '\n'))
		}
		switch c.Op {
		case "open", "record", "settle", "release":
			answer() // They wait for nothing, and their order counts.
		default:
			go answer()
		}
	}
}

func (d *driver) answer(c command) object {
	result, err := d.run(c.Op, c.Args)
	if err == nil {
		return object{"id": c.ID, "result": result}
	}
	told := object{"kind": "other", "message": err.Error()}
	var known *budgetd.Error
	if errors.As(err, &known) {
		told["kind"] = known.Kind
		if known.Kind == budgetd.KindDenied {
			told["denials"] = denials(known.Denials)
		}
	}
	return object{"id": c.ID, "error": told}
}

type candidate struct {
	ID        string   `json:"id"`
	ModelName string   `json:"model_name"`
	Model     string   `json:"model"`
	Provider  string   `json:"provider"`
	Estimate  *float64 `json:"estimate"`
	Free      bool     `json:"free"`
}

type arguments struct {
	Addresses []string `json:"addresses"`
	Options   options  `json:"options"`

	Candidates []candidate `json:"candidates"`
	Tags       []string    `json:"tags"`
	Estimate   float64     `json:"estimate"`

	Hold         string  `json:"hold"`
	Provider     string  `json:"provider"`
	DeploymentID string  `json:"deployment_id"`
	Model        string  `json:"model"`
	ModelName    string  `json:"model_name"`
	Amount       float64 `json:"amount"`
	TTL          uint32  `json:"ttl_ms"`
	Key          *string `json:"key"`
	Cost         float64 `json:"cost"`
	Timeout      int     `json:"timeout_ms"`
}

type options struct {
	OnUnavailable string `json:"on_unavailable"`
	Filter        int    `json:"filter_timeout_ms"`
	Reserve       int    `json:"reserve_timeout_ms"`
	Record        int    `json:"record_timeout_ms"`
	Call          int    `json:"call_timeout_ms"`
	Connect       int    `json:"connect_timeout_ms"`
	Pause         int    `json:"pause_ms"`
	LongestPause  int    `json:"longest_pause_ms"`
	Outbox        int    `json:"outbox"`
	Journal       string `json:"journal"`
	TokenFile     string `json:"token_file"`
	CA            string `json:"tls_ca"`
	Certificate   string `json:"tls_cert"`
	Key           string `json:"tls_key"`
	ServerName    string `json:"server_name"`
}

func (a *arguments) settings() budgetd.Settings {
	ms := func(count int) time.Duration { return time.Duration(count) * time.Millisecond }
	o := &a.Options
	settings := budgetd.Settings{
		Addresses: a.Addresses, OnUnavailable: o.OnUnavailable,
		FilterTimeout: ms(o.Filter), ReserveTimeout: ms(o.Reserve), RecordTimeout: ms(o.Record),
		CallTimeout: ms(o.Call), ConnectTimeout: ms(o.Connect),
		Pause: ms(o.Pause), LongestPause: ms(o.LongestPause),
		Outbox: o.Outbox, Journal: o.Journal, TokenFile: o.TokenFile,
		Log: func(message string) { fmt.Fprintln(os.Stderr, message) },
	}
	if o.CA != "" {
		settings.TLS = &budgetd.TLS{
			CA: o.CA, Certificate: o.Certificate, Key: o.Key, ServerName: o.ServerName}
	}
	return settings
}

func (a *arguments) candidates() []budgetd.Candidate {
	if a.Candidates == nil {
		return nil
	}
	found := []budgetd.Candidate{}
	for _, c := range a.Candidates {
		found = append(found, budgetd.Candidate{
			ID: c.ID, ModelName: c.ModelName, Model: c.Model, Provider: c.Provider,
			Estimate: c.Estimate, Free: c.Free})
	}
	return found
}

func (a *arguments) spend() budgetd.Spend {
	spend := budgetd.Spend{
		Provider: a.Provider, DeploymentID: a.DeploymentID, Model: a.Model, ModelName: a.ModelName,
		Tags: a.Tags, Cost: a.Cost}
	if a.Key != nil {
		spend.Key = *a.Key
	}
	return spend
}

func (a *arguments) context() (context.Context, context.CancelFunc) {
	if a.Timeout <= 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), time.Duration(a.Timeout)*time.Millisecond)
}

func (d *driver) run(op string, text json.RawMessage) (interface{}, error) {
	var a arguments
	if op == "budgets" {
		return d.budgets(text)
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &a); err != nil {
			return nil, err
		}
	}
	background := context.Background()
	switch op {
	case "open":
		client, err := budgetd.New(a.settings())
		d.client = client
		return object{}, err
	case "filter":
		answer, err := d.client.Filter(background, budgetd.FilterRequest{
			Candidates: a.candidates(), Tags: a.Tags, ModelName: a.ModelName, Estimate: a.Estimate})
		return object{
			"allowed": append([]int{}, answer.Allowed...), "denials": denials(answer.Denials),
			"message": answer.Message, "unavailable": reason(answer.Unavailable)}, err
	case "record":
		key, err := d.client.Record(a.spend())
		return object{"key": key}, err
	case "reserve", "settle", "release", "extend":
		return d.hold(op, &a)
	case "flush", "close":
		ctx, cancel := a.context()
		defer cancel()
		if op == "close" {
			return object{"owed": d.client.Close(ctx)}, nil
		}
		return object{"owed": d.client.Flush(ctx)}, nil
	case "ping":
		pong, err := d.client.Ping(background)
		return object{
			"version": pong.Version, "node_id": pong.NodeID, "ready": pong.Ready,
			"methods": pong.Methods}, err
	case "stats":
		s := d.client.Stats()
		return object{
			"owed": s.Owed, "recorded": s.Recorded, "duplicates": s.Duplicates,
			"dropped": s.Dropped, "retries": s.Retries, "unavailable": s.Unavailable}, nil
	}
	return nil, fmt.Errorf("no such op: %s", op)
}

func (d *driver) hold(op string, a *arguments) (interface{}, error) {
	if op == "reserve" {
		request := budgetd.ReserveRequest{
			Candidates: a.candidates(), Provider: a.Provider, DeploymentID: a.DeploymentID,
			Model: a.Model, ModelName: a.ModelName, Tags: a.Tags, Amount: a.Amount,
			TTLMilliseconds: a.TTL}
		if a.Key != nil {
			request.Key = *a.Key
		}
		hold, err := d.client.Reserve(context.Background(), request)
		if err != nil {
			return nil, err
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.holds[a.Hold] = hold
		var chosen interface{}
		if hold.Chosen >= 0 {
			chosen = hold.Chosen
		}
		return object{
			"id": hold.ID, "chosen": chosen, "reserved": hold.Reserved,
			"unavailable": reason(hold.Unavailable)}, nil
	}
	d.mu.Lock()
	hold := d.holds[a.Hold]
	d.mu.Unlock()
	switch op {
	case "settle":
		key, err := hold.SettleAs(a.spend())
		return object{"key": key}, err
	case "release":
		hold.Release()
		return object{}, nil
	}
	err := hold.Extend(context.Background(), a.TTL)
	return object{"expires_at_ms": hold.ExpiresAt}, err
}

func (d *driver) budgets(text json.RawMessage) (interface{}, error) {
	var wanted struct{ Deployments, Tags, Models, Pools bool }
	if err := json.Unmarshal(text, &wanted); err != nil {
		return nil, err
	}
	found, err := d.client.Budgets(context.Background(), budgetd.BudgetsRequest{
		Deployments: wanted.Deployments, AllTags: wanted.Tags, AllModels: wanted.Models,
		Pools: wanted.Pools})
	shown := func(budgets []budgetd.Budget) []object {
		list := []object{}
		for _, b := range budgets {
			list = append(list, object{
				"name": b.Name, "spend": b.Spend, "limit": b.Limit, "remaining": b.Remaining,
				"period": b.Period, "reserved": b.Reserved})
		}
		return list
	}
	return object{
		"providers": shown(found.Providers), "deployments": shown(found.Deployments),
		"tags": shown(found.Tags), "models": shown(found.Models), "pools": shown(found.Pools),
		"total": shown(found.Total)}, err
}

func denials(all []budgetd.Denial) []object {
	list := []object{}
	for _, denial := range all {
		list = append(list, object{
			"deployment": denial.Deployment, "scope": int(denial.Scope), "name": denial.Name,
			"spend": denial.Spend, "limit": denial.Limit})
	}
	return list
}

func reason(err error) interface{} {
	if err == nil {
		return nil
	}
	return err.Error()
}
