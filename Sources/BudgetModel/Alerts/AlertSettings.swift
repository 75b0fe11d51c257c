/// When operators are told of budgets, and by which webhook.
public struct AlertSettings: Hashable, Sendable {
  /// The name of the fleet in alerts; part of their ids, so that two fleets with the same budgets have
  /// other ones.
  public var name = Self.standardName
  /// When they are told.
  public var rules = AlertRules()
  /// The receiver.
  public var webhook: AlertWebhook

  /// The name of a fleet that has none of its own.
  public static let standardName = "budgetd"
  /// The longest name, in bytes of UTF-8.
  public static let longestName = 64

  /// Makes the standard settings with a receiver.
  public init(webhook: AlertWebhook) { self.webhook = webhook }
}

/// When operators are told of a budget.
public struct AlertRules: Hashable, Sendable {
  /// Parts of the limit in percent, the lowest first, each once.
  public var thresholds = [80, 95, 100]
  /// Told when the money will be gone within so many milliseconds at its present rate; nil: not told.
  public var runsOutInMilliseconds: Int64? = 7_200_000
  /// How many alerts of budgets that names get from patterns a node tells in an hour.
  public var dynamicPerHour = 60

  /// The range of a threshold, in percent.
  public static let thresholdRange = 1...1_000
  /// More thresholds nobody reads.
  public static let mostThresholds = 10
  /// The shortest and the longest time before the end of the money, in milliseconds: a minute, 90 days.
  public static let runsOutRange: ClosedRange<Int64> = 60_000...7_776_000_000
  /// The range of `dynamicPerHour`.
  public static let dynamicRange = 0...1_000

  /// The standard rules.
  public init() {}
}

/// The receiver of alerts.
public struct AlertWebhook: Hashable, Sendable {
  /// The place of its address.
  public enum Address: Hashable, Sendable {
    /// In the configuration, or in the variable of the process that the configuration names.
    case given(WebhookURL, variable: String?)
    /// In the first line of that file.
    case file(String)
  }

  /// The form of what it is sent.
  public enum Form: String, CaseIterable, Hashable, Sendable {
    /// An object with a member for each fact.
    case json
    /// The one that Slack and those like it take: a text.
    case slack
  }

  /// Its address.
  public var address: Address
  /// The form of what it is sent.
  public var form = Form.json
  /// How long it may take to answer, in milliseconds.
  public var timeoutMilliseconds: Int64 = 10_000
  /// The file of the roots that its certificate may lead to; nil: the system's.
  public var authorities: String?

  /// The range of `timeoutMilliseconds`.
  public static let timeoutRange: ClosedRange<Int64> = 500...30_000

  /// Makes a receiver of JSON.
  public init(_ address: Address) { self.address = address }
}

/// The address of a webhook: whoever knows it may send, so it is a secret and prints as nothing.
public struct WebhookURL: Hashable, Sendable {
  /// The address itself. Never for logs.
  public let revealed: String
  /// Whether what is sent is encrypted.
  public var isEncrypted: Bool { revealed.utf8.starts(with: Self.encrypted.utf8) }

  private static let encrypted = "https://"
  private static let plain = "http://"
  /// The longest address, in bytes.
  public static let longest = 2_048

  /// Reads an address. Throws what is wrong, in words that show nothing of it.
  public init(_ text: String) throws(WebhookURLError) {
    guard text.utf8.count <= Self.longest else {
      throw WebhookURLError(
        "it has \(text.utf8.count) bytes: an address has at most \(Self.longest)")
    }
    guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw WebhookURLError("it has blanks, control characters or letters past ASCII: escape them")
    }
    let scheme = [Self.encrypted, Self.plain].first { text.utf8.starts(with: $0.utf8) }
    guard let scheme else {
      throw WebhookURLError("it begins with neither https:// nor http://: write the whole address")
    }
    let rest = text.utf8.dropFirst(scheme.utf8.count)
    guard let first = rest.first, !"/?#:@".utf8.contains(first) else {
      throw WebhookURLError("no host stands behind \(scheme): write the whole address")
    }
    revealed = text
  }
}

/// Why a text is not the address of a webhook.
public struct WebhookURLError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The complaint, without the address.
  public let description: String

  init(_ description: String) { self.description = description }
}

extension WebhookURL: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Never the address.
  public var description: String { "(hidden)" }
  /// Never the address.
  public var debugDescription: String { "(hidden)" }
  /// Nothing, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: []) }
}
