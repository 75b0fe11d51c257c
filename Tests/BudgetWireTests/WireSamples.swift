import BudgetModel
import Testing
import WholeRequests

@testable import BudgetWire

/// Requests by hand, so that they can also be wrong.
enum RawField {
  static func varint(_ value: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendVarint(value)
    return bytes
  }

  static func key(_ number: UInt64, _ wireType: UInt64) -> [UInt8] {
    varint(number << 3 | wireType)
  }

  static func integer(_ number: UInt64, _ value: UInt64) -> [UInt8] {
    key(number, 0) + varint(value)
  }

  static func bytes(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
    key(number, 2) + varint(UInt64(bytes.count)) + bytes
  }

  static func text(_ number: UInt64, _ text: String) -> [UInt8] { bytes(number, Array(text.utf8)) }

  static func double(_ number: UInt64, _ value: Double) -> [UInt8] {
    key(number, 1) + (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> ($0 * 8)) }
  }

  static func times(_ count: Int, _ bytes: [UInt8]) -> [UInt8] {
    Array(repeatElement(bytes, count: count).joined())
  }
}

extension RequestMessage {
  /// Copies what the views show.
  init(_ request: WireRequest) {
    self.init(
      callID: request.callID, timeoutMilliseconds: request.timeoutMilliseconds, method: nil)
    switch request.method {
    case .filterDeployments(let view): method = .filterDeployments(FilterDeploymentsRequest(view))
    case .explainRequest(let view): method = .explainRequest(FilterDeploymentsRequest(view))
    case .recordSpend(let view):
      var message = RecordSpendRequest(costUSD: view.costUSD)
      message.provider = view.provider.text
      message.deploymentID = view.deploymentID.text
      message.model = view.model.text
      message.tags = (0..<view.tagCount).map { view.tag(at: $0).text }
      message.idempotencyKey = view.idempotencyKey.text
      message.reservationID = view.reservationID.text
      method = .recordSpend(message)
    case .getProviderBudgets(let view):
      var message = GetProviderBudgetsRequest()
      message.providers = (0..<view.providerCount).map { view.provider(at: $0).text }
      message.includesDeployments = view.includesDeployments
      message.includesTags = view.includesTags
      message.pageSize = view.pageSize
      message.pageToken = view.pageToken.text
      message.deploymentIDs = (0..<view.deploymentIDCount).map { view.deploymentID(at: $0).text }
      message.tags = (0..<view.tagCount).map { view.tag(at: $0).text }
      message.pattern = view.pattern.text
      message.nearest = view.nearest
      method = .getProviderBudgets(message)
    case .getSpendHistory(let view):
      var message = GetSpendHistoryRequest(
        scope: view.scope, name: view.name.text, window: view.window.text)
      (message.pageSize, message.pageToken) = (view.pageSize, view.pageToken.text)
      method = .getSpendHistory(message)
    case .backupLedger(let view): method = .backupLedger(path: view.path.text)
    case .authenticate(let view): method = .authenticate(token: view.token.text)
    case .reserveSpend(let view):
      var message = ReserveSpendRequest(amountUSD: view.amountUSD)
      message.provider = view.provider.text
      message.deploymentID = view.deploymentID.text
      message.model = view.model.text
      view.forEachTag { message.tags.append($0.text) }
      message.ttlMilliseconds = view.ttlMilliseconds
      message.idempotencyKey = view.idempotencyKey.text
      message.modelName = view.modelName.text
      method = .reserveSpend(message)
    case .releaseReservation(let view): method = .releaseReservation(id: view.reservationID.text)
    case .extendReservation(let view):
      method = .extendReservation(
        id: view.reservationID.text, ttlMilliseconds: view.ttlMilliseconds)
    case .setBudget(let view):
      var message = SetBudgetRequest(BudgetTarget(view.target), nil)
      if let limit = view.limitUSD { message.setting = .limitUSD(limit) }
      if view.hasNoLimit { message.setting = .noLimit }
      if let mode = view.mode { message.setting = .mode(mode) }
      if view.untilUnixMilliseconds != 0 {
        message.untilUnixMilliseconds = view.untilUnixMilliseconds
      }
      (message.reason, message.ifVersion) = (view.reason.text, view.ifVersion?.text)
      method = .setBudget(message)
    case .clearBudget(let view):
      method = .clearBudget(
        ClearBudgetRequest(BudgetTarget(view.target), reason: view.reason.text))
    case .resetBudget(let view):
      method = .resetBudget(
        ResetBudgetRequest(
          BudgetTarget(view.target), toUSD: view.toUSD, reason: view.reason.text))
    case .listChanges(let view):
      var message = ListChangesRequest()
      (message.pageSize, message.pageToken) = (view.pageSize, view.pageToken.text)
      if view.sinceUnixMilliseconds != 0 {
        message.sinceUnixMilliseconds = view.sinceUnixMilliseconds
      }
      method = .listChanges(message)
    case .reloadConfig: method = .reloadConfig
    case .ping: method = .ping
    case .none: method = nil
    }
  }

