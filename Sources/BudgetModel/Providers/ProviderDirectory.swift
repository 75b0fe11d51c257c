/// Placeholder of the lead: the owner of provider derivation replaces this file.
public struct ProviderDirectory: Sendable {
  /// Every provider name that the directory can answer, by index.
  public let names: [String]

  /// The directory that knows nothing.
  public static let empty = ProviderDirectory(names: [])

  /// The index in `names` of the provider that `model` belongs to, or nil where no rule names one.
  public func provider(ofModel model: NameBytes) -> Int32? { nil }
}
