/// The shapes of names that belong to a provider whatever the price list says.
///
/// Letters are ASCII here; LiteLLM's patterns take a few look-alikes of other scripts too.
enum ModelPattern: Int, CaseIterable {
  /// `gpt-image…`, `ft:gpt-3.5-turbo` or `ft:gpt-4` anywhere, and `*` alone.
  case openAI
  /// A name of more than 64 characters that has exactly 64 between its first two colons, or after
  /// its only one: a version of a model at Replicate.
  case replicate
  /// `amazon_nova…`.
  case amazonNova
  /// `anthropic.claude-…` in any case, behind at most one geographic segment such as `us.`.
  case bedrockClaude
  /// `claude-family-5`, `claude-family-5-1`, `claude-family-5.1-20270101` in any case.
  case anthropicClaude

  /// The literal parts of the patterns.
  private enum Text {
    static let imageModel = Array("gpt-image".utf8)
    static let tunedFour = Array("ft:gpt-4".utf8)
    static let tunedThree = Array("ft:gpt-3.5-turbo".utf8)
    static let amazonNova = Array("amazon_nova".utf8)
    static let bedrockClaude = Array("anthropic.claude-".utf8)
    static let claude = Array("claude-".utf8)
  }

  /// The provider that the pattern stands for.
  var provider: String {
    switch self {
    case .openAI: "openai"
    case .replicate: "replicate"
    case .amazonNova: "amazon_nova"
    case .bedrockClaude: "bedrock"
    case .anthropicClaude: "anthropic"
    }
  }

  /// The first pattern that `model` has, in LiteLLM's order.
  init?(of model: NameBytes) {
    if Self.isOpenAI(model) {
      self = .openAI
    } else if Self.isReplicate(model) {
      self = .replicate
    } else if model.has(Text.amazonNova, at: 0) {
      self = .amazonNova
    } else if Self.isBedrockClaude(model) {
      self = .bedrockClaude
    } else if Self.isAnthropicClaude(model) {
      self = .anthropicClaude
    } else {
      return nil
    }
  }

  private static func isOpenAI(_ model: NameBytes) -> Bool {
    if model.has(Text.imageModel, at: 0) || model.count == 1 && model[0] == UInt8(ascii: "*") {
      return true
    }
    var index = 0
    while index < model.count {
      if model[index] == UInt8(ascii: "f"),
        model.has(Text.tunedFour, at: index) || model.has(Text.tunedThree, at: index)
      {
        return true
      }
      index += 1
    }
    return false
  }

  private static func isReplicate(_ model: NameBytes) -> Bool {
    var colons = 0
    var characters = 0
    var between = 0
    var index = 0
    while index < model.count {
      let byte = model[index]
      if byte == UInt8(ascii: ":") { colons += 1 }
      // Bytes 10xxxxxx continue a character.
      if byte & 0xC0 != 0x80 {
        characters += 1
        if colons == 1, byte != UInt8(ascii: ":") { between += 1 }
      }
      index += 1
    }
    return colons > 0 && characters > 64 && between == 64
  }

  private static func isBedrockClaude(_ model: NameBytes) -> Bool {
    if model.has(Text.bedrockClaude, at: 0, ignoringCase: true) { return true }
    var index = 0
    while index < model.count, model[index] == UInt8(ascii: "-") || model.isLetter(index) {
      index += 1
    }
    guard index > 0, index < model.count, model[index] == UInt8(ascii: ".") else { return false }
    return model.has(Text.bedrockClaude, at: index + 1, ignoringCase: true)
  }

  private static func isAnthropicClaude(_ model: NameBytes) -> Bool {
    guard model.has(Text.claude, at: 0, ignoringCase: true) else { return false }
    var index = 7
    while index < model.count, model.isLetter(index) { index += 1 }
    guard index > 7, index < model.count, model[index] == UInt8(ascii: "-") else { return false }
    // Then a number, perhaps a second one behind - or ., perhaps a date of 8 digits behind -.
    let major = model.digits(from: index + 1)
    guard major > 0 else { return false }
    index += 1 + major
    guard index < model.count else { return true }
    let separator = model[index]
    guard separator == UInt8(ascii: "-") || separator == UInt8(ascii: ".") else { return false }
    let second = model.digits(from: index + 1)
    guard second > 0 else { return false }
    index += 1 + second
    guard index < model.count else { return true }
    guard model[index] == UInt8(ascii: "-") else { return false }
    return model.digits(from: index + 1) == 8 && index + 9 == model.count
  }
}

extension NameBytes {
  /// Whether the ASCII `text` stands at `start`; `text` is in lower case.
  fileprivate func has(_ text: [UInt8], at start: Int, ignoringCase: Bool = false) -> Bool {
    guard start + text.count <= count else { return false }
    var index = 0
    while index < text.count {
      let byte = self[start + index]
      if byte != text[index] {
        guard ignoringCase, byte | 0x20 == text[index], isLetter(start + index) else {
          return false
        }
      }
      index += 1
    }
    return true
  }

  fileprivate func isLetter(_ index: Int) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self[index] | 0x20)
  }

  /// How many digits follow from `start` on.
  fileprivate func digits(from start: Int) -> Int {
    var index = start
    while index < count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self[index]) {
      index += 1
    }
    return index - start
  }
}