  /// The request that a fresh server-side decoder reads from `message`, one frame without its
  /// header.
  static func decoded(
    _ message: [UInt8], bounds: WireBounds = .standard
  ) throws(WireRefusal) -> RequestMessage {
    var decoder = RequestDecoder(bounds: bounds)
    return try decoder.withRequest(frame: message.span) { RequestMessage($0) }
  }
}

extension BudgetTarget {
  /// Copies what the view shows.
  init(_ view: NamedTarget) {
    self.init(view.scope, view.name.text, window: view.window.text)
  }
}

extension FilterDeploymentsRequest {
  /// Copies what the view shows.
  init(_ view: FilterDeploymentsView) {
    self.init(
      deployments: (0..<view.deploymentCount).map { index in
        let deployment = view.deployment(at: index)
        return Deployment(
          id: deployment.id.text, modelName: deployment.modelName.text,
          model: deployment.model.text, provider: deployment.provider.text,
          isFree: deployment.isFree, estimatedCostUSD: deployment.estimatedCostUSD)
      },
      tags: (0..<view.tagCount).map { view.tag(at: $0).text }, modelName: view.modelName.text,
      estimatedCostUSD: view.estimatedCostUSD)
    if view.reserve.isWanted {
      reserve = ReserveOptions(
        amountUSD: view.reserve.amountUSD, ttlMilliseconds: view.reserve.ttlMilliseconds,
        idempotencyKey: view.reserve.idempotencyKey.text)
    }
  }
}

enum WireSamples {
  /// The refusal of `message`, or nil where it is taken.
  static func refusal(of message: [UInt8], bounds: WireBounds = .standard) -> WireRefusal? {
    do {
      _ = try RequestMessage.decoded(message, bounds: bounds)
      return nil
    } catch {
      return error
    }
  }

  /// The response that a client reads from one frame.
  static func response(_ frame: [UInt8]) throws -> ResponseMessage {
    #expect(FrameHeader.messageLength(in: frame.span) == frame.count - FrameHeader.byteCount)
    var decoder = ResponseDecoder()
    let message = Array(frame.dropFirst(FrameHeader.byteCount))
    return try decoder.response(frame: message.span)
  }

  static func message(_ request: RequestMessage) throws -> [UInt8] {
    Array(try request.frame().dropFirst(FrameHeader.byteCount))
  }

  /// The request that the benchmark sends: eight deployments of four fields, two tags.
  static let filter = RequestMessage(
    callID: 77, timeoutMilliseconds: 100,
    method: .filterDeployments(
      FilterDeploymentsRequest(
        deployments: (0..<8).map {
          Deployment(
            id: "deployment-000\($0)", modelName: "gpt-4o", model: "openai/gpt-4o-\($0)",
            provider: "openai")
        },
        tags: ["team-a", "customer-12345"], modelName: "gpt-4o", estimatedCostUSD: 0.0125)))

  static let record: RequestMessage = {
    var message = RecordSpendRequest(costUSD: 0)
    message.provider = "openai"
    message.deploymentID = "d\u{0}1"
    message.model = "openai/gpt-4o"
    message.tags = ["", "a\u{0}b", "a", "ü"]
    message.idempotencyKey = "0190163d-8694-739b-aea5-966c26f8ad91"
    message.reservationID = "r-1"
    return RequestMessage(callID: .max, timeoutMilliseconds: .max, method: .recordSpend(message))
  }()

