package budgetd

// A Candidate is a deployment, one model at one provider, that a request may go to.
type Candidate struct {
	// LiteLLM's model_info.id, which deployments' budgets go by.
	ID string
	// The public name, its model group.
	ModelName string
	// litellm_params.model, such as openai/gpt-4o.
	Model string
	// Empty: the model list's for the id, else derived from the model.
	Provider string
	// Whether it costs nothing: spent budgets of model, pools, tags and total do not keep it out.
	Free bool
	// US dollars that a reservation holds for it; nil: the reservation's amount.
	Estimate *float64
}

// A FilterRequest asks which candidates are within budget.
type FilterRequest struct {
	// At most 1,024. None: the server's configured ones of ModelName.
	Candidates []Candidate
	// At most 256; their budgets count for every candidate.
	Tags []string
	// The public model name that was asked for.
	ModelName string
	// US dollars that the request is expected to cost; 0: none.
	Estimate float64
}

// An Answer says which candidates are within budget.
type Answer struct {
	// Positions of the allowed among the candidates, from 0, ascending.
	Allowed []int
	// Which budget denied which candidate, at most 1,024.
	Denials []Denial
	// How many denials there were past those.
	DenialsOmitted int
	// The candidates, where the server supplied them.
	Candidates []Candidate
	// The reasons in a sentence, as LiteLLM says it, if every candidate is over budget.
	Message string
	// Why budgetd did not answer, and every candidate is allowed for it (Open); nil: it did.
	Unavailable error
}

// A Denial is one budget that denied one candidate.
type Denial struct {
	// The candidate's position, from 0.
	Deployment int
	Scope      Scope
	Name       string
	// US dollars that were compared with the limit.
	Spend, Limit float64
	// Unix milliseconds; 0: no window is open.
	ResetsAt int64
	// How much of Spend nobody has spent: other nodes' parts of the limit while Redis is away.
	Withheld float64
	// How much of Spend reservations hold.
	Reserved float64
	Mode     Mode
	// The window as configured, where the budget is not LiteLLM's own.
	Window string
}

// A Spend is what a request cost, and to whom it is charged. At least one name must be given.
type Spend struct {
	Provider, DeploymentID, Model, ModelName string
	Tags                                     []string
	// US dollars, 0 for a free request.
	Cost float64
	// Makes repetitions harmless; empty: the client makes one.
	Key string
}

// A ReserveRequest asks for an amount to be held back.
type ReserveRequest struct {
	Provider, DeploymentID, Model, ModelName string
	Tags                                     []string
	// US dollars; 0: what budgetd has learned.
	Amount float64
	// Candidates in the order of preference, in place of the names: the first that every budget
	// admits is held for, Hold.Chosen says which. Empty but not nil: the server's configured ones of
	// ModelName.
	Candidates []Candidate
	// Milliseconds after which the hold ends by itself; 0: the server's choice.
	TTLMilliseconds uint32
	// Empty: the client makes one.
	Key string
}

// A BudgetsRequest says which budgets are wanted; the zero value: all providers'.
type BudgetsRequest struct {
	Providers, DeploymentIDs, Tags, Models []string
	// Whether these are wanted too.
	Deployments, AllTags, AllModels, Pools bool
	// With Nearest: a pattern of the configuration, such as user:*.
	Pattern string
	Nearest uint32
}

// Budgets are where the budgets stand, from all pages.
type Budgets struct {
	Providers, Deployments, Tags, Models, Pools, Total []Budget
	// When the node last agreed with Redis, Unix milliseconds; 0: no Redis, or not yet.
	ReconciledAt int64
}

// A Budget is where one budget stands.
type Budget struct {
	Name string
	// US dollars; nil: no limit.
	Limit *float64
	// The window as configured.
	Period string
	Spend  float64
	// Negative once overshot; nil: no limit.
	Remaining *float64
	// Unix milliseconds; 0: no window is open.
	ResetsAt  int64
	Reserved  float64
	Exhausted bool
	Mode      Mode
}

// A Pong says who answers, and how it is.
type Pong struct {
	Version, NodeID string
	Ready           bool
	// commit or memory.
	Durability string
	// none, ok or partitioned.
	StoreState     string
	NotReadyReason string
	// Keys are remembered back to here, Unix milliseconds.
	IdempotencyHorizon int64
	// The methods that the server has, by their field in Request.
	Methods []string
	// Says what the connection may do.
	Role            string
	InsecureNetwork bool
}

// A Scope is what a budget applies to.
type Scope int

// The scopes.
const (
	ScopeProvider Scope = 1 + iota
	ScopeDeployment
	ScopeTag
	ScopeModel
	ScopePool
	ScopeTotal
)

// String is the scope's word: provider.
func (s Scope) String() string {
	names := [...]string{
		"unspecified", "provider", "deployment", "tag", "model", "pool", "total"}
	if s < 0 || int(s) >= len(names) {
		return "unspecified"
	}
	return names[s]
}

// A Mode is what a budget does at its limit.
type Mode int

// The modes.
const (
	ModeEnforce Mode = iota
	ModeShadow
	ModeFreeze
)

// String is the mode's word: enforce.
func (m Mode) String() string {
	names := [...]string{"enforce", "shadow", "freeze"}
	if m < 0 || int(m) >= len(names) {
		return "enforce"
	}
	return names[m]
}
