/// What the walk knows about a field: how it is framed, and how often it may stand.
struct FieldRule: Equatable {
  enum Occurrence: UInt8, Equatable {
    case once
    case deployments
    case tags
    case list
  }

  let wireType: UInt8
  let occurrence: Occurrence
  /// The kind of the message inside, `request` where there is none: no message holds a request.
  let inner: MessageKind

  private init(_ wireType: UInt8, _ occurrence: Occurrence, _ inner: MessageKind = .request) {
    self.wireType = wireType
    self.occurrence = occurrence
    self.inner = inner
  }

  var holdsMessage: Bool { inner != .request }

  private static let integer = FieldRule(0, .once)
  private static let double = FieldRule(1, .once)
  private static let text = FieldRule(2, .once)
  private static let tags = FieldRule(2, .tags)
  private static let list = FieldRule(2, .list)

  /// The rule of field `number` of a message of `kind`, or nil for a field the schema does not
  /// know. A switch rather than a dictionary: it compiles to a jump and touches no heap.
  @inline(__always)
  static func rule(for number: UInt32, of kind: MessageKind) -> FieldRule? {
    switch kind {
    case .deployment:
      return number <= 4 ? text : nil
    case .filterDeployments:
      switch number {
      case 1: return FieldRule(2, .deployments, .deployment)
      case 2: return tags
      case 3: return text
      case 4: return double
      default: return nil
      }
    case .request: return envelopeRule(for: number)
    case .recordSpend:
      switch number {
      case 4: return tags
      case 5: return double
      case 1...7: return text
      default: return nil
      }
    case .getProviderBudgets:
      switch number {
      case 1, 6: return list
      case 2, 3, 4: return integer
      case 5: return text
      case 7: return tags
      default: return nil
      }
    case .reserveSpend:
      switch number {
      case 4: return tags
      case 5: return double
      case 6: return integer
      case 1...7: return text
      default: return nil
      }
    case .releaseReservation, .backupLedger, .authenticate: return number == 1 ? text : nil
    case .ping: return nil
    }
  }

  private static func envelopeRule(for number: UInt32) -> FieldRule? {
    switch number {
    case 1, 2: integer
    case 10: FieldRule(2, .once, .filterDeployments)
    case 11: FieldRule(2, .once, .recordSpend)
    case 12: FieldRule(2, .once, .getProviderBudgets)
    case 13: FieldRule(2, .once, .reserveSpend)
    case 14: FieldRule(2, .once, .releaseReservation)
    case 16: FieldRule(2, .once, .backupLedger)
    case 20: FieldRule(2, .once, .authenticate)
    case 21: FieldRule(2, .once, .ping)
    // Asked with the message that FilterDeployments would be.
    case 24: FieldRule(2, .once, .filterDeployments)
    default: nil
    }
  }
}
