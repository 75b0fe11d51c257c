// The types of the contract and its nouns that the client's methods take and return: whoever imports
// BudgetClient has them. The rest of these modules stays out of sight.

@_exported public import enum BudgetModel.BudgetScope
@_exported public import struct BudgetWire.BackupLedgerResponse
@_exported public import struct BudgetWire.Budget
@_exported public import struct BudgetWire.BudgetForecast
@_exported public import struct BudgetWire.Denial
@_exported public import struct BudgetWire.Deployment
@_exported public import struct BudgetWire.ExplainRequestResponse
@_exported public import struct BudgetWire.ExplainedBudget
@_exported public import struct BudgetWire.ExplainedCandidate
@_exported public import struct BudgetWire.FilterDeploymentsRequest
@_exported public import struct BudgetWire.FilterDeploymentsResponse
@_exported public import struct BudgetWire.GetProviderBudgetsRequest
@_exported public import struct BudgetWire.GetProviderBudgetsResponse
@_exported public import struct BudgetWire.GetSpendHistoryRequest
@_exported public import struct BudgetWire.GetSpendHistoryResponse
@_exported public import struct BudgetWire.PatternNames
@_exported public import struct BudgetWire.PingResponse
@_exported public import struct BudgetWire.RPCStatus
@_exported public import struct BudgetWire.RecordSpendRequest
@_exported public import struct BudgetWire.RecordSpendResponse
@_exported public import struct BudgetWire.ReservationTotals
@_exported public import struct BudgetWire.ReserveOptions
@_exported public import struct BudgetWire.ReserveSpendRequest
@_exported public import struct BudgetWire.ReserveSpendResponse
@_exported public import struct BudgetWire.SpendReservation
@_exported public import struct BudgetWire.SpendWindow
@_exported public import enum BudgetWire.StatusCode
