import BudgetModel
import Documents
import Testing

@testable import LiteLLMConfig

@Suite struct PublishedProvidersTests {
  static let directory = PublishedProviders.directory()

  private static func provider(_ model: String) -> String? {
    NameBytes.with(model) { directory.provider(ofModel: $0) }.map { directory.names[Int($0)] }
  }

  /// Every name of the list, by the hot path and by the model list's.
  @Test func theVectorsResolveAsInLiteLLM() throws {
    var count = 0
    for line in try TestFiles.lines("providers.jsonl") {
      let model = try #require(line["model"]?.text)
      #expect(Self.provider(model) == line["provider"]?.text, "\(model)")
      #expect(
        Self.directory.provider(ofModel: model, customProvider: nil, apiBase: nil)
          == line["provider"]?.text, "\(model)")
      count += 1
    }
    #expect(count == 6_235)
  }

  /// Names that this directory answers otherwise, knowingly. RAGFlow's name is an error to LiteLLM
  /// unless an address and an agent go with it, which a router that is running has; a provider that
  /// is given explicitly counts here even where the model's whole name is the same word.
  private static func differs(_ model: String, _ custom: String?) -> Bool {
    custom == "ragflow" || custom == nil && model.hasPrefix("ragflow/") || custom == model
  }

  /// Made up names, and entries with custom_llm_provider and api_base.
  @Test func entriesResolveAsInLiteLLM() throws {
    var count = 0
    var differences = 0
    for line in try TestFiles.lines("provider_entries.jsonl") {
      let model = try #require(line["model"]?.text)
      let custom = line["custom_llm_provider"]?.text
      let base = line["api_base"]?.text
      if Self.differs(model, custom), line["provider"]?.isNull == true {
        differences += 1
        continue
      }
      #expect(
        Self.directory.provider(ofModel: model, customProvider: custom, apiBase: base)
          == line["provider"]?.text, "\(model) \(custom ?? "-") \(base ?? "-")")
      count += 1
    }
    #expect(count + differences == 4_720)
    #expect(differences == 8)
  }

  @Test func theVersionIsStated() { #expect(PublishedProviders.liteLLMVersion == "1.106.2") }
}