  static let budgets: RequestMessage = {
    var message = GetProviderBudgetsRequest()
    message.providers = ["openai", "", "azure"]
    message.includesDeployments = true
    message.includesTags = true
    message.pageSize = 1000
    message.pageToken = "next"
    message.deploymentIDs = ["d1", "d2"]
    message.tags = ["team-a"]
    (message.pattern, message.nearest) = ("user:*", 20)
    return RequestMessage(callID: 300, method: .getProviderBudgets(message))
  }()

  static let history: RequestMessage = {
    var message = GetSpendHistoryRequest(scope: .pool, name: "fast", window: "month")
    (message.pageSize, message.pageToken) = (100, "1700000000000")
    return RequestMessage(callID: 301, method: .getSpendHistory(message))
  }()

  static let reserve: RequestMessage = {
    var message = ReserveSpendRequest(amountUSD: 0.5)
    message.provider = "openai"
    message.deploymentID = "d1"
    message.model = "openai/gpt-4o"
    message.tags = ["team-a", ""]
    message.ttlMilliseconds = 60_000
    message.idempotencyKey = "k"
    message.modelName = "gpt-4o"
    return RequestMessage(callID: 302, method: .reserveSpend(message))
  }()

  /// A filter that reserves: one candidate's own estimate is 0, the other has none.
  static let fused: RequestMessage = {
    var message = FilterDeploymentsRequest(
      deployments: [
        Deployment(id: "d1", isFree: true, estimatedCostUSD: 0), Deployment(id: "d2"),
      ], tags: ["team-a"], estimatedCostUSD: 0.25)
    message.reserve = ReserveOptions(
      amountUSD: 0, ttlMilliseconds: .max, idempotencyKey: "0190163d")
    return RequestMessage(callID: 303, method: .filterDeployments(message))
  }()

  private static func set(_ setting: SetBudgetRequest.Setting) -> SetBudgetRequest {
    var message = SetBudgetRequest(
      BudgetTarget(.provider, "openai", window: "1d"), setting)
    (message.untilUnixMilliseconds, message.reason) = (1_764_220_000_000, "launch")
    message.ifVersion = setting == .noLimit ? "" : "1764220000000.0a1b2c3d"
    return message
  }

  private static let changes: ListChangesRequest = {
    var message = ListChangesRequest()
    (message.pageSize, message.pageToken, message.sinceUnixMilliseconds) = (7, "9", 5)
    return message
  }()

  static let requests: [RequestMessage] = [
    filter, record, budgets, history, reserve, fused,
    RequestMessage(callID: 5, method: .releaseReservation(id: "r1-a")),
    RequestMessage(callID: 6, method: .extendReservation(id: "r1-a", ttlMilliseconds: 1_000)),
    RequestMessage(callID: 302, method: .setBudget(set(.limitUSD(0)))),
    RequestMessage(callID: 303, method: .setBudget(set(.noLimit))),
    RequestMessage(callID: 304, method: .setBudget(set(.mode(.enforce)))),
    RequestMessage(
      callID: 305, method: .clearBudget(ClearBudgetRequest(BudgetTarget(.total, ""), reason: "r"))),
    RequestMessage(
      callID: 306,
      method: .resetBudget(
        ResetBudgetRequest(BudgetTarget(.tag, "t", window: "1d"), toUSD: 2.5, reason: "r"))),
    RequestMessage(callID: 307, method: .listChanges(changes)),
    RequestMessage(callID: 308, method: .reloadConfig),
    RequestMessage(callID: 1, method: .ping),
    RequestMessage(callID: 2, method: nil),
    RequestMessage(callID: 3, method: .filterDeployments(FilterDeploymentsRequest())),
    RequestMessage(
      callID: 4,
      method: .filterDeployments(FilterDeploymentsRequest(deployments: [Deployment()]))),
    RequestMessage(callID: 5, method: .recordSpend(RecordSpendRequest(costUSD: nil))),
    RequestMessage(callID: 6, method: .recordSpend(RecordSpendRequest(costUSD: 4e-8))),
    RequestMessage(callID: 7, method: .getProviderBudgets(GetProviderBudgetsRequest())),
  ]
}
