import BudgetModel
import Testing

@Suite struct ProviderDirectoryTests {
  private static let directory = ProviderDirectory(
    ProviderFacts(
      providers: ["openai", "azure", "anthropic", "bedrock", "replicate", "amazon_nova", "ai21"],
      exceptions: [
        ("azure/mistral-large", "openai"), ("anthropic/claude-2", "anthropic_text"),
        ("ai21/jamba", "ai21_chat"),
      ],
      knownModels: [("gpt-4o", "openai"), ("low/gpt-image-1", "openai"), ("azure", "openai")],
      endpoints: [("api.groq.com/openai/v1", "groq"), ("api.x.ai/v1", nil)],
      operatorModels: [("house", "mine"), ("gpt-4o", "mine"), ("azure", "mine")]))

  private static func provider(_ model: String) -> String? {
    NameBytes.with(model) { directory.provider(ofModel: $0) }.map { directory.names[Int($0)] }
  }

  @Test(arguments: [
    ("openai/gpt-4o", "openai"), ("openai/", "openai"), ("openai//", "openai"),
    ("azure/mistral-large", "openai"), ("azure/mistral-large2", "azure"),
    ("anthropic/claude-2", "anthropic_text"), ("ai21/jamba", "ai21_chat"), ("ai21/j2", "ai21"),
    ("gpt-4o", "openai"), ("low/gpt-image-1", "openai"), ("house", "mine"), ("*", "openai"),
    ("gpt-image-7", "openai"), ("ft:gpt-4o:org", "openai"), ("amazon_nova-x", "amazon_nova"),
    ("claude-newfamily-5", "anthropic"), ("Claude-X-5.1-20270101", "anthropic"),
    ("us.anthropic.claude-9", "bedrock"), ("ANTHROPIC.claude-", "bedrock"), ("azure", "mine"),
  ])
  func namesResolve(model: String, provider: String) { #expect(Self.provider(model) == provider) }

  @Test(arguments: [
    "", "/", "/x", "OpenAI/x", "openai", "amazon_nova", "gpt-4", "claude-5", "claude-x-5-",
    "claude-x",
    "a.b.anthropic.claude-9", "claude-x-5-1-2027", "ft:gpt-3.5", "unknown/house",
  ])
  func otherNamesDoNot(model: String) { #expect(Self.provider(model) == nil) }

  @Test func versionsAtReplicateHaveSixtyFourCharacters() {
    for (length, expected) in [(63, nil), (64, "replicate"), (65, nil)] as [(Int, String?)] {
      let version = String(repeating: "é", count: length)
      #expect(Self.provider("owner/model:\(version)") == expected)
      #expect(Self.provider("owner/model:\(version):more") == expected)
    }
  }

  @Test(
    arguments: [
      ("gpt-4o", "mine", nil, "mine"), ("gpt-4o", "", "", "openai"),
      ("claude-2", "anthropic", nil, "anthropic_text"), ("jamba", "ai21", nil, "ai21_chat"),
      ("mistral-large", "azure", nil, "azure"), ("azure/mistral-large", "azure", nil, "openai"),
      ("ai21/jamba", "mine", nil, "mine"), ("x", nil, "https://api.groq.com/openai/v1/", "groq"),
      ("x", nil, "API.GROQ.COM/openai/v1/chat?a=b", "groq"),
      ("x", nil, "https://user@api.groq.com:443/openai/v1", "groq"),
      ("x", nil, "https://api.groq.com/openai/v12", nil),
      ("x", nil, "https://evil.com/api.groq.com", nil),
      ("gpt-4o", nil, "https://api.x.ai/v1", "mine"),
      ("openai/x", nil, "api.groq.com/openai/v1", "openai"),
      ("gpt-4o", nil, "https://elsewhere", "openai"),
    ] as [(String, String?, String?, String?)])
  func entriesResolve(model: String, custom: String?, base: String?, provider: String?) {
    #expect(
      Self.directory.provider(ofModel: model, customProvider: custom, apiBase: base) == provider)
  }

  @Test func theEmptyDirectoryKnowsNothing() {
    for model in ["*", "openai/x", "claude-x-5", ""] {
      #expect(NameBytes.with(model) { ProviderDirectory.empty.provider(ofModel: $0) } == nil)
    }
  }

  @Test func onlyNamesItCanAnswerAreKnown() {
    #expect(Self.directory.knows(provider: "mine"))
    #expect(Self.directory.knows(provider: "ai21_chat"))
    #expect(!Self.directory.knows(provider: "opneai"))
  }
}
