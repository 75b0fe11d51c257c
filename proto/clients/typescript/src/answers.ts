// Values that go in and come out. Money is in US dollars, times are Unix milliseconds.

/** A deployment that a request may go to. */
export interface Candidate {
  /** LiteLLM's `model_info.id`, which deployments' budgets go by. */
  id?: string;
  /** The public name, its model group. */
  modelName?: string;
  /** `litellm_params.model`, such as `openai/gpt-4o`. */
  model?: string;
  /** Absent: the model list's for the id, else derived from the model. */
  provider?: string;
  /** A reservation holds so much for it; absent: the reservation's amount. */
  estimate?: number;
  /** Whether it costs nothing. */
  free?: boolean;
}

/** Who is charged. At least one name must be given. */
export interface Charged {
  provider?: string;
  deploymentId?: string;
  model?: string;
  modelName?: string;
  tags?: readonly string[];
}

/** One budget that denied one candidate. */
export interface Denial {
  /** The candidate's position. */
  deployment: number;
  /** 1 provider, 2 deployment, 3 tag, 4 model, 5 pool, 6 total. */
  scope: number;
  name: string;
  /** The amount that was compared with the limit. */
  spend: number;
  limit: number;
  resetsAt?: number;
  withheld: number;
  reserved: number;
  /** 0 enforce, 1 shadow, 2 freeze. */
  mode: number;
  window: string;
}

/** Which candidates are within budget. */
export interface Answer {
  /** Positions among the candidates, ascending. */
  allowed: number[];
  denials: Denial[];
  /** How many denials there were past those. */
  denialsOmitted: number;
  /** The candidates, where the server supplied them. */
  candidates: Candidate[];
  /** Why nothing is allowed, in the server's words. */
  message: string;
  /** Why budgetd was not asked: then every candidate is allowed. null: it was. */
  unavailable: string | null;
}

/** Where one budget stands. */
export interface Budget {
  name: string;
  /** Absent: there is none. */
  limit?: number;
  /** The window as configured. */
  period: string;
  spend: number;
  remaining?: number;
  resetsAt?: number;
  reserved: number;
  exhausted: boolean;
  mode: number;
}

/** All budgets, of each scope that was asked for. */
export interface Budgets {
  providers: Budget[];
  deployments: Budget[];
  tags: Budget[];
  models: Budget[];
  pools: Budget[];
  total: Budget[];
  reconciledAt: number;
}

/** Which budgets are wanted besides those of providers. */
export interface BudgetsWanted {
  deployments?: boolean;
  tags?: boolean;
  models?: boolean;
  pools?: boolean;
}

/** Who answers, and how it is. */
export interface Pong {
  version: string;
  nodeId: string;
  ready: boolean;
  durability: string;
  storeState: string;
  notReadyReason: string;
  idempotencyHorizon: number;
  methods: string[];
  role: string;
}

/** Counts of what a client has done since it was made. */
export interface Stats {
  /** Records that are not answered yet. */
  owed: number;
  /** Records that budgetd has taken, duplicates included. */
  recorded: number;
  /** Records whose key budgetd had seen before. */
  duplicates: number;
  /** Records that were refused for good. */
  dropped: number;
  /** Records that were sent again. */
  retries: number;
  /** Filters and reservations that `onUnavailable` has answered. */
  unavailable: number;
}
