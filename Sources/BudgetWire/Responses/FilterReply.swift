public import BudgetModel

/// The answer to FilterDeployments as it grows: the engine says position after position, the reply
/// keeps them as the bytes that go out. Reuse one for request after request with `reset`: its
/// storage stays, so that filling and writing it allocates nothing in the steady state.
public struct FilterReply {
  /// How the call ends. Past `ok`, such as `resourceExhausted`, the results go out all the same.
  public var statusCode: StatusCode = .ok
  /// The status's sentence in UTF-8; bytes so that its storage is kept too.
  public var statusMessage: [UInt8] = []
  /// How many positions are allowed.
  public private(set) var allowedCount = 0
  /// How many denials are given, at most `WireBounds.maximumDenials`.
  public private(set) var denialCount = 0
  /// How many denials past those there were.
  public private(set) var denialsOmitted: UInt32 = 0
  /// How many candidates the server supplied.
  public private(set) var candidateCount = 0

  private(set) var allowedBytes: [UInt8] = []
  private(set) var denialBytes: [UInt8] = []
  private(set) var candidateBytes: [UInt8] = []
  private(set) var reservationBytes: [UInt8] = []
  private let maximumDenials: Int
  /// The number of the list of denials in the message.
  private let denialField: UInt8
  private var lastAllowed: UInt32 = 0
  private var encoded = EncodedDenial()

  /// An empty reply to FilterDeployments, which says that nothing is allowed.
  public init(bounds: WireBounds = .standard) {
    maximumDenials = bounds.maximumDenials
    denialField = 2
  }

  /// An empty reply to ReserveSpend, for its denials.
  public init(reserving bounds: WireBounds) {
    maximumDenials = bounds.maximumDenials
    denialField = 3
  }

  /// Empties the reply and keeps its storage.
  public mutating func reset() {
    statusCode = .ok
    // Also of an empty array it would cost a call.
    if !statusMessage.isEmpty { statusMessage.removeAll(keepingCapacity: true) }
    if !allowedBytes.isEmpty { allowedBytes.removeAll(keepingCapacity: true) }
    if !denialBytes.isEmpty { denialBytes.removeAll(keepingCapacity: true) }
    if !candidateBytes.isEmpty { candidateBytes.removeAll(keepingCapacity: true) }
    if !reservationBytes.isEmpty { reservationBytes.removeAll(keepingCapacity: true) }
    allowedCount = 0
    denialCount = 0
    denialsOmitted = 0
    candidateCount = 0
    lastAllowed = 0
  }

  /// Allows the candidate at `position`, which must be higher than the one before.
  public mutating func allow(_ position: UInt32) {
    precondition(allowedCount == 0 || position > lastAllowed, "allowed positions must ascend")
    lastAllowed = position
    allowedCount += 1
    allowedBytes.appendVarint(UInt64(position))
  }

  /// Allows the candidates at `positions`, which ascend.
  public mutating func allow(_ positions: Span<UInt32>) {
    guard !positions.isEmpty else { return }
    let last = positions[positions.count - 1]
    guard last < 0x80 else {
      for index in positions.indices { allow(positions[index]) }
      return
    }
    // Nearly always: a byte each.
    var next: UInt32 = allowedCount == 0 ? 0 : lastAllowed + 1
    for index in positions.indices {
      let position = positions[index]
      precondition(position >= next, "allowed positions must ascend")
      next = position + 1
      allowedBytes.append(UInt8(truncatingIfNeeded: position))
    }
    lastAllowed = last
    allowedCount += positions.count
  }

  /// Allows the candidate at `position` alone, with what is held for it.
  public mutating func choose(_ position: UInt32, _ reservation: ReservationReply) {
    allow(position)
    reservationBytes.appendPresentInteger(5, UInt64(position))
    if !reservation.id.isEmpty { reservationBytes.appendBytes(6, reservation.id) }
    reservationBytes.appendInteger(7, UInt64(bitPattern: reservation.expiresAtUnixMilliseconds))
    reservationBytes.appendDouble(8, reservation.amountUSD)
  }

  /// Adds a denial; past the bound it is only counted.
  public mutating func deny(_ denial: Denial) {
    var encoded = exchange(&encoded, with: EncodedDenial())
    encoded.encode(denial)
    deny(at: denial.position, as: encoded.bytes.span)
    self.encoded = encoded
  }

  /// Adds a denial that was encoded before, as `EncodedDenial.bytes`, of the candidate at `position`; past the bound it is only
  /// counted.
  public mutating func deny(at position: UInt32, as denial: Span<UInt8>) {
    guard denialCount < maximumDenials else {
      denialsOmitted += 1
      return
    }
    denialCount += 1
    let place = position == 0 ? 0 : 1 + [UInt8].varintLength(Int(position))
    denialBytes.appendHead(denialField, length: place + denial.count)
    denialBytes.appendInteger(1, UInt64(position))
    denialBytes.append(bytesOf: denial)
  }

  /// Takes the denials out again and counts them, where they do not fit beside the candidates.
  public mutating func omitAllDenials() {
    denialsOmitted += UInt32(denialCount)
    denialCount = 0
    denialBytes.removeAll(keepingCapacity: true)
  }

