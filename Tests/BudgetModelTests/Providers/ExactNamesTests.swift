import BudgetModel
import Testing

@Suite struct ExactNamesTests {
  @Test func providersThatOnlyLookAlikeAreTwo() {
    let alike = ["caf\u{E9}", "cafe\u{301}"]
    var facts = ProviderFacts()
    facts.operatorModels = [(model: "m1", provider: alike[0]), (model: "m2", provider: alike[1])]
    let directory = ProviderDirectory(facts)
    for (model, provider) in zip(["m1", "m2"], alike) {
      let index = NameBytes.with(model) { directory.provider(ofModel: $0) }
      #expect(index.map { Array(directory.names[Int($0)].utf8) } == Array(provider.utf8))
    }
  }
}
