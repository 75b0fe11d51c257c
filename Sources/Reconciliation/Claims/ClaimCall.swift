import BudgetModel

/// The part of a call of the script that is about this node's claim: it may spend so much beyond the
/// spend that the same call tells.
struct ClaimCall: Equatable {
  /// The living origin of the node.
  var origin: String
  /// The number of the call: one counter for the process, so that no two of an origin share one.
  var number: Int64
  /// The number of the last answered call about this budget; 0: none, or its claim has ended.
  var answered: Int64
  /// The claim that goes on: always granted, since it is out.
  var keep: PicoUSD
  /// How long the claim stands, from now on.
  var life: Duration
  /// The fleet's total that the node was told last in this window; zero: none.
  var known: PicoUSD
  /// Nil: no raise is asked for.
  var limit: PicoUSD?
  /// How much surplus more it would like.
  var ahead = PicoUSD.zero
  /// A surplus below that is of no use.
  var unit = PicoUSD.zero
  /// Amounts that wait, first come first.
  var waiting: [PicoUSD] = []
  /// Ended lives of the node, whose claims go.
  var gone: [String] = []

  /// Below 10¹⁵ $, so that no sum of claims is too long for the script.
  static let largest = PicoUSD(pico: 999_999_999_999_999 * PicoUSD.picoPerDollar)

  var words: [String] {
    func text(_ amount: PicoUSD) -> String {
      min(max(.zero, amount), Self.largest).twelveDecimals
    }
    return [
      origin, "\(number)", "\(answered)", text(keep), "\(max(0, life.wholeMilliseconds))",
      max(.zero, known).exactText, limit.map { max(.zero, $0).twelveDecimals } ?? "-", text(ahead),
      text(unit), waiting.map(text).joined(separator: ","), gone.joined(separator: ","),
    ]
  }
}

extension ClaimCall {
  /// An amount as the store has it; nil: no node has claimed it. Whoever adds up as many as one reply can
  /// have stays far within the range of amounts.
  static func amount(_ text: String) -> PicoUSD? {
    PicoUSD(twelveDecimals: text).flatMap { $0 <= largest ? $0 : nil }
  }
}

/// The script's answer about claims.
struct ClaimReply: Equatable {
  /// The claim's fate.
  enum State: String {
    /// It is as `claim` says.
    case granted = "OK"
    /// A later call of this origin was there before: nothing of this one counts.
    case old = "OLD"
    /// Something was lost: until every node has repeated its claim, none is raised.
    case learning = "LEARN"
  }

  var state: State
  /// This node's claim.
  var claim: PicoUSD
  /// The claims of all others.
  var others: PicoUSD
  /// The part of the limit that neither is spent nor claimed.
  var free: PicoUSD
  /// Nodes with a claim, this one included.
  var claimants: Int
  /// Until then no claim is raised, on the store's clock.
  var learningUntil: Timestamp

  /// How many fields it has.
  static let fields = 6
  /// More nodes than a fleet has: amounts are multiplied by their number.
  static let mostClaimants = 1_000_000

  /// Reads the fields; nil: they have another shape.
  init?(_ texts: some RandomAccessCollection<String>) {
    let texts = Array(texts)
    guard texts.count == Self.fields, let state = State(rawValue: texts[0]),
      let claim = PicoUSD(twelveDecimals: texts[1]), let others = PicoUSD(twelveDecimals: texts[2]),
      let free = PicoUSD(twelveDecimals: texts[3]), let claimants = Int(texts[4]), claimants >= 0,
      let until = StoreNumber.milliseconds(texts[5])
    else { return nil }
    self.state = state
    // Never more than a call can keep, or the next one would not keep it all.
    self.claim = min(claim, ClaimCall.largest)
    self.others = others
    self.free = free
    self.claimants = min(claimants, Self.mostClaimants)
    learningUntil = until
  }
}