  /// Counts `count` denials that are not given.
  public mutating func omitDenials(_ count: UInt32) { denialsOmitted += count }

  /// How many bytes the candidates take that the server supplied.
  public var candidateByteCount: Int { candidateBytes.count }

  /// Copies the candidates that the server supplied, to be given again.
  public func copyCandidates(to list: inout CandidateList) {
    list.count = candidateCount
    list.bytes.removeAll(keepingCapacity: true)
    list.bytes.append(contentsOf: candidateBytes)
  }

  /// Adds candidates as they were given before.
  public mutating func addCandidates(_ list: borrowing CandidateList) {
    candidateCount += list.count
    candidateBytes.append(contentsOf: list.bytes)
  }

  /// Adds a candidate that the server supplied, in the order of their positions.
  public mutating func addCandidate(_ candidate: Candidate) {
    candidateCount += 1
    candidateBytes.appendMessage(3) { bytes in
      bytes.appendText(1, candidate.id)
      bytes.appendText(2, candidate.modelName)
      bytes.appendText(3, candidate.model)
      bytes.appendText(4, candidate.provider)
      bytes.appendFlag(6, candidate.isFree)
    }
  }
}

extension FilterReply {
  /// A budget that denies a candidate. Its name is borrowed until `deny` returns.
  public struct Denial {
    /// The candidate's position.
    public var position: UInt32
    /// The kind of thing that the budget applies to.
    public var scope: BudgetScope
    /// The budget's name.
    public var name: NameBytes
    /// US dollars that were compared with the limit.
    public var spendUSD: Double
    /// The limit in US dollars.
    public var limitUSD: Double
    /// When the window ends, Unix milliseconds; nil = no window is open.
    public var resetsAtUnixMilliseconds: Int64?
    /// How much of `spendUSD` nobody has spent: an outage policy withholds it.
    public var withheldUSD: Double
    /// Whether it denies for its limit, or is frozen.
    public var mode = BudgetMode.enforce
    /// The window, where the budget is not LiteLLM's own; else empty.
    public var window = ""
    /// How much of `spendUSD` open reservations hold.
    public var reservedUSD = 0.0

    /// A denial of all its parts.
    public init(
      position: UInt32, scope: BudgetScope, name: NameBytes, spendUSD: Double, limitUSD: Double,
      resetsAtUnixMilliseconds: Int64?, withheldUSD: Double = 0
    ) {
      self.position = position
      self.scope = scope
      self.name = name
      self.spendUSD = spendUSD
      self.limitUSD = limitUSD
      self.resetsAtUnixMilliseconds = resetsAtUnixMilliseconds
      self.withheldUSD = withheldUSD
    }
  }

  /// A denial as the bytes that go out, but for the candidate's position: what a budget says is the
  /// same for all candidates, and for all requests until money is spent.
  public struct EncodedDenial: Sendable {
    /// The bytes.
    public private(set) var bytes: [UInt8] = []

    /// One of nothing.
    public init() {}

    /// Becomes `denial`. Storage is kept.
    public mutating func encode(_ denial: Denial) {
      bytes.removeAll(keepingCapacity: true)
      bytes.appendInteger(2, UInt64(denial.scope.rawValue))
      bytes.appendText(3, denial.name)
      bytes.appendDouble(4, denial.spendUSD)
      bytes.appendDouble(5, denial.limitUSD)
      if let resetsAt = denial.resetsAtUnixMilliseconds {
        bytes.appendPresentInteger(6, UInt64(bitPattern: resetsAt))
      }
      bytes.appendDouble(7, denial.withheldUSD)
      bytes.appendInteger(8, UInt64(denial.mode.rawValue))
      bytes.appendText(9, denial.window)
      bytes.appendDouble(10, denial.reservedUSD)
    }
  }

  /// A reservation that was made. Reused from reply to reply.
  public struct ReservationReply: Sendable {
    /// Its name in UTF-8; empty: nothing is held.
    public var id: [UInt8] = []
    /// When it ends by itself.
    public var expiresAtUnixMilliseconds: Int64 = 0
    /// US dollars that are held.
    public var amountUSD = 0.0

    /// Nothing is held.
    public init() {}
  }

  /// Candidates that the server supplied, as the bytes that go out.
  public struct CandidateList: Sendable {
    /// How many they are.
    public fileprivate(set) var count = 0
    fileprivate var bytes: [UInt8] = []

    /// No candidates.
    public init() {}
  }

  /// A candidate that the server supplied. Its names are borrowed until `addCandidate` returns.
  public struct Candidate {
    /// LiteLLM's `model_info.id`.
    public var id: NameBytes
    /// The public name, its model group.
    public var modelName: NameBytes
    /// `litellm_params.model`.
    public var model: NameBytes
    /// The explicit provider.
    public var provider: NameBytes
    /// Whether it costs nothing.
    public var isFree: Bool

    /// A candidate of all its parts.
    public init(
      id: NameBytes, modelName: NameBytes, model: NameBytes, provider: NameBytes,
      isFree: Bool = false
    ) {
      self.id = id
      self.modelName = modelName
      self.model = model
      self.provider = provider
      self.isFree = isFree
    }
  }
}
